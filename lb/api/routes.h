/* SPDX-License-Identifier: MIT */
/* routes.h - the tables of routes; each ends with an empty row */
#ifndef L4LB_API_ROUTES_H
#define L4LB_API_ROUTES_H

#include "api/http.h"

extern const struct route health_routes[];
extern const struct route scrape_routes[];
extern const struct route events_routes[];

#endif
