/* SPDX-License-Identifier: MIT */
/*
 * breaker.h - passive check: what real connections say about one backend
 *
 * A circuit breaker. The engine reports each handshake it sends to a backend
 * and what became of it: SYN-ACK is success; RST, ICMP unreachable and SYN
 * timeout are failures. Several failures in a row open it, and new
 * connections go elsewhere; after a back-off a few of them may try again.
 *
 * Evidence counts only in the state it was gathered in: breaker_begin() hands
 * out a ticket, and every change of state makes the older tickets void. So of
 * a hundred handshakes under way when a host dies three open the breaker, and
 * the others neither extend the back-off nor fail the trials that follow.
 *
 * One client alone makes no evidence: there are SYNs that healthy backends
 * refuse or ignore (of MPTCP or TCP-MD5, or just odd), and anybody can send
 * them. A streak opens the breaker only when it has failures of two clients, by
 * address, or when a check of the backend has failed as well; and a trial that
 * fails counts only if it is not of the client whose failure was the first.
 *
 * It cannot know whether another backend is left. The rule "never eject the
 * last one on passive evidence alone" takes two things of the caller:
 * @may_open of breaker_failure(), and, if others went away since, asking
 * backends whose breaker is open when nobody else is left. A success of such a
 * connection closes it at once.
 */
#ifndef L4LB_BREAKER_H
#define L4LB_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define BREAKER_IDLE	UINT64_MAX /* nothing is timed */
#define BREAKER_TICKETS (1u << 22) /* then they come around: hours at least */

struct breaker_params {
	uint32_t failures;    /* in a row, until it opens; 0: never */
	uint32_t trials;      /* at a time while half open, at least 1 */
	uint32_t open_ms;     /* the first back-off */
	uint32_t open_max_ms; /* doubled up to this */
	uint32_t quiet_ms;    /* closed for so long: the first back-off again */
	uint32_t trial_ms;    /* a trial nothing was heard of is given up */
};
#define BREAKER_PARAMS_DEFAULT                                            \
	{                                                                 \
		.failures = 3, .trials = 1, .open_ms = 1000,              \
		.open_max_ms = 60000, .quiet_ms = 60000, .trial_ms = 3000 \
	}

enum breaker_state {
	/* Everything is let through. -> OPEN by failures in a row. */
	BREAKER_CLOSED,
	/* Nothing is let through. -> HALF_OPEN by time, -> CLOSED by the
	 * success of a connection sent all the same.
	 */
	BREAKER_OPEN,
	/* A few trials are let through. -> CLOSED by the first success,
	 * -> OPEN by the first failure, with the back-off doubled.
	 */
	BREAKER_HALF_OPEN,
	BREAKER_STATES
};

/* What to log. Becoming half open is no news. */
enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_RECOVERED };

struct breaker {
	struct breaker_params params;
	enum breaker_state state;
	uint32_t ticket; /* valid now */
	uint32_t failed; /* in a row, while closed */
	struct ip_addr
		client;	     /* of the first of these, or of the last streak */
	bool several;	     /* another one as well, or a check */
	uint32_t trials;     /* under way, while half open */
	uint32_t backoff_ms; /* the last one; 0: none yet */
	uint64_t due_ns;     /* open: its end; half open: trials given up */
	uint64_t closed_ns;  /* closed since */
	uint64_t times_opened; /* counted, for whoever asks */
};

void breaker_init(struct breaker *b, const struct breaker_params *params,
		  uint64_t now_ns);

/* "closed", "open", "half-open" */
const char *breaker_state_name(enum breaker_state state);

/* Whether a new connection may be sent there now. Needs no tick. */
bool breaker_allows(const struct breaker *b, uint64_t now_ns);

/*
 * A SYN is being sent there, allowed or not. Keep the ticket with the flow
 * until the handshake is decided and give it back to exactly one of the three
 * below. A SYN repeated to the same backend is the same handshake.
 */
uint32_t breaker_begin(struct breaker *b, uint64_t now_ns);

enum breaker_change breaker_success(struct breaker *b, uint32_t ticket,
				    uint64_t now_ns);

/*
 * @client: whose handshake it was. @checked: a check fails at present, too.
 * @may_open: another backend takes flows. If not, the count stands, and the
 * next failure with @may_open opens it; a failed trial lets everything through.
 */
enum breaker_change breaker_failure(struct breaker *b, uint32_t ticket,
				    const struct ip_addr *client, bool checked,
				    bool may_open, uint64_t now_ns);

/* A check has failed: what clients found since it was well is true. */
void breaker_check_failed(struct breaker *b);

/* Failures so far, and of what is under way, are void: it was not to blame. */
void breaker_forget(struct breaker *b);

/* Nothing was learnt: the client gave up first, or the flow was recycled. */
void breaker_abandon(struct breaker *b, uint32_t ticket);

/*
 * Closed, whatever was: active checks have just brought the backend back, or
 * the administrator did. The back-off is remembered until it was quiet.
 */
void breaker_reset(struct breaker *b, uint64_t now_ns);

/* Only for those who look at .state: half open, and trials given up, by time */
void breaker_tick(struct breaker *b, uint64_t now_ns);
uint64_t breaker_next_ns(const struct breaker *b);

#endif
