/* SPDX-License-Identifier: MIT */
/* router.h - which route a request takes; pure */
#ifndef L4LB_API_ROUTER_H
#define L4LB_API_ROUTER_H

#include "api/http.h"

#define ALLOW_MAX 64 /* bytes with the final 0 */

enum routed {
	ROUTED,
	ROUTED_NOWHERE,	     /* no such path: 404 */
	ROUTED_OTHER_METHOD, /* the path takes others: 405 */
};

/* "GET", ... */
const char *method_name(enum method method);

/* @method: as sent; METHODS if it is none of ours. HEAD is GET. */
enum method method_of(const char *name);

/*
 * Finds the route in a list of tables that NULL ends. ROUTED: @route is set,
 * and @id points to what stands for {id}, or to "". ROUTED_OTHER_METHOD: @allow
 * has the methods that the path takes, as the header wants them.
 */
enum routed router_find(const struct route *const tables[], enum method method,
			const struct uri *uri, const struct route **route,
			const char **id, char allow[ALLOW_MAX]);

/*
 * Checks the query of a request against what its route takes: -EINVAL, @err
 * names the parameters that are known.
 */
int router_check_query(const struct route *route, const struct uri *uri,
		       struct err *err);

/* Reads a flag of a query: 1, yes, true, or nothing; 0, no, false. */
int router_flag(const char *name, const char *value, bool *out,
		struct err *err);

#endif
