/* SPDX-License-Identifier: MIT */
/*
 * merge.h - a file that was edited, and what was changed at run time meanwhile
 *
 * Three configurations are compared, key by key and backend by backend, which
 * are found by their addresses: what the file said when it was last read, what
 * it says now, and what runs. Where the file says what it said before, what
 * runs stays; where it says something else, the file is right.
 */
#ifndef L4LB_MERGE_H
#define L4LB_MERGE_H

#include "control/config.h"
#include "control/text.h"

/* One line each. Zeroed: empty. */
struct merge_notes {
	struct text kept;    /* backend2 weight=5 (set at run time) */
	struct text restart; /* flows 65536 -> 131072: needs a restart */
};

void merge_notes_free(struct merge_notes *notes);

/*
 * @reset: forget what was changed at run time. Keys that are fixed while l4lb
 * runs stay as in @ours and are noted. @out needs no preparation; its slots are
 * in no order. -EINVAL, -EEXIST: the two cannot both be, @err says why;
 * -ENOMEM. After an error config_free(@out) is allowed, too.
 */
int merge(const struct config *base, const struct config *theirs,
	  const struct config *ours, bool reset, struct config *out,
	  struct merge_notes *notes, struct err *err);

/*
 * Gives the backends of @theirs the ids that those at the same addresses have
 * in @out, unless the file names them: then the two differ in less.
 */
void merge_take_ids(struct config *theirs, const struct config *out);

#endif
