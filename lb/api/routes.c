/* SPDX-License-Identifier: MIT */
/* routes.c - all that can be asked: a table of each subject, in its file */
#include "api/http.h"
#include "api/routes.h"

const struct route *const route_tables[] = {
	health_routes,
	scrape_routes,
	events_routes,
	NULL,
};
