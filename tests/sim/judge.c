/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "core/change.h"
#include "core/tcp_track.h"
#include "inside.h"
#include "judge.h"
#include "rules.h"

#define ANSWERED_NS (10 * SEC) /* a SYN in the fair phase */
#define SETTLED_NS  (5 * SEC)  /* of that phase, until all checks are right */

static bool is_open_state(unsigned state)
{
	return state == TCP_ESTABLISHED || state == TCP_FIN_WAIT ||
	       state == TCP_CLOSING;
}

/* ------------------------------------------------------------ every step */

static void judge_counters(struct world *w)
{
	const struct engine_counters *c = engine_counters(w->lb.e);
	uint64_t sum = c->forwarded + c->consumed;

	for (int i = 0; i < DROP_REASONS; i++)
		sum += c->dropped[i];
	if (sum != c->received)
		world_break(w, "received = forwarded + consumed + dropped");
	if (w->lb.sent + inside_outbox(w->lb.e) != c->forwarded + c->originated)
		world_break(w, "sent = forwarded + originated");
	if (c->outbox_lost)
		world_break(w, "the outbox has room for everything");
}

/* Since the last step: neither gone nor given to somebody else. */
static void judge_seen(struct world *w, uint32_t i)
{
	const struct flow *f = &w->lb.flows[i];
	struct seen_flow *seen = &w->lb.seen[i];
	bool same = f->open && f->id == seen->id;

	if (seen->id && is_open_state(seen->state) && !same)
		world_break(w, "an established flow is never evicted: %u", i);
	if (same && seen->state != TCP_SYN_SENT &&
	    memcmp(&seen->reply, &f->pair[FLOW_REPLY], sizeof(seen->reply)))
		world_break(w, "a flow keeps its backend once it answered: %u",
			    i);
	*seen = (struct seen_flow){.id = f->open ? f->id : 0,
				   .state = f->tcp.state,
				   .flags = f->flags,
				   .reply = f->pair[FLOW_REPLY]};
}

#define POOLS_MAX (PLAN_BACKENDS * PLAN_SOURCES)

struct tally {
	uint32_t used, pending;
	uint32_t half_open[PLAN_ALL];
	uint32_t flows[PLAN_ALL][PLAN_SLOTS], refs[PLAN_ALL][PLAN_SLOTS];
	uint32_t ports[POOLS_MAX];
	uint64_t taken[POOLS_MAX];
};

static void judge_one_flow(struct world *w, const struct flow *f,
			   struct tally *t)
{
	const struct engine *e = w->lb.e;
	struct endpoint nat = flow_nat(f), backend = flow_backend(f);
	uint64_t bit = 1ull << ((ntohs(nat.port) - PLAN_PORT_LO) & 63);
	struct inside_pool pool;

	t->used++;
	if (engine_service_slot(e, f->service) < SLOT_LIVE ||
	    engine_backend_slot(e, f->service, f->backend) < SLOT_LIVE ||
	    f->pool >= inside_pools(e) || f->tcp.state >= TCP_STATES) {
		world_break(w, "a flow's indices exist");
		return;
	}
	pool = inside_pool(e, f->pool);
	if (!endpoint_equal(&backend, &pool.backend) ||
	    !addr_equal(&nat.addr, &pool.source))
		world_break(w, "a flow's port comes from its own pool");
	if (t->taken[f->pool] & bit)
		world_break(w, "two flows never share address, port, backend");
	t->taken[f->pool] |= bit;
	t->ports[f->pool]++;
	t->refs[f->service][f->backend]++;
	t->pending += f->pending != 0;
	if (tcp_is_half_open(f->tcp.state))
		t->half_open[f->service]++;
	if (!tcp_is_closed(f->tcp.state))
		t->flows[f->service][f->backend]++;
	if (f->pending && f->tcp.state != TCP_SYN_SENT)
		world_break(w, "an answered flow needs no SYN any more");
	if (tcp_is_half_open(f->tcp.state) != !!(f->flags & FLOW_HALF_OPEN))
		world_break(w, "half-open flows are marked");
}

static void judge_service(struct world *w, unsigned s, const struct tally *t)
{
	const struct service *service = inside_service(w->lb.e, s);
	int64_t credits = 0;

	/* A limit that was lowered is reached by and by. */
	if (service->half_open != t->half_open[s] ||
	    (service->half_open > service->half_open_limit &&
	     service->half_open > w->lb.half_open[s]))
		world_break(w, "half-open flows are counted, and few");
	w->lb.half_open[s] = service->half_open;
	for (unsigned i = 0; i < service->n_backends; i++) {
		const struct backend *b = &service->backends[i];

		credits += b->credit;
		if (b->flows != t->flows[s][i])
			world_break(w, "a backend's flows are those not "
				       "closed");
		if (b->refs != t->refs[s][i])
			world_break(w, "a backend counts who names it");
	}
	if (credits)
		world_break(w, "what backends are owed adds up to nothing");
}

/* What is counted of requests, at any moment. */
static void judge_requests(struct world *w, const struct service_counters *c)
{
	if (c->requests != c->succeeded + c->failed + c->pending)
		world_break(w, "requests = succeeded + failed + pending");
}

/* What is counted is what was told, and adds up. */
static void judge_counted(struct world *w, const struct tally *t)
{
	const struct engine *e = w->lb.e;
	const struct service_counters *all = engine_request_counters(e);
	uint64_t open = 0, packets = w->lb.left_packets;

	judge_requests(w, all);
	for (unsigned s = 0; s < engine_services(e); s++) {
		judge_requests(w, engine_service_counters(e, s));
		for (unsigned i = 0; i < engine_backends(e, s); i++) {
			const struct backend_counters *c =
				engine_backend_counters(e, s, i);

			open += t->flows[s][i];
			packets +=
				c->packets[FLOW_ORIG] + c->packets[FLOW_REPLY];
		}
	}
	if (w->lb.opened != w->lb.ended + open)
		world_break(w,
			    "each flow that was opened ends once: %u of %u, "
			    "%u open",
			    (unsigned)w->lb.ended, (unsigned)w->lb.opened,
			    (unsigned)open);
	if (packets + w->lb.translated != engine_counters(e)->forwarded)
		world_break(w, "each packet is of one backend");
	if (memcmp(all->refused, w->lb.refused, sizeof(w->lb.refused)) != 0)
		world_break(w, "each SYN that is refused is told");
}

static void judge_tally(struct world *w, const struct tally *t)
{
	const struct engine *e = w->lb.e;

	if (t->used != engine_flows(e)->used)
		world_break(w, "the table counts its flows");
	if (t->pending != inside_kept_syns(e))
		world_break(w, "each SYN is free or belongs to one flow");
	if (inside_pools(e) > POOLS_MAX)
		world_break(w, "a pair of ends that returns has its pool");
	for (unsigned i = 0; i < inside_pools(e); i++) {
		const struct inside_pool pool = inside_pool(e, i);

		if (t->ports[i] + pool.free != pool.size)
			world_break(w, "each port is free or of one flow");
	}
	for (unsigned s = 0; s < engine_services(e); s++)
		judge_service(w, s, t);
	judge_counted(w, t);
}

void judge_step(struct world *w)
{
	struct tally t = {0};

	if (!w->lb.e || !w->lb.touched)
		return;
	w->lb.touched = false;
	judge_counters(w);
	for (uint32_t i = 0; i < engine_flows(w->lb.e)->size; i++) {
		if (!w->lb.flows[i].open && !w->lb.seen[i].id)
			continue;
		if (w->lb.flows[i].open)
			judge_one_flow(w, &w->lb.flows[i], &t);
		judge_seen(w, i);
	}
	judge_tally(w, &t);
}

/* Has not said everything: its flow cannot be over. */
static bool goes_on(const struct tcp_end *e)
{
	return e->state == END_ESTABLISHED || e->state == END_CLOSE_WAIT;
}

static const struct flow *find_flow(const struct world *w, const struct conn *c)
{
	const struct flow_table *t = engine_flows(w->lb.e);
	const struct flow_key key = {.pair = {c->client, c->vip},
				     .proto = PACKET_PROTO_TCP};
	enum flow_side side;

	return flow_find(t, &key, flow_hash(t, &key), &side);
}

static const struct tcp_end *server_of(const struct world *w,
				       const struct conn *c)
{
	for (unsigned i = 0; i < w->n_live; i++)
		if (w->ends[w->live[i]].uid == c->server_uid)
			return &w->ends[w->live[i]];
	return NULL;
}

void judge_rules(struct world *w)
{
	const char *broken = w->lb.e ? rules_broken(w->lb.e) : NULL;

	if (broken)
		world_break(w, "%s", broken);
}

void judge_live(struct world *w)
{
	for (unsigned i = 0; w->lb.e && i < w->n_live; i++) {
		const struct tcp_end *e = &w->ends[w->live[i]], *server;
		const struct conn *c = e->conn < 0 ? NULL : &w->conns[e->conn];
		const struct flow *f;

		if (!c || !e->client || !end_synced(e) || c->excuse)
			continue;
		server = server_of(w, c);
		if (!server || !end_synced(server) ||
		    !(goes_on(e) || goes_on(server)))
			continue;
		f = find_flow(w, c);
		if (!f || tcp_is_closed(f->tcp.state) ||
		    f->tcp.state == TCP_SYN_SENT)
			world_break(w,
				    "a live connection has its flow: %d is "
				    "%s",
				    e->conn,
				    f ? tcp_state_name(f->tcp.state) : "gone");
	}
}

/* ------------------------------------------------------------- forwarding */

static bool same_but_addresses(const struct frame *in, const struct frame *out)
{
	return out->seq == in->seq && out->ack == in->ack &&
	       out->flags == in->flags && out->window == in->window &&
	       out->tos == in->tos && out->id == in->id &&
	       out->options_len == in->options_len &&
	       out->payload_len == in->payload_len &&
	       memcmp(out->options, in->options,
		      in->options_len + in->payload_len) == 0;
}

/* Honest packets go where their connection is. */
static void judge_destination(struct world *w, const struct origin *by,
			      const struct frame *out, bool followed)
{
	const struct conn *c;

	if (by->conn < 0 || by->forged)
		return;
	c = &w->conns[by->conn];
	if (!by->from_client) {
		/* Very old packets may reach whoever has the port now, and
		 * mean nothing to anybody.
		 */
		if (followed && (!endpoint_equal(&out->dst, &c->client) ||
				 !endpoint_equal(&out->src, &c->vip)))
			world_break(w, "a reply reaches its own client only");
		return;
	}
	/* An old SYN of one that is over may open a flow, which its client
	 * resets; what else of it is late then goes the same way.
	 */
	if (by->synced && !(out->flags & SYN) && followed &&
	    !conn_is_forgotten(w, c) &&
	    (!endpoint_equal(&out->dst, &c->server) ||
	     !endpoint_equal(&out->src, &c->nat)))
		world_break(w, "a connection stays with its backend");
}

/* Without a flow the sender is told at once (design rule 5). */
static void judge_unknown(struct world *w, const struct frame *in,
			  const struct engine_counters *before)
{
	const struct engine_counters *now = engine_counters(w->lb.e);
	bool answers = now->originated != before->originated ||
		       now->answers_spared != before->answers_spared ||
		       now->answers_limited != before->answers_limited;
	bool unknown = now->dropped[DROP_OUT_OF_STATE] !=
		       before->dropped[DROP_OUT_OF_STATE];
	bool killed = now->dropped[DROP_RESET] != before->dropped[DROP_RESET];

	for (unsigned i = 0; unknown && i < engine_services(w->lb.e); i++)
		if (endpoint_equal(&inside_service(w->lb.e, i)->listen,
				   &in->dst) &&
		    !inside_service(w->lb.e, i)->params.reset_out_of_state)
			return;
	if ((unknown || killed) && !(in->flags & RST) && !answers)
		world_break(w, "who has no flow learns at once");
}

static bool is_to_client(const struct world *w, const struct endpoint *src)
{
	const struct engine *e = w->lb.e;

	for (unsigned i = 0; i < engine_services(e); i++)
		if (endpoint_equal(&inside_service(e, i)->listen, src))
			return true;
	return false;
}

void judge_forward(struct world *w, const struct origin *by,
		   const struct frame *in, const struct frame *out,
		   const struct engine_counters *before)
{
	const struct engine_counters *now = engine_counters(w->lb.e);
	bool followed = now->out_of_window == before->out_of_window &&
			now->bad_rst == before->bad_rst;

	if (!out) {
		judge_unknown(w, in, before);
		return;
	}
	if (by->corrupted && in->csum == FRAME_WRONG)
		world_break(w, "what was corrupted is never forwarded");
	if (out->csum != FRAME_FULL)
		world_break(w, "checksums are right when a packet leaves");
	if (out->ttl != in->ttl - 1)
		world_break(w, "TTL is one less");
	if (!same_but_addresses(in, out))
		world_break(w, "only addresses, ports and TTL change");
	if ((out->flags & SYN) &&
	    !(out->flags & ACK) == is_to_client(w, &out->src))
		world_break(w, "clients connect, and backends accept");
	judge_destination(w, by, out, followed);
}

void judge_icmp(struct world *w, const struct pkt *p)
{
	uint32_t head = (p->bytes[0] & 15) * 4u;

	if (frame_sum(p->bytes, head) != 0xffff ||
	    frame_sum(p->bytes + head, p->len - head) != 0xffff)
		world_break(w, "checksums of ICMP are right when it leaves");
}

/* ----------------------------------------------------------------- events */

static void excuse(struct world *w, const struct flow *flow, uint32_t why)
{
	const struct endpoint client = flow_client(flow), vip = flow_vip(flow);

	for (unsigned i = w->n_conns; i-- > 0;) {
		struct conn *c = &w->conns[i];

		if (endpoint_equal(&c->client, &client) &&
		    endpoint_equal(&c->vip, &vip))
			c->excuse |= why;
	}
}

static uint32_t limit_s(const struct world *w, unsigned state)
{
	const struct engine_timeouts *t = &w->plan.timeouts;

	switch ((enum tcp_state)state) {
	case TCP_SYN_SENT: return t->syn_sent;
	case TCP_SYN_RECEIVED: return t->syn_received;
	case TCP_ESTABLISHED: return t->established;
	case TCP_FIN_WAIT:
	case TCP_CLOSING: return t->closing;
	case TCP_TIME_WAIT:
	case TCP_RESET:
	case TCP_STATES: break;
	}
	return 0;
}

static void judge_expiry(struct world *w, const struct flow *flow, unsigned was)
{
	uint64_t since = was == TCP_SYN_SENT ? flow->opened_ns : flow->seen_ns;

	if (balancer_now(w) - since < limit_s(w, was) * SEC)
		world_break(w, "a flow expires when it was idle for so long");
	excuse(w, flow, EXC_EXPIRED);
}

/* What nobody else wants to have is gone before, and what is idle longer. */
static void judge_half_closed(struct world *w, const struct flow *flow)
{
	const struct engine *e = w->lb.e;
	const struct inside_pool pool = inside_pool(e, flow->pool);
	/* But for one that is given to another backend now. */
	bool no_port = pool.free == 0 && pool.recyclable <= 1;
	uint32_t others = 0;

	for (uint32_t i = 0; i < engine_flows(e)->size; i++) {
		const struct flow *f = &w->lb.flows[i];

		if (!f->open)
			continue;
		others += tcp_is_closed(f->tcp.state) ||
			  tcp_is_half_open(f->tcp.state);
		if (tcp_is_half_closed(f->tcp.state) && f->pool == flow->pool &&
		    f->seen_ns + 135 * MS < flow->seen_ns)
			world_break(w, "of the half-closed flows the one idle "
				       "longest is recycled");
	}
	if (!no_port &&
	    (engine_flows(e)->used < engine_flows(e)->size || others))
		world_break(w, "half-closed flows are recycled last");
}

static void judge_recycled(struct world *w, const struct flow *flow)
{
	if (tcp_is_half_closed(flow->tcp.state))
		judge_half_closed(w, flow);
	else if (!tcp_is_half_open(flow->tcp.state))
		world_break(w, "only half-open and half-closed flows are "
			       "recycled");
}

/* The configuration of this moment wants it there. */
static void judge_given(struct world *w, const struct flow *flow)
{
	const struct backend_spec *b =
		&w->plan.backends[flow->service][flow->backend];

	if (w->plan.services[flow->service].unused ||
	    w->plan.leaving[flow->service] || b->unused || b->gone ||
	    b->params.weight == 0 || b->params.admin != ADMIN_ENABLED)
		world_break(w,
			    "a new flow goes to who is to take flows: "
			    "not backend %u of service %u",
			    flow->backend, flow->service);
}

/* Why it ended is what has happened. @was: its state before. */
static void judge_end(struct world *w, const struct flow *flow,
		      enum flow_end end, unsigned was)
{
	const struct backend *b = inside_backend_of(w->lb.e, flow);
	const bool reset =
		flow->tcp.state == TCP_RESET && !(flow->flags & FLOW_KILLED);
	bool right = false;

	switch (end) {
	case FLOW_END_NONE:
	case FLOW_ENDS: break;
	case FLOW_END_CLOSED: right = flow->tcp.state == TCP_TIME_WAIT; break;
	case FLOW_END_CLIENT_RESET: right = reset; break;
	case FLOW_END_BACKEND_RESET:
		right = reset && was != TCP_SYN_SENT;
		break;
	case FLOW_END_REFUSED: right = reset && was == TCP_SYN_SENT; break;
	case FLOW_END_SYN_TIMEOUT:
	case FLOW_END_UNREACHABLE: right = was == TCP_SYN_SENT; break;
	case FLOW_END_CLIENT_LOST: right = was == TCP_SYN_RECEIVED; break;
	case FLOW_END_IDLE: right = was == TCP_ESTABLISHED; break;
	case FLOW_END_HALF_CLOSED_IDLE: right = tcp_is_half_closed(was); break;
	case FLOW_END_DOWN: right = b->sweep && !b->drained; break;
	case FLOW_END_DRAINED: right = b->sweep && b->drained; break;
	case FLOW_END_DISABLED:
		right = b->sweep && b->drained &&
			b->params.admin == ADMIN_DISABLED;
		break;
	case FLOW_END_REMOVED:
		right = b->sweep && b->drained && b->slot == SLOT_LEAVING;
		break;
	case FLOW_END_KILLED: right = w->lb.killed == flow->id; break;
	case FLOW_END_SUPERSEDED: right = was == TCP_SYN_SENT; break;
	case FLOW_END_RECYCLED: right = !tcp_is_closed(was); break;
	case FLOW_END_SHUTDOWN: right = w->lb.leaving; break;
	}
	if (!right)
		world_break(w, "a flow ends for the reason that is told: %s",
			    flow_end_name(end));
}

/* The end of a flow excuses how its connection ends. */
static void judge_ended(struct world *w, const struct flow *flow,
			enum flow_end end, unsigned was)
{
	judge_end(w, flow, end, was);
	switch (end) {
	case FLOW_END_SYN_TIMEOUT:
	case FLOW_END_UNREACHABLE:
	case FLOW_END_CLIENT_LOST:
	case FLOW_END_IDLE:
	case FLOW_END_HALF_CLOSED_IDLE: judge_expiry(w, flow, was); break;
	case FLOW_END_SUPERSEDED:
	case FLOW_END_RECYCLED:
		judge_recycled(w, flow);
		excuse(w, flow, EXC_PRESSURE);
		break;
	case FLOW_END_DOWN:
	case FLOW_END_DRAINED:
	case FLOW_END_DISABLED:
	case FLOW_END_REMOVED:
	case FLOW_END_KILLED:
	case FLOW_END_SHUTDOWN: excuse(w, flow, EXC_SWEPT); break;
	case FLOW_END_NONE:
	case FLOW_END_CLOSED:
	case FLOW_END_CLIENT_RESET:
	case FLOW_END_BACKEND_RESET:
	case FLOW_END_REFUSED:
	case FLOW_ENDS: break;
	}
}

void judge_flow(struct world *w, enum flow_event event, const struct flow *flow,
		const struct flow_note *note)
{
	static const char *const names[] = {"opened", "ended", "revived",
					    "redispatched"};
	const enum flow_end end = (enum flow_end)note->end;
	uint32_t i = (uint32_t)(flow - w->lb.flows);
	struct seen_flow *seen = &w->lb.seen[i];
	unsigned was = seen->id == flow->id ? seen->state : TCP_SYN_SENT;

	world_trace(w, "flow %u %s, %s, end %s", i, names[event],
		    tcp_state_name(flow->tcp.state), flow_end_name(end));
	switch (event) {
	case FLOW_OPENED:
		w->lb.opened++;
		judge_given(w, flow);
		break;
	case FLOW_REVIVED:
		w->lb.opened++;
		w->stats.revived++;
		break;
	case FLOW_REDISPATCHED:
		judge_given(w, flow);
		if (was != TCP_SYN_SENT)
			world_break(w, "an answered flow is not given away");
		break;
	case FLOW_ENDED:
		w->lb.ended++;
		w->stats.ended[end]++;
		judge_ended(w, flow, end, was);
		break;
	}
	if (seen->id == flow->id)
		seen->state = flow->tcp.state;
	if (end == FLOW_END_RECYCLED || end == FLOW_END_SUPERSEDED)
		seen->id = 0;
}

/*
 * There is no cause to take @backend for anything else: it answered all there
 * was to answer for so long that whatever was seen of it before is forgotten,
 * and no answer can have been lost on the way or here.
 */
static bool is_healthy(const struct world *w, enum backend_event event,
		       unsigned service, unsigned backend)
{
	const struct host *h = balancer_host(w, service, backend);
	const struct habits *way = &w->plan.back;
	/* A handshake may be given up, and held against it, so late. */
	const uint64_t handshake = w->plan.timeouts.syn_sent * SEC;
	const bool fair = w->phase == FAIR &&
			  w->now > w->fair_from + SETTLED_NS + handshake;
	/* As healthy as it was when the link was cut: what is silent is the
	 * link. But a process that starts meanwhile has no answer to compare
	 * it with.
	 */
	const bool cut =
		w->now > w->lb.cut_from + SETTLED_NS +
				 (event == BACKEND_EJECTED ? handshake : 0) &&
		w->now < w->lb.cut_until;
	const bool saw = w->lb.started + SETTLED_NS < w->lb.cut_from ||
			 w->now > w->lb.cut_until + SETTLED_NS;
	const bool lossless = !way->loss && !way->corrupt && !way->late &&
			      !w->plan.floods && !w->plan.noise;

	return h->health == HOST_UP && w->now > h->well_from + SETTLED_NS &&
	       w->now > w->lb.well_from + SETTLED_NS &&
	       (fair || lossless || cut) && saw;
}

void judge_backend(struct world *w, enum backend_event event, unsigned service,
		   unsigned backend)
{
	static const char *const names[] = {"down",	 "up",	    "ejected",
					    "recovered", "drained", "cut off",
					    "moved",	 "proven",  "heard"};

	world_trace(w, "backend %u of service %u %s", backend, service,
		    names[event]);
	if ((event == BACKEND_DOWN || event == BACKEND_EJECTED) &&
	    is_healthy(w, event, service, backend))
		world_break(w, "a healthy backend is not found down: %u of %u",
			    backend, service);
}

void judge_restart(struct world *w, uint32_t before, int64_t adopted,
		   uint32_t refused)
{
	if (adopted != before || refused)
		world_break(w,
			    "a restart keeps all flows: %u of %u, %u "
			    "refused",
			    (unsigned)adopted, before, refused);
	/* The new process may have lower limits, to be reached by and by. */
	for (unsigned i = 0; i < engine_services(w->lb.e); i++)
		w->lb.half_open[i] = inside_service(w->lb.e, i)->half_open;
}

/* ----------------------------------------------------------------- resets */

void judge_reset(struct world *w, const struct tcp_end *e,
		 const struct origin *by)
{
	struct conn *c = e->conn < 0 ? NULL : &w->conns[e->conn];

	if (!c)
		return; /* an attacker's own */
	if (by->forged) {
		world_break(w, "a blind reset changes nothing");
		return;
	}
	if (e->state == END_TIME_WAIT)
		return;
	if (!e->client && c->server_uid != e->uid) {
		if (by->end == 0)
			c->refused_uid = e->uid;
		return;
	}
	w->stats.reset++;
	/* Both streams arrived: only a last ACK was lost behind us. */
	if (!c->excuse && c->result[e->client] != RES_DONE &&
	    !(c->got_fin[0] && c->got_fin[1]))
		world_break(w,
			    "a connection is reset for a reason: %d, %s in "
			    "%s",
			    e->conn, e->client ? "client" : "server",
			    end_state_name(e->state));
}

/* ----------------------------------------------------------------- the end */

bool judge_must_answer(const struct world *w, unsigned service)
{
	const int slot = w->plan.slots[service];
	const struct service_spec *s = &w->plan.services[slot < 0 ? 0 : slot];
	unsigned live = 0, dead = 0;

	if (slot < 0 || w->phase != FAIR || w->plan.tiny ||
	    w->now < w->fair_from + SETTLED_NS ||
	    (w->now + ANSWERED_NS > w->lb.deaf_from &&
	     w->now < w->lb.deaf_until))
		return false;
	for (unsigned i = 0; i < s->n_backends; i++) {
		const struct backend_spec *b = &s->backends[i];
		const struct host *h;

		if (b->unused || b->gone || b->params.weight == 0 ||
		    b->params.admin != ADMIN_ENABLED)
			continue;
		h = balancer_host(w, (unsigned)slot, i);
		live += h->health == HOST_UP || h->health == HOST_FROZEN;
		dead += h->health != HOST_UP && h->health != HOST_FROZEN;
	}
	return live && dead <= s->params.retries;
}

static void judge_conn(struct world *w, unsigned i)
{
	const struct conn *c = &w->conns[i];

	if (c->fair &&
	    (!c->established || c->established - c->opened > ANSWERED_NS))
		world_break(w, "a SYN is answered when a backend is there: %u",
			    i);
	if (!c->established)
		return;
	w->stats.excused += c->excuse != 0;
	if (c->excuse)
		return;
	/* How they end then may be a reset, for want of a last ACK. */
	if (!c->got_fin[0] || !c->got_fin[1])
		world_break(w,
			    "what can finish does finish: connection %u, "
			    "client %d, server %d",
			    i, c->result[0], c->result[1]);
	w->stats.clean++;
}

void judge_fair(struct world *w)
{
	for (unsigned i = 0; i < w->n_live; i++) {
		const struct tcp_end *e = &w->ends[w->live[i]];

		if (e->state == END_TIME_WAIT)
			continue;
		/* Answers a health check at this moment. */
		if (e->state == END_SYN_RCVD && e->conn < 0)
			continue;
		/* Its peer is gone, and it has nothing to say. */
		if (e->state == END_FIN_WAIT_2 &&
		    (e->conn < 0 || w->conns[e->conn].excuse))
			continue;
		world_break(w,
			    "everybody knows in the end: connection %d, "
			    "%s in %s",
			    e->conn, e->client ? "client" : "server",
			    end_state_name(e->state));
	}
	for (unsigned i = 0; i < w->n_conns; i++)
		judge_conn(w, i);
}

void judge_quiet(struct world *w)
{
	const char *left = rules_left(w->lb.e);

	if (left)
		world_break(w, "nothing is left, but %s", left);
}
