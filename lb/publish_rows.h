/* SPDX-License-Identifier: MIT */
/* publish_rows.h - a row of the board, from what l4lb knows now */
#ifndef L4LB_PUBLISH_ROWS_H
#define L4LB_PUBLISH_ROWS_H

#include <stdint.h>

struct app;

/*
 * Each writes the row of its slot, unless it would be what it is. Of a free
 * slot it writes that, and the rest stays.
 */
void publish_row_global(struct app *app, uint64_t now_ns);
void publish_row_tap(struct app *app, unsigned tap);

/* Rows of interfaces in use. */
unsigned publish_taps(const struct app *app);

#endif
