/* SPDX-License-Identifier: MIT */
/*
 * icmp_hostile.c - messages that are not what they claim to be
 *
 * Each lies in memory of exactly its length, so that a sanitizer sees one byte
 * read too far. Whatever is accepted must leave with right checksums, within
 * its bounds, and about the segment that was asked for.
 */
#include <arpa/inet.h>

#include "core/icmp.h"
#include "errors.h"
#include "parse.h"
#include "unit.h"

#define IS(reason) (1u << (reason))

static uint8_t in[ERROR_MAX];

static struct icmp_error message;

/* The reason for refusing it; DROP_REASONS: it is in @message. */
static enum drop_reason refusal(const uint8_t *ip, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum drop_reason why = DROP_REASONS;
	int ret;

	ck_assert_ptr_nonnull(copy);
	if (len)
		memcpy(copy, ip, len);
	memset(&message, 0xa5, sizeof(message));
	ret = parse_icmp(&message, len ? copy : copy + 1, len, &why);
	free(copy);
	unit_check(ret == 0 || ret == -1, "returns %d", ret);
	unit_check((ret == 0) == (why == DROP_REASONS), "reason and result");
	return why;
}

/* Whatever was accepted: translated, it must be fit to be sent. */
static void check_accepted(const char *what, uint64_t n)
{
	struct error arriving = error_arriving(true);
	struct error e = error_translated(&arriving, true);
	const struct flow_pair to = {e.segment.src, e.segment.dst};
	struct ip_addr src = frame_addr(e.src), dst = frame_addr(e.dst);
	struct icmp_error *m = &message, again;
	enum drop_reason why;
	uint8_t ttl = icmp_ttl(m);

	unit_check(m->msg.len <= ICMP_MESSAGE_MAX, "%s %" PRIu64, what, n);
	unit_check(m->tcp_len >= 8, "%s %" PRIu64 ": ports", what, n);
	unit_check(m->tcp_at + m->tcp_len <= m->msg.len,
		   "%s %" PRIu64 ": quote", what, n);
	if (ttl <= 1)
		return; /* the engine's to refuse */
	icmp_translate(m, &src, &dst, &to);
	unit_check(error_is_right(m->msg.ip, m->msg.len),
		   "%s %" PRIu64 ": checksums", what, n);
	unit_check(icmp_ttl(m) == ttl - 1, "%s %" PRIu64 ": TTL", what, n);
	unit_check(parse_icmp(&again, m->msg.ip, m->msg.len, &why) == 0,
		   "%s %" PRIu64 ": refused on the other side", what, n);
	unit_check(memcmp(&again.quoted.pair, &to, sizeof(to)) == 0,
		   "%s %" PRIu64 ": about another segment", what, n);
	unit_check(again.seq == m->seq && again.tcp_len == m->tcp_len &&
			   again.mtu == m->mtu && again.msg.len == m->msg.len,
		   "%s %" PRIu64 ": reads differently", what, n);
}

START_TEST(cut_off_anywhere_it_is_refused)
{
	struct error e = error_arriving(true);
	uint32_t len;

	e.tcp_quoted = 300;
	e.ip_options_len = _i ? 8 : 0;
	len = error_build(&e, in);
	for (uint32_t n = 0; n < len; n++)
		ck_assert_int_eq(refusal(in, n), DROP_TRUNCATED);
	ck_assert_int_eq(refusal(in, len), DROP_REASONS);
	/* Link-layer padding behind it is no part of it. */
	ck_assert_int_eq(refusal(in, len + 20), DROP_REASONS);
	ck_assert_uint_eq(message.msg.len, len);
}
END_TEST

/* The same, honest about its length */
START_TEST(shorter_than_the_ports_and_sequence_it_is_refused)
{
	struct error e = error_arriving(true);
	uint32_t header = 20 + (uint32_t)_i * 4, len;
	enum drop_reason why;

	e.ip_options_len = (uint8_t)(_i * 4);
	len = error_build(&e, in);
	for (uint32_t n = 20; n <= 200; n++) {
		error_build(&e, in);
		frame_put16(in + 2, n);
		if (n < ERROR_HEADERS) {
			frame_put16(in + 10, 0);
			frame_put16(in + 10, (uint16_t)~frame_sum(in, 20));
		} else {
			error_fix_csums(in, n);
		}
		why = refusal(in, n);
		if (n < ERROR_HEADERS + header + 8) {
			unit_check(why == DROP_BAD_ICMP, "%u bytes", n);
			continue;
		}
		unit_check(why == DROP_REASONS, "%u bytes", n);
		check_accepted("bytes", n);
	}
	ck_assert_uint_gt(len, 200);
}
END_TEST

/* A good error about 20 + 24 bytes of a packet, and how to spoil it. */
static const struct spoilt {
	const char *what;
	uint16_t at; /* byte of the message */
	uint8_t value;
	uint8_t fix; /* 1: both checksums are made right afterwards */
	uint32_t reasons;
} spoilt[] = {
	{"version 6", 0, 0x65, 1, IS(DROP_NOT_IPV4)},
	{"header of 4 words", 0, 0x44, 1, IS(DROP_BAD_IP)},
	{"header of 6 words", 0, 0x46, 1, IS(DROP_IP_OPTIONS)},
	{"total length 19", 3, 19, 1, IS(DROP_BAD_IP)},
	{"total length 20", 3, 20, 1, IS(DROP_BAD_ICMP)},
	{"total length 27", 3, 27, 1, IS(DROP_BAD_ICMP)},
	{"one byte missing", 3, 73, 1, IS(DROP_TRUNCATED)},
	{"far too long", 2, 0xff, 1, IS(DROP_TRUNCATED)},
	{"first fragment", 6, 0x20, 1, IS(DROP_FRAGMENT)},
	{"later fragment", 7, 0x01, 1, IS(DROP_FRAGMENT)},
	{"UDP", 9, 17, 1, IS(DROP_ICMP_OTHER)},
	{"IP checksum", 10, 0, 0, IS(DROP_BAD_IP)},
	{"source address", 15, 99, 0, IS(DROP_BAD_IP)},
	{"echo reply", 20, 0, 1, IS(DROP_ICMP_OTHER)},
	{"source quench", 20, 4, 1, IS(DROP_ICMP_OTHER)},
	{"redirect", 20, 5, 1, IS(DROP_ICMP_OTHER)},
	{"echo", 20, 8, 1, IS(DROP_ICMP_OTHER)},
	{"time stamp", 20, 13, 1, IS(DROP_ICMP_OTHER)},
	{"type 255", 20, 255, 1, IS(DROP_ICMP_OTHER)},
	{"ICMP checksum", 22, 0, 0, IS(DROP_BAD_CHECKSUM)},
	{"MTU", 27, 1, 0, IS(DROP_BAD_CHECKSUM)},
	{"last byte", 71, 1, 0, IS(DROP_BAD_CHECKSUM)},
	{"quoted version 6", 28, 0x65, 1, IS(DROP_BAD_ICMP)},
	{"quoted version 0", 28, 0x05, 1, IS(DROP_BAD_ICMP)},
	{"quoted header of 0 words", 28, 0x40, 1, IS(DROP_BAD_ICMP)},
	{"quoted header of 4 words", 28, 0x44, 1, IS(DROP_BAD_ICMP)},
	{"quoted header leaves 4 bytes", 28, 0x4a, 1, IS(DROP_BAD_ICMP)},
	{"quoted header beyond the end", 28, 0x4f, 1, IS(DROP_BAD_ICMP)},
	{"quoted total length below 28", 30, 0, 1, IS(DROP_REASONS)},
	{"quoted fragment at 8", 35, 1, 1, IS(DROP_ICMP_OTHER)},
	{"quoted fragment far behind", 34, 0x1f, 1, IS(DROP_ICMP_OTHER)},
	{"quoted ICMP", 37, 1, 1, IS(DROP_ICMP_OTHER)},
	{"quoted UDP", 37, 17, 1, IS(DROP_ICMP_OTHER)},
	{"quoted source not who is told", 43, 77, 1, IS(DROP_BAD_ICMP)},
	{"told is another", 19, 77, 1, IS(DROP_BAD_ICMP)},
};

START_TEST(each_field_is_checked)
{
	const struct spoilt *s = &spoilt[_i];
	struct error e = error_arriving(true);
	enum drop_reason why;
	uint32_t len;

	e.tcp_quoted = 24;
	len = error_build(&e, in);
	ck_assert_uint_eq(len, 72);
	ck_assert_int_eq(refusal(in, len), DROP_REASONS);
	in[s->at] = s->value;
	if (s->fix)
		error_fix_csums(in, len);
	if (s->fix && s->at == 3 && s->value < len && s->value >= ERROR_HEADERS)
		error_fix_csums(in, s->value);
	why = refusal(in, len);
	ck_assert_msg(s->reasons & IS(why), "%s: %s", s->what,
		      why == DROP_REASONS ? "accepted" : drop_name(why));
	if (why == DROP_REASONS)
		check_accepted(s->what, 0);
}
END_TEST

START_TEST(quoted_total_length_bounds_the_segment)
{
	struct error e = error_arriving(true);
	uint32_t len;

	e.tcp_quoted = 40;
	len = error_build(&e, in);
	for (unsigned total = 0; total <= 0xffff;
	     total += total < 80 ? 1 : 97) {
		enum drop_reason why;

		frame_put16(in + 30, total);
		error_fix_csums(in, len);
		why = refusal(in, len);
		unit_check(why == (total < 28 ? DROP_BAD_ICMP : DROP_REASONS),
			   "total %u", total);
		if (total < 28)
			continue;
		unit_check(message.tcp_len == (total < 60 ? total - 20 : 40),
			   "total %u: %u bytes", total, message.tcp_len);
		check_accepted("total", total);
	}
}
END_TEST

/* An error about an error, to any depth, is nobody's segment. */
START_TEST(nested_errors_are_refused)
{
	struct error e = error_arriving(true);
	static uint8_t outer[ERROR_MAX];
	uint32_t len;

	e.tcp_quoted = 8;
	len = error_build(&e, in);
	for (int depth = 0; depth < 5; depth++) {
		memcpy(outer, in, ERROR_HEADERS);
		memcpy(outer + ERROR_HEADERS, in, len);
		len += ERROR_HEADERS;
		frame_put16(outer + 2, len);
		error_fix_csums(outer, len);
		ck_assert_int_eq(refusal(outer, len), DROP_ICMP_OTHER);
		memcpy(in, outer, len);
	}
}
END_TEST

static struct error random_error(struct random *r)
{
	static const uint8_t types[] = {3, 3, 3, 11, 12};
	struct error e = error_arriving(random_below(r, 2));

	e.type = types[random_below(r, ARRAY_LEN(types))];
	e.code = (uint8_t)random_below(r, 16);
	e.ttl = (uint8_t)(2 + random_below(r, 200));
	e.mtu = random_below(r, 3) ? (uint16_t)random_next(r) : 0;
	e.segment.payload_len = random_below(r, 1449);
	e.ip_options_len = (uint8_t)(random_below(r, 11) * 4);
	e.tcp_quoted = 8 + random_below(r, error_segment_len(&e) - 7);
	if (random_below(r, 2) && e.tcp_quoted > 40)
		e.tcp_quoted = 8 + random_below(r, 33);
	if (random_below(r, 3) == 0) {
		uint32_t quote = 20u + e.ip_options_len + e.tcp_quoted;

		e.pad_to = (quote + 3) / 4 * 4;
		if (e.pad_to < 128)
			e.pad_to = 128;
		if (e.pad_to <= 1020)
			e.extension_len = random_below(r, 200);
	}
	return e;
}

/* Changes a few bytes, mostly of the headers; the length now and then. */
static uint32_t mutate(struct random *r, uint8_t *ip, uint32_t len)
{
	for (uint32_t n = random_below(r, 5); n > 0; n--) {
		uint32_t at = random_below(r, random_below(r, 4) ? 80 : len);

		if (at < len)
			ip[at] =
				random_below(r, 2)
					? (uint8_t)random_next(r)
					: ip[at] ^ (uint8_t)(1u << random_below(
								     r, 8));
	}
	if (random_below(r, 4) == 0)
		len = ERROR_HEADERS + random_below(r, len - ERROR_HEADERS + 1);
	if (random_below(r, 8)) {
		ip[0] = 0x45;
		ip[6] = ip[7] = 0;
		ip[9] = 1;
		frame_put16(ip + 2, len);
	}
	if (random_below(r, 16))
		error_fix_csums(ip, len);
	return len;
}

START_TEST(no_mutation_leaves_with_a_wrong_checksum)
{
	struct random r =
		unit_random("no_mutation_leaves_with_a_wrong_checksum_fn");
	unsigned accepted = 0, seen = 0;

	for (unsigned n = 0; n < 300000; n++) {
		struct error e = random_error(&r);
		uint32_t len = error_build(&e, in);
		enum drop_reason why;

		len = mutate(&r, in, len);
		why = refusal(in, len);
		seen |= IS(why);
		if (why != DROP_REASONS)
			continue;
		accepted++;
		check_accepted("round", n);
	}
	printf("%u of 300000 accepted\n", accepted);
	ck_assert_uint_gt(accepted, 50000);
	ck_assert_uint_eq(
		seen, IS(DROP_TRUNCATED) | IS(DROP_NOT_IPV4) | IS(DROP_BAD_IP) |
			      IS(DROP_IP_OPTIONS) | IS(DROP_FRAGMENT) |
			      IS(DROP_BAD_CHECKSUM) | IS(DROP_ICMP_OTHER) |
			      IS(DROP_BAD_ICMP) | IS(DROP_REASONS));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{cut_off_anywhere_it_is_refused, 2},
		{shorter_than_the_ports_and_sequence_it_is_refused, 11},
		{each_field_is_checked, ARRAY_LEN(spoilt)},
		{quoted_total_length_bounds_the_segment, 0},
		{nested_errors_are_refused, 0},
		{no_mutation_leaves_with_a_wrong_checksum, 0},
	};

	return unit_run("icmp_hostile", tests, ARRAY_LEN(tests));
}
