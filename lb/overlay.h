/* SPDX-License-Identifier: MIT */
/*
 * overlay.h - the changes made at run time, kept beside the flows
 *
 * /run/l4lb/NAME.changes has what the running configuration differs by from the
 * file as it was last read, and that file's content, as commands:
 *
 *   l4lb-changes 1
 *   base service add chat 198.18.0.1:20000 scheduler=wrr
 *   base backend add chat 198.18.0.11:9001 id=backend1 weight=3
 *   backend add chat 198.18.0.12:9001 id=backend2
 *   leaving 198.18.0.1:20000 198.18.0.13:9001 drain
 *
 * It is replaced as a whole before a change is made, so that after kill -9 at
 * any moment the next start has the configuration of before or after, with all
 * its connections. It merges three ways: what the file says differently now
 * wins, other changes stay. Without changes there is no file; but if some were
 * saved for a reboot (save.h), a file without changes says that they were
 * undone.
 *
 * A line `leaving` has the end of the flows of a removed backend.
 */
#ifndef L4LB_OVERLAY_H
#define L4LB_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config.h"
#include "control/text.h"

struct app;

/* The file as it was read. */
struct overlay_base {
	struct config config;
	struct text head; /* the same, as the first lines of NAME.changes */
};

struct overlay {
	struct overlay_base base; /* of the last reading */
	bool ours;  /* the start was complete: nobody else has this name */
	bool stale; /* not as the running configuration is */
	bool told;  /* that it could not be written */
	struct text leaving; /* at the start: those lines of the file */
};

#define OVERLAY_LEAVING	 "leaving "
#define OVERLAY_PATH_MAX 64
#define OVERLAY_LINE_MAX 2064 /* "base " and a command */

const char *overlay_path(const struct app *app, char path[OVERLAY_PATH_MAX]);

/*
 * Replaces NAME.changes by what @config differs by from @base. An error says
 * that it could not; the old file stays.
 */
int overlay_write(struct app *app, const struct overlay_base *base,
		  const struct config *config, struct err *err);

/* The text of that file; empty if nothing differs, unless @always. -ENOMEM. */
int overlay_text(const struct overlay_base *base, const struct config *config,
		 bool always, struct text *out);

/* Call it when something that has left needs no mention any more. */
void overlay_stale(struct app *app);

/* Call it once a second: writes what is stale. */
void overlay_each_second(struct app *app);

/* Fills it by a copy of @config; -ENOMEM. */
int overlay_base_fill(struct overlay_base *b, const struct config *config);
void overlay_base_free(struct overlay_base *b);

/* At the start, when old_flows_add() has made the places. */
void overlay_leave_as_before(struct app *app);

#endif
