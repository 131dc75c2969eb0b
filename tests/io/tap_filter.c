/* SPDX-License-Identifier: MIT */
/*
 * tap_filter.c - who is asked for the interface, and who is not
 *
 * The program is run here, by the few instructions that it has: libpcap's own
 * interpreter knows nothing of packet types and interfaces.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "io/tap_filter.h"
#include "unit.h"

static const uint8_t ours[] = {
	0x45, 0,    0,	  40,	0,   0,	 0, 0,
	64,   6,    0,	  0,		       /* an IP header, TCP */
	198,  18,   0,	  2,	198, 18, 0, 1, /* from, to */
	0x10, 0x00, 0x4e, 0x20,		       /* ports 4096, 20000 */
};

struct run {
	uint32_t result;
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
	ck_assert_uint_le(at + 4, sizeof(ours) + 4);
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

static struct sock_filter *make(const char *match, const struct tap_links *l,
				unsigned short *n)
{
	pcap_t *p = pcap_open_dead(DLT_RAW, 65535);
	struct bpf_program program;
	struct sock_filter *f;

	ck_assert_int_eq(pcap_compile(p, &program, match, 1, 0), 0);
	f = tap_filter_make(&program, l, n);
	ck_assert_ptr_nonnull(f);
	pcap_freecode(&program);
	pcap_close(p);
	return f;
}

#define OURS "ip and tcp and dst host 198.18.0.1 and dst port 20000"

START_TEST(without_names_any_interface_will_do)
{
	const struct tap_links any = {0};
	unsigned short n;
	struct sock_filter *f = make(OURS, &any, &n);

	ck_assert_uint_ne(run(f, ours, PACKET_HOST, 7).result, 0);
	ck_assert(!run(f, ours, PACKET_HOST, 7).asked_interface);
	ck_assert_uint_eq(run(f, ours, PACKET_OTHERHOST, 7).result, 0);
	ck_assert_uint_eq(run(f, ours, PACKET_OUTGOING, 7).result, 0);
	free(f);
}
END_TEST

START_TEST(with_names_only_theirs_and_nobody_else_is_asked)
{
	struct tap_links some = {.only = true, .n = 2, .ifindex = {3, 900}};
	uint8_t foreign[sizeof(ours)];
	unsigned short n;
	struct sock_filter *f = make(OURS, &some, &n);

	memcpy(foreign, ours, sizeof(ours));
	foreign[19] = 9;
	ck_assert_uint_ne(run(f, ours, PACKET_HOST, 3).result, 0);
	ck_assert_uint_ne(run(f, ours, PACKET_HOST, 900).result, 0);
	ck_assert_uint_eq(run(f, ours, PACKET_HOST, 4).result, 0);
	ck_assert_uint_eq(run(f, foreign, PACKET_HOST, 3).result, 0);
	ck_assert(!run(f, foreign, PACKET_HOST, 3).asked_interface);
	free(f);
	some.n = 0; /* they are all gone */
	f = make(OURS, &some, &n);
	ck_assert_uint_eq(run(f, ours, PACKET_HOST, 3).result, 0);
	free(f);
}
END_TEST

/* As many as there may be, behind jumps that reach 255 instructions. */
START_TEST(a_long_list_and_a_long_filter_fit)
{
	struct tap_links all = {.only = true, .n = TAP_FILTER_LINKS_MAX};
	char match[20000] = "ip and tcp and (dst port 20000";
	unsigned short n;
	struct sock_filter *f;

	for (int i = 0; i < TAP_FILTER_LINKS_MAX; i++)
		all.ifindex[i] = i + 1;
	for (int i = 1; i < 700; i++)
		snprintf(match + strlen(match), 32, " or dst port %d",
			 i * 3 + 30000);
	strcat(match, ")");
	f = make(match, &all, &n);
	ck_assert_uint_le(n, BPF_MAXINSNS);
	ck_assert_uint_ne(
		run(f, ours, PACKET_HOST, TAP_FILTER_LINKS_MAX).result, 0);
	ck_assert_uint_eq(
		run(f, ours, PACKET_HOST, TAP_FILTER_LINKS_MAX + 1).result, 0);
	free(f);
}
END_TEST

START_TEST(what_the_kernel_has_no_room_for_is_refused)
{
	struct bpf_insn many[BPF_MAXINSNS] = {{0}};
	const struct bpf_program match = {BPF_MAXINSNS, many};
	const struct tap_links one = {.only = true, .n = 1, .ifindex = {3}};
	unsigned short n;

	ck_assert_ptr_null(tap_filter_make(&match, &one, &n));
}
END_TEST

/* The rest is judged in user space then. */
START_TEST(without_an_expression_it_takes_what_is_for_this_host)
{
	const struct tap_links one = {.only = true, .n = 1, .ifindex = {3}};
	unsigned short n;
	struct sock_filter *f = tap_filter_make(NULL, &one, &n);

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_lt(n, 16);
	ck_assert_uint_ne(run(f, ours, PACKET_HOST, 3).result, 0);
	ck_assert_uint_eq(run(f, ours, PACKET_HOST, 4).result, 0);
	ck_assert_uint_eq(run(f, ours, PACKET_OTHERHOST, 3).result, 0);
	free(f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{without_names_any_interface_will_do, 1},
		{with_names_only_theirs_and_nobody_else_is_asked, 1},
		{a_long_list_and_a_long_filter_fit, 1},
		{what_the_kernel_has_no_room_for_is_refused, 1},
		{without_an_expression_it_takes_what_is_for_this_host, 1},
	};

	return unit_run("tap_filter", tests, ARRAY_LEN(tests));
}
