/* SPDX-License-Identifier: MIT */
/*
 * flow_names.h - the names of what flows belong to
 *
 * A flow names its service and backend by slots. Looking at the board for each
 * of a million flows would be slow, so what was looked up is kept; a slot that
 * another backend has taken meanwhile is noticed by its address.
 */
#ifndef L4LB_API_FLOW_NAMES_H
#define L4LB_API_FLOW_NAMES_H

#include "api/api.h"
#include "core/flow.h"

struct flow_names;

/* NULL: no memory. */
struct flow_names *flow_names_new(const struct api *api);
void flow_names_free(struct flow_names *n); /* accepts NULL */

/* "" if they are not known any more. Valid until the next call. */
void flow_names_of(struct flow_names *n, const struct flow *flow,
		   const char **service, const char **backend);

#endif
