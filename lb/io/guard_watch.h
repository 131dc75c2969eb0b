/* SPDX-License-Identifier: MIT */
/*
 * guard_watch.h - puts the guard up, and up again when somebody deletes it
 *
 * `nft flush ruleset`, the first line of many an /etc/nftables.conf, takes the
 * guard with it: the host's TCP then resets whatever connection it sees a
 * packet of. The kernel tells of every change (NFNLGRP_NFTABLES). What goes
 * from our table at somebody else's word is written again at once, by guard_up,
 * one transaction. Until then the host does see packets: half a millisecond, or
 * 8 to 18 where the kernel lets whoever deleted it close his socket first,
 * which waits for what he deleted to be freed and lets nobody write meanwhile.
 * What somebody adds to the table stays.
 *
 * Works with CAP_NET_ADMIN alone, also that of a user namespace.
 */
#ifndef L4LB_GUARD_WATCH_H
#define L4LB_GUARD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "io/guard.h"

struct guard_watch;

/*
 * guard_up(), and from then on it is watched. What @spec points to is borrowed
 * and outlives it. Errors are those of guard_up().
 */
int guard_watch_open(struct guard_watch **out, const struct guard_spec *spec,
		     struct err *err);

/*
 * Other interfaces from now on, as in struct guard_spec: at one instant. NULL
 * is fine.
 */
#define GUARD_WATCH_INTERFACES_MAX 32
void guard_watch_narrow(struct guard_watch *w,
			const char (*interfaces)[GUARD_INTERFACE_LEN],
			size_t n);

/* See guard_count(); false also for NULL. */
bool guard_watch_count(struct guard_watch *w, uint64_t *packets);

/* Leaves the guard as it is. NULL is fine. */
void guard_watch_close(struct guard_watch *w);

/*
 * .sources has so many from now on. NULL is fine; where it cannot be written,
 * that is said and tried again as after a deletion.
 */
void guard_watch_sources(struct guard_watch *w, size_t n);

/* Readable when there is something to read; -1 for NULL. */
int guard_watch_fd(const struct guard_watch *w);

/*
 * Reads what has changed and puts up again what is missing: at once for the
 * first few times, then as often as GUARD_WATCH_PER_S allows, so call it once
 * a second even if nothing is readable. Returns NULL or a sentence for the log,
 * valid until the next call and at most one in GUARD_WATCH_QUIET_S. NULL is
 * fine.
 */
const char *guard_watch_read(struct guard_watch *w, uint64_t now_ns);
#define GUARD_WATCH_BURST   10
#define GUARD_WATCH_PER_S   10
#define GUARD_WATCH_QUIET_S 10

#endif
