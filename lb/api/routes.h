/* SPDX-License-Identifier: MIT */
/* routes.h - the tables of routes; each ends with an empty row */
#ifndef L4LB_API_ROUTES_H
#define L4LB_API_ROUTES_H

#include "api/http.h"

extern const struct route backend_changes_routes[];
extern const struct route backends_routes[];
extern const struct route commands_routes[];
extern const struct route config_routes[];
extern const struct route events_routes[];
extern const struct route flow_routes[];
extern const struct route flows_routes[];
extern const struct route health_routes[];
extern const struct route openapi_routes[];
extern const struct route scrape_routes[];
extern const struct route stats_routes[];

#endif
