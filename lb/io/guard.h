/* SPDX-License-Identifier: MIT */
/*
 * guard.h - keeps this host's own TCP away from the packets l4lb answers for
 *
 * The capture sees a frame before netfilter; without a guard the host's stack
 * sees it too and answers RST, since it has no such connection. The guard is
 * one nftables table per instance (`l4lb_NAME`, family ip), written in one
 * transaction over libmnl and libnftnl (design rule 1):
 *
 *   raw prerouting  notrack  to a service (address and port)
 *                   notrack  from a backend (address and port) to one of our
 *                            source addresses, port in the NAT range and none
 *                            of those that were skipped
 *   input           drop     the same two
 *   raw output      notrack  the same two, as local clients and backends send
 *                            them, and what l4lb injects by raw IP: from a
 *                            service; from a source address with such a port
 *                            to a backend
 *
 * The first four may be narrowed to some interfaces: what comes by another one
 * is the host's then. Nothing else on the host is touched. The table does not
 * die with the process: a crash must not let the kernel reset live connections.
 */
#ifndef L4LB_GUARD_H
#define L4LB_GUARD_H

#include <stddef.h>

#include "core/addr.h"
#include "core/err.h"

#define GUARD_INTERFACE_LEN 16 /* IF_NAMESIZE */

/* All addresses are IPv4 for now (mapped). Arrays may hold duplicates. */
struct guard_spec {
	const char *name; /* instance name, [A-Za-z0-9_-], < 32 bytes */
	const struct endpoint *services;
	size_t n_services;
	const struct endpoint *backends;
	size_t n_backends;
	const struct ip_addr *sources; /* our addresses toward the backends */
	size_t n_sources;
	uint16_t nat_lo, nat_hi; /* host byte order, both included */
	/* Ports of the range that no flow gets, since a socket of this host
	 * has them: what a backend sends there is the host's. Host byte order.
	 */
	const uint16_t *skipped;
	size_t n_skipped;
	/* Those that packets for us come in by, by name. None: all. */
	const char (*interfaces)[GUARD_INTERFACE_LEN];
	size_t n_interfaces;
};

/*
 * Installs the table, or replaces the one of that name (left by a crash) in
 * the same transaction. -EPERM without CAP_NET_ADMIN, -EOPNOTSUPP where the
 * kernel has no nf_tables: the sentence then names `--guard none` and
 * iptables/guard.sh.
 */
int guard_up(const struct guard_spec *spec, struct err *err);

/* That sentence, for the guard @name and what the kernel said; 0 is none. */
int guard_explain(struct err *err, int code, const char *name);

/*
 * The same through a bound NETLINK_NETFILTER socket of the caller's, whose port
 * id the kernel's notifications of it then bear.
 */
struct mnl_socket;
int guard_up_through(struct mnl_socket *nl, const struct guard_spec *spec,
		     struct err *err);

/* Removes the table; 0 also when there is none. */
int guard_down(const char *name, struct err *err);

#endif
