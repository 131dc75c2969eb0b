/* SPDX-License-Identifier: MIT */
/* rig.c - see rig.h */
#include "parse.h"
#include "rig.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "unit.h"

static void note_event(void *arg, enum flow_event what, const struct flow *flow,
		       const struct flow_note *note)
{
	struct rig *r = arg;

	if (r->n_events == RIG_EVENTS_MAX)
		return;
	r->events[r->n_events++] = (struct rig_event){
		.what = what,
		.state = (enum tcp_state)flow->tcp.state,
		.note = *note,
		.id = flow->id,
		.client = flow_client(flow),
	};
}

static void note_refused(void *arg, unsigned service,
			 const struct endpoint *client, enum drop_reason why)
{
	struct rig *r = arg;

	(void)service;
	(void)client;
	r->refused[why]++;
}

static void setup_backend(struct backend_spec *b, unsigned n)
{
	char addr[16];

	snprintf(addr, sizeof(addr), "198.18.0.%u", 11 + n);
	*b = (struct backend_spec){.addr = frame_endpoint(addr, 9001),
				   .params.weight = 1,
				   .n_sources = 1};
	b->sources[0] = frame_addr("198.18.0.1");
}

struct rig *rig_new(unsigned n_backends)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct rig_setup *s;

	ck_assert_ptr_nonnull(r);
	s = &r->setup;
	r->now = RIG_T0;
	for (unsigned i = 0; i < RIG_BACKENDS_MAX; i++)
		setup_backend(&s->backends[0][i], i);
	for (unsigned i = 0; i < RIG_PORTS_MAX; i++)
		s->ports[i] = (uint16_t)(RIG_PORT_LO + i);
	s->services[0] = (struct service_spec){
		.listen = frame_endpoint("198.18.0.1", 20000),
		.params.reset_out_of_state = true,
		.n_backends = n_backends,
		.backends = s->backends[0],
	};
	s->spec = (struct engine_spec){
		.n_services = 1,
		.services = s->services,
		.ports = s->ports,
		.n_ports = 32,
		.n_flows = 64,
		.timeouts = ENGINE_TIMEOUTS_DEFAULT,
		.seed = 1,
		.on_flow = note_event,
		.on_refused = note_refused,
		.on_arg = r,
	};
	for (int i = 0; i < FLOW_SECRET_BYTES; i++)
		s->spec.secret[i] = (uint8_t)(i * 91 + 17);
	return r;
}

void rig_add_service(struct rig *r, uint16_t port)
{
	struct rig_setup *s = &r->setup;

	memcpy(s->backends[1], s->backends[0], sizeof(s->backends[1]));
	s->services[1] = s->services[0];
	s->services[1].listen.port = htons(port);
	s->services[1].backends = s->backends[1];
	s->spec.n_services = 2;
}

void rig_start(struct rig *r)
{
	struct err err = {""};
	size_t size = r->setup.spec.n_flows * sizeof(*r->flows);
	int ret;

	r->flows = aligned_alloc(64, size);
	ck_assert_ptr_nonnull(r->flows);
	memset(r->flows, 0, size);
	r->setup.spec.flows = r->flows;
	ret = engine_new(&r->e, &r->setup.spec, r->now, &err);
	ck_assert_msg(ret == 0, "engine_new: %d %s", ret, err.text);
	for (unsigned s = 0; s < engine_services(r->e); s++)
		for (unsigned i = 0; i < engine_backends(r->e, s); i++)
			inside_backend(r->e, s, i)->up = true;
}

void rig_free(struct rig *r)
{
	engine_free(r->e);
	free(r->flows);
	free(r);
}

struct rig *rig_started(unsigned n_backends)
{
	struct rig *r = rig_new(n_backends);

	rig_start(r);
	return r;
}

struct rig *rig_small(unsigned n_backends, uint32_t flows, uint32_t ports)
{
	struct rig *r = rig_new(n_backends);

	r->setup.spec.n_flows = flows;
	r->setup.spec.n_ports = ports;
	rig_start(r);
	return r;
}

static struct rig *retrying(unsigned n_backends, unsigned retries)
{
	struct rig *r = rig_new(n_backends);

	r->setup.services[0].params.retries = retries;
	r->setup.services[0].params.syn_timeout_ms =
		ENGINE_SYN_TIMEOUT_MS_DEFAULT;
	return r;
}

struct rig *rig_retrying(unsigned n_backends, unsigned retries)
{
	struct rig *r = retrying(n_backends, retries);

	rig_start(r);
	return r;
}

struct rig *rig_ejecting(unsigned n_backends)
{
	struct rig *r = retrying(n_backends, 3);

	r->setup.services[0].params.breaker =
		(struct breaker_params)BREAKER_PARAMS_DEFAULT;
	rig_start(r);
	return r;
}

unsigned rig_ejected(const struct rig *r)
{
	const struct service *s = inside_service(r->e, 0);
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_backends; i++)
		n += s->backends[i].breaker.state != BREAKER_CLOSED;
	return n;
}

void rig_done(struct rig *r)
{
	const char *broken = rules_broken(r->e);

	ck_assert_msg(!broken, "broken: %s", broken);
	rig_free(r);
}

/* Which counter of dropped grew; DROP_REASONS if none did. */
static enum drop_reason dropped_since(const struct engine_counters *before,
				      const struct engine_counters *after)
{
	enum drop_reason why = DROP_REASONS;

	for (int i = 0; i < DROP_REASONS; i++) {
		if (after->dropped[i] == before->dropped[i])
			continue;
		unit_check(after->dropped[i] == before->dropped[i] + 1 &&
				   why == DROP_REASONS,
			   "one drop is counted once");
		why = (enum drop_reason)i;
	}
	return why;
}

/* What leaves differs from what came in addresses, ports and TTL alone. */
static void check_sent(struct rig *r, const struct frame *in)
{
	const struct frame *out = &r->out;

	unit_check(frame_csum_is(r->out_csum, r->wire, r->out_len),
		   "checksum is wrong");
	unit_check(out->ttl == in->ttl - 1, "TTL %u -> %u", in->ttl, out->ttl);
	unit_check(out->seq == in->seq && out->ack == in->ack &&
			   out->flags == in->flags &&
			   out->window == in->window && out->tos == in->tos &&
			   out->id == in->id,
		   "header changed");
	unit_check(out->options_len == in->options_len &&
			   (r->strips || memcmp(out->options, in->options,
						in->options_len) == 0),
		   "options changed");
	unit_check(out->payload_len == in->payload_len &&
			   memcmp(out->payload, in->payload, in->payload_len) ==
				   0,
		   "payload changed");
	unit_check(addr_equal(&r->out_dst, &out->dst.addr),
		   "out_dst is not where it goes");
}

static bool take_verdict(struct rig *r, struct packet *p)
{
	enum verdict v;

	engine_prepare(r->e, p, 1);
	v = engine_packet(r->e, p, r->now);
	if (v != VERDICT_SEND)
		return false;
	memcpy(r->wire, p->hdr, p->hdr_len);
	if (p->payload_len)
		memcpy(r->wire + p->hdr_len, p->payload, p->payload_len);
	r->out_len = packet_len(p);
	r->out_dst = p->out_dst;
	r->out_mss = p->out_mss;
	r->to_backend = p->to_backend;
	r->out_csum = p->csum == CSUM_FULL ? FRAME_FULL : FRAME_PARTIAL;
	return true;
}

bool rig_send_bytes(struct rig *r, const uint8_t *ip, uint32_t len)
{
	const struct engine_counters before = *engine_counters(r->e);
	uint8_t *copy = malloc(len ? len : 1); /* ends where the frame ends */
	enum drop_reason why;
	struct packet p;
	struct frame in;
	bool sent = false;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, ip, len);
	if (parse_packet(&p, copy, len, &why))
		engine_refused(r->e, why);
	else
		sent = take_verdict(r, &p);

	r->why = dropped_since(&before, engine_counters(r->e));
	r->consumed = engine_counters(r->e)->consumed > before.consumed;
	unit_check((r->why != DROP_REASONS) + sent + r->consumed == 1,
		   "each packet is sent, consumed or dropped");
	unit_check(engine_counters(r->e)->received == before.received + 1,
		   "every packet is received once");
	if (sent) {
		unit_check(frame_read(&in, copy, len), "sent a malformed one");
		unit_check(frame_read(&r->out, r->wire, r->out_len),
			   "sent bytes are no packet");
		check_sent(r, &in);
	}
	free(copy);
	return sent;
}

bool rig_send(struct rig *r, const struct frame *f)
{
	static uint8_t bytes[FRAME_MAX];

	return rig_send_bytes(r, bytes, frame_build(f, bytes));
}

void rig_wait(struct rig *r, uint64_t ns)
{
	const uint64_t until = r->now + ns;

	for (int calls = 0; calls < 100000; calls++) {
		uint64_t next = engine_tick(r->e, r->now, 64);

		if (next > until) {
			r->now = until;
			engine_tick(r->e, r->now, 64);
			return;
		}
		if (next > r->now)
			r->now = next;
	}
	ck_abort_msg("engine_tick() asks to be called for ever");
}

bool rig_next(struct rig *r, struct frame *out)
{
	const struct segment *seg = &r->originated;

	if (!engine_next(r->e, &r->originated))
		return false;
	*out = (struct frame){.src = seg->src,
			      .dst = seg->dst,
			      .seq = seg->seq,
			      .ack = seg->ack,
			      .window = seg->window,
			      .flags = seg->flags,
			      .options = seg->options,
			      .options_len = seg->options_len};
	return true;
}

struct frame rig_only(struct rig *r)
{
	struct frame first, second;

	ck_assert_msg(rig_next(r, &first), "nothing was originated");
	ck_assert_msg(!rig_next(r, &second), "more than one was originated");
	return first;
}

unsigned rig_drain(struct rig *r)
{
	struct frame f;
	unsigned n = 0;

	while (rig_next(r, &f))
		n++;
	return n;
}

unsigned rig_events(const struct rig *r, enum flow_event what,
		    const struct endpoint *client)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_events; i++)
		n += r->events[i].what == what &&
		     endpoint_equal(&r->events[i].client, client);
	return n;
}

unsigned rig_ended(const struct rig *r, enum flow_end end,
		   const struct endpoint *client)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_events; i++)
		n += r->events[i].what == FLOW_ENDED &&
		     r->events[i].note.end == end &&
		     endpoint_equal(&r->events[i].client, client);
	return n;
}

struct conn conn_make(const struct rig *r, unsigned n)
{
	struct conn c = {
		.vip = r->setup.services[0].listen,
		.seq = {CONN_CLIENT_ISN, CONN_SERVER_ISN},
		.window = 64240,
	};
	char addr[16];

	snprintf(addr, sizeof(addr), "198.18.1.%u", n % 250 + 1);
	c.client = frame_endpoint(addr, (uint16_t)(40000 + n));
	return c;
}

struct frame conn_frame(const struct conn *c, enum flow_side side,
			uint8_t flags, uint32_t len)
{
	return (struct frame){
		.src = side == FLOW_ORIG ? c->client : c->backend,
		.dst = side == FLOW_ORIG ? c->vip : c->nat,
		.seq = c->seq[side],
		.ack = flags & ACK ? c->acked[side] : 0,
		.window = c->window,
		.flags = flags,
		.payload_len = len,
	};
}

bool conn_send(struct rig *r, struct conn *c, enum flow_side side,
	       uint8_t flags, uint32_t len)
{
	struct frame f = conn_frame(c, side, flags, len);

	if (!rig_send(r, &f))
		return false;
	c->seq[side] += frame_seq_len(&f);
	c->acked[!side] = c->seq[side];
	return true;
}

bool conn_syn(struct rig *r, struct conn *c)
{
	if (!conn_send(r, c, FLOW_ORIG, SYN, 0))
		return false;
	c->nat = r->out.src;
	c->backend = r->out.dst;
	return true;
}

void conn_receive_syn(struct rig *r, struct conn *c)
{
	ck_assert(conn_syn(r, c));
	ck_assert(conn_send(r, c, FLOW_REPLY, SYN | ACK, 0));
	ck_assert(endpoint_equal(&r->out.src, &c->vip));
	ck_assert(endpoint_equal(&r->out.dst, &c->client));
}

void conn_establish(struct rig *r, struct conn *c)
{
	conn_receive_syn(r, c);
	ck_assert(conn_send(r, c, FLOW_ORIG, ACK, 0));
	ck_assert_int_eq(conn_state(r, c), TCP_ESTABLISHED);
}

void conn_close(struct rig *r, struct conn *c)
{
	ck_assert(conn_send(r, c, FLOW_ORIG, FIN | ACK, 0));
	ck_assert(conn_send(r, c, FLOW_REPLY, FIN | ACK, 0));
	ck_assert(conn_send(r, c, FLOW_ORIG, ACK, 0));
	ck_assert_int_eq(conn_state(r, c), TCP_TIME_WAIT);
}

void conn_refuse(struct rig *r, struct conn *c)
{
	struct frame rst = conn_frame(c, FLOW_REPLY, RST | ACK, 0);

	rst.seq = 0;
	ck_assert(!rig_send(r, &rst));
	ck_assert(r->consumed);
}

struct frame conn_expect_syn(struct rig *r, struct conn *c)
{
	struct frame syn;

	ck_assert_msg(rig_next(r, &syn), "no SYN was sent");
	ck_assert_uint_eq(syn.flags & (SYN | ACK | RST | FIN), SYN);
	ck_assert_uint_eq(syn.seq, c->seq[FLOW_ORIG] - 1);
	conn_refresh(r, c);
	ck_assert(same(syn.src, c->nat));
	ck_assert(same(syn.dst, c->backend));
	return syn;
}

void conn_finish(struct rig *r, struct conn *c)
{
	ck_assert(conn_send(r, c, FLOW_REPLY, SYN | ACK, 0));
	ck_assert(same(r->out.src, c->vip));
	ck_assert(same(r->out.dst, c->client));
	ck_assert(conn_send(r, c, FLOW_ORIG, ACK, 0));
	ck_assert_int_eq(conn_state(r, c), TCP_ESTABLISHED);
	ck_assert(conn_send(r, c, FLOW_ORIG, ACK | PSH, 10));
	ck_assert(same(r->out.dst, c->backend));
}

struct flow *conn_flow(const struct rig *r, const struct conn *c)
{
	struct flow_key key = {.pair = {c->client, c->vip}, .proto = 6};
	enum flow_side side;

	return flow_find(engine_flows(r->e), &key,
			 flow_hash(engine_flows(r->e), &key), &side);
}

void conn_refresh(const struct rig *r, struct conn *c)
{
	const struct flow *flow = conn_flow(r, c);

	if (!flow)
		return;
	c->nat = flow_nat(flow);
	c->backend = flow_backend(flow);
}

enum tcp_state conn_state(const struct rig *r, const struct conn *c)
{
	const struct flow *flow = conn_flow(r, c);

	return flow ? (enum tcp_state)flow->tcp.state : TCP_STATES;
}

/* RFC 9293 section 3.10.7.1: <SEQ=SEG.ACK><CTL=RST> if it has an ACK, else
 * <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
 */
void rig_check_answer(struct rig *r, const struct frame *to)
{
	struct frame rst = rig_only(r);

	ck_assert(same(rst.src, to->dst));
	ck_assert(same(rst.dst, to->src));
	if (to->flags & ACK) {
		ck_assert_uint_eq(rst.flags, RST);
		ck_assert_uint_eq(rst.seq, to->ack);
	} else {
		ck_assert_uint_eq(rst.flags, RST | ACK);
		ck_assert_uint_eq(rst.seq, 0);
		ck_assert_uint_eq(rst.ack, to->seq + frame_seq_len(to));
	}
}

/* @n opened a little later than the one before it. */
struct conn conn_in_state(struct rig *r, unsigned n, enum tcp_state state)
{
	struct conn c = conn_make(r, n);

	rig_wait(r, RIG_S / 5);
	if (state == TCP_SYN_SENT)
		ck_assert(conn_syn(r, &c));
	else if (state == TCP_SYN_RECEIVED)
		conn_receive_syn(r, &c);
	else
		conn_establish(r, &c);
	if (state == TCP_FIN_WAIT || state == TCP_CLOSING)
		ck_assert(conn_send(r, &c, FLOW_ORIG, FIN | ACK, 0));
	if (state == TCP_CLOSING)
		ck_assert(conn_send(r, &c, FLOW_REPLY, FIN | ACK, 0));
	if (state == TCP_TIME_WAIT)
		conn_close(r, &c);
	if (state == TCP_RESET)
		ck_assert(conn_send(r, &c, FLOW_ORIG, RST, 0));
	ck_assert_int_eq(conn_state(r, &c), state);
	return c;
}

void conn_is_refused(struct rig *r, unsigned n, enum drop_reason why)
{
	struct conn c = conn_make(r, n);
	struct frame syn = conn_frame(&c, FLOW_ORIG, SYN, 0);
	uint32_t used = engine_flows(r->e)->used;

	ck_assert(!rig_send(r, &syn));
	ck_assert_msg(r->why == why, "%s", drop_name(r->why));
	rig_check_answer(r, &syn);
	ck_assert_uint_eq(engine_flows(r->e)->used, used);
	ck_assert_int_eq(conn_state(r, &c), TCP_STATES);
}
