/* SPDX-License-Identifier: MIT */
/*
 * A program is written from its end to its beginning. So whatever an
 * instruction jumps to is there already, and its distance is known: a
 * conditional jump reaches 255 instructions, and for those farther away it goes
 * by way of an unconditional one beside it. Each function below writes the part
 * that its name tells and returns its place; it takes the places where that
 * part may lead. The text of the program reads from bottom to top.
 *
 *   for this host's MAC?                      kernel only
 *   IPv4, destination an address of ours?
 *   ICMP error                            ->  accept
 *   later fragment of TCP                 ->  accept
 *   to a service: a short SYN?            ->  the ring of SYNs, else of flows
 *   to a NAT port of a source of ours,
 *     and not from a service              ->  accept
 *   by one of the interfaces?                 kernel only, instead of accept
 *
 * What we send to a client on this host comes by lo from the service's address,
 * and its port may be in the NAT range: it must not be captured.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "io/tap_program.h"

static_assert(sizeof(struct sock_filter) == sizeof(struct bpf_insn),
	      "the same");

#define ALL UINT32_MAX /* the whole packet; the ring cuts it to its slot */

/* Offsets in the IP header, and behind it (X is its length) */
#define IP_LEN	    2
#define IP_FRAGMENT 6
#define IP_PROTOCOL 9
#define IP_SRC	    12
#define IP_DST	    16
#define TCP_SPORT   0
#define TCP_DPORT   2
#define TCP_FLAGS   13
#define ICMP_TYPE   0

#define FRAGMENT_OFFSET 0x1fff
#define FLAGS_OF_SYN	0x17 /* FIN, SYN, RST, ACK */
#define FLAG_SYN	0x02

#define JUMP_MAX 255

typedef unsigned place; /* of an instruction, counted from the end */

/* A service address and the ports of the services there. */
struct served {
	uint32_t addr;	   /* host byte order, like all that BPF loads */
	unsigned first, n; /* of maker.ports */
	bool is_source;
};

struct maker {
	struct sock_filter *code; /* last instruction first */
	unsigned n, room;
	bool failed; /* out of memory */
	const struct tap_match *match;
	/* Sorted, each once: what one searches in a tree. */
	uint32_t *ours; /* addresses of services, and sources */
	unsigned n_ours;
	uint32_t *addrs; /* of services: served[i].addr */
	struct served *served;
	unsigned n_served;
	uint32_t *ports;
	place *to; /* of each address or port: where it leads */
};

/* ------------------------------------------------------------- instructions */

static place put(struct maker *m, uint16_t code, uint32_t k, uint8_t yes,
		 uint8_t no)
{
	if (m->n == m->room) {
		const unsigned room = m->room ? 2 * m->room : 256;
		struct sock_filter *more =
			realloc(m->code, room * sizeof(*more));

		if (!more) {
			m->failed = true;
			return 0;
		}
		m->code = more;
		m->room = room;
	}
	m->code[m->n] = (struct sock_filter){code, yes, no, k};
	return m->n++;
}

static place end(struct maker *m, uint32_t result)
{
	return put(m, BPF_RET | BPF_K, result, 0, 0);
}

/* The number of instructions that a jump written now skips to reach @to. */
static unsigned distance(const struct maker *m, place to)
{
	return m->n - to - 1;
}

/* A place near enough that leads to @to. */
static place near(struct maker *m, place to)
{
	/* The other branch may put one more instruction in between. */
	if (distance(m, to) < JUMP_MAX)
		return to;
	return put(m, BPF_JMP | BPF_JA, distance(m, to), 0, 0);
}

static place test(struct maker *m, uint16_t operator, uint32_t k, place yes,
		  place no)
{
	if (m->failed)
		return 0;
	yes = near(m, yes);
	no = near(m, no);
	return put(m, BPF_JMP | operator| BPF_K, k, (uint8_t)distance(m, yes),
		   (uint8_t)distance(m, no));
}

/* These go on with @next. */
static place step(struct maker *m, uint16_t code, uint32_t k, place next)
{
	if (distance(m, next) > 0)
		(void)put(m, BPF_JMP | BPF_JA, distance(m, next), 0, 0);
	return put(m, code, k, 0, 0);
}

static place load(struct maker *m, uint16_t size, uint32_t at, place next)
{
	return step(m, BPF_LD | size | BPF_ABS, at, next);
}

static place load_behind_header(struct maker *m, uint16_t size, uint32_t at,
				place next)
{
	return step(m, BPF_LD | size | BPF_IND, at, next);
}

static place load_header_len(struct maker *m, place next)
{
	return step(m, BPF_LDX | BPF_B | BPF_MSH, 0, next);
}

static place mask(struct maker *m, uint32_t bits, place next)
{
	return step(m, BPF_ALU | BPF_AND | BPF_K, bits, next);
}

/* What is loaded is one of a few: quicker one by one than by halves. */
#define CHAIN_MAX 3

/*
 * Searches what is loaded in @keys, which ascend: to[i] if it is keys[i],
 * @miss if it is none. @to NULL: @hit.
 */
static place search(struct maker *m, const uint32_t *keys, const place *to,
		    unsigned n, place hit, place miss)
{
	const unsigned half = n / 2;
	place low, high;

	if (n > CHAIN_MAX) {
		low = search(m, keys, to, half, hit, miss);
		high = search(m, keys + half, to ? to + half : NULL, n - half,
			      hit, miss);
		return test(m, BPF_JGE, keys[half], high, low);
	}
	for (unsigned i = n; i > 0; i--)
		miss = test(m, BPF_JEQ, keys[i - 1], to ? to[i - 1] : hit,
			    miss);
	return miss;
}

/* ------------------------------------------------------------------- parts */

/* To one of @s's ports, or from it (@port_at). The protocol is TCP. */
static place port_of(struct maker *m, const struct served *s, uint32_t port_at,
		     place hit, place miss)
{
	const place found =
		search(m, m->ports + s->first, NULL, s->n, hit, miss);

	return load_behind_header(m, BPF_H, port_at, found);
}

/* From a service? That is what we send. */
static place from_service(struct maker *m, place yes, place no)
{
	place found;

	for (unsigned i = 0; i < m->n_served; i++)
		m->to[i] = port_of(m, &m->served[i], TCP_SPORT, yes, no);
	found = search(m, m->addrs, m->to, m->n_served, yes, no);
	return load(m, BPF_W, IP_SRC, found);
}

/* To a NAT port? The address is a source of ours. */
static place to_nat_port(struct maker *m, place accept, place reject)
{
	const place from = from_service(m, reject, accept);
	const place high = test(m, BPF_JGT, m->match->nat_hi, reject, from);
	const place low = test(m, BPF_JGE, m->match->nat_lo, high, reject);

	return load_behind_header(m, BPF_H, TCP_DPORT, low);
}

/* A SYN that fits a slot of the SYN ring? Only lo has longer ones. */
static place short_syn(struct maker *m, place yes, place no)
{
	const place longer = test(m, BPF_JGT, TAP_SYN_MAX, no, yes);
	const place len = load(m, BPF_H, IP_LEN, longer);
	const place syn = test(m, BPF_JEQ, FLAG_SYN, len, no);

	return load_behind_header(m, BPF_B, TCP_FLAGS,
				  mask(m, FLAGS_OF_SYN, syn));
}

/* To a service? @nat: what else is to a source of ours. */
static place to_service(struct maker *m, place yes, place nat, place reject)
{
	place found;

	for (unsigned i = 0; i < m->n_served; i++) {
		const struct served *s = &m->served[i];

		m->to[i] = port_of(m, s, TCP_DPORT, yes,
				   s->is_source ? nat : reject);
	}
	found = search(m, m->addrs, m->to, m->n_served, reject, nat);
	return load(m, BPF_W, IP_DST, found);
}

/* @first if it is a later fragment, which has no ports; else @next. */
static place if_fragment(struct maker *m, place first, place next)
{
	return load(m, BPF_H, IP_FRAGMENT,
		    test(m, BPF_JSET, FRAGMENT_OFFSET, first, next));
}

/* TCP to an address of ours. */
static place tcp_to_us(struct maker *m, enum tap_ring ring, place accept,
		       place reject)
{
	const bool flows = ring == TAP_FLOWS;
	const place syn =
		short_syn(m, flows ? reject : accept, flows ? accept : reject);
	const place nat = flows ? to_nat_port(m, accept, reject) : reject;
	const place whole = to_service(m, syn, nat, reject);
	/* One that ends before its flags is for nobody, by any port. */
	const place flags = load_behind_header(m, BPF_B, TCP_FLAGS, whole);

	/* The engine counts fragments. */
	return if_fragment(m, flows ? accept : reject,
			   load_header_len(m, flags));
}

/* Unreachable, time exceeded, parameter problem. */
static place icmp_error(struct maker *m, place accept, place reject)
{
	static const uint32_t errors[] = {3, 11, 12};
	const place found = search(m, errors, NULL, 3, accept, reject);
	const place type = load_behind_header(m, BPF_B, ICMP_TYPE, found);

	return if_fragment(m, reject, load_header_len(m, type));
}

/* All that is told by the packet's bytes. */
static place matches(struct maker *m, enum tap_ring ring, place accept,
		     place reject)
{
	const bool flows = ring == TAP_FLOWS;
	const place tcp = tcp_to_us(m, ring, accept, reject);
	place next = reject;

	if (flows)
		next = test(m, BPF_JEQ, IPPROTO_ICMP,
			    icmp_error(m, accept, reject), reject);
	next = test(m, BPF_JEQ, IPPROTO_TCP, tcp, next);
	next = load(m, BPF_B, IP_PROTOCOL, next);
	next = search(m, flows ? m->ours : m->addrs, NULL,
		      flows ? m->n_ours : m->n_served, next, reject);
	next = load(m, BPF_W, IP_DST, next);
	next = test(m, BPF_JEQ, 0x40, next, reject);
	return load(m, BPF_B, 0, mask(m, 0xf0, next));
}

/* By one of these interfaces? */
static place by_link(struct maker *m, const struct tap_links *links,
		     place accept, place reject)
{
	place next = reject;

	if (!links->only)
		return accept;
	for (unsigned i = links->n; i > 0; i--)
		next = test(m, BPF_JEQ, (uint32_t)links->ifindex[i - 1], accept,
			    next);
	return load(m, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX), next);
}

static place for_this_host(struct maker *m, place yes, place reject)
{
	const place host = test(m, BPF_JEQ, PACKET_HOST, yes, reject);

	return load(m, BPF_W, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE), host);
}

/* ------------------------------------------------------------ what to match */

static int ascending(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sorts; returns how many are left, each once. */
static unsigned sort(uint32_t *keys, unsigned n)
{
	unsigned distinct = 0;

	qsort(keys, n, sizeof(*keys), ascending);
	for (unsigned i = 0; i < n; i++)
		if (!distinct || keys[distinct - 1] != keys[i])
			keys[distinct++] = keys[i];
	return distinct;
}

static uint32_t number_of(const struct ip_addr *a)
{
	assert(addr_is_v4(a));
	return ntohl(addr_to_v4(a));
}

static bool is_source(const struct tap_match *match, uint32_t addr)
{
	for (unsigned i = 0; i < match->n_sources; i++)
		if (number_of(&match->sources[i]) == addr)
			return true;
	return false;
}

/* The ports of the services at @addr. Returns how many. */
static unsigned collect_ports(const struct tap_match *match, uint32_t addr,
			      uint32_t *ports)
{
	unsigned n = 0;

	for (unsigned i = 0; i < match->n_services; i++)
		if (number_of(&match->services[i].addr) == addr)
			ports[n++] = ntohs(match->services[i].port);
	return sort(ports, n);
}

static void prepare(struct maker *m, const struct tap_match *match)
{
	const unsigned n_services = match->n_services;
	unsigned used = 0;

	m->match = match;
	m->ours = calloc(n_services + match->n_sources + 1, sizeof(*m->ours));
	m->addrs = calloc(n_services + 1, sizeof(*m->addrs));
	m->served = calloc(n_services + 1, sizeof(*m->served));
	m->ports = calloc(n_services + 1, sizeof(*m->ports));
	m->to = calloc(n_services + 1, sizeof(*m->to));
	m->failed = !m->ours || !m->addrs || !m->served || !m->ports || !m->to;
	if (m->failed)
		return;
	for (unsigned i = 0; i < n_services; i++)
		m->ours[i] = m->addrs[i] = number_of(&match->services[i].addr);
	for (unsigned i = 0; i < match->n_sources; i++)
		m->ours[n_services + i] = number_of(&match->sources[i]);
	m->n_ours = sort(m->ours, n_services + match->n_sources);
	m->n_served = sort(m->addrs, n_services);
	for (unsigned i = 0; i < m->n_served; i++) {
		struct served *s = &m->served[i];

		s->addr = m->addrs[i];
		s->first = used;
		s->n = collect_ports(match, s->addr, m->ports + used);
		s->is_source = is_source(match, s->addr);
		used += s->n;
	}
}

/* Turns the program round, into @out. */
static int finish(struct maker *m, struct tap_program *out, unsigned max)
{
	int ret = m->failed ? -ENOMEM : m->n > max ? -E2BIG : 0;

	free(m->ours);
	free(m->addrs);
	free(m->served);
	free(m->ports);
	free(m->to);
	*out = (struct tap_program){0};
	if (ret) {
		free(m->code);
		return ret;
	}
	for (unsigned i = 0; i < m->n / 2; i++) {
		const struct sock_filter insn = m->code[i];

		m->code[i] = m->code[m->n - 1 - i];
		m->code[m->n - 1 - i] = insn;
	}
	*out = (struct tap_program){m->code, m->n};
	return 0;
}

int tap_program_kernel(struct tap_program *out, enum tap_ring ring,
		       const struct tap_match *match,
		       const struct tap_links *links)
{
	struct maker m = {0};
	place reject, accept;

	if (match)
		prepare(&m, match);
	if (m.failed)
		return finish(&m, out, 0);
	reject = end(&m, 0);
	accept = by_link(&m, links, end(&m, ALL), reject);
	if (match)
		accept = matches(&m, ring, accept, reject);
	(void)for_this_host(&m, accept, reject);
	return finish(&m, out, BPF_MAXINSNS);
}

int tap_program_judge(struct tap_program *out, enum tap_ring ring,
		      const struct tap_match *match)
{
	struct maker m = {0};
	place reject, accept;

	prepare(&m, match);
	if (m.failed)
		return finish(&m, out, 0);
	reject = end(&m, 0);
	accept = end(&m, ALL);
	(void)matches(&m, ring, accept, reject);
	return finish(&m, out, UINT32_MAX);
}

bool tap_program_takes(const struct tap_program *p, const uint8_t *ip,
		       uint32_t len)
{
	return bpf_filter((const struct bpf_insn *)p->code, ip, len, len) != 0;
}

void tap_program_free(struct tap_program *p)
{
	free(p->code);
	*p = (struct tap_program){0};
}
