/* SPDX-License-Identifier: MIT */
/*
 * passive.h - passive check of one backend by the handshakes of real
 * connections
 *
 * A circuit breaker. The engine reports each handshake with a backend and its
 * outcome: SYN-ACK is success; RST, ICMP unreachable and SYN timeout are
 * failures. Several failures in a row open the breaker, and new connections go
 * to other backends. After a back-off a few connections may try this one again.
 *
 * Evidence counts only in the state in which its handshake began:
 * breaker_begin() returns a ticket, and every change of state makes older
 * tickets void. Say a hundred handshakes are under way when a host dies: three
 * of them open the breaker; the others neither extend the back-off nor fail
 * later trials.
 *
 * One client alone is no evidence: healthy backends refuse or ignore some SYNs
 * (with MPTCP or TCP-MD5 options, or malformed), and anybody can send those. A
 * streak opens the breaker only if it has failures of two client addresses, or
 * if a check of the backend has failed as well. A failed trial counts only if
 * its client is not the one whose failure began the streak.
 *
 * The breaker cannot know whether another backend is left. For the rule "never
 * eject the last one on passive evidence alone" the caller does two things: it
 * passes @may_open to breaker_failure(), and it uses backends with an open
 * breaker when no other is left. If such a connection succeeds, the breaker
 * closes at once.
 */
#ifndef L4LB_PASSIVE_H
#define L4LB_PASSIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define BREAKER_IDLE	UINT64_MAX /* nothing is timed */
#define BREAKER_TICKETS (1u << 22) /* then they repeat: hours at least */

struct breaker_params {
	uint32_t failures;    /* in a row, until it opens; 0: never */
	uint32_t trials;      /* at a time while half open, at least 1 */
	uint32_t open_ms;     /* the first back-off */
	uint32_t open_max_ms; /* doubled up to this */
	uint32_t quiet_ms;    /* closed this long: back-off starts over */
	uint32_t trial_ms;    /* a trial without a result ends after this */
};
#define BREAKER_PARAMS_DEFAULT                                            \
	{                                                                 \
		.failures = 3, .trials = 1, .open_ms = 1000,              \
		.open_max_ms = 60000, .quiet_ms = 60000, .trial_ms = 3000 \
	}

enum breaker_state {
	/* All connections pass. -> OPEN by failures in a row. */
	BREAKER_CLOSED,
	/* No connection passes. -> HALF_OPEN by time, -> CLOSED if a connection
	 * that was sent all the same succeeds.
	 */
	BREAKER_OPEN,
	/* A few trials pass. -> CLOSED by the first success, -> OPEN by the
	 * first failure, with the back-off doubled.
	 */
	BREAKER_HALF_OPEN,
	BREAKER_STATES
};

/* Changes to log. Half open is not logged. */
enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_RECOVERED };

struct breaker {
	struct breaker_params params;
	enum breaker_state state;
	uint32_t ticket; /* valid now */
	uint32_t failed; /* in a row, while closed */
	struct ip_addr
		client;	 /* of the first failure in this or the last streak */
	bool several;	 /* a second client failed too, or a check */
	uint32_t trials; /* trials under way, while half open */
	uint32_t backoff_ms; /* the latest; 0: none yet */
	uint64_t due_ns;     /* open: its end; half open: end of trials */
	uint64_t closed_ns;  /* time of the last closing */
	uint64_t opened_ns;  /* the last time that it was closed before */
};

void breaker_init(struct breaker *b, const struct breaker_params *params,
		  uint64_t now_ns);

/* Other parameters; what was learned stays. */
void breaker_adjust(struct breaker *b, const struct breaker_params *params,
		    uint64_t now_ns);

/* True if a new connection may be sent to the backend now. Needs no tick. */
bool breaker_allows(const struct breaker *b, uint64_t now_ns);

/*
 * A SYN is being sent to the backend, allowed or not. Keep the ticket in the
 * flow until the handshake is decided, then pass it to exactly one of
 * breaker_success(), breaker_failure() and breaker_abandon(). A SYN repeated to
 * the same backend is the same handshake.
 */
uint32_t breaker_begin(struct breaker *b, uint64_t now_ns);

enum breaker_change breaker_success(struct breaker *b, uint32_t ticket,
				    uint64_t now_ns);

/*
 * @client: the client of the handshake. @checked: checks of the backend fail at
 * present, too. @may_open: another backend takes flows. Without @may_open the
 * count stands, and the next failure with @may_open opens the breaker; a failed
 * trial closes it.
 */
enum breaker_change breaker_failure(struct breaker *b, uint32_t ticket,
				    const struct ip_addr *client, bool checked,
				    bool may_open, uint64_t now_ns);

/* A check has failed: it confirms the failures counted in this streak. */
void breaker_check_failed(struct breaker *b);

/* Voids all failures, also of handshakes under way: not the backend's fault. */
void breaker_forget(struct breaker *b);

/* No outcome: the client gave up first, or the flow was recycled. */
void breaker_abandon(struct breaker *b, uint32_t ticket);

/*
 * Closes the breaker from any state: active checks or the administrator have
 * just brought the backend back. The back-off starts over only after @quiet_ms.
 */
void breaker_reset(struct breaker *b, uint64_t now_ns);

#endif
