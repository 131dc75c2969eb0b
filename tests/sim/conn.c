/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "judge.h"

#define CLIENT_PORT_LO 40000

uint8_t stream_byte(uint32_t iss, uint32_t offset)
{
	struct random r = {(uint64_t)iss << 32 | offset >> 3};

	return (uint8_t)(random_next(&r) >> 8 * (offset & 7));
}

int conn_by_iss(const struct world *w, uint32_t iss)
{
	for (unsigned i = w->n_conns; i-- > 0;)
		if (w->conns[i].client_iss == iss)
			return (int)i;
	return -1;
}

static struct conn *conn_of(struct world *w, const struct tcp_end *e)
{
	return e->conn < 0 ? NULL : &w->conns[e->conn];
}

/* Earlier ones on the same addresses may be disturbed by this one. */
static void note_reuse(struct world *w, const struct conn *c)
{
	for (unsigned i = 0; i < w->n_conns; i++)
		if (endpoint_equal(&w->conns[i].client, &c->client))
			w->conns[i].excuse |= EXC_REUSE;
}

bool conn_open(struct world *w)
{
	static const uint16_t sizes[] = {1460, 536, 1400, 100};
	unsigned host = roll(w, w->plan.n_clients), service;
	struct conn *c = &w->conns[w->n_conns];
	struct endpoint local, vip;
	struct tcp_end *e;

	if (w->n_conns == CONNS_MAX || w->hosts[host].health != HOST_UP)
		return false;
	service = roll(w, w->plan.n_services);
	vip = w->plan.listens[service];
	local.addr = w->hosts[host].addr;
	local.port = htons(
		(uint16_t)(CLIENT_PORT_LO +
			   w->hosts[host].next_port++ % w->plan.client_ports));
	if (host_find(w, &local, &vip))
		return false;
	e = host_end(w, host, &local, &vip);
	if (!e)
		return false;
	e->client = true;
	e->iss = host_iss(w, host, &local, &vip);
	e->mss = sizes[roll(w, 4)];
	e->buffer = 1000 + roll(w, 200000);
	e->shift = (uint8_t)roll(w, 8);
	e->fast_open = w->plan.fast_open && roll(w, 2);
	e->syn_flags = roll(w, 3) ? 0 : ECE | CWR;
	*c = (struct conn){.client = local,
			   .vip = vip,
			   .client_iss = e->iss,
			   .client_uid = e->uid,
			   .mss = e->mss,
			   .opened = w->now,
			   .service = service,
			   .fair = judge_must_answer(w, service)};
	note_reuse(w, c);
	e->conn = (int32_t)w->n_conns++;
	e->total = chance(w, 200) ? 0 : roll(w, 12000);
	e->close_last = roll(w, 2);
	if (e->fast_open)
		e->written = e->total < 40 ? e->total : roll(w, 40);
	if (e->written) /* such a SYN cannot be given to another backend */
		c->fair = false;
	w->stats.opened++;
	end_connect(w, e);
	return true;
}

void conn_excuse_all(struct world *w, uint32_t why)
{
	for (unsigned i = 0; i < w->n_conns; i++)
		w->conns[i].excuse |= why;
}

static const struct tcp_end *find_end(const struct world *w, uint32_t uid)
{
	for (unsigned i = 0; i < w->n_live; i++)
		if (w->ends[w->live[i]].uid == uid)
			return &w->ends[w->live[i]];
	return NULL;
}

bool conn_is_forgotten(const struct world *w, const struct conn *c)
{
	return !find_end(w, c->client_uid);
}

/* Another server may have been asked before, and have said other things. */
static void note_server(struct conn *c, const struct tcp_end *server)
{
	c->closed[1] = server->closed;
	c->sent[1] = server->written;
}

static uint16_t mss_of(const struct frame *f)
{
	return f->options_len >= 4 && f->options[0] == 2
		       ? frame_get16(f->options + 2)
		       : 0;
}

void conn_accepted(struct world *w, struct tcp_end *e, const struct frame *syn)
{
	const struct conn *c = conn_of(w, e);

	e->total = chance(w, 200) ? 0 : roll(w, 12000);
	e->close_last = roll(w, 2);
	e->frozen = w->hosts[e->host].health == HOST_FROZEN;
	if (!c)
		return;
	if (e->frozen)
		w->conns[e->conn].excuse |= EXC_FAULT;
	if (mss_of(syn) != c->mss)
		world_break(w, "a SYN keeps its MSS: %u became %u", c->mss,
			    mss_of(syn));
}

void conn_client_synced(struct world *w, struct tcp_end *e,
			const struct origin *by)
{
	struct conn *c = conn_of(w, e);
	const struct tcp_end *server;

	c->established = w->now;
	c->server_iss = e->irs;
	c->server_uid = by->end;
	c->result[0] = RES_OPEN;
	w->stats.established++;
	if (by->forged || by->conn != e->conn) {
		world_break(w,
			    "an answer reaches its own client only: "
			    "connection %d of %d",
			    by->conn, e->conn);
		return;
	}
	c->server = by->src;
	c->nat = by->dst;
	server = find_end(w, by->end);
	if (server) {
		note_server(c, server);
	} else { /* it came too late for the server */
		if (c->refused_uid == by->end && !c->excuse)
			world_break(w, "a server that was answered for is not "
				       "reset");
		c->excuse |= EXC_TIMEOUT;
	}
	app_start(w, e);
}

void conn_received(struct world *w, struct tcp_end *e, uint32_t offset,
		   const uint8_t *bytes, uint32_t len)
{
	if (e->conn < 0)
		return;
	for (uint32_t i = 0; i < len; i++) {
		if (bytes[i] == stream_byte(e->irs, offset + i))
			continue;
		world_break(w,
			    "a stream arrives as it was sent: connection "
			    "%d, %s, byte %u",
			    e->conn, e->client ? "client" : "server",
			    offset + i);
		return;
	}
}

void conn_received_fin(struct world *w, struct tcp_end *e)
{
	struct conn *c = conn_of(w, e);
	uint32_t got = e->rcv - e->irs - 2;

	if (!c)
		return;
	c->got[!e->client] = got;
	c->got_fin[!e->client] = true;
	if (!c->closed[e->client] || c->sent[e->client] != got)
		world_break(w,
			    "a stream ends where it was closed: connection "
			    "%d, %u of %u bytes",
			    e->conn, got, c->sent[e->client]);
}

void conn_over(struct world *w, struct tcp_end *e, enum result how)
{
	struct conn *c = conn_of(w, e);

	world_trace(w, "%s of %d is over: %d", e->client ? "client" : "server",
		    e->conn, how);
	if (!c || (!e->client && c->server_uid != e->uid))
		return;
	c->result[!e->client] = how;
	if (how == RES_TIMEOUT)
		c->excuse |= EXC_TIMEOUT;
	if (how == RES_GONE)
		c->excuse |= EXC_APP;
}

/* ----------------------------------------------------------- application */

static void app_later(struct world *w, struct tcp_end *e)
{
	uint64_t wait = roll_ns(w, MS, 200 * MS);

	if (w->phase == ROUGH && chance(w, w->plan.idle_permille))
		wait = roll_ns(w, w->plan.idle_ns / 8, w->plan.idle_ns);
	world_at(w, w->now + wait, EV_APP, (uint32_t)(e - w->ends), e->uid);
}

void app_start(struct world *w, struct tcp_end *e)
{
	app_later(w, e);
}

static void app_close(struct world *w, struct tcp_end *e)
{
	struct conn *c = conn_of(w, e);

	e->closed = true;
	if (c && (e->client || c->server_uid == e->uid)) {
		c->closed[!e->client] = true;
		c->sent[!e->client] = e->written;
	}
}

static bool peer_closed(const struct tcp_end *e)
{
	return e->state == END_CLOSE_WAIT;
}

static void app_write(struct world *w, struct tcp_end *e)
{
	uint32_t left = e->total - e->written, some = 1 + roll(w, 4000);

	if (w->phase != ROUGH || some > left)
		some = left;
	e->written += some;
	if (e->written == e->total && (!e->close_last || peer_closed(e) ||
				       w->phase != ROUGH || chance(w, 50)))
		app_close(w, e);
	end_push(w, e);
}

void app_step(struct world *w, struct tcp_end *e)
{
	if (e->state == END_TIME_WAIT)
		return;
	if (!e->frozen) {
		if (w->phase == ROUGH && w->plan.aborts && chance(w, 10)) {
			end_abort(w, e);
			return;
		}
		if (w->phase != ROUGH || roll(w, 2))
			end_read(w, e);
		if (!e->closed && e->state != END_SYN_SENT)
			app_write(w, e);
	}
	if (e->uid)
		app_later(w, e);
}
