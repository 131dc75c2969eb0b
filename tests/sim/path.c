/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/tcp_track.h"
#include "link.h"
#include "path.h"

#define IP_LEN	 20
#define ICMP_LEN 8
#define QUOTED	 128 /* bytes, at most */
#define PROTO_AT 9

enum { PROTO_ICMP = 1 };
enum { UNREACHABLE = 3, HOST_UNREACHABLE = 1, FRAG_NEEDED = 4 };

uint32_t path_build_icmp(uint8_t *out, const struct ip_addr *router,
			 uint8_t type, uint8_t code, uint16_t mtu,
			 const uint8_t *about, uint32_t len)
{
	uint32_t quoted = len < QUOTED ? len : QUOTED;
	uint32_t total = IP_LEN + ICMP_LEN + quoted;

	memset(out, 0, IP_LEN + ICMP_LEN);
	out[0] = 0x45;
	frame_put16(out + 2, total);
	out[8] = FRAME_TTL;
	out[PROTO_AT] = PROTO_ICMP;
	memcpy(out + 12, router->b + 12, 4);
	memcpy(out + 16, about + 12, 4);
	frame_put16(out + 10, (uint16_t)~frame_sum(out, IP_LEN));
	out[IP_LEN] = type;
	out[IP_LEN + 1] = code;
	frame_put16(out + IP_LEN + 6, mtu);
	memcpy(out + IP_LEN + ICMP_LEN, about, quoted);
	frame_put16(out + IP_LEN + 2,
		    (uint16_t)~frame_sum(out + IP_LEN, total - IP_LEN));
	return total;
}

bool path_is_icmp(const struct pkt *p)
{
	return p->len > PROTO_AT && p->bytes[PROTO_AT] == PROTO_ICMP;
}

static void report(struct world *w, const struct pkt *about, uint8_t code,
		   uint16_t mtu)
{
	struct ip_addr router = frame_addr("198.18.0.254");
	struct pkt *p;

	if (path_is_icmp(about))
		return;
	p = world_pkt(w);
	if (!p)
		return;
	p->origin = (struct origin){.conn = -1};
	p->len = path_build_icmp(p->bytes, &router, UNREACHABLE, code, mtu,
				 about->bytes, about->len);
	world_trace(w, "router reports %u to the balancer", code);
	link_carry(w, p, true, false);
}

void path_unreachable(struct world *w, const struct pkt *p)
{
	if (w->plan.unreachable && roll(w, 2))
		report(w, p, HOST_UNREACHABLE, 0);
}

void path_from_host(struct world *w, struct pkt *p, bool client)
{
	link_carry(w, p, true, client);
}

/* 198.18.0.0/24 are backends, everybody else is in front. */
void path_from_lb(struct world *w, struct pkt *p)
{
	bool back = p->bytes[18] == 0;

	if (back && w->plan.narrow_mtu && p->len > w->plan.narrow_mtu) {
		report(w, p, FRAG_NEEDED, w->plan.narrow_mtu);
		world_drop_pkt(w, p);
		return;
	}
	link_carry(w, p, false, !back);
}

/* What a host makes of an error: only the path MTU is taken to heart. */
void path_receive_icmp(struct world *w, const struct pkt *p)
{
	const uint8_t *quote = p->bytes + IP_LEN + ICMP_LEN;
	struct endpoint local = {.addr = {.b = {[10] = 0xff, [11] = 0xff}}};
	struct endpoint remote = local;
	struct tcp_end *e;
	uint32_t seq;

	if (p->len < IP_LEN + ICMP_LEN + IP_LEN + 8 ||
	    frame_sum(p->bytes, IP_LEN) != 0xffff ||
	    frame_sum(p->bytes + IP_LEN, p->len - IP_LEN) != 0xffff)
		return;
	memcpy(local.addr.b + 12, quote + 12, 4);
	memcpy(remote.addr.b + 12, quote + 16, 4);
	memcpy(&local.port, quote + 20, 2);
	memcpy(&remote.port, quote + 22, 2);
	seq = frame_get32(quote + 24);
	e = host_find(w, &local, &remote);
	if (!e || seq_before(seq, e->una) || !seq_before(seq, e->max))
		return;
	if (p->bytes[IP_LEN] == UNREACHABLE &&
	    p->bytes[IP_LEN + 1] == FRAG_NEEDED)
		end_shrink(w, e, frame_get16(p->bytes + IP_LEN + 6));
}
