/* SPDX-License-Identifier: MIT */
/*
 * probe.h - carries out health checks: one question to one backend, with a
 * timeout
 *
 * Ordinary non-blocking TCP sockets of this host, bound to the source address
 * of flows, so that a check takes the same way. Their ports lie outside the NAT
 * range: inside it the guard would hide the answers from the kernel. Names are
 * never resolved; nothing blocks.
 *
 * A connection ends with RST where no server minds, since TIME_WAIT sockets
 * would pile up: tcp (before the application has seen it), http (once the
 * server has closed) and every failed check. expect ends with FIN and waits for
 * the other side, since simple servers (the classic chat_serv) handle a RST
 * badly. It leaves a TIME_WAIT at this end, about 60 of them for each backend
 * checked every second.
 *
 * Single-threaded: owned by the main loop.
 */
#ifndef L4LB_PROBE_H
#define L4LB_PROBE_H

#include <stdint.h>

#include "core/addr.h"
#include "core/health/ask.h"
#include "core/err.h"

#define PROBES_MAX 4096	      /* at the same time */
#define PROBE_IDLE UINT64_MAX /* no deadline is set */

struct prober;

struct probe {
	uint64_t id;		/* the caller's; returned with the result */
	struct check_spec spec; /* any but syn, which is the engine's own */
	struct endpoint backend;
	struct ip_addr source; /* zero: the kernel chooses */
	uint64_t timeout_ns;   /* from start to answer */
};

struct probe_result {
	uint64_t id;
	enum check_result result;
	int detail; /* HTTP status, or errno, or 0 */
};

/* The callback may call probe_start(). */
typedef void probe_result_fn(void *arg, const struct probe_result *result);

/*
 * @capacity: simultaneous probes, 1 to PROBES_MAX; each takes a descriptor, and
 * memory once that many run at a time. @nat_lo, @nat_hi: ports that probes must
 * not use, host byte order, inclusive.
 */
int probe_open(struct prober **out, unsigned capacity, uint16_t nat_lo,
	       uint16_t nat_hi, struct err *err);
/* -EINVAL if that range leaves none for them: no probe can be started. */
int probe_ports_left(uint16_t nat_lo, uint16_t nat_hi, struct err *err);
/* Resets running probes and reports no results. Accepts NULL. */
void probe_close(struct prober *p);

/*
 * Returns 0: a later probe_read() will report exactly one result. Or -errno,
 * and there will be none, because the probe could not be made (CHECK_LOCAL for
 * the core): -EBUSY: too many at once; -EADDRNOTAVAIL: the source is not ours;
 * -EADDRINUSE: no free port; -EMFILE ...
 */
int probe_start(struct prober *p, const struct probe *probe, uint64_t now_ns);

/* Call probe_read() when probe_fd() is readable, and at probe_next_ns(). */
int probe_fd(const struct prober *p);
void probe_read(struct prober *p, probe_result_fn *fn, void *arg,
		uint64_t now_ns);
uint64_t probe_next_ns(const struct prober *p);

#endif
