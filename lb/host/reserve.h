/* SPDX-License-Identifier: MIT */
/*
 * reserve.h - the ports that l4lb takes from its host, and gives back
 *
 * Three things keep the host and other instances off our ports (design rule 8).
 * VIP:port is bound, not listened on. The NAT range is added to
 * net.ipv4.ip_local_reserved_ports, so the kernel gives none of its ports to an
 * outgoing connection. A locked file, /run/l4lb/NAME.ports, says which instance
 * holds which range of which source addresses, and which part of the kernel's
 * list is its own. The file outlives a crash: the range stays the instance's
 * until it is started again or `guard.sh down NAME` clears it.
 */
#ifndef L4LB_RESERVE_H
#define L4LB_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"
#include "core/err.h"
#include "host/owner.h"

struct reservation;

struct reserve_request {
	const char *name; /* instance, < 32 bytes */
	const struct endpoint *services;
	size_t n_services;
	const struct ip_addr *sources; /* 0.0.0.0: not known yet, any */
	size_t n_sources;
	uint16_t nat_lo, nat_hi; /* wanted range, host byte order, inclusive */
	bool fixed;		 /* the user chose the range: take it or fail */
	bool had;		 /* existing flows have ports in this range */
	unsigned ports_min;	 /* fail if fewer ports are free */
	const struct owner
		*owner; /* who will give them back; NULL: the current user */
};

/*
 * Takes the ports. If the range is not fixed, takes the one that this instance
 * had before a crash, else the wanted one, else another free one, and of these
 * last two preferably one that leaves the host enough ports for its own
 * connections. -EADDRINUSE: the service port is taken, the instance runs
 * already, or another instance, which is named, holds the range. -EACCES: no
 * privilege. -ENOSPC: too few free ports. An address that this host does not
 * have is no error: it may come.
 */
int reserve_take(struct reservation **out, const struct reserve_request *req,
		 struct err *err);

/*
 * Adds a source. -EADDRINUSE: another instance, which is named, holds the range
 * on it.
 */
int reserve_add_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err);

/* The range that was taken, host byte order, inclusive. */
uint16_t reserve_lo(const struct reservation *r);
uint16_t reserve_hi(const struct reservation *r);
/*
 * False outside the range, and for a port in it that a service or a socket of
 * this host uses.
 */
bool reserve_usable(const struct reservation *r, uint16_t port);
/* The numbers of usable and, for the start-up line, of unusable ports. */
unsigned reserve_count(const struct reservation *r);
unsigned reserve_skipped(const struct reservation *r);
/* The unusable ports, reserve_skipped() of them, host byte order. */
const uint16_t *reserve_skipped_ports(const struct reservation *r);

/*
 * Returns NULL, or a warning for the log: the port of this service is also a
 * NAT port of another instance, which had started before. Packets for its
 * connections look like strays of the service.
 */
const char *reserve_shared(const struct reservation *r, size_t service);

/*
 * Returns NULL, or a warning for the log: the range could not be added to the
 * kernel's list (read-only /proc/sys, as in containers) and is ours among
 * instances only; or it was added and leaves the host too few ports of its own.
 */
const char *reserve_warning(const struct reservation *r);

/*
 * Closes sockets and locks. @keep leaves the sysctl and the file as they are
 * (--guard keep: the next start continues with them). Else only our own part
 * leaves the sysctl; ports reserved before us, or claimed by another instance
 * too, stay. Works with uid 0 or CAP_NET_ADMIN alone. Accepts NULL. On an error
 * everything stays as after a crash; -EBUSY: somebody keeps /run/l4lb locked.
 */
int reserve_release(struct reservation *r, bool keep);

#endif
