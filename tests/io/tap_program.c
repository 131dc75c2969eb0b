/* SPDX-License-Identifier: MIT */
/*
 * tap_program.c - the kernel's program: who is asked for the interface, and who
 * is not; and any number of addresses
 *
 * It is run here, by the few instructions that it has: libpcap's own
 * interpreter knows nothing of packet types and interfaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>

#include "io/tap_program.h"
#include "unit.h"

static const uint8_t ours[] = {
	0x45, 0,    0,	  40,	0,   0,	 0, 0, 64,   6,
	0,    0,			       /* an IP header, TCP */
	198,  18,   0,	  2,	198, 18, 0, 1, /* from, to */
	0x10, 0x00, 0x4e, 0x20,		       /* ports 4096, 20000 */
	0,    0,    0,	  1,	0,   0,	 0, 1, 0x50, 0x10, /* ACK */
	0,    1,    0,	  0,	0,   0,
};

struct run {
	uint32_t result;
	unsigned instructions;
	bool asked_interface;
};

static uint32_t load(const uint8_t *packet, const struct sock_filter *f,
		     uint32_t at, uint32_t pkttype, uint32_t ifindex,
		     struct run *run)
{
	uint32_t word;
	uint16_t half;

	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE))
		return pkttype;
	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)) {
		run->asked_interface = true;
		return ifindex;
	}
	ck_assert_uint_le(at, sizeof(ours) - 4);
	switch (BPF_SIZE(f->code)) {
	case BPF_W: memcpy(&word, packet + at, 4); return ntohl(word);
	case BPF_H: memcpy(&half, packet + at, 2); return ntohs(half);
	default: return packet[at];
	}
}

static bool holds(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ: return a == f->k;
	case BPF_JGT: return a > f->k;
	case BPF_JGE: return a >= f->k;
	case BPF_JSET: return a & f->k;
	default: ck_abort_msg("jump %x", f->code);
	}
}

static struct run run(const struct sock_filter *f, const uint8_t *packet,
		      uint32_t pkttype, uint32_t ifindex)
{
	struct run r = {0};
	uint32_t a = 0, x = 0;

	for (;; f++) {
		r.instructions++;
		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			a = load(packet, f,
				 f->k + (BPF_MODE(f->code) == BPF_IND ? x : 0),
				 pkttype, ifindex, &r);
			break;
		case BPF_LDX: x = (packet[f->k] & 0xfu) * 4; break;
		case BPF_ALU: a &= f->k; break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				f += f->k;
			else
				f += holds(f, a) ? f->jt : f->jf;
			break;
		case BPF_RET: r.result = f->k; return r;
		default: ck_abort_msg("instruction %x", f->code);
		}
	}
}

static struct tap_program make(const struct tap_match *m,
			       const struct tap_links *l)
{
	struct tap_program p;

	ck_assert_int_eq(tap_program_kernel(&p, TAP_FLOWS, m, l), 0);
	ck_assert_uint_le(p.n, BPF_MAXINSNS);
	return p;
}

static const struct endpoint service = {
	{{[10] = 0xff, 0xff, 198, 18, 0, 1}},
	0,
};

/* One service: the one that `ours` is for. */
static struct tap_match one_service(struct endpoint *e)
{
	*e = service;
	e->port = htons(20000);
	return (struct tap_match){
		.services = e,
		.n_services = 1,
		.sources = &e->addr,
		.n_sources = 1,
		.nat_lo = 10240,
		.nat_hi = 32767,
	};
}

START_TEST(without_names_any_interface_will_do)
{
	const struct tap_links any = {0};
	struct endpoint e;
	const struct tap_match m = one_service(&e);
	struct tap_program p = make(&m, &any);

	ck_assert_uint_ne(run(p.code, ours, PACKET_HOST, 7).result, 0);
	ck_assert(!run(p.code, ours, PACKET_HOST, 7).asked_interface);
	ck_assert_uint_eq(run(p.code, ours, PACKET_OTHERHOST, 7).result, 0);
	ck_assert_uint_eq(run(p.code, ours, PACKET_OUTGOING, 7).result, 0);
	tap_program_free(&p);
}
END_TEST

START_TEST(with_names_only_theirs_and_nobody_else_is_asked)
{
	struct tap_links some = {.only = true, .n = 2, .ifindex = {3, 900}};
	struct endpoint e;
	const struct tap_match m = one_service(&e);
	struct tap_program p = make(&m, &some);
	uint8_t foreign[sizeof(ours)];

	memcpy(foreign, ours, sizeof(ours));
	foreign[19] = 9;
	ck_assert_uint_ne(run(p.code, ours, PACKET_HOST, 3).result, 0);
	ck_assert_uint_ne(run(p.code, ours, PACKET_HOST, 900).result, 0);
	ck_assert_uint_eq(run(p.code, ours, PACKET_HOST, 4).result, 0);
	ck_assert_uint_eq(run(p.code, foreign, PACKET_HOST, 3).result, 0);
	ck_assert(!run(p.code, foreign, PACKET_HOST, 3).asked_interface);
	tap_program_free(&p);
	some.n = 0; /* they are all gone */
	p = make(&m, &some);
	ck_assert_uint_eq(run(p.code, ours, PACKET_HOST, 3).result, 0);
	tap_program_free(&p);
}
END_TEST

enum { SERVICES = 1200, SOURCES = 600 };
static struct endpoint services[SERVICES];
static struct ip_addr sources[SOURCES];

/*
 * @n of each, the service of `ours` last: 198.18.0.1 is the lowest address, so
 * the others lie between it and the end of each search.
 */
static struct tap_match many(unsigned n_services, unsigned n_sources)
{
	for (unsigned i = 0; i < n_services; i++) {
		services[i] = service;
		services[i].addr.b[14] = (uint8_t)((n_services - 1 - i) >> 8);
		services[i].addr.b[15] = (uint8_t)(n_services - i);
		services[i].port = htons(20000);
	}
	for (unsigned i = 0; i < n_sources; i++) {
		sources[i] = service.addr;
		sources[i].b[13] = 19;
		sources[i].b[14] = (uint8_t)(i >> 8);
		sources[i].b[15] = (uint8_t)i;
	}
	return (struct tap_match){
		.services = services,
		.n_services = n_services,
		.sources = sources,
		.n_sources = n_sources,
		.nat_lo = 10240,
		.nat_hi = 32767,
	};
}

/* As many as there may be, behind jumps that reach 255 instructions. */
START_TEST(many_links_and_many_addresses_fit)
{
	struct tap_links all = {.only = true, .n = TAP_LINKS_MAX};
	const struct tap_match m = many(64, 256);
	uint8_t foreign[sizeof(ours)];
	struct tap_program p;
	struct run r;

	for (int i = 0; i < TAP_LINKS_MAX; i++)
		all.ifindex[i] = i + 1;
	p = make(&m, &all);
	for (unsigned i = 0; i < 64; i++) {
		memcpy(foreign, ours, sizeof(ours));
		memcpy(foreign + 16, &services[i].addr.b[12], 4);
		r = run(p.code, foreign, PACKET_HOST, TAP_LINKS_MAX);
		ck_assert_uint_ne(r.result, 0);
		r = run(p.code, foreign, PACKET_HOST, TAP_LINKS_MAX + 1);
		ck_assert_uint_eq(r.result, 0);
	}
	tap_program_free(&p);
}
END_TEST

/* Nine halvings of 320 addresses, and a jump that is too far now and then. */
START_TEST(a_packet_for_others_costs_little)
{
	const struct tap_links any = {0};
	const struct tap_match m = many(64, 256);
	struct tap_program p = make(&m, &any);
	uint8_t foreign[sizeof(ours)];
	unsigned most = 0;

	memcpy(foreign, ours, sizeof(ours));
	foreign[17] = 20;
	for (unsigned i = 0; i < 256; i++) {
		struct run r;

		foreign[17] = (uint8_t)i;
		r = run(p.code, foreign, PACKET_HOST, 3);
		ck_assert(i == 18 || i == 19 || r.result == 0);
		if (r.result == 0 && r.instructions > most)
			most = r.instructions;
	}
	ck_assert_uint_le(most, 28);
	tap_program_free(&p);
}
END_TEST

START_TEST(what_the_kernel_has_no_room_for_is_refused)
{
	const struct tap_links any = {0};
	const struct tap_match m = many(SERVICES, SOURCES);
	struct tap_program p;

	ck_assert_int_eq(tap_program_kernel(&p, TAP_FLOWS, &m, &any), -E2BIG);
	ck_assert_ptr_null(p.code);
	/* User space judges then, whatever the length. */
	ck_assert_int_eq(tap_program_judge(&p, TAP_FLOWS, &m), 0);
	ck_assert_uint_gt(p.n, BPF_MAXINSNS);
	for (unsigned i = 0; i < SERVICES; i++) {
		uint8_t packet[sizeof(ours)];

		memcpy(packet, ours, sizeof(ours));
		memcpy(packet + 16, &services[i].addr.b[12], 4);
		ck_assert(tap_program_takes(&p, packet, sizeof(packet)));
		packet[23]++; /* another port */
		ck_assert(!tap_program_takes(&p, packet, sizeof(packet)));
	}
	tap_program_free(&p);
}
END_TEST

/* The rest is judged in user space then. */
START_TEST(without_a_match_it_takes_what_is_for_this_host)
{
	const struct tap_links one = {.only = true, .n = 1, .ifindex = {3}};
	struct tap_program p = make(NULL, &one);

	ck_assert_uint_lt(p.n, 16);
	ck_assert_uint_ne(run(p.code, ours, PACKET_HOST, 3).result, 0);
	ck_assert_uint_eq(run(p.code, ours, PACKET_HOST, 4).result, 0);
	ck_assert_uint_eq(run(p.code, ours, PACKET_OTHERHOST, 3).result, 0);
	tap_program_free(&p);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{without_names_any_interface_will_do, 1},
		{with_names_only_theirs_and_nobody_else_is_asked, 1},
		{many_links_and_many_addresses_fit, 1},
		{a_packet_for_others_costs_little, 1},
		{what_the_kernel_has_no_room_for_is_refused, 1},
		{without_a_match_it_takes_what_is_for_this_host, 1},
	};

	return unit_run("tap_program", tests, ARRAY_LEN(tests));
}
