/* SPDX-License-Identifier: MIT */
/*
 * What is merged and then cut, as the kernel does it, is what came in: byte
 * for byte but for the IP identification. And nothing is merged that could not
 * be restored. Of a SYN with data only what fits is left.
 */
#include <check.h>
#include <inttypes.h>
#include <string.h>

#include "core/random.h"
#include "frames.h"
#include "io/cut.h"
#include "io/merge.h"
#include "parse.h"

#define SEGMENTS 60

static uint8_t wire[SEGMENTS][2048];
static uint8_t joined[1 << 17];
static struct packet packets[SEGMENTS];

static void parse(unsigned i, const struct frame *f)
{
	uint32_t len = frame_build(f, wire[i]);
	enum drop_reason why;

	ck_assert_int_eq(parse_packet(&packets[i], wire[i], len, &why), 0);
}

static struct frame data(uint32_t seq, uint32_t len)
{
	return (struct frame){
		.src = frame_endpoint("198.18.0.2", 40000),
		.dst = frame_endpoint("198.18.0.1", 20000),
		.seq = seq,
		.ack = 7,
		.window = 500,
		.flags = ACK,
		.payload_len = len,
	};
}

/* The bytes of a packet, its IP identification and checksum left out. */
static uint32_t bytes_of(struct packet *p, uint8_t *out)
{
	packet_complete_csum(p);
	memcpy(out, p->hdr, p->hdr_len);
	memcpy(out + p->hdr_len, p->payload, p->payload_len);
	memset(out + 4, 0, 2);
	memset(out + 10, 0, 2);
	return packet_len(p);
}

static void check_restored(struct merge *m, unsigned n, uint32_t size,
			   uint64_t seed)
{
	uint8_t want[2048], got[2048];
	struct packet *whole = m->first, piece;
	struct cut cut;
	unsigned i = 0;

	merge_finish(m);
	whole->payload = joined;
	cut_start(&cut, whole, size);
	while (cut_next(&cut, &piece)) {
		struct packet original;
		enum drop_reason why;
		uint32_t len;

		ck_assert_uint_lt(i, n);
		ck_assert_int_eq(
			parse_packet(&original, wire[i], sizeof(wire[i]), &why),
			0);
		len = bytes_of(&original, want);
		ck_assert_msg(bytes_of(&piece, got) == len &&
				      memcmp(want, got, len) == 0,
			      "seed %" PRIu64 ", segment %u", seed, i);
		i++;
	}
	ck_assert_uint_eq(i, n);
}

START_TEST(merged_segments_are_restored_by_the_cut)
{
	const uint64_t seed = (uint64_t)_i + 1;
	struct random random = {.state = seed};
	uint32_t size = 1 + random_below(&random, 1448), seq, at = 0;
	struct merge m;
	unsigned n = 0;

	seq = _i % 3 ? (uint32_t)random_next(&random) : UINT32_MAX - 3000;
	for (; n < SEGMENTS; n++) {
		bool last = random_below(&random, 12) == 0;
		struct frame f = data(
			seq, last ? 1 + random_below(&random, size) : size);

		if (n > 0 && random_below(&random, 12) == 0)
			f.flags |= PSH;
		f.csum = random_below(&random, 2) ? FRAME_FULL : FRAME_PARTIAL;
		parse(n, &f);
		if (n == 0)
			merge_start(&m, &packets[0], 1448);
		else if (!merge_add(&m, &packets[n]))
			break;
		memcpy(joined + at, packets[n].payload, f.payload_len);
		at += f.payload_len;
		seq += f.payload_len;
	}
	ck_assert_uint_eq(m.segments, n);
	ck_assert_uint_le(m.segments, MERGE_MAX);
	check_restored(&m, n, m.size, seed);
}
END_TEST

/* One thing different in the second segment, each of which forbids merging. */
static const struct {
	const char *what;
	struct frame second;
} different[] = {
	{"sequence", {.seq = 101}},
	{"ack", {.ack = 8}},
	{"window", {.window = 501}},
	{"FIN", {.flags = FIN | ACK}},
	{"SYN", {.flags = SYN | ACK}},
	{"RST", {.flags = RST | ACK}},
	{"URG", {.flags = URG | ACK}},
	{"CWR", {.flags = CWR | ACK}},
	{"ECE", {.flags = ECE | ACK}},
	{"tos", {.tos = 3}},
	{"ttl", {.ttl = 63}},
	{"longer", {.payload_len = 101}},
	{"no data", {.payload_len = 0}},
};

START_TEST(segments_that_differ_are_not_merged)
{
	const struct frame *d = &different[_i].second;
	struct frame f = data(0, 100), g = data(100, 100);
	struct merge m;

	g.seq = d->seq ? d->seq : g.seq;
	g.ack = d->ack ? d->ack : g.ack;
	g.window = d->window ? d->window : g.window;
	g.flags = d->flags ? d->flags : g.flags;
	g.tos = d->tos;
	g.ttl = d->ttl;
	if (d->payload_len || strcmp(different[_i].what, "no data") == 0)
		g.payload_len = d->payload_len;
	parse(0, &f);
	parse(1, &g);
	merge_start(&m, &packets[0], 1448);
	ck_assert_msg(!merge_add(&m, &packets[1]), "%s", different[_i].what);
	ck_assert_uint_eq(m.segments, 1);
}
END_TEST

START_TEST(nothing_follows_a_short_segment_or_a_push)
{
	struct frame f = data(0, 100), g = data(100, 99), h = data(199, 99);
	struct merge m;

	if (_i) {
		g = data(100, 100);
		g.flags |= PSH;
		h = data(200, 100);
	}
	parse(0, &f);
	parse(1, &g);
	parse(2, &h);
	merge_start(&m, &packets[0], 1448);
	ck_assert(merge_add(&m, &packets[1]));
	ck_assert(!merge_add(&m, &packets[2]));
}
END_TEST

START_TEST(what_must_be_cut_smaller_is_not_merged)
{
	struct frame f = data(0, 1000), g = data(1000, 1000);
	struct merge m;

	parse(0, &f);
	parse(1, &g);
	merge_start(&m, &packets[0], 999);
	ck_assert(!merge_add(&m, &packets[1]));
}
END_TEST

/* Fast Open: payload, size, and what is left. */
static const struct {
	uint8_t flags;
	uint32_t payload, size, left;
} syns[] = {
	{SYN, 1380, 1340, 1340},
	{SYN, 1341, 1340, 1340},
	{SYN, 1340, 1340, 1340},
	{SYN, 0, 1340, 0},
	{SYN | PSH, 1380, 1340, 1340},
	{SYN | ACK, 1380, 1340, 1340},
	{SYN, 1380, 1, 1},
	{ACK, 1380, 1340, 1380},
};

START_TEST(of_a_syn_what_fits_is_left)
{
	static const enum frame_csum kinds[] = {FRAME_FULL, FRAME_PARTIAL};
	const uint8_t options[8] = {2, 4, 5, 180, 34, 2, 1, 1};
	struct frame f = data(UINT32_MAX - 5, syns[_i / 2].payload), got;
	struct packet *p = &packets[0];
	uint8_t out[2048];
	bool cut;

	f.flags = syns[_i / 2].flags;
	f.options = options;
	f.options_len = sizeof(options);
	f.csum = kinds[_i % 2];
	parse(0, &f);
	cut_syn(p, syns[_i / 2].size);

	/* As it would leave, its own bytes and no more. */
	memcpy(out, p->hdr, p->hdr_len);
	memcpy(out + p->hdr_len, p->payload, p->payload_len);
	ck_assert(frame_read(&got, out, packet_len(p)));
	ck_assert_uint_eq(got.payload_len, syns[_i / 2].left);
	ck_assert(frame_payload_kept(&got));
	ck_assert_uint_eq(got.seq, f.seq);
	ck_assert_uint_eq(got.id, f.id);
	ck_assert_mem_eq(got.options, options, sizeof(options));
	cut = syns[_i / 2].left < syns[_i / 2].payload;
	ck_assert_uint_eq(got.flags, cut ? f.flags & ~PSH : f.flags);
	ck_assert(frame_csum_is(cut ? FRAME_FULL : f.csum, out, packet_len(p)));
	ck_assert_int_eq(p->csum == CSUM_FULL, cut || f.csum == FRAME_FULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("merge");
	TCase *t = tcase_create("merge");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, merged_segments_are_restored_by_the_cut, 0, 500);
	tcase_add_loop_test(t, segments_that_differ_are_not_merged, 0,
			    sizeof(different) / sizeof(different[0]));
	tcase_add_loop_test(t, nothing_follows_a_short_segment_or_a_push, 0, 2);
	tcase_add_test(t, what_must_be_cut_smaller_is_not_merged);
	tcase_add_loop_test(t, of_a_syn_what_fits_is_left, 0,
			    2 * sizeof(syns) / sizeof(syns[0]));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
