/* SPDX-License-Identifier: MIT */
/* routes.c - all that can be asked: a table of each subject, in its file */
#include "api/http.h"
#include "api/routes.h"

/* clang-format off */
const struct route *const route_tables[] = {
	health_routes,
	scrape_routes,
	events_routes,
	stats_routes,
	backends_routes,
	backend_changes_routes,
	flows_routes,
	flow_routes,
	config_routes,
	commands_routes,
	openapi_routes,
	NULL,
};
/* clang-format on */
