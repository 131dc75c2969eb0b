/* SPDX-License-Identifier: MIT */
/*
 * backend_table.h - backends as rows, and a service as the line above them
 */
#ifndef L4LBCTL_BACKEND_TABLE_H
#define L4LBCTL_BACKEND_TABLE_H

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/table.h"

/*
 * A table without rows. @rates: figures a second, not since the start. NULL:
 * there is no memory.
 */
struct table *backend_table_new(const struct ctl *c, bool rates);
/*
 * Adds the backends of @service, a text, out of @backends, an array of the
 * API's objects; NULL: all. @before: those of @seconds earlier if it is a table
 * of rates, else NULL. Returns how many.
 */
unsigned backend_table_add(struct table *t, const json_t *backends,
			   const char *service, const json_t *before,
			   double seconds);

/* The object with that service and id in @backends, or NULL. Borrowed. */
const json_t *backend_in(const json_t *backends, const char *service,
			 const char *id);

/* "up", "DOWN 41s", "leaving": how it is, in one word or two. */
#define BACKEND_HEALTH_MAX 48
const char *backend_health(const json_t *backend,
			   char text[BACKEND_HEALTH_MAX]);

#endif
