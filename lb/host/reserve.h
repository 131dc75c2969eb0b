/* SPDX-License-Identifier: MIT */
/*
 * reserve.h - the ports that l4lb takes from its host, and gives back
 *
 * VIP:port is bound, not listened on, so that nobody else takes it. The NAT
 * range is recorded in /run/l4lb/NAME.ports (instance.h); no two instances of a
 * network namespace share a port of it. Where the range meets the ports of the
 * host's own connections (net.ipv4.ip_local_port_range), that part is added to
 * net.ipv4.ip_local_reserved_ports, so that the kernel gives none of it away.
 * All this outlives a crash: the range stays the instance's until it is started
 * again, or `l4lb --down NAME` clears it (design rule 8).
 */
#ifndef L4LB_RESERVE_H
#define L4LB_RESERVE_H

#include "host/instance.h"

#define RESERVE_SERVICES_MAX 64
#define RESERVE_SOURCES_MAX  257

struct reserve_request {
	const char *name; /* instance, < 32 bytes */
	/* By slot; one whose address is not set is not used. */
	const struct endpoint *services;
	size_t n_services;
	const struct ip_addr *sources; /* 0.0.0.0: one is not known yet */
	size_t n_sources;
	uint16_t nat_lo, nat_hi; /* wanted range, host byte order, inclusive */
	bool fixed;		 /* the user chose the range: take it or fail */
	bool had;		 /* existing flows have ports in this range */
	unsigned ports_min;	 /* fail if fewer ports are free */
	const struct owner
		*owner; /* who will give them back; NULL: the current user */
};

struct reserved_service {
	int fd; /* bound; -1: the slot is not used */
	struct endpoint at;
	/*
	 * "", or a warning for the log: the port is also a NAT port of another
	 * instance, which had started before. Packets for its connections look
	 * like strays of the service.
	 */
	struct err shared;
};

/* What was taken; only reserve.c changes it. Ports are in host byte order. */
struct reservation {
	struct instance mine; /* as others see it; .range is the NAT range */
	struct port_set usable;
	/* Ports of the range that a service or a socket of this host uses. */
	uint16_t skipped[PORT_MAX + 1];
	unsigned n_skipped, n_usable;
	/*
	 * "", or a warning for the log: the kernel's list could not be changed
	 * (read-only /proc/sys, as in containers) and connections of this host
	 * may take ports of the range; or it was, and leaves the host too few.
	 */
	struct err warning;
	int record_fd; /* open as long as the lock is held */
	struct reserved_service services[RESERVE_SERVICES_MAX]; /* by slot */
	struct ip_addr sources[RESERVE_SOURCES_MAX];
	unsigned n_sources;
};

/*
 * Takes the ports. A range that is neither fixed nor had may become another one
 * that no other instance holds, and that leaves the host the ports of its own
 * connections if possible. -EADDRINUSE: the service port is taken, the instance
 * runs already, or another instance, which is named, holds the range. -EACCES:
 * no privilege. -ENOSPC: too few free ports. -EBUSY: somebody keeps /run/l4lb
 * locked. An address that this host does not have is no error: it may come.
 */
int reserve_take(struct reservation **out, const struct reserve_request *req,
		 struct err *err);

/*
 * While it runs, with what is left after the start (design rule 14): a service
 * or source comes or goes, and the record says so. None of these waits.
 * -EAGAIN: another instance starts or stops just now, and nothing was done; try
 * again in the next turn. Other errors as of reserve_take(). Only where the
 * port is in use, or was a moment ago, the kernel's list of sockets is read,
 * which takes 10 ms.
 *
 * The port may be one of our own NAT range: whoever has that NAT port is found
 * by both its ends. After an error of _del_ the port is free, only the record
 * is not written.
 */
int reserve_add_service(struct reservation *r, unsigned slot,
			const struct endpoint *ep, struct err *err);
int reserve_del_service(struct reservation *r, unsigned slot, struct err *err);

/*
 * Another slot, which has none, takes the port over: the same service, anew.
 * Nothing changes for others.
 */
void reserve_move_service(struct reservation *r, unsigned from, unsigned to);

/* Not counted. Adding needs no lock: nobody else chooses by it. */
int reserve_add_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err);
int reserve_del_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err);

/*
 * Closes sockets and locks. @keep leaves the sysctl and the file as they are
 * (--guard keep: the next start continues with them). Works with uid 0 or
 * CAP_NET_ADMIN alone. Accepts NULL. On an error everything stays as after a
 * crash; -EBUSY: somebody keeps /run/l4lb locked.
 */
int reserve_release(struct reservation *r, bool keep);

/*
 * Clears what an instance that does not run has left: its record and its part
 * of the kernel's list. The caller holds the locks of the folder and of the
 * record. -EINVAL: the record is removed, but was damaged, and the kernel's
 * list may have ports of it.
 */
int reserve_clear(const char *name, struct err *err);

#endif
