/* SPDX-License-Identifier: MIT */
/*
 * pending.h - the SYN of a flow without an answer, and the backends tried
 *
 * The SYN is kept to be sent again: to another backend, or from another port
 * (design rules 8, 9).
 */
#ifndef L4LB_PENDING_H
#define L4LB_PENDING_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/segment.h"
#include "core/service.h"

struct engine;
struct flow;
struct packet;

/* A backend that was tried before the present one. */
struct asked {
	unsigned backend : 8;
	unsigned ticket : 22; /* its breaker's, while @why is not CHECK_OK */
	unsigned why : 2;     /* the failure, if it will count */
};

/* The client's SYN, and the backends tried. */
struct pending_syn {
	uint64_t sent_ns; /* last sent or forwarded, or wait restarted */
	uint32_t isn;
	uint32_t ticket; /* of the backend's breaker, if @has_ticket */
	uint16_t window;
	uint8_t flags; /* SYN, perhaps with ECE and CWR */
	uint8_t retries, repairs;
	bool has_ticket : 1;
	bool repeated : 1;  /* or wait restarted: do not time the answer */
	bool unheard : 1;   /* wait restarted, and not sent since */
	bool exhausted : 1; /* no backend is left to try */
	bool cut : 1;	    /* a silence was the link's: see cut_off.c */
	uint8_t options_len;
	struct asked tried[HANDSHAKE_RETRIES_MAX]; /* first @retries */
	uint8_t options[TCP_OPTIONS_MAX];	   /* without Fast Open */
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

/*
 * Room for @size SYNs at least; -ENOMEM: it stays as it was. Kept SYNs may move
 * in memory. Begins zeroed.
 */
int pending_grow(struct pending_table *t, uint32_t size);
void pending_free(struct pending_table *t);

/* @syn has opened the flow. Keeps @syn, unless it carried data. */
void pending_open(struct engine *e, struct flow *flow, const struct packet *syn,
		  uint64_t now_ns);

/* The SYN kept for the flow; NULL if it was answered, or none is kept. */
struct pending_syn *pending_of(const struct engine *e, const struct flow *flow);

/* The @i-th backend that was tried before the present one. */
struct backend *pending_tried(const struct engine *e, const struct flow *flow,
			      const struct pending_syn *pend, unsigned i);

/* A handshake with the flow's backend begins. */
void pending_begin(struct engine *e, const struct flow *flow,
		   struct pending_syn *pend, uint64_t now_ns);

/* When the client has waited long enough. */
uint64_t pending_end_ns(const struct engine *e, const struct flow *flow);

/* When to call handshake_late(). */
uint64_t pending_deadline_ns(const struct engine *e, const struct flow *flow);

/* The flow leaves SYN_SENT or ends: frees its SYN, returns its tickets. */
void pending_over(struct engine *e, struct flow *flow);

#endif
