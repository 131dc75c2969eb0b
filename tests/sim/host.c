/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "core/tcp_track.h"
#include "link.h"
#include "path.h"

#define BACKLOG	    64 /* half-open ends of a listener */
#define SERVER_PORT 9001

/* ------------------------------------------------------------------ ends */

struct tcp_end *host_end(struct world *w, unsigned host,
			 const struct endpoint *local,
			 const struct endpoint *remote)
{
	for (uint32_t i = 0; i < ENDS_MAX; i++) {
		struct tcp_end *e = &w->ends[i];

		if (e->uid)
			continue;
		memset(e, 0, sizeof(*e));
		e->uid = ++w->next_uid;
		e->host = host;
		e->conn = -1;
		e->local = *local;
		e->remote = *remote;
		w->live[w->n_live++] = i;
		return e;
	}
	return NULL;
}

void host_forget(struct world *w, struct tcp_end *e)
{
	uint32_t index = (uint32_t)(e - w->ends);
	unsigned i = 0;

	while (w->live[i] != index)
		i++;
	w->live[i] = w->live[--w->n_live];
	e->state = END_CLOSED;
	e->uid = 0;
}

struct tcp_end *host_find(struct world *w, const struct endpoint *local,
			  const struct endpoint *remote)
{
	for (unsigned i = 0; i < w->n_live; i++) {
		struct tcp_end *e = &w->ends[w->live[i]];

		if (e->local.port == local->port &&
		    e->remote.port == remote->port &&
		    endpoint_equal(&e->local, local) &&
		    endpoint_equal(&e->remote, remote))
			return e;
	}
	return NULL;
}

/* --------------------------------------------------------------- packets */

void host_send(struct world *w, unsigned host, const struct tcp_end *e,
	       struct frame *f)
{
	const struct host *h = &w->hosts[host];
	struct pkt *p;

	if (h->health == HOST_SILENT)
		return;
	p = world_pkt(w);
	if (!p)
		return;
	if (w->plan.partial && host % 2)
		f->csum = FRAME_PARTIAL;
	f->id = (uint16_t)w->step;
	p->len = frame_build(f, p->bytes);
	p->origin = (struct origin){.conn = -1,
				    .from_client = h->client,
				    .src = f->src,
				    .dst = f->dst};
	if (e) {
		p->origin.end = e->uid;
		p->origin.conn = e->conn;
		p->origin.synced = end_synced(e);
	}
	world_trace_pkt(w, h->client ? "client sends" : "server sends", p);
	path_from_host(w, p, h->client);
}

/* [3.10.7.1] */
static void refuse(struct world *w, unsigned host, const struct frame *f)
{
	struct frame rst = {.src = f->dst, .dst = f->src, .flags = RST};

	if (f->flags & RST)
		return;
	if (f->flags & ACK) {
		rst.seq = f->ack;
	} else {
		rst.ack = f->seq + frame_seq_len(f);
		rst.flags |= ACK;
	}
	host_send(w, host, NULL, &rst);
}

static unsigned half_open(const struct world *w, unsigned host)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_live; i++) {
		const struct tcp_end *e = &w->ends[w->live[i]];

		n += e->host == host && e->state == END_SYN_RCVD;
	}
	return n;
}

/* Larger than any before on these addresses (RFC 6528), or just random. */
static uint32_t new_iss(struct world *w, unsigned host,
			const struct endpoint *local,
			const struct endpoint *remote)
{
	struct random hash = {.state = (uint64_t)w->hosts[host].secret << 32 |
				       (uint32_t)local->port << 16 |
				       remote->port};

	hash.state += (uint64_t)remote->addr.b[15] << 8;
	if (chance(w, 150))
		return (uint32_t)random_next(&w->random);
	return (uint32_t)random_next(&hash) + (uint32_t)(w->now / 4000) +
	       roll(w, 64);
}

uint32_t host_iss(struct world *w, unsigned host, const struct endpoint *local,
		  const struct endpoint *remote)
{
	uint32_t iss = new_iss(w, host, local, remote);

	while (conn_by_iss(w, iss) >= 0)
		iss += 1 + roll(w, 1000);
	return iss;
}

/*
 * What SYN cookies do for a real one: a full backlog gives way, first of all
 * what belongs to nobody.
 */
static bool make_room(struct world *w, unsigned host)
{
	if (half_open(w, host) < BACKLOG)
		return true;
	for (unsigned i = 0; i < w->n_live; i++) {
		struct tcp_end *e = &w->ends[w->live[i]];

		if (e->host == host && e->state == END_SYN_RCVD &&
		    e->conn < 0) {
			host_forget(w, e);
			return true;
		}
	}
	return false;
}

static bool is_probe_port(const struct endpoint *e)
{
	uint16_t port = ntohs(e->port);

	return port >= PLAN_PROBE_LO && port < PLAN_PROBE_LO + PROBE_PORTS;
}

static void open_server(struct world *w, unsigned host, const struct frame *f)
{
	static const uint16_t sizes[] = {536, 1460, 200, 1400};
	struct tcp_end *e;

	if (!make_room(w, host))
		return;
	e = host_end(w, host, &f->dst, &f->src);
	if (!e)
		return;
	e->iss = host_iss(w, host, &f->dst, &f->src);
	/* A health check's number may be a client's by chance. */
	e->conn = is_probe_port(&f->src) ? -1 : conn_by_iss(w, f->seq);
	e->mss = sizes[roll(w, 4)];
	e->buffer = 1000 + roll(w, 60000);
	e->shift = (uint8_t)roll(w, 5);
	e->fast_open = w->plan.fast_open && roll(w, 2);
	conn_accepted(w, e, f);
	end_accept(w, e, f);
}

static bool is_new_syn(const struct frame *f)
{
	return (f->flags & (SYN | ACK | RST | FIN)) == SYN;
}

static void receive(struct world *w, unsigned host, const struct frame *f,
		    const struct origin *by)
{
	const struct host *h = &w->hosts[host];
	struct tcp_end *e = host_find(w, &f->dst, &f->src);
	bool listens = !h->client && ntohs(f->dst.port) == SERVER_PORT;

	/* TIME_WAIT gives way to a newer SYN (RFC 9293 section 3.10.7.4). */
	if (e && e->state == END_TIME_WAIT && is_new_syn(f) && listens &&
	    h->health != HOST_REFUSING && seq_after(f->seq, e->rcv)) {
		host_forget(w, e);
		e = NULL;
	}
	if (e) {
		end_receive(w, e, f, by);
		return;
	}
	if (!listens || h->health == HOST_REFUSING || !is_new_syn(f))
		refuse(w, host, f);
	else if (h->health != HOST_HUNG)
		open_server(w, host, f);
}

static int host_by_addr(const struct world *w, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < w->n_hosts; i++)
		if (addr_equal(&w->hosts[i].addr, addr))
			return (int)i;
	return -1;
}

void host_receive(struct world *w, struct pkt *p)
{
	struct frame f;
	int host;

	if (path_is_icmp(p)) {
		path_receive_icmp(w, p);
		return;
	}
	/* What a host's own stack would not take. */
	if (!frame_read(&f, p->bytes, p->len) || f.csum == FRAME_WRONG)
		return;
	host = host_by_addr(w, &f.dst.addr);
	if (host < 0)
		return; /* somebody spoofed it */
	if (w->hosts[host].health == HOST_SILENT) {
		path_unreachable(w, p);
		return;
	}
	receive(w, (unsigned)host, &f, &p->origin);
}

/* ---------------------------------------------------------------- faults */

static void excuse_all(struct world *w, unsigned host)
{
	for (unsigned i = 0; i < w->n_live; i++) {
		const struct tcp_end *e = &w->ends[w->live[i]];

		if (e->host == host && e->conn >= 0)
			w->conns[e->conn].excuse |= EXC_FAULT;
	}
}

/* The process or the whole host forgets everything. @say: with resets. */
static void kill_ends(struct world *w, unsigned host, bool say)
{
	for (unsigned i = w->n_live; i-- > 0;) {
		struct tcp_end *e = &w->ends[w->live[i]];

		if (e->host != host)
			continue;
		if (say) {
			end_abort(w, e);
		} else {
			conn_over(w, e, RES_GONE);
			host_forget(w, e);
		}
		if (i > w->n_live)
			i = w->n_live;
	}
}

static void thaw(struct world *w, unsigned host, bool frozen)
{
	for (unsigned i = 0; i < w->n_live; i++) {
		struct tcp_end *e = &w->ends[w->live[i]];

		if (e->host == host)
			e->frozen = frozen;
	}
}

void host_restore(struct world *w, unsigned host)
{
	struct host *h = &w->hosts[host];

	if (h->health == HOST_UP)
		return;
	world_trace(w, "host %u is back", host);
	if (h->health == HOST_SILENT && roll(w, 2))
		kill_ends(w, host, false); /* it was started anew */
	thaw(w, host, false);
	h->health = HOST_UP;
	h->well_from = w->now;
}

void host_break(struct world *w, unsigned host)
{
	struct host *h = &w->hosts[host];

	excuse_all(w, host);
	do
		h->health = (enum health_of_host)(1 + roll(w, 4));
	while (h->client ? h->health != HOST_SILENT
			 : w->phase == FAIR && h->health == HOST_FROZEN);
	world_trace(w, "host %u fails: %d", host, h->health);
	if (h->health == HOST_REFUSING)
		kill_ends(w, host, true);
	if (h->health == HOST_FROZEN)
		thaw(w, host, true);
}

void host_fault(struct world *w)
{
	unsigned host = roll(w, w->n_hosts);
	const struct host *h = &w->hosts[host];

	if (h->health != HOST_UP)
		host_restore(w, host);
	else if (!h->client || roll(w, 3) == 0)
		host_break(w, host);
}
