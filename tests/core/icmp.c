/* SPDX-License-Identifier: MIT */
/*
 * icmp.c - ICMP errors as routers send them: read, translated, originated
 *
 * Each translation is compared byte for byte with a message that was built
 * from scratch for the other side.
 */
#include <arpa/inet.h>

#include "core/icmp.h"
#include "errors.h"
#include "parse.h"
#include "unit.h"

#define QUOTE_MAX (ICMP_MESSAGE_MAX - ERROR_HEADERS - 20) /* of the segment */

static uint8_t in[ERROR_MAX], want[ERROR_MAX];

static struct icmp_error parsed(const struct error *e)
{
	uint32_t len = error_build(e, in);
	enum drop_reason why = DROP_REASONS;
	struct icmp_error m;

	memset(&m, 0xa5, sizeof(m));
	if (parse_icmp(&m, in, len, &why))
		ck_abort_msg("refused: %s", drop_name(why));
	return m;
}

/* Translates as the engine does; @m becomes what leaves. */
static void translate(struct icmp_error *m, const struct error *to)
{
	const struct flow_pair quoted = {to->segment.src, to->segment.dst};
	struct ip_addr src = frame_addr(to->src), dst = frame_addr(to->dst);

	icmp_translate(m, &src, &dst, &quoted);
	ck_assert(addr_equal(&m->msg.src, &src));
	ck_assert(addr_equal(&m->msg.dst, &dst));
	unit_check(memcmp(&m->quoted.pair, &quoted, sizeof(quoted)) == 0,
		   "the quoted key is the old one");
}

static void expect_bytes(const struct icmp_error *m, const struct error *to,
			 const char *what, unsigned n)
{
	uint32_t len = error_build(to, want);
	uint32_t half = ERROR_HEADERS + 20u + to->ip_options_len + 16;

	/* Of 17 bytes the last is the first half of the checksum. What the
	 * other half would carry is not known: it is left as it was quoted.
	 */
	if (to->tcp_quoted == 17) {
		want[half] = in[half];
		error_fix_csums(want, len);
	}
	unit_check(m->msg.len == len, "%s %u: length %u, not %u", what, n,
		   m->msg.len, len);
	for (uint32_t i = 0; i < len; i++)
		unit_check(m->msg.ip[i] == want[i],
			   "%s %u: byte %u is 0x%02x, not 0x%02x", what, n, i,
			   m->msg.ip[i], want[i]);
}

START_TEST(every_length_of_quote_is_translated_to_the_byte)
{
	const bool by_client = _i;
	struct error e = error_arriving(by_client), out;
	uint32_t most = error_segment_len(&e);

	for (uint32_t n = 8; n <= most; n++) {
		struct icmp_error m;

		e.tcp_quoted = n;
		m = parsed(&e);
		out = error_translated(&e, by_client);
		/* What does not fit into 576 bytes is not quoted any more. */
		if (out.tcp_quoted > QUOTE_MAX)
			out.tcp_quoted = QUOTE_MAX;
		translate(&m, &out);
		expect_bytes(&m, &out, "quoted bytes", n);
	}
}
END_TEST

START_TEST(every_length_of_packet_is_translated_to_the_byte)
{
	const bool by_client = _i;
	struct error e = error_arriving(by_client), out;
	struct icmp_error m;

	for (uint32_t n = 0; n <= 496; n++) {
		e.segment.payload_len = n;
		e.tcp_quoted = error_segment_len(&e);
		m = parsed(&e);
		ck_assert_uint_eq(m.tcp_len, e.tcp_quoted);
		out = error_translated(&e, by_client);
		translate(&m, &out);
		expect_bytes(&m, &out, "payload bytes", n);
	}
}
END_TEST

START_TEST(ip_options_of_the_quoted_packet_are_passed_over)
{
	struct error e = error_arriving(true), out;
	struct icmp_error m;

	e.ip_options_len = (uint8_t)(_i * 4);
	for (uint32_t n = 8; n <= 32; n++) {
		e.tcp_quoted = n;
		m = parsed(&e);
		ck_assert_uint_eq(m.tcp_at, ERROR_HEADERS + 20 + _i * 4u);
		ck_assert_uint_eq(m.seq, e.segment.seq);
		out = error_translated(&e, true);
		translate(&m, &out);
		expect_bytes(&m, &out, "quoted bytes", n);
	}
}
END_TEST

START_TEST(what_the_error_says_is_read)
{
	struct error e = error_arriving(true);
	struct icmp_error m;
	struct flow_key key;

	e.tcp_quoted = 8;
	m = parsed(&e);
	ck_assert_uint_eq(m.type, 3);
	ck_assert_uint_eq(m.code, 4);
	ck_assert(icmp_is_frag_needed(&m));
	ck_assert_uint_eq(m.mtu, 1400);
	ck_assert_uint_eq(m.seq, 0x89abcdef);
	ck_assert(!m.has_ack);
	ck_assert_uint_eq(icmp_ttl(&m), 61);
	ck_assert(endpoint_equal(&m.quoted.pair.src, &e.segment.src));
	ck_assert(endpoint_equal(&m.quoted.pair.dst, &e.segment.dst));
	ck_assert_uint_eq(m.quoted.proto, PACKET_PROTO_TCP);
	ck_assert_mem_eq(m.quoted.zero, "\0\0\0", 3);

	key = icmp_reply_key(&m);
	ck_assert(endpoint_equal(&key.pair.src, &e.segment.dst));
	ck_assert(endpoint_equal(&key.pair.dst, &e.segment.src));
	ck_assert_uint_eq(key.proto, PACKET_PROTO_TCP);

	for (e.tcp_quoted = 9; e.tcp_quoted <= 12; e.tcp_quoted++) {
		m = parsed(&e);
		ck_assert_int_eq(m.has_ack, e.tcp_quoted == 12);
	}
	ck_assert_uint_eq(m.ack, 0x01234567);
}
END_TEST

START_TEST(all_three_kinds_of_error_pass_with_all_codes)
{
	static const uint8_t types[] = {3, 11, 12};
	struct error e = error_arriving(false), out;
	struct icmp_error m;

	e.type = types[_i];
	e.tcp_quoted = 28;
	for (unsigned code = 0; code < 256; code++) {
		e.code = (uint8_t)code;
		m = parsed(&e);
		ck_assert_uint_eq(m.type, e.type);
		ck_assert_uint_eq(m.code, e.code);
		/* Only there is the field an MTU. */
		ck_assert_uint_eq(m.mtu, e.type == 3 && code == 4 ? 1400 : 0);
		out = error_translated(&e, false);
		translate(&m, &out);
		expect_bytes(&m, &out, "code", code);
	}
}
END_TEST

/* A router may quote the header with the TTL changed but not the checksum. */
START_TEST(a_wrong_checksum_in_the_quote_stays_as_wrong)
{
	struct error e = error_arriving(true), out;
	enum drop_reason why;
	struct icmp_error m;
	uint32_t len;

	e.tcp_quoted = 20;
	len = error_build(&e, in);
	in[ERROR_HEADERS + 8] = 1;	     /* TTL */
	in[ERROR_HEADERS + 20 + 16] ^= 0xff; /* TCP checksum */
	error_fix_csums(in, len);
	ck_assert_int_eq(parse_icmp(&m, in, len, &why), 0);
	out = error_translated(&e, true);
	translate(&m, &out);
	ck_assert(error_is_right(m.msg.ip, m.msg.len));

	/* One's complement sum of the header: as far from right as before */
	ck_assert_uint_eq(frame_sum(m.msg.ip + ERROR_HEADERS, 20),
			  frame_sum(in + ERROR_HEADERS, 20));
	error_build(&out, want);
	ck_assert_uint_ne(frame_get16(m.msg.ip + ERROR_HEADERS + 36),
			  frame_get16(want + ERROR_HEADERS + 36));
}
END_TEST

/* ------------------------------------------------- RFC 4884: extensions */

START_TEST(extension_behind_the_quote_is_kept)
{
	struct error e = error_arriving(_i % 2), out;
	struct icmp_error m;

	e.type = 11;
	e.code = 0;
	e.mtu = 0;
	e.tcp_quoted = 28;
	e.extension_len = 16;
	for (e.pad_to = 128; e.pad_to <= 532; e.pad_to += 4) {
		m = parsed(&e);
		/* What follows is not taken for a piece of the segment. */
		ck_assert_uint_eq(m.tcp_len, e.pad_to - 20);
		out = error_translated(&e, _i % 2);
		translate(&m, &out);
		expect_bytes(&m, &out, "padded to", e.pad_to);
		ck_assert_uint_eq(m.msg.ip[25], e.pad_to / 4);
	}
}
END_TEST

START_TEST(extension_that_does_not_fit_is_cut_off_with_its_length)
{
	struct error e = error_arriving(true), out;
	struct icmp_error m;

	e.tcp_quoted = 500;
	e.pad_to = 520;
	e.extension_len = 100;
	m = parsed(&e);
	out = error_translated(&e, true);
	out.extension_len = 0;
	translate(&m, &out);
	expect_bytes(&m, &out, "quote of", 520);

	/* The quote alone is too long. */
	e.tcp_quoted = 700;
	e.pad_to = 720;
	m = parsed(&e);
	out = error_translated(&e, true);
	out.extension_len = 0;
	out.pad_to = 0;
	out.tcp_quoted = QUOTE_MAX;
	translate(&m, &out);
	expect_bytes(&m, &out, "quote of", 720);
}
END_TEST

START_TEST(length_of_the_quote_that_cannot_be_is_taken_for_none)
{
	/* Words. At least 128 bytes; the message below quotes 200. */
	static const struct {
		uint8_t words, kept;
	} cases[] = {{0, 0},   {1, 0},	 {7, 0},  {31, 0}, {32, 32},
		     {49, 49}, {50, 50}, {51, 0}, {52, 0}, {255, 0}};
	struct error e = error_arriving(true), out;
	enum drop_reason why;
	struct icmp_error m;
	uint32_t len;

	e.tcp_quoted = 180;
	out = error_translated(&e, true);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		len = error_build(&e, in);
		in[25] = cases[i].words;
		error_fix_csums(in, len);
		ck_assert_int_eq(parse_icmp(&m, in, len, &why), 0);
		translate(&m, &out);
		ck_assert_uint_eq(m.msg.len, len);
		ck_assert_uint_eq(m.msg.ip[25], cases[i].kept);
		ck_assert(error_is_right(m.msg.ip, m.msg.len));
	}
}
END_TEST

START_TEST(padding_behind_a_short_packet_is_not_its_header)
{
	struct error e = error_arriving(true), out;
	enum drop_reason why;
	struct icmp_error m;
	uint32_t len;

	/* A first fragment of 8 bytes, quoted in 40: its checksum field does
	 * not exist, what lies there is zero and stays so.
	 */
	e.tcp_quoted = 8;
	e.pad_to = 60;
	len = error_build(&e, in);
	frame_put16(in + ERROR_HEADERS + 2, 28);
	frame_put16(in + ERROR_HEADERS + 6, 0x2000); /* more fragments */
	error_fix_csums(in, len);
	ck_assert_int_eq(parse_icmp(&m, in, len, &why), 0);
	ck_assert_uint_eq(m.tcp_len, 8);
	ck_assert(!m.has_ack);
	out = error_translated(&e, true);
	translate(&m, &out);
	for (unsigned i = ERROR_HEADERS + 28; i < len; i++)
		ck_assert_uint_eq(m.msg.ip[i], 0);
	ck_assert(error_is_right(m.msg.ip, len));
}
END_TEST

/* ------------------------------------------------------------- path MTU */

static const struct {
	uint16_t said, total, path_mtu;
} mtus[] = {
	{1400, 1500, 1400},
	{68, 1500, 68},
	{67, 1500, 68},
	{1, 1500, 68},
	{65535, 1500, 65535},
	/* Not said: the plateaus of RFC 1191 */
	{0, 65535, 32000},
	{0, 1500, 1492},
	{0, 1492, 1006},
	{0, 1006, 508},
	{0, 508, 296},
	{0, 297, 296},
	{0, 296, 68},
	{0, 40, 68},
};

START_TEST(path_mtu_is_what_the_router_says_or_the_next_plateau)
{
	struct error e = error_arriving(true);
	enum drop_reason why;
	struct icmp_error m;
	uint32_t len;

	e.mtu = mtus[_i].said;
	e.tcp_quoted = 8;
	len = error_build(&e, in);
	frame_put16(in + ERROR_HEADERS + 2, mtus[_i].total);
	error_fix_csums(in, len);
	ck_assert_int_eq(parse_icmp(&m, in, len, &why), 0);
	ck_assert_uint_eq(icmp_path_mtu(&m), mtus[_i].path_mtu);

	e.code = 1;
	m = parsed(&e);
	ck_assert_uint_eq(icmp_path_mtu(&m), 0);
}
END_TEST

/* ------------------------------------------------------------ in flight */

#define SEEN  TCP_SIDE_SEEN
#define ACKED TCP_SIDE_ACKED

static const struct {
	uint32_t ack, end, seq; /* of the receiver; of the sender; quoted */
	uint8_t from, to;	/* flags */
	bool in_flight;
} flights[] = {
	/* in the middle of a transfer */
	{1000, 3000, 999, SEEN | ACKED, SEEN | ACKED, false},
	{1000, 3000, 1000, SEEN | ACKED, SEEN | ACKED, true},
	{1000, 3000, 2999, SEEN | ACKED, SEEN | ACKED, true},
	{1000, 3000, 3000, SEEN | ACKED, SEEN | ACKED, false},
	{1000, 3000, 0x80000bb8, SEEN | ACKED, SEEN | ACKED, false},
	{1000, 3000, 0x800003e7, SEEN | ACKED, SEEN | ACKED, false},
	/* all of it acknowledged: nothing is */
	{3000, 3000, 2999, SEEN | ACKED, SEEN | ACKED, false},
	{3000, 3000, 3000, SEEN | ACKED, SEEN | ACKED, false},
	/* across the wrap */
	{0xfffffff0, 16, 0xffffffef, SEEN | ACKED, SEEN | ACKED, false},
	{0xfffffff0, 16, 0xfffffff0, SEEN | ACKED, SEEN | ACKED, true},
	{0xfffffff0, 16, 0, SEEN | ACKED, SEEN | ACKED, true},
	{0xfffffff0, 16, 15, SEEN | ACKED, SEEN | ACKED, true},
	{0xfffffff0, 16, 16, SEEN | ACKED, SEEN | ACKED, false},
	/* a SYN without answer, sequence 5000, and around it */
	{0, 5001, 5000, SEEN, 0, true},
	{0, 5001, 5001, SEEN, 0, false},
	{0, 5001, 5001 - 1461, SEEN, 0, true}, /* with data */
	{0, 5001, 5001 - 1462, SEEN, 0, false},
	{0, 0, 0xffffffff, SEEN, 0, true},
	/* the backend's SYN-ACK before the client's ACK */
	{0, 701, 700, SEEN | ACKED, SEEN, true},
	/* from a side that has sent nothing */
	{1000, 0, 0, 0, SEEN | ACKED, false},
	{1000, 3000, 2000, 0, SEEN | ACKED, false},
};

START_TEST(quoted_sequence_must_be_in_flight)
{
	for (unsigned sender = 0; sender < FLOW_SIDES; sender++) {
		struct tcp_track t = {0};

		t.side[sender].end = flights[_i].end;
		t.side[sender].flags = flights[_i].from;
		t.side[!sender].ack = flights[_i].ack;
		t.side[!sender].flags = flights[_i].to;
		ck_assert_int_eq(icmp_in_flight(&t, sender, flights[_i].seq),
				 flights[_i].in_flight);
	}
}
END_TEST

/* The same on a connection followed from its SYN. */
START_TEST(in_flight_follows_the_connection)
{
	struct tcp_segment syn = {.seq = 99, .flags = TCP_SYN};
	struct tcp_segment syn_ack = {.seq = 499,
				      .ack = 100,
				      .window = 60000,
				      .flags = TCP_SYN | TCP_ACK};
	struct tcp_segment data = {.seq = 100,
				   .ack = 500,
				   .window = 60000,
				   .flags = TCP_ACK,
				   .len = 1000};
	struct tcp_segment ack = {
		.seq = 500, .ack = 600, .window = 60000, .flags = TCP_ACK};
	struct tcp_track t;

	syn.wscale = syn_ack.wscale = TCP_NO_WSCALE;
	tcp_track_open(&t, &syn);
	ck_assert(icmp_in_flight(&t, FLOW_ORIG, 99));
	ck_assert(!icmp_in_flight(&t, FLOW_REPLY, 0));
	ck_assert_int_eq(tcp_track(&t, FLOW_REPLY, &syn_ack), TCP_VALID);
	ck_assert(!icmp_in_flight(&t, FLOW_ORIG, 99));
	ck_assert(icmp_in_flight(&t, FLOW_REPLY, 499));
	ck_assert_int_eq(tcp_track(&t, FLOW_ORIG, &data), TCP_VALID);
	ck_assert(!icmp_in_flight(&t, FLOW_REPLY, 499));
	ck_assert(icmp_in_flight(&t, FLOW_ORIG, 100));
	ck_assert(icmp_in_flight(&t, FLOW_ORIG, 1099));
	ck_assert_int_eq(tcp_track(&t, FLOW_REPLY, &ack), TCP_VALID);
	ck_assert(!icmp_in_flight(&t, FLOW_ORIG, 599));
	ck_assert(icmp_in_flight(&t, FLOW_ORIG, 600));
	ck_assert(!icmp_in_flight(&t, FLOW_ORIG, 1100));
}
END_TEST

/* ---------------------------------------------------------- originating */

static struct packet packet_of(const struct frame *f, uint8_t *wire)
{
	uint32_t len = frame_build(f, wire);
	enum drop_reason why = DROP_REASONS;
	struct packet p;

	memset(&p, 0xa5, sizeof(p));
	ck_assert_int_eq(parse_packet(&p, wire, len, &why), 0);
	return p;
}

/* What we should say about a segment that arrived. */
static struct error our_error(const struct frame *segment, uint16_t mtu)
{
	struct error e = {.src = "198.18.0.1",
			  .dst = "203.0.113.77",
			  .type = 3,
			  .code = 4,
			  .ttl = 64,
			  .mtu = mtu,
			  .segment = *segment};

	e.tcp_quoted = error_segment_len(&e);
	if (e.tcp_quoted > QUOTE_MAX)
		e.tcp_quoted = QUOTE_MAX;
	return e;
}

static struct frame too_big(uint32_t payload_len)
{
	struct error e = error_arriving(true);

	e = error_translated(&e, true);
	e.segment.payload_len = payload_len;
	return e.segment;
}

START_TEST(frag_needed_quotes_the_packet_as_it_came)
{
	static uint8_t wire[FRAME_MAX];

	for (uint32_t n = 30; n <= 1448; n++) {
		struct frame f = too_big(n);
		struct packet p = packet_of(&f, wire);
		struct error e = our_error(&f, 81);
		struct icmp_error m = {0};

		unit_check(icmp_frag_needed(&m.msg, &p, 81), "payload %u", n);
		expect_bytes(&m, &e, "payload", n);
		ck_assert(addr_equal(&m.msg.src, &f.dst.addr));
		ck_assert(addr_equal(&m.msg.dst, &f.src.addr));
	}
}
END_TEST

START_TEST(frag_needed_is_understood_by_a_balancer_before_us)
{
	static uint8_t wire[FRAME_MAX];
	struct frame f = too_big(1448);
	struct packet p = packet_of(&f, wire);
	enum drop_reason why;
	struct icmp_message out;
	struct icmp_error m;

	ck_assert(icmp_frag_needed(&out, &p, 1400));
	ck_assert_int_eq(parse_icmp(&m, out.ip, out.len, &why), 0);
	ck_assert_uint_eq(icmp_path_mtu(&m), 1400);
	ck_assert_uint_eq(m.seq, f.seq);
	ck_assert_mem_eq(&m.quoted, &p.key, sizeof(p.key));
}
END_TEST

START_TEST(frag_needed_is_not_sent_where_it_must_not)
{
	static uint8_t wire[FRAME_MAX];
	struct frame f = too_big(1448), no_host;
	struct packet p = packet_of(&f, wire);
	struct icmp_message out;

	ck_assert(icmp_frag_needed(&out, &p, 1499));
	ck_assert(!icmp_frag_needed(&out, &p, 1500)); /* it fits */
	ck_assert(!icmp_frag_needed(&out, &p, 65536));
	ck_assert(icmp_frag_needed(&out, &p, 68));
	ck_assert(!icmp_frag_needed(&out, &p, 67)); /* no such link */
	ck_assert(!icmp_frag_needed(&out, &p, 0));

	wire[6] = 0; /* it may be fragmented */
	frame_fix_csums(wire, 1500);
	p.hdr[6] = 0;
	ck_assert(!icmp_frag_needed(&out, &p, 1400));

	static const char *const nobody[] = {"0.0.0.0",	  "0.1.2.3",
					     "224.0.0.1", "239.255.255.255",
					     "240.0.0.1", "255.255.255.255"};
	for (unsigned i = 0; i < ARRAY_LEN(nobody); i++) {
		no_host = f;
		no_host.src.addr = frame_addr(nobody[i]);
		p = packet_of(&no_host, wire);
		ck_assert(!icmp_frag_needed(&out, &p, 1400));
		no_host = f;
		no_host.dst.addr = frame_addr(nobody[i]);
		p = packet_of(&no_host, wire);
		ck_assert(!icmp_frag_needed(&out, &p, 1400));
	}
	no_host = f; /* a client on this host is a host */
	no_host.src.addr = frame_addr("127.0.0.1");
	p = packet_of(&no_host, wire);
	ck_assert(icmp_frag_needed(&out, &p, 1400));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{every_length_of_quote_is_translated_to_the_byte, 2},
		{every_length_of_packet_is_translated_to_the_byte, 2},
		{ip_options_of_the_quoted_packet_are_passed_over, 11},
		{what_the_error_says_is_read, 0},
		{all_three_kinds_of_error_pass_with_all_codes, 3},
		{a_wrong_checksum_in_the_quote_stays_as_wrong, 0},
		{extension_behind_the_quote_is_kept, 2},
		{extension_that_does_not_fit_is_cut_off_with_its_length, 0},
		{length_of_the_quote_that_cannot_be_is_taken_for_none, 0},
		{padding_behind_a_short_packet_is_not_its_header, 0},
		{path_mtu_is_what_the_router_says_or_the_next_plateau,
		 ARRAY_LEN(mtus)},
		{quoted_sequence_must_be_in_flight, ARRAY_LEN(flights)},
		{in_flight_follows_the_connection, 0},
		{frag_needed_quotes_the_packet_as_it_came, 0},
		{frag_needed_is_understood_by_a_balancer_before_us, 0},
		{frag_needed_is_not_sent_where_it_must_not, 0},
	};

	return unit_run("icmp", tests, ARRAY_LEN(tests));
}
