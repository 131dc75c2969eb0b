/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host/needs.h"

#define PLACES (4 * NEEDS_MAX) /* of the hash; a quarter is used */

struct need_set {
	struct need *list;
	size_t n;
	uint16_t places[PLACES]; /* 1 + index in @list */
};
static_assert(NEEDS_MAX < UINT16_MAX, "an index fits a place");

static void add_need(struct need_set *set, const struct flow *f)
{
	struct {
		struct endpoint vip, backend;
		struct ip_addr source;
	} key = {flow_vip(f), flow_backend(f), flow_nat(f).addr};
	uint32_t i = XXH32(&key, sizeof(key), 0) % PLACES;

	for (; set->places[i]; i = (i + 1) % PLACES) {
		struct need *b = &set->list[set->places[i] - 1];

		if (endpoint_equal(&b->vip, &key.vip) &&
		    endpoint_equal(&b->backend, &key.backend) &&
		    addr_equal(&b->source, &key.source)) {
			b->flows++;
			return;
		}
	}
	if (set->n == NEEDS_MAX)
		return;
	set->list[set->n] = (struct need){
		.vip = key.vip,
		.backend = key.backend,
		.source = key.source,
		.flows = 1,
	};
	set->places[i] = (uint16_t)++set->n;
}

/* engine_adopt() checks everything else. */
static bool is_plausible(const struct flow *f)
{
	const struct endpoint nat = flow_nat(f), backend = flow_backend(f);

	return flow_is_whole(f) && addr_is_v4(&nat.addr) &&
	       addr_is_v4(&backend.addr) && nat.port && backend.port;
}

int needs_read(struct needs *out, const struct state *s)
{
	struct need_set *set;
	const struct flow *flows;
	uint32_t n;

	*out = (struct needs){0};
	flows = state_found_flows(s, &n);
	if (!n)
		return 0;
	set = calloc(1, sizeof(*set));
	if (set)
		set->list = calloc(NEEDS_MAX, sizeof(*set->list));
	if (!set || !set->list) {
		free(set);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		if (is_plausible(&flows[i]))
			add_need(set, &flows[i]);
	*out = (struct needs){set->list, set->n};
	free(set);
	return 0;
}

void needs_mark_ports(const struct state *s, bool used[NEEDS_PORTS])
{
	uint32_t n;
	const struct flow *flows = state_found_flows(s, &n);

	for (uint32_t i = 0; i < n; i++)
		if (is_plausible(&flows[i]))
			used[ntohs(flow_nat(&flows[i]).port)] = true;
}
