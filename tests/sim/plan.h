/* SPDX-License-Identifier: MIT */
/* plan.h - what kind of world a seed makes: sizes, habits, misfortunes */
#ifndef L4LB_SIM_PLAN_H
#define L4LB_SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"

#define PLAN_SERVICES 2	 /* that clients know */
#define PLAN_WATCHERS 64 /* that only check the same backends */
#define PLAN_ALL      (PLAN_SERVICES + PLAN_WATCHERS)
#define PLAN_BACKENDS 4 /* hosts */
#define PLAN_SLOTS    8 /* of backends, in each service */
#define PLAN_SOURCES  2
#define PLAN_PORTS    64
#define PLAN_CLIENTS  6
#define PLAN_PORT_LO  10240
#define PLAN_PROBE_LO 12000

/* Per mille of packets, and nanoseconds. */
struct habits {
	uint32_t loss, dup, corrupt, late;
	uint64_t delay, jitter;
};

struct plan {
	unsigned n_clients, n_backends, client_ports;
	struct habits front, back; /* links to clients, to backends */
	uint64_t rough_ns;	   /* how long it lasts */
	uint64_t connect_ns, fault_ns, attack_ns; /* mean; 0: never */
	uint32_t idle_permille;			  /* of pauses that are long */
	uint64_t idle_ns;
	bool aborts, restarts, jumps, floods, overload, noise, partial,
		fast_open, reconfigures, cuts;
	uint64_t change_ns; /* mean time between changes; 0: none */
	bool tiny; /* too small for everybody: refusals are no surprise */
	bool unreachable;    /* silent hosts are reported by ICMP */
	uint16_t narrow_mtu; /* of the way to backends; 0: none */
	uint64_t time_wait_ns;
	struct engine_timeouts timeouts;
	/* What clients know: addresses, and the slots of their services; -1:
	 * there is none at present.
	 */
	unsigned n_services;
	struct endpoint listens[PLAN_SERVICES];
	int slots[PLAN_SERVICES];
	/* By slot: as it is configured now. */
	struct service_spec services[PLAN_ALL];
	bool leaving[PLAN_ALL]; /* a service, with its flows */
	struct backend_spec backends[PLAN_ALL][PLAN_SLOTS];
	uint16_t ports[PLAN_PORTS];
	struct engine_spec spec;
};

struct world;
void plan_make(struct world *w);

#endif
