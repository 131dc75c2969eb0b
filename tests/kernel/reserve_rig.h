/* SPDX-License-Identifier: MIT */
/*
 * reserve_rig.h - two instances, web and api, that reserve ports in a namespace
 * of their own; for one test program
 */
#ifndef L4LB_RESERVE_RIG_H
#define L4LB_RESERVE_RIG_H

#include <sys/types.h>

#include "core/err.h"
#include "host/reserve.h"

#define RESERVED   "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define HOST_RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define BEFORE	   "12000-12001,50000\n" /* what somebody else had reserved */

extern struct endpoint service, other_service;
extern struct ip_addr source;
extern struct reserve_request web, api;
extern struct err err; /* of the last call */

/* As it is before the first start, and as every test may change it. */
void set_up(void);

struct reservation *take(const struct reserve_request *req);

/* The host takes the ports of its own connections from there: "LO HI". */
void host_uses(const char *range);

/* It fails like this, and the sentence has @words. */
void assert_refused(const struct reserve_request *req, int code,
		    const char *words);
void assert_reserved(const char *expected);
void assert_nothing_left(void);

/*
 * Another process takes the ports and holds them until it is killed; returns
 * when it has them.
 */
pid_t hold_elsewhere(const struct reserve_request *req);
void kill_9(pid_t pid);

#endif
