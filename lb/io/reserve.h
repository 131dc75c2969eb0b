/* SPDX-License-Identifier: MIT */
/*
 * reserve.h - the ports l4lb takes from its host, and gives back
 *
 * Three things keep the host and other instances off our ports (design rule
 * 8): VIP:port is bound, not listened on; the NAT range is added to
 * net.ipv4.ip_local_reserved_ports, so the kernel gives none of it to an
 * outgoing connection; a locked file, /run/l4lb/NAME.ports, says which
 * instance holds which range of which source addresses, and which part of the
 * kernel's list is its own. It outlives a crash: the range stays the
 * instance's until it is started again or `guard.sh down NAME` clears it.
 */
#ifndef L4LB_RESERVE_H
#define L4LB_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"
#include "core/err.h"
#include "io/owner.h"

struct reservation;

struct reserve_request {
	const char *name; /* instance, < 32 bytes */
	const struct endpoint *services;
	size_t n_services;
	const struct ip_addr *sources; /* 0.0.0.0: any, not known yet */
	size_t n_sources;
	uint16_t nat_lo, nat_hi; /* wanted, host byte order, both included */
	bool fixed;		 /* the user chose the range: take it or fail */
	bool had;		 /* flows of before have their ports there */
	unsigned ports_min;	 /* fewer free ports than this: fail */
	const struct owner
		*owner; /* who gives them back, or NULL: who we are */
};

/*
 * Takes the ports. Not fixed: the range this instance had before a crash, then
 * the wanted one, then what else is free; of these last, one that leaves the
 * host enough ports for its own connections, if there is one. -EADDRINUSE
 * (service port taken, the instance runs already, or the range is held by
 * another, which is named), -EACCES (privilege), -ENOSPC (too few free). That
 * an address is not on this host is no error: it may come.
 */
int reserve_take(struct reservation **out, const struct reserve_request *req,
		 struct err *err);

/*
 * One more source. -EADDRINUSE: another instance has the range of it, which is
 * named.
 */
int reserve_add_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err);

/* The range that was taken, host byte order, both included. */
uint16_t reserve_lo(const struct reservation *r);
uint16_t reserve_hi(const struct reservation *r);
/* False for a port of the range that a service or a socket on this host uses,
 * and outside of the range.
 */
bool reserve_usable(const struct reservation *r, uint16_t port);
/* How many of the range are usable, and, for the start-up line, are not. */
unsigned reserve_count(const struct reservation *r);
unsigned reserve_skipped(const struct reservation *r);
/* Which are not, reserve_skipped() of them, host byte order: the host's own. */
const uint16_t *reserve_skipped_ports(const struct reservation *r);

/*
 * NULL, or a sentence for the log: another instance, which had started before,
 * may have connections to its backends from the very port of that service of
 * the request. What comes for them looks like a stray of the service.
 */
const char *reserve_shared(const struct reservation *r, size_t service);

/*
 * NULL, or a sentence for the log: the range is ours among instances, but the
 * kernel could not be told (read-only /proc/sys, as in containers); or it was,
 * and has too few ports left for the host's own connections.
 */
const char *reserve_warning(const struct reservation *r);

/*
 * Closes sockets and locks. @keep leaves the sysctl and the file as they are
 * (--guard keep: the next start goes on); otherwise only our own part is taken
 * out of the sysctl: what had been reserved before us, or what another
 * instance of the same range still needs, stays. Works with uid 0 or
 * CAP_NET_ADMIN alone. NULL is fine. Not 0: all is left as by a crash; -EBUSY
 * if somebody keeps /run/l4lb locked.
 */
int reserve_release(struct reservation *r, bool keep);

#endif
