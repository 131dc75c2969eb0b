/* SPDX-License-Identifier: MIT */
/*
 * tap_same.c - our BPF programs beside libpcap's of an expression that says the
 * same: random matches, random packets, whole and cut off anywhere, and every
 * verdict the same
 *
 * The expression is the slow and obvious way: until version 0.1 it was the
 * filter itself.
 */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <time.h>

#include "frames.h"
#include "io/tap_program.h"
#include "unit.h"

/* ----------------------------------------------------------- the expression */

static void write_services(FILE *f, const struct tap_match *m, const char *dir)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, "(");
	for (unsigned i = 0; i < m->n_services; i++)
		fprintf(f, "%s(%s host %s and %s port %u)", i ? " or " : "",
			dir, addr_format(&m->services[i].addr, text), dir,
			ntohs(m->services[i].port));
	fprintf(f, ")");
}

static void write_sources(FILE *f, const struct tap_match *m)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, "(");
	for (unsigned i = 0; i < m->n_sources; i++)
		fprintf(f, "%sdst host %s", i ? " or " : "",
			addr_format(&m->sources[i], text));
	fprintf(f, ")");
}

static void write_syn(FILE *f, const struct tap_match *m)
{
	fprintf(f,
		"(tcp[tcpflags] & (tcp-syn|tcp-ack|tcp-rst|tcp-fin) == "
		"tcp-syn and ip[2:2] <= %d and ",
		TAP_SYN_MAX);
	write_services(f, m, "dst");
	fprintf(f, ")");
}

static void write_syns(FILE *f, const struct tap_match *m)
{
	fprintf(f, "ip and tcp and ");
	write_syn(f, m);
}

static void write_flows(FILE *f, const struct tap_match *m)
{
	char addr[ADDR_TEXT_MAX];

	fprintf(f, "ip and ((tcp and not ");
	write_syn(f, m);
	fprintf(f, " and (");
	write_services(f, m, "dst");
	fprintf(f, " or (dst portrange %u-%u and ", m->nat_lo, m->nat_hi);
	write_sources(f, m);
	fprintf(f, " and not ");
	write_services(f, m, "src");
	fprintf(f, "))) or ((ip[6:2] & 0x1fff != 0 and ip proto 6 or "
		   "icmp[0] == 3 or icmp[0] == 11 or icmp[0] == 12) and (");
	write_sources(f, m);
	for (unsigned i = 0; i < m->n_services; i++)
		fprintf(f, " or dst host %s",
			addr_format(&m->services[i].addr, addr));
	fprintf(f, ")))");
}

/* libpcap's program, for raw IP as the tap has it. */
static void compile(struct bpf_program *out, enum tap_ring ring,
		    const struct tap_match *m)
{
	pcap_t *p = pcap_open_dead(DLT_RAW, FRAME_MAX);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(p);
	if (ring == TAP_SYNS)
		write_syns(f, m);
	else
		write_flows(f, m);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(pcap_compile(p, out, text, 1, PCAP_NETMASK_UNKNOWN) == 0,
		      "%s: %s", text, pcap_geterr(p));
	pcap_close(p);
	free(text);
}

/* ------------------------------------------------------- matches and packets
 */

enum { SERVICES_MAX = 64, SOURCES_MAX = 256 };

struct world {
	struct tap_match m;
	struct endpoint services[SERVICES_MAX];
	struct ip_addr sources[SOURCES_MAX];
};

/* Few addresses and ports, so that they meet. */
static struct ip_addr any_addr(struct random *r, unsigned n)
{
	return addr_from_v4(htonl(0xc6120000 + random_below(r, n + n / 2 + 4)));
}

static uint16_t any_port(struct random *r)
{
	static const uint16_t ports[] = {80,	443,   10239, 10240, 20000,
					 20001, 32767, 32768, 65535, 0};

	return ports[random_below(r, ARRAY_LEN(ports))];
}

static void make_world(struct world *w, struct random *r, unsigned n_services,
		       unsigned n_sources)
{
	const unsigned n = n_services + n_sources;

	for (unsigned i = 0; i < n_services; i++)
		w->services[i] =
			(struct endpoint){any_addr(r, n), htons(any_port(r))};
	for (unsigned i = 0; i < n_sources; i++)
		w->sources[i] = any_addr(r, n);
	w->m = (struct tap_match){
		.services = w->services,
		.n_services = n_services,
		.sources = w->sources,
		.n_sources = n_sources,
		.nat_lo = 10240,
		.nat_hi = random_below(r, 4) ? 32767 : 10240,
	};
}

/* An address and port that mean something, more often than not. */
static struct endpoint any_end(struct random *r, const struct world *w)
{
	const unsigned n = w->m.n_services + w->m.n_sources;
	struct endpoint e = {any_addr(r, n), htons(any_port(r))};

	switch (random_below(r, 4)) {
	case 0: return w->services[random_below(r, w->m.n_services)];
	case 1: e.addr = w->sources[random_below(r, w->m.n_sources)]; break;
	case 2:
		e.addr = w->services[random_below(r, w->m.n_services)].addr;
		break;
	default: break;
	}
	return e;
}

static uint32_t make_packet(uint8_t *p, struct random *r, const struct world *w)
{
	static const uint8_t protocols[] = {6, 6, 6, 6, 1, 1, 17, 132};
	static const uint8_t types[] = {0, 3, 4, 5, 8, 11, 12, 13};
	static const uint16_t lens[] = {0, 40, 1600, 1601, 65535};
	const struct frame f = {
		.src = any_end(r, w),
		.dst = any_end(r, w),
		.flags = (uint8_t)random_below(r, 64),
		.payload_len = random_below(r, 40),
	};
	uint32_t len = frame_build(&f, p);
	uint16_t half;

	p[9] = protocols[random_below(r, ARRAY_LEN(protocols))];
	if (p[9] == 1)
		p[20] = types[random_below(r, ARRAY_LEN(types))];
	if (random_below(r, 2))
		p[33] = 2; /* SYN alone */
	if (random_below(r, 3) == 0) {
		half = htons(lens[random_below(r, ARRAY_LEN(lens))]);
		memcpy(p + 2, &half, sizeof(half));
	}
	if (random_below(r, 6) == 0) /* fragments, first and later */
		p[6 + random_below(r, 2)] ^=
			(uint8_t)(1u << random_below(r, 8));
	if (random_below(r, 6) == 0) /* options, and lengths that cannot be */
		p[0] = (uint8_t)(0x40 | random_below(r, 16));
	if (random_below(r, 40) == 0)
		p[0] = (uint8_t)random_next(r);
	if (random_below(r, 6) == 0)
		len = random_below(r, len + 1);
	return len;
}

/* -------------------------------------------------------------------- tests */

static const struct {
	unsigned services, sources, packets;
} sizes[] = {
	{1, 1, 20000},	 {1, 1, 20000},	   {2, 1, 20000},   {1, 3, 20000},
	{3, 2, 20000},	 {8, 4, 20000},	   {16, 16, 20000}, {64, 16, 20000},
	{5, 256, 20000}, {64, 256, 20000},
};

static void check_same(const struct world *w, struct random *r,
		       unsigned packets)
{
	struct bpf_program theirs[TAP_RINGS];
	struct tap_program ours[TAP_RINGS];
	unsigned taken[TAP_RINGS] = {0};
	uint8_t packet[FRAME_MAX];

	for (int ring = 0; ring < TAP_RINGS; ring++) {
		compile(&theirs[ring], ring, &w->m);
		unit_check(tap_program_judge(&ours[ring], ring, &w->m) == 0,
			   "memory");
	}
	for (unsigned n = 0; n < packets; n++) {
		const uint32_t len = make_packet(packet, r, w);

		for (int ring = 0; ring < TAP_RINGS; ring++) {
			const bool a = bpf_filter(theirs[ring].bf_insns, packet,
						  len, len) != 0;
			const bool b =
				tap_program_takes(&ours[ring], packet, len);

			unit_check(a == b,
				   "ring %d packet %u of %u bytes: libpcap %s "
				   "it, we do not agree",
				   ring, n, len, a ? "takes" : "refuses");
			taken[ring] += a;
		}
	}
	for (int ring = 0; ring < TAP_RINGS; ring++) {
		/* Both verdicts were there. */
		unit_check(taken[ring] > packets / 200 &&
				   taken[ring] < packets / 2,
			   "ring %d: %u of %u taken", ring, taken[ring],
			   packets);
		pcap_freecode(&theirs[ring]);
		tap_program_free(&ours[ring]);
	}
}

START_TEST(every_verdict_is_the_same)
{
	struct random r = unit_random(__func__);
	static struct world w;

	r.state += (uint64_t)_i;
	make_world(&w, &r, sizes[_i].services, sizes[_i].sources);
	check_same(&w, &r, sizes[_i].packets);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{every_verdict_is_the_same, ARRAY_LEN(sizes)},
	};

	return unit_run("tap_same", tests, ARRAY_LEN(tests));
}
