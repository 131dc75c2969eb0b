/* SPDX-License-Identifier: MIT */
/*
 * clamp.c - the MSS option of a SYN is lowered, and nothing else touched
 */
#include <arpa/inet.h>

#include "core/packet.h"
#include "frames.h"
#include "parse.h"
#include "unit.h"

#define OPTIONS_MAX 40

static uint8_t wire[FRAME_MAX], out[FRAME_MAX];

static struct frame syn(const uint8_t *options, uint32_t options_len)
{
	return (struct frame){
		.src = frame_endpoint("203.0.113.77", 40112),
		.dst = frame_endpoint("198.18.0.1", 20000),
		.seq = 0x11223344,
		.window = 64240,
		.flags = SYN,
		.options = options,
		.options_len = options_len,
	};
}

/* Clamps the frame; the packet that results lies in @out. */
static struct packet clamped(const struct frame *f, uint16_t mss)
{
	uint32_t len = frame_build(f, wire);
	enum drop_reason why = DROP_REASONS;
	struct packet p;

	memset(&p, 0xa5, sizeof(p));
	if (parse_packet(&p, wire, len, &why))
		ck_abort_msg("refused: %s", drop_name(why));
	packet_clamp_mss(&p, mss);
	unit_check(packet_len(&p) == len, "the length changed");
	memcpy(out, p.hdr, p.hdr_len);
	if (p.payload_len)
		memcpy(out + p.hdr_len, p.payload, p.payload_len);
	return p;
}

/* The result must be @f with these options, whichever checksum it has. */
static void expect_options(const struct frame *f, const uint8_t *options,
			   const char *what, uint64_t n)
{
	static uint8_t want[FRAME_MAX];
	struct frame expected = *f;
	uint32_t len;

	expected.options = options;
	len = frame_build(&expected, want);
	unit_check(memcmp(out, want, len) == 0, "%s %" PRIu64, what, n);
}

/* An option of 1460 behind so many NOPs, both checksum kinds */
START_TEST(larger_mss_is_lowered_wherever_it_lies)
{
	for (uint32_t at = 0; at <= OPTIONS_MAX - 4; at++) {
		uint8_t options[OPTIONS_MAX], want[OPTIONS_MAX];
		struct frame f = syn(options, OPTIONS_MAX);
		struct packet p;

		memset(options, 1, sizeof(options));
		memcpy(options + at, "\2\4\x05\xb4", 4);
		memcpy(want, options, sizeof(want));
		memcpy(want + at, "\2\4\x05\x50", 4); /* 1360 */
		f.flags = at % 3 ? SYN : SYN | ACK;
		f.payload_len = at % 5;
		f.csum = _i ? FRAME_PARTIAL : FRAME_FULL;
		p = clamped(&f, 1360);
		ck_assert_uint_eq(p.tcp.mss, 1360);
		expect_options(&f, want, "NOPs before it", at);
	}
}
END_TEST

START_TEST(mss_is_never_raised_and_zero_means_no_limit)
{
	static const struct {
		uint16_t has, limit, then;
	} cases[] = {
		{1460, 1459, 1459},    {1460, 1460, 1460}, {1460, 1461, 1460},
		{1460, 0, 1460},       {536, 1460, 536},   {0, 1460, 0},
		{65535, 65534, 65534}, {65535, 1, 1},	   {1, 1, 1},
		{256, 255, 255}};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t has[4] = {2, 4}, then[4] = {2, 4};
		struct frame f = syn(has, 4);
		struct packet p;

		frame_put16(has + 2, cases[i].has);
		frame_put16(then + 2, cases[i].then);
		p = clamped(&f, cases[i].limit);
		ck_assert_uint_eq(p.tcp.mss, cases[i].then);
		expect_options(&f, then, "case", i);
	}
}
END_TEST

START_TEST(syn_without_the_option_stays_without)
{
	static const uint8_t options[] = {1, 3, 3, 7};
	struct frame f = syn(options, 4);

	ck_assert_uint_eq(clamped(&f, 1000).tcp.mss, 0);
	expect_options(&f, options, "window scale alone", 0);
	f = syn(NULL, 0);
	ck_assert_uint_eq(clamped(&f, 1000).tcp.mss, 0);
	expect_options(&f, NULL, "no option", 0);
}
END_TEST

START_TEST(only_a_syn_is_changed)
{
	static const uint8_t options[] = {2, 4, 0x05, 0xb4};
	struct frame f = syn(options, 4);

	f.payload_len = 100;
	for (unsigned flags = 0; flags < 256; flags++) {
		if ((flags & SYN) || !(flags & (ACK | RST)) ||
		    (flags & (RST | FIN)) == (RST | FIN))
			continue;
		f.flags = (uint8_t)flags;
		clamped(&f, 1000);
		expect_options(&f, options, "flags", flags);
	}
}
END_TEST

/* A second walk over options, as RFC 9293 section 3.1 tells it. */
static void clamp_slowly(uint8_t *options, unsigned len, uint16_t mss)
{
	while (len > 0) {
		if (options[0] == 0)
			return;
		if (options[0] == 1) {
			options++;
			len--;
			continue;
		}
		if (len < 2 || options[1] < 2 || options[1] > len)
			return;
		if (options[0] == 2 && options[1] == 4 &&
		    frame_get16(options + 2) > mss)
			frame_put16(options + 2, mss);
		len -= options[1];
		options += options[1];
	}
}

START_TEST(any_options_are_clamped_as_slowly_done)
{
	struct random r =
		unit_random("any_options_are_clamped_as_slowly_done_fn");

	for (unsigned n = 0; n < 100000; n++) {
		uint32_t len = random_below(&r, 11) * 4;
		uint8_t options[OPTIONS_MAX], want[OPTIONS_MAX];
		uint16_t mss = (uint16_t)random_next(&r);
		struct frame f = syn(options, len);
		struct packet p;

		/* Small numbers, so that many are options. */
		for (uint32_t i = 0; i < len; i++)
			options[i] = random_below(&r, 3)
					     ? (uint8_t)random_below(&r, 6)
					     : (uint8_t)random_next(&r);
		if (mss == 0)
			mss = 1;
		memcpy(want, options, sizeof(want));
		clamp_slowly(want, len, mss);
		f.csum = n % 2 ? FRAME_PARTIAL : FRAME_FULL;
		p = clamped(&f, mss);
		unit_check(p.tcp.mss <= mss, "round %u", n);
		expect_options(&f, want, "round", n);
	}
}
END_TEST

/* A SYN that is yet to be built is clamped as one that came. */
START_TEST(bare_options_are_clamped_as_those_of_a_packet)
{
	struct random r =
		unit_random("bare_options_are_clamped_as_those_of_a_packet_fn");

	for (unsigned n = 0; n < 100000; n++) {
		uint32_t len = random_below(&r, 11) * 4;
		uint8_t options[OPTIONS_MAX + 1], want[OPTIONS_MAX + 1];
		uint16_t mss = (uint16_t)random_next(&r);

		for (uint32_t i = 0; i < sizeof(options); i++)
			options[i] = random_below(&r, 3)
					     ? (uint8_t)random_below(&r, 6)
					     : (uint8_t)random_next(&r);
		if (n % 10 == 0)
			mss = 0; /* no limit */
		memcpy(want, options, sizeof(want));
		if (mss)
			clamp_slowly(want, len, mss);
		packet_clamp_options(options, len, mss);
		unit_check(memcmp(options, want, sizeof(want)) == 0, "round %u",
			   n);
	}
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{larger_mss_is_lowered_wherever_it_lies, 2},
		{mss_is_never_raised_and_zero_means_no_limit, 0},
		{syn_without_the_option_stays_without, 0},
		{only_a_syn_is_changed, 0},
		{any_options_are_clamped_as_slowly_done, 0},
		{bare_options_are_clamped_as_those_of_a_packet, 0},
	};

	return unit_run("clamp", tests, ARRAY_LEN(tests));
}
