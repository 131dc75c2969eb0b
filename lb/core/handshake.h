/* SPDX-License-Identifier: MIT */
/*
 * handshake.h - a flow until its first SYN-ACK was forwarded
 *
 * Until then the client knows nothing of the backend, so the balancer may try
 * another one: it keeps the client's SYN and sends it again itself (design
 * rule 9). The same SYN repairs a port that the backend still remembers (rule
 * 8). No other packet is ever repeated by the balancer.
 */
#ifndef L4LB_HANDSHAKE_H
#define L4LB_HANDSHAKE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/service.h"

struct engine;
struct flow;
struct packet;

#define SYN_OPTIONS_MAX	      40 /* bytes */
#define HANDSHAKE_RETRIES_MAX 8

/* A backend that was asked and left. */
struct asked {
	unsigned backend : 8;
	unsigned ticket : 22; /* of its breaker, while @why is not CHECK_OK */
	unsigned why : 2;     /* what will be held against it, if it is */
};

/* The client's SYN, and who was asked. */
struct pending_syn {
	uint64_t sent_ns; /* it was sent or passed on, or waited for anew */
	uint32_t isn;
	uint32_t ticket; /* of the backend's breaker, not yet given back */
	uint16_t window;
	uint8_t flags; /* SYN, perhaps with ECE and CWR */
	uint8_t retries, repairs;
	bool has_ticket : 1;
	bool repeated : 1;  /* or waited for anew: its answer times nothing */
	bool unheard : 1;   /* waited for anew, and not sent again since */
	bool exhausted : 1; /* nobody is left to ask */
	bool cut : 1;	    /* silent since we were cut off: see cut_off.c */
	uint8_t options_len;
	struct asked tried[HANDSHAKE_RETRIES_MAX]; /* first @retries */
	uint8_t options[SYN_OPTIONS_MAX];	   /* without Fast Open */
};

static_assert(SERVICE_BACKENDS_MAX <= 1 << 8, "an index has 8 bits in asked");
static_assert(BREAKER_TICKETS <= 1 << 22, "a ticket has 22");
static_assert(CHECK_TIMEOUT < 4 && CHECK_REFUSED < 4 && CHECK_UNREACHABLE < 4,
	      "a reason has two");
static_assert(sizeof(struct pending_syn) <= 96, "an eighth of it per flow");

/* All pending SYNs: as many as flows may be half-open at once. */
struct pending_table {
	struct pending_syn *syns;
	uint32_t *free; /* stack of indices */
	uint32_t size, n_free;
};

int pending_init(struct pending_table *t, uint32_t size);
void pending_free(struct pending_table *t);

/* The flow was opened by @syn. Keeps it, unless that one carried data. */
void handshake_open(struct engine *e, struct flow *flow,
		    const struct packet *syn, uint64_t now_ns);

/* The client repeats its SYN, @syn. */
void handshake_repeated(struct engine *e, struct flow *flow,
			const struct packet *syn, uint64_t now_ns);

/*
 * The backend answered a flow in SYN_SENT. True: the packet was dealt with
 * here and goes no further.
 */
bool handshake_answer(struct engine *e, struct flow *flow,
		      const struct packet *p, uint64_t now_ns);

/* An ICMP error says that the backend cannot be reached; the same. */
bool handshake_unreachable(struct engine *e, struct flow *flow,
			   uint64_t now_ns);

/* The backend is to lose its flows, for no fault of this one; the same. */
bool handshake_leave(struct engine *e, struct flow *flow, uint64_t now_ns);

/* Nobody answered, but perhaps nobody could: its client may try again. */
bool handshake_was_cut(const struct engine *e, const struct flow *flow);

/* When handshake_late() is to be called. */
uint64_t handshake_deadline_ns(const struct engine *e, const struct flow *flow);

/*
 * No answer in time. True: another one was asked, or there is an excuse and it
 * is waited for anew. False: the end.
 *
 * What is held against a backend, and when: see failed() in handshake.c.
 */
bool handshake_late(struct engine *e, struct flow *flow, uint64_t now_ns);

/* The flow left SYN_SENT, or ends. */
void handshake_over(struct engine *e, struct flow *flow);

#endif
