/* SPDX-License-Identifier: MIT */
/*
 * flow_end.h - every reason why a flow ended
 *
 * A flow ends when it is closed: both sides finished, one of them reset it, or
 * we did. Then it enters TIME_WAIT or RESET, or leaves the table at once. The
 * names are stable: the flow log, the metrics and events show them.
 */
#ifndef L4LB_FLOW_END_H
#define L4LB_FLOW_END_H

enum flow_end {
	FLOW_END_NONE, /* it goes on, or it ended in an earlier process */
	/* by its own ends */
	FLOW_END_CLOSED,	/* both FINs were acknowledged */
	FLOW_END_CLIENT_RESET,	/* the client's RST, also before an answer */
	FLOW_END_BACKEND_RESET, /* the backend's RST, after its SYN-ACK */
	/* before a backend answered */
	FLOW_END_REFUSED,     /* by the last backend that could be asked */
	FLOW_END_SYN_TIMEOUT, /* no backend answered in time */
	FLOW_END_UNREACHABLE, /* the same, and ICMP said so of the last one */
	/* by silence */
	FLOW_END_CLIENT_LOST,	   /* it never acknowledged the SYN-ACK */
	FLOW_END_IDLE,		   /* established, and silent for too long */
	FLOW_END_HALF_CLOSED_IDLE, /* the same after a FIN, or both */
	/* by us, because of its backend */
	FLOW_END_DOWN,	   /* found down by its checks */
	FLOW_END_DRAINED,  /* its drain time was over */
	FLOW_END_DISABLED, /* by the administrator */
	FLOW_END_REMOVED,  /* from the configuration, or with its service */
	/* by us, because of itself */
	FLOW_END_KILLED,     /* by the administrator */
	FLOW_END_SUPERSEDED, /* before an answer, by another SYN of the client
			      */
	FLOW_END_RECYCLED,   /* its place or port was needed */
	FLOW_END_SHUTDOWN,   /* l4lb ended, and reset its connections */
	FLOW_ENDS
};

/* A short name such as "client-reset"; never NULL. */
const char *flow_end_name(enum flow_end end);

#endif
