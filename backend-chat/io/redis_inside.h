/* SPDX-License-Identifier: MIT */
/*
 * The client of Redis (redis.h) inside: its requests and nodes (redis.c), and
 * the map of a cluster (redis_map.c).
 */
#ifndef CHAT_REDIS_INSIDE_H
#define CHAT_REDIS_INSIDE_H

#include "io/redis.h"
#include "io/redis_conn.h"

#define REDIS_MAP_DOUBT_MS 1000 /* a doubted map is read at most so often */
#define REDIS_TICK_MS	   250	/* for what has patience */

enum request_kind {
	CALLERS,
	IGNORED, /* ASKING, SCRIPT LOAD */
	LOGIN,
	PING,
	MAP,
};

struct request {
	struct request *next;
	enum request_kind kind;
	char *bytes; /* by hiredis; NULL for those that are never repeated */
	size_t len;
	unsigned slot, attempt;
	struct redis_node *at; /* after ASK, else NULL */
	int64_t sent_ms, due_ms, end_ms;
	redis_done *done;
	void *arg;
	bool once;
};

struct redis_node {
	struct redis_node *next;
	struct redis *redis;
	char host[SLOT_HOST_MAX];
	unsigned port;
	bool is_seed, in_map;
	bool is_well; /* its last PING was answered, without an error */
	struct redis_conn commands, channels;
	bool channels_told;	      /* on_subscriber() */
	struct request *first, **end; /* written, not answered */
};

struct redis {
	const struct redis_options *options;
	const struct redis_events *events;
	struct redis_node *nodes;
	struct request *waiting;
	struct slotmap map;
	struct redis_node *by_index[SLOT_NODES];
	bool has_map, map_asked;
	bool map_is_new;      /* nodes may be not wanted any more */
	int64_t map_ms;	      /* when to ask for it */
	int64_t map_asked_ms; /* when it was asked for last */
	unsigned map_turn;    /* which node to ask next */
	int64_t now_ms;
	uint64_t random;
	bool login_failed; /* was said */
};

/* ------------------------------------------------------ nodes, requests */

/* Empty if it is no text. */
struct slice redis_text(const redisReply *reply);
/* It has not answered for too long. */
bool redis_is_stalled(const struct redis_node *n, int64_t now_ms);
/* Writes a command of our own. */
bool redis_put_own(struct redis_node *n, enum request_kind kind, unsigned argc,
		   const struct slice *argv);
void redis_lose_commands(struct redis_node *n);
void redis_lose_channels(struct redis_node *n);

/* ------------------------------------------------------------------ map */

/* NULL: no memory. */
struct redis_node *redis_get_node(struct redis *r, struct slice host,
				  unsigned port);
/* Asks for the map, if it is time. */
void redis_ask_map(struct redis *r);
void redis_take_map(struct redis *r, const struct redis_node *asked,
		    const redisReply *reply);
/* Of a cluster whose map is not known and whose nodes are all gone. */
void redis_fall_back_on_seeds(struct redis *r);
/* Nodes that have no slots any more. A seed stays, but is not connected. */
void redis_leave_others(struct redis *r);

#endif
