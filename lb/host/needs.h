/* SPDX-License-Identifier: MIT */
/*
 * needs.h - what the flows of an earlier process need to continue
 *
 * Read from the state file before the engine exists, and not checked beyond
 * what makes sense: engine_adopt() judges each flow later.
 */
#ifndef L4LB_NEEDS_H
#define L4LB_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "host/state.h"

#define NEEDS_MAX   4096
#define NEEDS_PORTS 65536

struct need {
	struct endpoint vip, backend;
	struct ip_addr source; /* our address toward the backend */
	uint32_t flows;	       /* open or recently closed ones */
};

struct needs {
	struct need *list; /* distinct, in order of appearance */
	size_t n;
};

/*
 * At most NEEDS_MAX; further ones are left out. The caller frees .list.
 * -ENOMEM.
 */
int needs_read(struct needs *out, const struct state *s);

/*
 * Sets @used, indexed in host byte order, for the NAT port of every flow in the
 * file, in any state.
 */
void needs_mark_ports(const struct state *s, bool used[NEEDS_PORTS]);

#endif
