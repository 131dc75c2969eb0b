/* SPDX-License-Identifier: MIT */
/*
 * guard.h - keeps this host's own TCP away from the packets of l4lb
 *
 * The capture sees a frame before netfilter. Without a guard the host's stack
 * sees it too and answers RST, because it has no such connection. The guard is
 * one nftables table per instance (`l4lb_NAME`, family ip), written in one
 * transaction by libmnl and libnftnl (design rule 1):
 *
 *   raw prerouting  notrack  to a service (address and port)
 *                   notrack  from a backend (address and port) to one of our
 *                            source addresses, port in the NAT range and not
 *                            skipped
 *   input           drop     the same two
 *   raw output      notrack  the same two, as sent by local clients and
 *                            backends, and what l4lb injects by raw IP: from a
 *                            service; from a source address with such a port
 *                            to a backend
 *
 * The first four can be limited to some interfaces: the host keeps what comes
 * by the others. Nothing else on the host is touched. The table survives the
 * process: after a crash the kernel must not reset live connections.
 */
#ifndef L4LB_GUARD_H
#define L4LB_GUARD_H

#include <stdbool.h>
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
	uint16_t nat_lo, nat_hi; /* host byte order, inclusive */
	/*
	 * Ports of the range that flows never get, because a socket of this
	 * host holds them. What a backend sends there belongs to the host. Host
	 * byte order.
	 */
	const uint16_t *skipped;
	size_t n_skipped;
	/* Names of the interfaces by which packets for us come; none: all. */
	const char (*interfaces)[GUARD_INTERFACE_LEN];
	size_t n_interfaces;
};

/*
 * Creates the table, or replaces the one that a crash left, in one transaction
 * through the bound NETLINK_NETFILTER socket @nl (nft_open()). The kernel's
 * notifications carry the port id of that socket. -EPERM without CAP_NET_ADMIN;
 * -EOPNOTSUPP if the kernel has no nf_tables: the message then names `--guard
 * none` and iptables/guard.sh.
 */
struct mnl_socket;
int guard_up(struct mnl_socket *nl, const struct guard_spec *spec,
	     struct err *err);

/* The sets whose elements change while l4lb runs. */
enum guard_set { GUARD_SERVICES, GUARD_BACKENDS, GUARD_SOURCES, GUARD_SETS };

/*
 * Adds one element to a set of guard @name, or deletes it, and nothing else.
 * @key: an endpoint, or a source's address. The kernel has done it when this
 * returns. Returns -errno: -ENOENT if the table is not there, or not the
 * element that is to be deleted. One that is there already is no error.
 */
int guard_change(struct mnl_socket *nl, const char *name, enum guard_set set,
		 const void *key, bool add);

/* Sets that message for guard @name and the kernel's @ret; returns 0 for 0. */
int guard_explain(struct err *err, int ret, const char *name);

/* Removes the table; 0 also if there is none. */
int guard_down(const char *name, struct err *err);

#endif
