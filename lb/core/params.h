/* SPDX-License-Identifier: MIT */
/*
 * params.h - what a user can set of a service, a backend and the flows
 *
 * The configuration fills these structs in, and the engine works with a copy of
 * the whole. A setting therefore needs its field and its default here, a row in
 * control/config_keys.c and its entry in l4lb.conf(5), and nothing in between.
 *
 * A time keeps the unit that its name ends in, and whoever uses it converts it.
 */
#ifndef L4LB_PARAMS_H
#define L4LB_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/health/ask.h"
#include "core/health/passive.h"
#include "core/health/when.h"
#include "core/sched.h"

#define SERVICE_BACKENDS_MAX  256 /* per service */
#define SERVICE_HASH_KEY      16  /* bytes */
#define SERVICE_SOURCES_MAX   16  /* our addresses toward one backend */
#define HANDSHAKE_RETRIES_MAX 8

struct hash_key {
	bool set;
	uint8_t bytes[SERVICE_HASH_KEY];
};

struct service_params {
	enum sched_kind scheduler;
	struct hash_key hash_key; /* of hash and maglev; not set: hash has a
				   * secret one, maglev one of zeros
				   */
	bool hash_port;		  /* by the client's port, too */
	bool reset_out_of_state;  /* else drop packets that no flow expects */
	bool drop_all_down;	  /* without a backend drop SYNs, else refuse */
	bool mptcp_pass;	  /* leave MPTCP options in SYNs */
	bool keep_on_down; /* keep the flows of a backend that goes down */
	bool checked;	   /* else only real connections judge backends */
	struct check_spec check;
	struct health_params health;
	struct breaker_params breaker; /* all zero: no passive checks */
	uint32_t retries;	  /* other backends tried for one SYN, at most
				   * HANDSHAKE_RETRIES_MAX */
	uint32_t syn_timeout_ms;  /* minimum wait before the next is tried */
	uint32_t drain_timeout_s; /* for backends of weight 0; 0: no limit */
	uint32_t half_open_max;	  /* 0: an eighth of the table, at least 1024 */
};
#define ENGINE_SYN_TIMEOUT_MS_DEFAULT 300
#define SERVICE_PARAMS_DEFAULT                                     \
	{                                                          \
		.scheduler = SCHED_RR, .reset_out_of_state = true, \
		.checked = true, .check.kind = CHECK_SYN,          \
		.health = HEALTH_PARAMS_DEFAULT,                   \
		.breaker = BREAKER_PARAMS_DEFAULT, .retries = 3,   \
		.syn_timeout_ms = ENGINE_SYN_TIMEOUT_MS_DEFAULT    \
	}

/* What the administrator wants of a backend, whatever its health is. */
enum admin {
	ADMIN_ENABLED,
	ADMIN_DRAIN,	/* no new flows; after a time the rest end */
	ADMIN_DISABLED, /* no new flows, no checks; existing flows end now */
};

/* What happens to the flows of a backend that is drained, disabled, removed. */
enum leave {
	LEAVE_ON_DOWN, /* as the service's on_down says */
	LEAVE_DRAIN,   /* they go on; after the drain time they are reset */
	LEAVE_RESET,   /* they are reset */
	LEAVE_KEEP,    /* they go on until they end */
};

struct backend_params {
	uint32_t weight; /* 0: no new flows, as with ADMIN_DRAIN */
	bool backup;	 /* used only if no other takes flows */
	enum admin admin;
	uint32_t drain_s; /* of ADMIN_DRAIN; 0: the service's drain_timeout */
	enum leave then;  /* for flows left when drained, or when disabled */
};
#define BACKEND_PARAMS_DEFAULT \
	{                      \
		.weight = 1    \
	}

/* Idle limits in seconds, by state of the flow (design rule 10). */
struct engine_timeouts {
	uint32_t syn_sent;     /* no answer from the backend */
	uint32_t syn_received; /* no ACK from the client */
	uint32_t established;  /* RFC 5382 REQ-5: at least 2 h 4 min */
	uint32_t closing;      /* one or both FINs: RFC 5382, at least 4 min */
	uint32_t closed;       /* TIME_WAIT and RESET: the mapping stays */
	uint32_t keepalive;    /* between the three probes before an established
				* flow expires; 0: no probes
				*/
};
#define ENGINE_TIMEOUTS_DEFAULT                                          \
	{                                                                \
		.syn_sent = 10, .syn_received = 60, .established = 7440, \
		.closing = 240, .closed = 60, .keepalive = 0             \
	}

#endif
