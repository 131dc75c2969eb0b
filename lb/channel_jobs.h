/* SPDX-License-Identifier: MIT */
/*
 * channel_jobs.h - answers of the control channel that take several turns
 *
 * What is long is printed and sent in parts, one for each turn of the loop.
 */
#ifndef L4LB_CHANNEL_JOBS_H
#define L4LB_CHANNEL_JOBS_H

#include <stdint.h>

#include "channel.h"

struct err;

struct config;

/* @config: what runs, or what the file said (overlay.h). */
void channel_show(struct app *app, const struct asker *who,
		  const struct config *config);
void channel_status(struct app *app, const struct asker *who);
void channel_loop(struct app *app, const struct asker *who);
void channel_kill(struct app *app, const struct asker *who, uint64_t id);

/* Answers "ok" when the lines that were given have been sent. */
void channel_end_after_lines(struct app *app, const struct asker *who);

/* The last datagram of a reply. */
void channel_ok(struct app *app, const struct asker *who);
void channel_refuse(struct app *app, const struct asker *who, int ret,
		    const struct err *err);

/* Continues what is not answered yet; when to call again at the latest. */
uint64_t channel_continue(struct app *app);

#endif
