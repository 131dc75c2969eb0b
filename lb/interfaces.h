/* SPDX-License-Identifier: MIT */
/*
 * interfaces.h - the interfaces that the user named (-i), by their names now
 *
 * Without any, all interfaces are meant. With some, the guard and the captures
 * are limited to the same ones. The guard knows names, since an interface may
 * be created again under its name; the captures' filter knows numbers only.
 */
#ifndef L4LB_INTERFACES_H
#define L4LB_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "control/config.h"
#include "core/err.h"
#include "io/tap_match.h"
#include "net/netlink.h"

/* An interface that the user named, and its current name. */
struct named {
	char now[IF_NAMESIZE];
	int ifindex;	 /* 0: no interface has the name */
	int told_master; /* master of the last warning */
	bool missing;	 /* logged as missing */
};

struct interfaces {
	const struct config *config; /* borrowed, as is @netlink */
	const struct netlink *netlink;
	struct named named[CONFIG_INTERFACES_MAX]; /* in its order */
	struct tap_links links;			   /* for the captures */
	/* Their configured and current names, for the guard. */
	char guarded[2 * CONFIG_INTERFACES_MAX][IF_NAMESIZE];
	unsigned n_guarded;
};

/*
 * Resolves the names, so the guard's interfaces are known from here on. Refuses
 * interfaces that cannot be used; waits for those that do not exist yet.
 */
int interfaces_find(struct interfaces *is, const struct config *config,
		    const struct netlink *netlink, struct err *err);

/* Resolves the names again, and logs what came or went. */
void interfaces_follow(struct interfaces *is);

/* True if the user named this one. */
bool interfaces_have(const struct interfaces *is, int ifindex);

/* True if packets that come in by this one pass on to one that is meant. */
bool interfaces_are_fed_by(const struct interfaces *is, int ifindex);

/* For the log: "eth0,eth1", or "all interfaces". */
#define INTERFACES_TEXT_MAX (CONFIG_INTERFACES_MAX * (IF_NAMESIZE + 1) + 1)
void interfaces_format(const struct interfaces *is, char *text, size_t size);

#endif
