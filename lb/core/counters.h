/* SPDX-License-Identifier: MIT */
/*
 * counters.h - what is counted of services and backends
 *
 * All begin at 0 when a slot is taken into use, and go on over a change of its
 * parameters. They are of this process: nothing of them outlives it.
 */
#ifndef L4LB_COUNTERS_H
#define L4LB_COUNTERS_H

#include <stdint.h>

#include "core/drop.h"
#include "core/flow_end.h"
#include "core/tcp_track.h"

#define HISTOGRAM_BUCKETS 16

/*
 * Times by size: count[i] has those up to histogram_bound_ns(i), and above the
 * bound before; the last has all others.
 */
struct histogram {
	uint64_t count[HISTOGRAM_BUCKETS];
	uint64_t sum_ns;
};

/* The largest time of bucket @i, from 100 us to 5 s; UINT64_MAX: the last. */
uint64_t histogram_bound_ns(unsigned i);
void histogram_add(struct histogram *h, uint64_t ns);
uint64_t histogram_total(const struct histogram *h);

/* Why a backend did not answer a SYN. */
enum backend_failure {
	FAILURE_REFUSED,     /* it sent a RST */
	FAILURE_TIMEOUT,     /* no answer in time */
	FAILURE_UNREACHABLE, /* ICMP said so, or this host */
	/* Undecided: the client gave up, or the flow was ended or taken away
	 * for another reason.
	 */
	FAILURE_ABANDONED,
	BACKEND_FAILURES
};

/* A short name such as "refused"; never NULL. */
const char *backend_failure_name(enum backend_failure kind);

/*
 * At any time @total + @revived = @redispatched + @ended_before + the sum of
 * @ends + the flows that are open now.
 */
struct backend_counters {
	/* Of each packet: one cache line. Forwarded, from each side, as in
	 * struct flow.
	 */
	uint64_t packets[FLOW_SIDES];
	uint64_t bytes[FLOW_SIDES];
	uint64_t retransmits[FLOW_SIDES]; /* see struct flow_note */

	uint64_t total;	   /* flows that it was given, also adopted ones */
	uint64_t answered; /* of these, those whose SYN-ACK was forwarded */
	uint64_t failed;   /* = the sum of @failed_by */
	uint64_t failed_by[BACKEND_FAILURES];
	uint64_t redispatched;	  /* flows that another backend got instead */
	uint64_t ends[FLOW_ENDS]; /* flows that ended here */
	uint64_t revived;	  /* of these, those that went on */
	uint64_t ended_before;	  /* adopted flows that had ended before */

	/* SYN to SYN-ACK, where it is certain which SYN was answered. */
	struct histogram handshake;
	struct histogram first_byte; /* see struct flow_note */
	uint64_t last_handshake_ns;  /* the latest in @handshake; 0: none */

	uint64_t checks_ok, checks_failed; /* those that counted */
	uint64_t last_check_ns; /* how long the latest took; 0: none yet */
	uint64_t downs;		/* how often its checks took it down */
};

/*
 * A client's connection is a request. It has succeeded once its SYN-ACK was
 * forwarded. It has failed if it was refused, or ended before. Until then it is
 * pending: its flow is in SYN_SENT. So at any time
 *
 *	requests = succeeded + failed + pending
 *
 * A SYN that was refused counts each time that the client repeats it. Not a
 * request is what the client will do again by itself or need not: a SYN dropped
 * by the overload gate (its copy passes), one for an address that this host
 * does not have now, an MPTCP join. Nor is a flow adopted from an earlier
 * process, unless it is still pending.
 */
struct service_counters {
	uint64_t requests, succeeded, failed, pending;
	/* SYNs that opened no flow, by reason: also those that are no request.
	 */
	uint64_t refused[DROP_REASONS];
};

#endif
