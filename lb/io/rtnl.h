/* SPDX-License-Identifier: MIT */
/*
 * rtnl.h - a netlink socket to ask the kernel's routing with
 *
 * Answers that belong to an earlier question, given up for lost, are skipped.
 * None is waited for longer than RTNL_TIMEOUT_MS: the kernel answers while it
 * handles the request, so what is not there soon never comes.
 */
#ifndef L4LB_RTNL_H
#define L4LB_RTNL_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#define RTNL_TIMEOUT_MS 200

/* Bytes. The kernel fills dumps up to 32 KiB if the reader has the room. */
#define RTNL_BUFFER (32 * 1024)

struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
	char buffer[RTNL_BUFFER];
};

typedef void rtnl_fn(const struct nlmsghdr *nlh, void *arg);

int rtnl_open(struct rtnl *r);
void rtnl_close(struct rtnl *r); /* also if never opened: all zero */

/* Sends, and gives the one answer to @fn. What the kernel refuses is returned
 * as its negative errno; -ETIMEDOUT if it is silent.
 */
int rtnl_ask(struct rtnl *r, struct nlmsghdr *request, rtnl_fn *fn, void *arg);

/* Everything of one kind (RTM_GET*) and IPv4 or no family. It is read again
 * if it changed meanwhile, so @fn may see the same thing twice.
 */
int rtnl_dump(struct rtnl *r, uint16_t type, uint8_t family, rtnl_fn *fn,
	      void *arg);

#endif
