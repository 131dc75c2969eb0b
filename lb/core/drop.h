/* SPDX-License-Identifier: MIT */
/*
 * drop.h - every reason why a captured frame is not forwarded
 *
 * Per-packet code never logs: it counts here. The names are stable: the dump,
 * the log and later the metrics show them.
 */
#ifndef L4LB_DROP_H
#define L4LB_DROP_H

enum drop_reason {
	/* not a packet that can be forwarded (packet.c) */
	DROP_TRUNCATED,	   /* shorter than its headers say */
	DROP_NOT_IPV4,	   /* another network protocol */
	DROP_BAD_IP,	   /* IP header malformed, or its checksum wrong */
	DROP_IP_OPTIONS,   /* RFC 7126: nothing legitimate needs them here */
	DROP_FRAGMENT,	   /* IP fragments are not reassembled */
	DROP_NOT_TCP,	   /* another transport protocol */
	DROP_BAD_TCP,	   /* TCP header malformed, or flags impossible */
	DROP_BAD_CHECKSUM, /* wrong, and not left to hardware */
	DROP_TTL,	   /* would leave with TTL 0 */
	DROP_MARTIAN,	   /* impossible on that interface: net/martian.h */
	/* not an ICMP error that can be translated (icmp.c) */
	DROP_ICMP_OTHER, /* echo, or an error about UDP: no TCP segment */
	DROP_BAD_ICMP,	 /* malformed, or sent to another host than quoted */
	DROP_ICMP_STALE, /* the segment is not in flight: RFC 5927 */
	/* no flow to send it to (engine.c) */
	DROP_NOT_OURS,	   /* neither to a service nor from a backend */
	DROP_OUT_OF_STATE, /* no flow, and not a SYN */
	DROP_RESET,	   /* for a flow that we have reset */
	DROP_WRONG_WAY,	   /* SYN from a backend, SYN-ACK from a client */
	DROP_MPTCP_JOIN,   /* the backend of its connection is not known */
	DROP_SYN_OVERLOAD, /* more SYNs than we can handle (syn_gate.h) */
	DROP_NO_BACKEND,   /* no backend of the service may take flows */
	DROP_TABLE_FULL,   /* --flows reached, nothing to recycle */
	DROP_NO_PORT,	   /* NAT ports used up, nothing to recycle */
	/* could not be sent (io/) */
	DROP_NO_ROUTE,	  /* no route to the destination, or link down */
	DROP_TOO_BIG,	  /* above the MTU, and cannot be segmented */
	DROP_SEND_FULL,	  /* the send queue was full (ENOBUFS, EAGAIN) */
	DROP_SEND_FAILED, /* any other error from the kernel */
	DROP_REASONS
};

/* A short name such as "bad-checksum"; never NULL. */
const char *drop_name(enum drop_reason why);

#endif
