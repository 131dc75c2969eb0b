/* SPDX-License-Identifier: MIT */
/* publish_rows.h - a row of the board, from what l4lb knows now */
#ifndef L4LB_PUBLISH_ROWS_H
#define L4LB_PUBLISH_ROWS_H

#include <stdint.h>

struct app;
struct publish_walk;

/*
 * Each writes the row of its slot, unless it would be what it is. Of a free
 * slot it writes that, and the rest stays.
 */
void publish_row_global(struct app *app, uint64_t now_ns);
/* With what the walk has summed up of its backends. */
void publish_row_service(struct app *app, unsigned service);
/* @sums: NULL, or where it is added. */
void publish_row_backend(struct app *app, unsigned service, unsigned backend,
			 uint64_t now_ns, struct publish_walk *sums);
void publish_row_pool(struct app *app, unsigned pool);
void publish_row_tap(struct app *app, unsigned tap);

/* Rows of pools and interfaces in use. */
unsigned publish_pools(const struct app *app);
unsigned publish_taps(const struct app *app);

#endif
