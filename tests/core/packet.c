/* SPDX-License-Identifier: MIT */
/*
 * packet.c - what is taken for a packet, and what leaves after a rewrite
 *
 * Every frame lies in memory of exactly its length, so that a sanitizer sees
 * one byte read too far.
 */
#include <arpa/inet.h>
#include <string.h>

#include "core/packet.h"
#include "frames.h"
#include "parse.h"
#include "unit.h"

#define IS(reason) (1u << (reason))

static struct frame example(void)
{
	return (struct frame){
		.src = frame_endpoint("198.18.0.2", 40112),
		.dst = frame_endpoint("198.18.0.1", 20000),
		.seq = 0x11223344,
		.ack = 0x55667788,
		.window = 0x1234,
		.flags = ACK | PSH,
		.tos = 0x2a,
		.id = 0x4321,
		.payload_len = 37,
	};
}

/* parse_packet() on a copy of exactly @len bytes; *copy is to be freed. */
static int parse_copy(struct packet *p, const uint8_t *ip, uint32_t len,
		      enum drop_reason *why, uint8_t **copy)
{
	*copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(*copy);
	if (len)
		memcpy(*copy, ip, len);
	memset(p, 0xa5, sizeof(*p));
	*why = DROP_REASONS;
	return parse_packet(p, len ? *copy : *copy + 1, len, why);
}

/* The reason for refusing it, or DROP_REASONS. */
static enum drop_reason refusal(const uint8_t *ip, uint32_t len)
{
	enum drop_reason why;
	struct packet p;
	uint8_t *copy;
	int ret = parse_copy(&p, ip, len, &why, &copy);

	free(copy);
	if (ret == 0)
		return DROP_REASONS;
	ck_assert_int_eq(ret, -1);
	ck_assert_int_lt(why, DROP_REASONS);
	return why;
}

static uint32_t wire_of(const struct packet *p, uint8_t *wire)
{
	memcpy(wire, p->hdr, p->hdr_len);
	if (p->payload_len)
		memcpy(wire + p->hdr_len, p->payload, p->payload_len);
	return packet_len(p);
}

START_TEST(good_packet_is_read_in_full)
{
	struct frame f = example();
	uint8_t wire[200];
	uint32_t len = frame_build(&f, wire);
	enum drop_reason why;
	struct packet p;
	uint8_t *copy;

	ck_assert_int_eq(parse_copy(&p, wire, len, &why, &copy), 0);
	ck_assert(endpoint_equal(&p.key.pair.src, &f.src));
	ck_assert(endpoint_equal(&p.key.pair.dst, &f.dst));
	ck_assert_uint_eq(p.key.proto, PACKET_PROTO_TCP);
	ck_assert_mem_eq(p.key.zero, "\0\0\0", 3);
	ck_assert_uint_eq(p.tcp.seq, f.seq);
	ck_assert_uint_eq(p.tcp.ack, f.ack);
	ck_assert_uint_eq(p.tcp.window, f.window);
	ck_assert_uint_eq(p.tcp.flags, TCP_ACK | TCP_PSH);
	ck_assert_uint_eq(p.tcp.len, 37);
	ck_assert_uint_eq(p.tcp.mss, 0);
	ck_assert_uint_eq(p.tcp.wscale, TCP_NO_WSCALE);
	ck_assert_uint_eq(p.payload_len, 37);
	ck_assert_ptr_eq(p.payload, copy + 40);
	ck_assert_uint_eq(p.hdr_len, 40);
	ck_assert_uint_eq(packet_tcp_len(&p), 20);
	ck_assert_uint_eq(packet_len(&p), len);
	ck_assert_uint_eq(packet_ttl(&p), FRAME_TTL);
	ck_assert_int_eq(p.csum, CSUM_FULL);
	ck_assert_mem_eq(p.hdr, wire, 40);
	free(copy);
}
END_TEST

/* How to spoil a good packet of 20 + 20 + 37 bytes, and what it is then. */
static const struct spoilt {
	const char *what;
	uint16_t at; /* byte of the packet */
	uint8_t value;
	uint8_t fix; /* 1: both checksums are made right afterwards */
	uint32_t reasons;
} spoilt[] = {
	{"version 6", 0, 0x65, 1, IS(DROP_NOT_IPV4)},
	{"version 0", 0, 0x05, 1, IS(DROP_NOT_IPV4)},
	{"version 5", 0, 0x55, 1, IS(DROP_NOT_IPV4)},
	{"header of 0 words", 0, 0x40, 1, IS(DROP_BAD_IP)},
	{"header of 4 words", 0, 0x44, 1, IS(DROP_BAD_IP)},
	{"header of 6 words", 0, 0x46, 1, IS(DROP_IP_OPTIONS)},
	{"header of 15 words", 0, 0x4f, 1, IS(DROP_IP_OPTIONS)},
	{"total length 0", 3, 0, 1, IS(DROP_BAD_IP) | IS(DROP_TRUNCATED)},
	{"total length 19", 3, 19, 1, IS(DROP_BAD_IP) | IS(DROP_TRUNCATED)},
	{"total length 20", 3, 20, 1, IS(DROP_BAD_TCP) | IS(DROP_TRUNCATED)},
	{"total length 39", 3, 39, 1, IS(DROP_BAD_TCP) | IS(DROP_TRUNCATED)},
	{"one byte missing", 3, 78, 1, IS(DROP_TRUNCATED)},
	{"far too long", 2, 0xff, 1, IS(DROP_TRUNCATED)},
	{"first fragment", 6, 0x20, 1, IS(DROP_FRAGMENT)},
	{"last fragment", 7, 0x01, 1, IS(DROP_FRAGMENT)},
	{"middle fragment", 6, 0x3f, 1, IS(DROP_FRAGMENT)},
	{"UDP", 9, 17, 1, IS(DROP_NOT_TCP)},
	{"ICMP", 9, 1, 1, IS(DROP_NOT_TCP)},
	{"protocol 0", 9, 0, 1, IS(DROP_NOT_TCP)},
	{"IP checksum", 10, 0, 0, IS(DROP_BAD_IP)},
	{"type of service", 1, 0xff, 0, IS(DROP_BAD_IP)},
	{"source address", 12, 0, 0, IS(DROP_BAD_IP)},
	{"destination address", 19, 0xff, 0, IS(DROP_BAD_IP)},
	{"data offset 0", 32, 0x00, 1, IS(DROP_BAD_TCP)},
	{"data offset 4", 32, 0x40, 1, IS(DROP_BAD_TCP)},
	{"no flags", 33, 0, 1, IS(DROP_BAD_TCP)},
	{"SYN and FIN", 33, SYN | FIN, 1, IS(DROP_BAD_TCP)},
	{"SYN, FIN and ACK", 33, SYN | FIN | ACK, 1, IS(DROP_BAD_TCP)},
	{"SYN and RST", 33, SYN | RST, 1, IS(DROP_BAD_TCP)},
	{"all flags", 33, 0xff, 1, IS(DROP_BAD_TCP)},
	{"FIN without ACK", 33, FIN, 1, IS(DROP_BAD_TCP)},
	{"PSH alone", 33, PSH, 1, IS(DROP_BAD_TCP)},
	{"christmas tree", 33, FIN | PSH | URG, 1, IS(DROP_BAD_TCP)},
	{"source port", 20, 0, 0, IS(DROP_BAD_CHECKSUM)},
	{"sequence", 24, 0, 0, IS(DROP_BAD_CHECKSUM)},
	{"window", 34, 0xff, 0, IS(DROP_BAD_CHECKSUM)},
	{"TCP checksum", 36, 0, 0, IS(DROP_BAD_CHECKSUM)},
	{"first payload byte", 40, 0, 0, IS(DROP_BAD_CHECKSUM)},
	{"last payload byte", 76, 0, 0, IS(DROP_BAD_CHECKSUM)},
};

START_TEST(malformed_packet_is_refused_with_its_reason)
{
	const struct spoilt *s = &spoilt[_i];
	struct frame f = example();
	enum drop_reason why;
	uint8_t wire[200];
	uint32_t len = frame_build(&f, wire);

	ck_assert_msg(wire[s->at] != s->value, "%s: not spoilt", s->what);
	wire[s->at] = s->value;
	if (s->fix)
		frame_fix_csums(wire, len);
	why = refusal(wire, len);
	ck_assert_msg(IS(why) & s->reasons, "%s: %s", s->what, drop_name(why));
}
END_TEST

START_TEST(data_offset_beyond_the_packet_is_refused)
{
	struct frame f = example();
	uint8_t wire[200];

	for (uint32_t payload = 0; payload < 40; payload++) {
		enum drop_reason why;
		uint32_t len;

		f.payload_len = payload;
		len = frame_build(&f, wire);
		wire[32] = (uint8_t)((20 + payload) / 4 + 1) << 4;
		frame_fix_csums(wire, len);
		why = refusal(wire, len);
		ck_assert_msg(IS(why) & (IS(DROP_BAD_TCP) | IS(DROP_TRUNCATED)),
			      "payload %u: %s", payload, drop_name(why));
	}
}
END_TEST

START_TEST(flags_a_connection_can_have_are_accepted)
{
	static const uint8_t flags[] = {SYN,	   SYN | ACK, SYN | ECE | CWR,
					RST,	   RST | ACK, ACK,
					ACK | PSH, FIN | ACK, ACK | URG,
					SYN | PSH, SYN | URG, FIN | PSH | ACK,
					ACK | CWR, ACK | ECE};
	struct frame f = example();
	uint8_t wire[200];

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		f.flags = flags[i];
		ck_assert_msg(refusal(wire, frame_build(&f, wire)) ==
				      DROP_REASONS,
			      "flags %02x", flags[i]);
	}
}
END_TEST

START_TEST(packet_cut_anywhere_is_refused_as_truncated)
{
	static const uint8_t options[40] = {2, 4, 5, 180, 3, 3, 7, 1};
	struct frame f = example();
	uint8_t wire[200];
	uint32_t len;

	f.flags = SYN;
	f.options = options;
	f.options_len = sizeof(options);
	len = frame_build(&f, wire);
	ck_assert_int_eq(refusal(wire, len), DROP_REASONS);
	for (uint32_t cut = 0; cut < len; cut++)
		ck_assert_msg(refusal(wire, cut) == DROP_TRUNCATED,
			      "cut at %u: %s", cut,
			      drop_name(refusal(wire, cut)));
}
END_TEST

START_TEST(link_layer_padding_is_no_payload)
{
	struct frame f = example();
	uint8_t wire[100] = {0};
	enum drop_reason why;
	struct packet p;
	uint8_t *copy;

	for (uint32_t payload = 0; payload < 6; payload++) {
		f.payload_len = payload;
		memset(wire, 0xee, sizeof(wire));
		frame_build(&f, wire);
		ck_assert_int_eq(parse_copy(&p, wire, 46, &why, &copy), 0);
		ck_assert_uint_eq(p.payload_len, payload);
		ck_assert_uint_eq(p.tcp.len, payload);
		free(copy);
	}
}
END_TEST

START_TEST(checksum_is_full_partial_or_evidence)
{
	struct frame f = example();
	uint8_t wire[200];
	enum drop_reason why;
	struct packet p;
	uint8_t *copy;
	uint32_t len;

	f.csum = FRAME_PARTIAL;
	len = frame_build(&f, wire);
	ck_assert_int_eq(parse_copy(&p, wire, len, &why, &copy), 0);
	ck_assert_int_eq(p.csum, CSUM_PARTIAL);
	free(copy);
	f.csum = FRAME_WRONG;
	len = frame_build(&f, wire);
	ck_assert_int_eq(refusal(wire, len), DROP_BAD_CHECKSUM);
	/* a partial sum of another length or address is no partial sum */
	f.csum = FRAME_PARTIAL;
	len = frame_build(&f, wire);
	wire[37] ^= 1;
	ck_assert_int_eq(refusal(wire, len), DROP_BAD_CHECKSUM);
}
END_TEST

/* Any one bit changed on the way is noticed, whichever it is. */
START_TEST(single_bit_error_is_never_accepted)
{
	struct frame f = example();
	uint8_t wire[200];
	uint32_t len = frame_build(&f, wire);

	for (uint32_t bit = 0; bit < len * 8; bit++) {
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(refusal(wire, len) != DROP_REASONS, "bit %u",
			      bit);
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

/* Both zeros of one's complement are a right checksum (RFC 1071). */
START_TEST(checksum_zero_is_accepted_in_both_forms)
{
	struct frame f = example();
	uint8_t wire[200];
	uint32_t len = frame_build(&f, wire);
	uint16_t check = frame_get16(wire + 36);

	/* put the checksum into the window: the new one is zero */
	frame_put16(wire + 34, frame_get16(wire + 34) + check);
	if (frame_get16(wire + 34) < check)
		frame_put16(wire + 34, frame_get16(wire + 34) + 1);
	frame_fix_csums(wire, len);
	ck_assert_uint_eq(frame_get16(wire + 36), 0);
	ck_assert_int_eq(refusal(wire, len), DROP_REASONS);
	frame_put16(wire + 36, 0xffff);
	ck_assert_int_eq(refusal(wire, len), DROP_REASONS);
}
END_TEST

static const struct option_case {
	const char *what;
	uint8_t bytes[40];
	uint8_t len;
	uint16_t mss;
	uint8_t wscale;
} option_cases[] = {
	{"mss", {2, 4, 0x05, 0xb4}, 4, 1460, TCP_NO_WSCALE},
	{"wscale", {1, 3, 3, 7}, 4, 0, 7},
	{"wscale 0", {3, 3, 0, 0}, 4, 0, 0},
	{"wscale 14", {3, 3, 14, 0}, 4, 0, 14},
	{"wscale above 14 counts as 14", {3, 3, 15, 0}, 4, 0, 14},
	{"wscale 255 counts as 14", {3, 3, 255, 0}, 4, 0, 14},
	{"as Linux sends them",
	 {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 9},
	 20,
	 1460,
	 9},
	{"after the end of the list",
	 {0, 0, 0, 0, 2, 4, 1, 2},
	 8,
	 0,
	 TCP_NO_WSCALE},
	{"nothing but padding", {1, 1, 1, 1, 1, 1, 1, 1}, 8, 0, TCP_NO_WSCALE},
	{"forty bytes",
	 {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 2, 0},
	 40,
	 512,
	 TCP_NO_WSCALE},
	{"unknown kinds", {254, 4, 9, 9, 2, 4, 2, 0}, 8, 512, TCP_NO_WSCALE},
	{"mss of length 3", {2, 3, 9, 1, 3, 3, 5, 0}, 8, 0, 5},
	{"wscale of length 4", {3, 4, 9, 1, 2, 4, 2, 0}, 8, 512, TCP_NO_WSCALE},
};

static int parse_options(struct packet *p, uint8_t flags, const uint8_t *bytes,
			 uint32_t len)
{
	struct frame f = example();
	uint8_t wire[200], *copy;
	enum drop_reason why;
	int ret;

	f.flags = flags;
	f.payload_len = 0;
	f.options = bytes;
	f.options_len = len;
	ret = parse_copy(p, wire, frame_build(&f, wire), &why, &copy);
	if (ret)
		ck_assert_int_eq(why, DROP_BAD_TCP);
	free(copy);
	return ret;
}

START_TEST(options_of_a_syn_are_read)
{
	const struct option_case *c = &option_cases[_i];
	struct packet p;

	ck_assert_int_eq(parse_options(&p, SYN, c->bytes, c->len), 0);
	ck_assert_msg(p.tcp.mss == c->mss && p.tcp.wscale == c->wscale,
		      "%s: mss %u wscale %u", c->what, p.tcp.mss, p.tcp.wscale);
	ck_assert_int_eq(parse_options(&p, SYN | ACK, c->bytes, c->len), 0);
	ck_assert_uint_eq(p.tcp.mss, c->mss);
	ck_assert_uint_eq(p.tcp.wscale, c->wscale);
}
END_TEST

START_TEST(options_count_only_in_a_syn)
{
	struct packet p;

	ck_assert_int_eq(
		parse_options(&p, ACK,
			      (const uint8_t[]){2, 4, 1, 0, 3, 3, 5, 0}, 8),
		0);
	ck_assert_uint_eq(p.tcp.mss, 0);
	ck_assert_uint_eq(p.tcp.wscale, TCP_NO_WSCALE);
}
END_TEST

/* RFC 9293 MUST-7: illegal lengths must not harm. Reading stops at one, or
 * the packet is refused as malformed.
 */
START_TEST(hostile_option_lengths_are_survived)
{
	for (int at = 0; at < 8; at++) {
		for (int len = 0; len < 256; len++) {
			uint8_t bytes[8] = {1, 1, 1, 1, 1, 1, 1, 1};
			struct packet p;

			bytes[at] = 2;
			if (at < 7)
				bytes[at + 1] = (uint8_t)len;
			if (parse_options(&p, SYN, bytes, 8) == 0 && len != 4)
				ck_assert_uint_eq(p.tcp.mss, 0);
			bytes[at] = 3;
			if (parse_options(&p, SYN, bytes, 8) == 0 && len != 3)
				ck_assert_uint_eq(p.tcp.wscale, TCP_NO_WSCALE);
		}
	}
}
END_TEST

START_TEST(random_options_are_survived)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < 20000; i++) {
		uint32_t len = 4 * random_below(&r, 11);
		uint8_t bytes[40];
		struct packet p;

		for (uint32_t b = 0; b < len; b++)
			bytes[b] = (uint8_t)random_below(
				&r, random_below(&r, 2) ? 12 : 256);
		if (parse_options(&p, SYN, bytes, len) == 0)
			ck_assert(p.tcp.wscale <= TCP_WSCALE_MAX ||
				  p.tcp.wscale == TCP_NO_WSCALE);
	}
}
END_TEST

START_TEST(random_bytes_are_survived)
{
	struct random r = unit_random(__func__);
	uint8_t wire[120];

	for (int i = 0; i < 50000; i++) {
		uint32_t len = random_below(&r, sizeof(wire));

		for (uint32_t b = 0; b < len; b++)
			wire[b] = (uint8_t)random_next(&r);
		if (len > 20 && i % 8) {
			wire[0] = 0x45;
			frame_put16(wire + 2, len);
			wire[6] = wire[7] = 0;
			wire[9] = 6;
			frame_fix_csums(wire, len);
		}
		refusal(wire, len);
	}
}
END_TEST

/* A rewrite as the engine does it; *out is what would be sent. */
static void rewrite(const struct frame *f, struct frame *out, uint8_t *wire,
		    const struct endpoint *src, const struct endpoint *dst)
{
	uint32_t len = frame_build(f, wire);
	enum drop_reason why;
	struct packet p;
	struct flow_key key;
	uint8_t *copy;

	ck_assert_int_eq(parse_copy(&p, wire, len, &why, &copy), 0);
	key = p.key;
	packet_rewrite(&p, src, dst);
	ck_assert_mem_eq(&p.key, &key, sizeof(key));
	ck_assert_uint_eq(wire_of(&p, wire), len);
	ck_assert(frame_read(out, wire, len));
	ck_assert(frame_csum_is(
		p.csum == CSUM_FULL ? FRAME_FULL : FRAME_PARTIAL, wire, len));
	free(copy);
}

static void check_rewrite(const struct frame *f, struct random *r)
{
	static uint8_t wire[FRAME_MAX];
	struct endpoint src = f->src, dst = f->dst;
	struct frame out;

	for (int i = 12; i < 16; i++) {
		src.addr.b[i] = (uint8_t)random_next(r);
		dst.addr.b[i] = (uint8_t)random_next(r);
	}
	src.port = (uint16_t)random_next(r);
	dst.port = (uint16_t)random_next(r);
	rewrite(f, &out, wire, &src, &dst);
	ck_assert(endpoint_equal(&out.src, &src));
	ck_assert(endpoint_equal(&out.dst, &dst));
	ck_assert_uint_eq(out.ttl, (f->ttl ? f->ttl : FRAME_TTL) - 1);
	ck_assert_uint_eq(out.seq, f->seq);
	ck_assert_uint_eq(out.ack, f->ack);
	ck_assert_uint_eq(out.flags, f->flags);
	ck_assert_uint_eq(out.window, f->window);
	ck_assert_uint_eq(out.tos, f->tos);
	ck_assert_uint_eq(out.id, f->id);
	ck_assert_uint_eq(out.payload_len, f->payload_len);
	ck_assert(frame_payload_kept(&out));
}

static struct frame random_frame(struct random *r, uint32_t payload_max)
{
	static const uint8_t padding[40] = {1, 1, 8, 10, 1, 1, 1, 1, 1, 1};
	struct frame f = example();

	f.seq = (uint32_t)random_next(r);
	f.ack = (uint32_t)random_next(r);
	f.window = (uint16_t)random_next(r);
	f.tos = (uint8_t)random_next(r);
	f.id = (uint16_t)random_next(r);
	f.ttl = (uint8_t)(2 + random_below(r, 254));
	f.options = padding;
	f.options_len = 12 * random_below(r, 2);
	f.payload_len = random_below(r, payload_max + 1);
	f.csum = random_below(r, 2) ? FRAME_FULL : FRAME_PARTIAL;
	return f;
}

START_TEST(rewrite_keeps_both_checksums_right)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < 20000; i++) {
		struct frame f = random_frame(&r, 60);

		check_rewrite(&f, &r);
	}
}
END_TEST

START_TEST(rewrite_of_super_packets_keeps_checksums_right)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < 40; i++) {
		struct frame f = random_frame(&r, 0);

		f.payload_len = FRAME_MAX - FRAME_HEADERS - f.options_len -
				(uint32_t)(i < 10 ? i : i * 997);
		check_rewrite(&f, &r);
	}
}
END_TEST

/* Where one's complement has two zeros: 0x0000 and 0xffff in addresses, ports
 * and sums.
 */
START_TEST(rewrite_at_the_boundaries_of_the_sum_is_right)
{
	static const char *const addrs[] = {"0.0.0.0", "255.255.255.255",
					    "0.0.255.255", "255.255.0.0",
					    "127.255.128.0"};
	static const uint16_t ports[] = {0, 1, 0xfffe, 0xffff};
	uint8_t wire[200];

	for (size_t i = 0; i < 5 * 5 * 4 * 4; i++) {
		struct endpoint src =
			frame_endpoint(addrs[i % 5], ports[i / 25 % 4]);
		struct endpoint dst =
			frame_endpoint(addrs[i / 5 % 5], ports[i / 100 % 4]);
		struct frame f = example(), out, back;

		f.csum = i % 2 ? FRAME_FULL : FRAME_PARTIAL;
		rewrite(&f, &out, wire, &src, &dst);
		ck_assert_int_eq(out.csum, f.csum);
		rewrite(&out, &back, wire, &f.src, &f.dst);
		ck_assert_int_eq(back.csum, f.csum);
	}
}
END_TEST

START_TEST(rewrite_to_the_same_addresses_only_ages_the_packet)
{
	struct frame f = example(), out;
	uint8_t wire[200];

	for (unsigned ttl = 2; ttl < 256; ttl++) {
		f.ttl = (uint8_t)ttl;
		rewrite(&f, &out, wire, &f.src, &f.dst);
		ck_assert_uint_eq(out.ttl, ttl - 1);
		ck_assert_int_eq(out.csum, FRAME_FULL);
	}
}
END_TEST

START_TEST(partial_checksum_is_completed_and_taken_back)
{
	struct random r = unit_random(__func__);
	static uint8_t wire[FRAME_MAX];

	for (int i = 0; i < 2000; i++) {
		struct frame f = random_frame(&r, i < 20 ? 65000 : 99), out;
		uint32_t len = frame_build(&f, wire);
		enum drop_reason why;
		struct packet p;
		uint8_t *copy;

		ck_assert_int_eq(parse_copy(&p, wire, len, &why, &copy), 0);
		packet_rewrite(&p, &f.dst, &f.src);
		packet_partial_csum(&p);
		ck_assert_int_eq(p.csum, CSUM_PARTIAL);
		ck_assert(frame_read(&out, wire, wire_of(&p, wire)));
		ck_assert_int_eq(out.csum, FRAME_PARTIAL);
		packet_complete_csum(&p);
		ck_assert_int_eq(p.csum, CSUM_FULL);
		ck_assert(frame_read(&out, wire, wire_of(&p, wire)));
		ck_assert_int_eq(out.csum, FRAME_FULL);
		packet_complete_csum(&p); /* nothing left to do */
		ck_assert(frame_read(&out, wire, wire_of(&p, wire)));
		ck_assert_int_eq(out.csum, FRAME_FULL);
		free(copy);
	}
}
END_TEST

START_TEST(only_a_first_syn_opens)
{
	struct packet p = {0};

	for (unsigned flags = 0; flags < 256; flags++) {
		p.tcp.flags = (uint8_t)flags;
		ck_assert(packet_opens(&p) ==
			  ((flags & SYN) && !(flags & (ACK | RST | FIN))));
	}
}
END_TEST

START_TEST(every_reason_has_a_name_of_its_own)
{
	for (int i = 0; i < DROP_REASONS; i++) {
		const char *name = drop_name((enum drop_reason)i);

		ck_assert_ptr_nonnull(name);
		ck_assert_uint_gt(strlen(name), 1);
		ck_assert_ptr_null(strchr(name, ' '));
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(name, drop_name((enum drop_reason)j));
	}
	ck_assert_str_eq(drop_name(DROP_BAD_CHECKSUM), "bad-checksum");
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{good_packet_is_read_in_full, 0},
		{malformed_packet_is_refused_with_its_reason,
		 ARRAY_LEN(spoilt)},
		{data_offset_beyond_the_packet_is_refused, 0},
		{flags_a_connection_can_have_are_accepted, 0},
		{packet_cut_anywhere_is_refused_as_truncated, 0},
		{link_layer_padding_is_no_payload, 0},
		{checksum_is_full_partial_or_evidence, 0},
		{single_bit_error_is_never_accepted, 0},
		{checksum_zero_is_accepted_in_both_forms, 0},
		{options_of_a_syn_are_read, ARRAY_LEN(option_cases)},
		{options_count_only_in_a_syn, 0},
		{hostile_option_lengths_are_survived, 0},
		{random_options_are_survived, 0},
		{random_bytes_are_survived, 0},
		{rewrite_keeps_both_checksums_right, 0},
		{rewrite_of_super_packets_keeps_checksums_right, 0},
		{rewrite_at_the_boundaries_of_the_sum_is_right, 0},
		{rewrite_to_the_same_addresses_only_ages_the_packet, 0},
		{partial_checksum_is_completed_and_taken_back, 0},
		{only_a_first_syn_opens, 0},
		{every_reason_has_a_name_of_its_own, 0},
	};

	return unit_run("packet", tests, ARRAY_LEN(tests));
}
