/* SPDX-License-Identifier: MIT */
/*
 * Which node has which slots: read from the nodes in turn, and corrected by
 * what they answer.
 */
#include "io/redis_inside.h"

#include <stdio.h>
#include <stdlib.h>

#define MAP_MS 10000 /* the map is read again so often */

static struct redis_node *find_node(struct redis *r, struct slice host,
				    unsigned port)
{
	struct redis_node *n = r->nodes;

	while (n && (n->port != port || !slice_equal(slice_of(n->host), host)))
		n = n->next;
	return n;
}

/* NULL: no memory. */
struct redis_node *redis_get_node(struct redis *r, struct slice host,
				  unsigned port)
{
	struct redis_node *n = find_node(r, host, port);

	if (n || host.len >= SLOT_HOST_MAX)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	memcpy(n->host, host.at, host.len);
	n->port = port;
	n->redis = r;
	n->end = &n->first;
	n->next = r->nodes;
	r->nodes = n;
	return n;
}

struct redis_node *redis_node_of(struct redis *r, struct slice key)
{
	int index;

	if (!r->options->cluster)
		return r->nodes;
	index = r->has_map ? slotmap_find(&r->map, key) : -1;
	return index < 0 ? NULL : r->by_index[index];
}

const struct slotmap *redis_map(const struct redis *r)
{
	return r->has_map ? &r->map : NULL;
}

void redis_doubt_map(struct redis *r)
{
	const int64_t soonest = r->map_asked_ms + REDIS_MAP_DOUBT_MS;

	if (r->options->cluster && r->map_ms > soonest)
		r->map_ms = soonest;
}

/* [first, last, [host, port, ...], replicas ...] */
static bool read_range(struct slotmap *map, const redisReply *range,
		       struct slice asked)
{
	const redisReply *node;
	struct slice host;

	if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
	    range->element[0]->type != REDIS_REPLY_INTEGER ||
	    range->element[1]->type != REDIS_REPLY_INTEGER)
		return false;
	node = range->element[2];
	if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
	    node->element[1]->type != REDIS_REPLY_INTEGER)
		return false;
	host = redis_text(node->element[0]);
	if (slice_equal(host, SLICE("?"))) /* it does not know its own name */
		host = SLICE("");
	return slotmap_add(map, (unsigned)range->element[0]->integer,
			   (unsigned)range->element[1]->integer, host,
			   (unsigned)node->element[1]->integer, asked);
}

/* Each index of the map gets its node. */
static bool bind_nodes(struct redis *r)
{
	for (struct redis_node *n = r->nodes; n; n = n->next)
		n->in_map = false;
	for (unsigned i = 0; i < r->map.count; i++) {
		struct redis_node *n =
			redis_get_node(r, slice_of(r->map.nodes[i].host),
				       r->map.nodes[i].port);

		if (!n)
			return false;
		n->in_map = true;
		r->by_index[i] = n;
	}
	return true;
}

static void drop_node(struct redis *r, struct redis_node *n)
{
	struct redis_node **at = &r->nodes;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	for (struct request *q = r->waiting; q; q = q->next)
		if (q->at == n)
			q->at = NULL;
	redis_lose_commands(n);
	redis_lose_channels(n);
	free(n);
}

/* Nodes that have no slots any more. A seed stays, but is not connected. */
void redis_leave_others(struct redis *r)
{
	struct redis_node *next;

	for (struct redis_node *n = r->nodes; n; n = next) {
		next = n->next;
		if (n->in_map || n->first)
			continue;
		if (!n->is_seed) {
			drop_node(r, n);
			continue;
		}
		redis_lose_commands(n);
		redis_lose_channels(n);
	}
}

void redis_take_map(struct redis *r, const struct redis_node *asked,
		    const redisReply *reply)
{
	struct slotmap map;

	slotmap_init(&map);
	if (reply->type != REDIS_REPLY_ARRAY) {
		char text[320];

		snprintf(text, sizeof(text),
			 "redis: %s:%u is no node of a cluster: %.*s",
			 asked->host, asked->port,
			 SLICE_ARG(redis_text(reply)));
		r->events->on_trouble(r->events->arg, text);
		return;
	}
	for (size_t i = 0; i < reply->elements; i++)
		if (!read_range(&map, reply->element[i], slice_of(asked->host)))
			return;
	if (map.count == 0)
		return; /* it has not met the others yet */
	r->map = map;
	r->has_map = bind_nodes(r);
	r->map_is_new = r->has_map;
	r->events->on_map(r->events->arg);
}

/* The nodes in turn: one may know less than another. */
void redis_ask_map(struct redis *r)
{
	static const struct slice words[] = {{"CLUSTER", 7}, {"SLOTS", 5}};
	struct redis_node *n, *ask = NULL;
	unsigned ready = 0;

	if (!r->options->cluster || r->map_asked || r->now_ms < r->map_ms)
		return;
	for (n = r->nodes; n; n = n->next)
		ready += n->commands.connected &&
			 !redis_is_stalled(n, r->now_ms);
	if (ready > 0) {
		unsigned turn = r->map_turn++ % ready;

		for (n = r->nodes; n; n = n->next)
			if (n->commands.connected &&
			    !redis_is_stalled(n, r->now_ms) && turn-- == 0)
				ask = n;
	}
	r->map_ms = r->now_ms + (ask ? MAP_MS : REDIS_TICK_MS);
	if (!ask || !redis_put_own(ask, MAP, 2, words))
		return;
	r->map_asked = true;
	r->map_asked_ms = r->now_ms;
}

/* Of a cluster whose map is not known and whose nodes are all gone. */
void redis_fall_back_on_seeds(struct redis *r)
{
	for (struct redis_node *n = r->nodes; n; n = n->next)
		if (n->in_map && n->commands.context)
			return;
	r->has_map = false;
}

void redis_slot_moved(struct redis *r, unsigned slot, struct slice host,
		      unsigned port, struct redis_node *told_by)
{
	if (host.len == 0)
		host = slice_of(told_by->host);
	redis_doubt_map(r);
	if (!r->has_map || slotmap_move(&r->map, slot, host, port) < 0)
		return;
	if (!bind_nodes(r))
		r->has_map = false;
}
