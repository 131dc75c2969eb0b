/* SPDX-License-Identifier: MIT */
/*
 * rtnl.h - a netlink socket for requests to the kernel's routing
 *
 * Skips answers to an earlier request that timed out. Waits at most
 * RTNL_TIMEOUT_MS for an answer: the kernel answers while it handles the
 * request, so an answer that does not come soon never comes.
 */
#ifndef L4LB_RTNL_H
#define L4LB_RTNL_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#define RTNL_TIMEOUT_MS 200

/* Bytes. The kernel fills dumps up to 32 KiB if the buffer has room. */
#define RTNL_BUFFER (32 * 1024)

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	char buffer[RTNL_BUFFER];
};

typedef void rtnl_fn(const struct nlmsghdr *nlh, void *arg);

int rtnl_open(struct rtnl *r);
void rtnl_close(struct rtnl *r); /* accepts a zeroed one */

/*
 * Sends @request and passes the answer to @fn. Returns the kernel's error as a
 * negative errno; -ETIMEDOUT if no answer comes.
 */
int rtnl_ask(struct rtnl *r, struct nlmsghdr *request, rtnl_fn *fn, void *arg);

/*
 * Reads all objects of one kind (RTM_GET*), of IPv4 or of no family. Reads them
 * again if the table changed meanwhile, so @fn may get an object twice.
 */
int rtnl_dump(struct rtnl *r, uint16_t type, uint8_t family, rtnl_fn *fn,
	      void *arg);

#endif
