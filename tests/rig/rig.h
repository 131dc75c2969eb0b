/* SPDX-License-Identifier: MIT */
/*
 * rig.h - an engine on a bench: packets in, packets out, virtual time
 *
 * rig_send() is what the program does with a captured frame. A struct conn
 * speaks for both ends of one client connection, so that a test reads like a
 * trace: who sends what, and what came out on the other side.
 */
#ifndef L4LB_RIG_H
#define L4LB_RIG_H

#include "core/engine.h"
#include "core/segment.h"
#include "core/time.h"
#include "frames.h"
#include "inside.h"

#define RIG_SERVICES_MAX 2
#define RIG_BACKENDS_MAX 12
#define RIG_PORTS_MAX	 64
#define RIG_PORT_LO	 10240
#define RIG_EVENTS_MAX	 1024
#define RIG_S		 NS_PER_S
#define RIG_T0		 (5000 * RIG_S) /* uptime when the engine starts */

/* What a test may change between rig_init() and rig_start(). */
struct rig_setup {
	struct service_spec services[RIG_SERVICES_MAX];
	struct backend_spec backends[RIG_SERVICES_MAX][RIG_BACKENDS_MAX];
	uint16_t ports[RIG_PORTS_MAX];
	struct engine_spec spec;
};

struct rig_event {
	enum flow_event what;
	enum tcp_state state;
	struct flow_note note;
	uint64_t id;
	struct endpoint client;
};

struct rig {
	struct rig_setup setup;
	struct engine *e;
	struct flow *flows;
	uint64_t now;

	/* of the last rig_send() */
	struct frame out; /* what leaves, if it was not dropped */
	bool consumed;
	enum drop_reason why; /* DROP_REASONS if it was not dropped */
	struct ip_addr out_dst;
	uint16_t out_mss;
	bool to_backend;
	bool strips; /* options may change, but not in length */
	uint32_t out_len;
	enum frame_csum out_csum; /* what the engine takes it for */
	uint8_t wire[FRAME_MAX];
	struct segment originated; /* of the last rig_next() */

	struct rig_event events[RIG_EVENTS_MAX];
	unsigned n_events;
	uint64_t refused[DROP_REASONS]; /* SYNs that opened no flow */
};

/* One service 198.18.0.1:20000 with @n_backends, 64 flows, 32 ports. */
struct rig *rig_new(unsigned n_backends);
void rig_start(struct rig *r);
void rig_free(struct rig *r);

/* The same, started as it is; and with tables of other sizes. */
struct rig *rig_started(unsigned n_backends);
struct rig *rig_small(unsigned n_backends, uint32_t flows, uint32_t ports);

/* Started; another backend is asked (design rule 9), up to @retries times. */
struct rig *rig_retrying(unsigned n_backends, unsigned retries);
/* The same three times, and those who fail are ejected. */
struct rig *rig_ejecting(unsigned n_backends);
unsigned rig_ejected(const struct rig *r); /* of the first service */

/* Asserts that no rule is broken (rules.h), and frees it. */
void rig_done(struct rig *r);

static inline struct backend *rig_backend(const struct rig *r, unsigned i)
{
	return inside_backend(r->e, 0, i);
}

static inline bool same(struct endpoint a, struct endpoint b)
{
	return endpoint_equal(&a, &b);
}

/* A second service at port @port of the VIP with the first one's backends. */
void rig_add_service(struct rig *r, uint16_t port);

/* True if it was forwarded; asserts that what leaves is well-formed. */
bool rig_send(struct rig *r, const struct frame *f);
bool rig_send_bytes(struct rig *r, const uint8_t *ip, uint32_t len);

/* Time passes, timers run. */
void rig_wait(struct rig *r, uint64_t ns);

/*
 * The next originated segment, as a frame; false if there is none. Its options
 * are valid until the next one.
 */
bool rig_next(struct rig *r, struct frame *out);
/* Fetches one that must be there, and no other. */
struct frame rig_only(struct rig *r);
unsigned rig_drain(struct rig *r);

/* The RST that answers @to (RFC 9293 section 3.10.7.1), and nothing else. */
void rig_check_answer(struct rig *r, const struct frame *to);

/* How often @what happened to the flow of @client, and how often it ended so.
 */
unsigned rig_events(const struct rig *r, enum flow_event what,
		    const struct endpoint *client);
unsigned rig_ended(const struct rig *r, enum flow_end end,
		   const struct endpoint *client);

#define CONN_CLIENT_ISN 1000000
#define CONN_SERVER_ISN 7000000

struct conn {
	struct endpoint client, vip;
	struct endpoint nat, backend; /* known once the SYN was forwarded */
	uint32_t seq[FLOW_SIDES];     /* next of each side */
	uint32_t acked[FLOW_SIDES];   /* what each side acknowledges */
	uint16_t window;
};

/* The client at 198.18.1.@n, port 40000 + @n, to the first service. */
struct conn conn_make(const struct rig *r, unsigned n);

struct frame conn_frame(const struct conn *c, enum flow_side side,
			uint8_t flags, uint32_t len);
/*
 * Sends it through the engine. What was forwarded is received: it advances
 * the sender's sequence and what the other side acknowledges.
 */
bool conn_send(struct rig *r, struct conn *c, enum flow_side side,
	       uint8_t flags, uint32_t len);

bool conn_syn(struct rig *r, struct conn *c);
void conn_receive_syn(struct rig *r, struct conn *c); /* SYN and SYN-ACK */
void conn_establish(struct rig *r, struct conn *c);
void conn_close(struct rig *r, struct conn *c);

/*
 * Before the client has heard of a backend (design rule 9): that one refuses,
 * and the client does not hear of it; the SYN of ours that must be next, which
 * moves @c to who is asked; and the rest of the handshake, with some data.
 */
void conn_refuse(struct rig *r, struct conn *c);
struct frame conn_expect_syn(struct rig *r, struct conn *c);
void conn_finish(struct rig *r, struct conn *c);

/* As far as that state, from the client @n. */
struct conn conn_in_state(struct rig *r, unsigned n, enum tcp_state state);

/* A SYN of the client @n is refused with RST, and counted by @why. */
void conn_is_refused(struct rig *r, unsigned n, enum drop_reason why);

/* Where its SYN went at last: the engine may have asked another backend. */
void conn_refresh(const struct rig *r, struct conn *c);
struct flow *conn_flow(const struct rig *r, const struct conn *c);
/* TCP_STATES if there is no flow. */
enum tcp_state conn_state(const struct rig *r, const struct conn *c);

#endif
