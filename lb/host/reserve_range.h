/* SPDX-License-Identifier: MIT */
/*
 * reserve_range.h - chooses an instance's NAT range
 *
 * Private to lb/host/reserve*.c.
 */
#ifndef L4LB_RESERVE_RANGE_H
#define L4LB_RESERVE_RANGE_H

#include "host/reserve.h"
#include "host/reserve_ports.h"
#include "host/reserve_record.h"

struct range {
	uint16_t lo, hi; /* host byte order, inclusive */
	/* The host's ephemeral ports: the number it keeps, and the total. */
	unsigned host_left, host_all;
	bool host_short; /* it keeps too few because of the range */
};

/*
 * @others: records of the other instances. @before: the record that this
 * instance left, or NULL. @unusable gets every port that a service or a socket
 * uses, in the range or not. -EADDRINUSE: another instance, which is named,
 * holds a fixed range. -ENOSPC: too few ports.
 */
int range_choose(const struct reserve_request *req, const struct record *others,
		 const struct record *before, struct range *out,
		 struct port_set *unusable, struct err *err);

/*
 * The instance whose NAT range on the address of @service contains its port, be
 * it running or only its connections alive. It chose its ports without knowing
 * of the service, so it may use this one. NULL: none.
 */
const struct record *range_holder(const struct record *others,
				  const struct endpoint *service);

/*
 * Checks that the range is free on @source too. -EADDRINUSE names the instance
 * of @others that holds it.
 */
int range_check(const struct record *others, const struct ip_addr *source,
		unsigned lo, unsigned hi, struct err *err);

#endif
