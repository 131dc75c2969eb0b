/* SPDX-License-Identifier: MIT */
/*
 * guard_watch.h - writes the guard, and writes it again when it is deleted
 *
 * `nft flush ruleset`, the first line of many an /etc/nftables.conf, deletes
 * the guard too. The host's TCP then resets every connection of which it sees a
 * packet. The kernel reports every change (NFNLGRP_NFTABLES). When another
 * program deletes a part of our table, guard_up() writes all of it again in one
 * transaction. Until then the host does see packets: for half a millisecond, or
 * for 8 to 18 ms if the kernel lets the other program close its socket first.
 * That close waits until the deleted objects are freed, and nobody can write
 * meanwhile. What others add to the table stays.
 *
 * Needs only CAP_NET_ADMIN, also that of a user namespace.
 */
#ifndef L4LB_GUARD_WATCH_H
#define L4LB_GUARD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "host/guard.h"

struct guard_watch;

/*
 * Calls guard_up() and watches the guard from then on. Copies @spec and all its
 * lists. Errors are those of guard_up().
 */
int guard_watch_open(struct guard_watch **out, const struct guard_spec *spec,
		     struct err *err);

/* Replaces the spec's interfaces in one transaction. Accepts NULL. */
#define GUARD_WATCH_INTERFACES_MAX 32
void guard_watch_narrow(struct guard_watch *w,
			const char (*interfaces)[GUARD_INTERFACE_LEN],
			size_t n);

/* See guard_count(); false for NULL. */
bool guard_watch_count(struct guard_watch *w, uint64_t *packets);

/* Leaves the guard as it is. Accepts NULL. */
void guard_watch_close(struct guard_watch *w);

/*
 * Adds one element, an endpoint or a source's address, or deletes it: a message
 * of its own, 0.01 ms. When this returns 0 the kernel knows. Elements are
 * counted: one that was added twice stays until it was deleted twice, and the
 * lists of the spec count as added. If somebody has just deleted the guard, all
 * of it is written again. Accepts NULL.
 *
 * After an error of guard_watch_add() the element is not wanted any more. An
 * error of guard_watch_del() is reported and tried again as after a deletion by
 * others: the element is not wanted, but may still be in the kernel.
 */
int guard_watch_add(struct guard_watch *w, enum guard_set set, const void *key,
		    struct err *err);
int guard_watch_del(struct guard_watch *w, enum guard_set set, const void *key,
		    struct err *err);

/* Readable when there is something to read; -1 for NULL. */
int guard_watch_fd(const struct guard_watch *w);

/*
 * Reads the changes and restores what is missing: at once for the first few
 * times, then at most GUARD_WATCH_PER_S times a second. So call it once a
 * second even if nothing is readable. Returns NULL or a message for the log,
 * valid until the next call and at most one in GUARD_WATCH_QUIET_S seconds.
 * Accepts NULL.
 */
const char *guard_watch_read(struct guard_watch *w, uint64_t now_ns);
#define GUARD_WATCH_BURST   10
#define GUARD_WATCH_PER_S   10
#define GUARD_WATCH_QUIET_S 10

#endif
