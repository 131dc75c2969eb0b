/* SPDX-License-Identifier: MIT */
/*
 * small_file.h - a text file that is read and replaced as a whole
 *
 * Root, who starts l4lb, reads what the user of l4lb has written, and trusts
 * nothing there (design rule 14): no links, only plain files that no other user
 * could have written.
 */
#ifndef L4LB_SMALL_FILE_H
#define L4LB_SMALL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "host/owner.h"

#define SMALL_FILE_MAX (8u << 20) /* bytes; a longer one is refused */

/*
 * *text: its bytes with a final 0, the caller frees them; NULL: there is no
 * such file. A 0 among the bytes is refused. @owner: who may own it besides the
 * current user. -EINVAL: not a plain file, too long, or somebody else could
 * have written it; others as of open(2) and read(2).
 */
int small_file_read(const char *path, const struct owner *owner, char **text,
		    struct err *err);

/*
 * Writes PATH.new with mode 0600 and renames it: whoever reads the file finds
 * the old or the new text. @durable: on the disk when this returns, which may
 * take seconds; else it never waits for a disk. On an error the old file stays.
 */
int small_file_write(const char *path, const char *text, size_t len,
		     bool durable, struct err *err);

/* Renames it with one more ending, over one of before. 0 or -errno. */
#define SMALL_FILE_ASIDE ".damaged"
int small_file_move_aside(const char *path);

#endif
