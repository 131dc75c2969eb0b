/* SPDX-License-Identifier: MIT */
/*
 * probe.h - carries health checks: asks one backend one question, in time
 *
 * Ordinary non-blocking TCP sockets of this host, bound to the address that
 * flows come from, so that a check takes the way that flows take. Their ports
 * lie outside of the NAT range: inside it the guard would hide the answers
 * from the kernel. Names are never resolved, nothing waits.
 *
 * How a connection ends: with RST where nobody minds and TIME_WAIT would only
 * pile up. That is tcp (before the application has seen it), http (once the
 * server itself has closed) and whatever failed. expect ends with FIN and
 * waits for the other side, since simple servers (the classic chat_serv) take
 * a RST badly; it leaves a TIME_WAIT at this end, 60 for each backend checked
 * every second.
 *
 * Single-threaded: owned by the main loop.
 */
#ifndef L4LB_PROBE_H
#define L4LB_PROBE_H

#include <stdint.h>

#include "core/addr.h"
#include "core/check.h"
#include "core/err.h"

#define PROBES_MAX 4096	      /* at once */
#define PROBE_IDLE UINT64_MAX /* nothing is timed */

struct prober;

struct probe {
	uint64_t id;		/* the caller's, comes back with the result */
	struct check_spec spec; /* any but syn, which the engine does */
	struct endpoint backend;
	struct ip_addr source; /* zero: the kernel chooses */
	uint64_t timeout_ns;   /* from start to answer */
};

struct probe_result {
	uint64_t id;
	enum check_result result;
	int detail;	     /* HTTP status, or errno, or 0 */
	uint64_t latency_ns; /* from probe_start() to this probe_read() */
};

/* May call probe_start(). */
typedef void probe_result_fn(void *arg, const struct probe_result *result);

/*
 * @capacity: probes at once, 1 to PROBES_MAX, each takes a descriptor. @nat_lo,
 * @nat_hi: ports to keep out of, host byte order, both included.
 */
int probe_open(struct prober **out, unsigned capacity, uint16_t nat_lo,
	       uint16_t nat_hi, struct err *err);
/* Running probes are reset, no result is reported. NULL is fine. */
void probe_close(struct prober *p);

/*
 * 0: there will be exactly one result, from a later probe_read(). Otherwise
 * -errno and no result: it could not be asked (CHECK_LOCAL for the core):
 * -EBUSY for too many at once, -EADDRNOTAVAIL for a source that is not ours,
 * -EADDRINUSE for no free port, -EMFILE ...
 */
int probe_start(struct prober *p, const struct probe *probe, uint64_t now_ns);

/* Readable when there is something to read: then, and at probe_next_ns() */
int probe_fd(const struct prober *p);
void probe_read(struct prober *p, probe_result_fn *fn, void *arg,
		uint64_t now_ns);
uint64_t probe_next_ns(const struct prober *p);

#endif
