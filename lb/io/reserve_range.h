/* SPDX-License-Identifier: MIT */
/*
 * reserve_range.h - which NAT range an instance gets
 *
 * Private to lb/io/reserve*.c.
 */
#ifndef L4LB_RESERVE_RANGE_H
#define L4LB_RESERVE_RANGE_H

#include "io/reserve.h"
#include "io/reserve_ports.h"
#include "io/reserve_record.h"

struct range {
	uint16_t lo, hi; /* host byte order, both included */
	/* Ports that the host gives to its own connections: how many are left
	 * to it, of how many.
	 */
	unsigned host_left, host_all;
	bool host_short; /* too few, because of the range */
};

/*
 * @others: what the other instances hold. @before: what this one left behind,
 * or NULL. *unusable: every port a service or a socket uses, in the range or
 * not. -EADDRINUSE names who holds a fixed range; -ENOSPC.
 */
int range_choose(const struct reserve_request *req, const struct record *others,
		 const struct record *before, struct range *out,
		 struct port_set *unusable, struct err *err);

/*
 * The instance, running or with connections that may go on, whose NAT range on
 * that address has the port: as it did not know of the service when it chose
 * them, it may use it. NULL: none.
 */
const struct record *range_holder(const struct record *others,
				  const struct endpoint *service);

/*
 * Whether lo..hi can be had of @source, too. -EADDRINUSE names who of @others
 * has it.
 */
int range_check(const struct record *others, const struct ip_addr *source,
		unsigned lo, unsigned hi, struct err *err);

#endif
