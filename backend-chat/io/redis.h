/* SPDX-License-Identifier: MIT */
/*
 * A client of Redis, one server or a cluster: commands go to the node that has
 * their key, and go on to another if the slot has moved; channels are followed
 * on a second connection of each node. Nothing here knows of chat.
 *
 * It never blocks but for the name of a host, which the resolver looks up. One
 * thread owns it, polls for it and calls redis_turn().
 */
#ifndef CHAT_REDIS_H
#define CHAT_REDIS_H

#include "core/slice.h"
#include "core/slot.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdint.h>

struct redis;
struct redis_node;

/* A node that does not answer for so long is not counted on. */
#define REDIS_STALL_MS 1500
#define REDIS_FDS_MAX  (2 * (2 * SLOT_NODES))

struct redis_script {
	const char *text;
	char sha[41]; /* set by redis_new() */
};

struct redis_options {
	bool cluster;
	const struct slot_node *seeds; /* one, or some of the cluster */
	unsigned seed_count;
	const char *password; /* NULL: none */
	struct redis_script *scripts;
	unsigned script_count;
};

/* What the owner is told. May send commands, but not free anything. */
struct redis_events {
	/* The channels of this node must be followed (again): none is. */
	void (*on_subscriber)(void *arg, struct redis_node *node);
	/* It is gone, and so is what was followed there. */
	void (*on_subscriber_lost)(void *arg, struct redis_node *node);
	/* What came on its channels, and the answers to redis_follow(). */
	void (*on_push)(void *arg, struct redis_node *node,
			const redisReply *reply);
	void (*on_map)(void *arg); /* slots may have other nodes now */
	/* For the operator: one line. */
	void (*on_trouble)(void *arg, const char *what);
	void *arg;
};

/* Options and events are borrowed. Returns 0, -ENOMEM. */
int redis_new(struct redis **out, const struct redis_options *options,
	      const struct redis_events *events);
/* Commands that were not answered are answered with NULL. Accepts NULL. */
void redis_free(struct redis *r);

/*
 * reply: NULL if it was not answered in time, or the connection was lost and
 * nobody knows whether it was done. An error that another node or a later time
 * would not mend is a reply.
 */
typedef void redis_done(void *arg, const redisReply *reply);

struct redis_command {
	struct slice key; /* of its slot */
	unsigned argc;
	const struct slice *argv;
	redis_done *done; /* NULL: nobody wants to know */
	void *arg;
	int64_t patience_ms; /* 0: it is repeated for ever */
	bool once;	     /* after a lost connection it is not repeated */
};

/* Returns 0 or -ENOMEM; then done() is not called. */
int redis_send(struct redis *r, const struct redis_command *command);

/* The node that has a key, as far as is known, or NULL. */
struct redis_node *redis_node_of(struct redis *r, struct slice key);
/* It answers. */
bool redis_node_is_up(const struct redis_node *node);

/* Something was sent and is not answered. */
bool redis_is_busy(const struct redis *r);
/* Every slot has a node that answers. */
bool redis_is_up(const struct redis *r);
/* A node that is not, and what is wrong with it; or empty. */
void redis_why(const struct redis *r, char *out, size_t len);
/* NULL if it is no cluster, or not known. */
const struct slotmap *redis_map(const struct redis *r);
/* Something says that the map is old. Looks again, at most each second. */
void redis_doubt_map(struct redis *r);
void redis_slot_moved(struct redis *r, unsigned slot, struct slice host,
		      unsigned port, struct redis_node *told_by);

/*
 * A command for the subscriber connection of a node, such as SSUBSCRIBE; its
 * answer is an on_push(). False if the connection is closed.
 */
bool redis_follow(struct redis_node *node, unsigned argc,
		  const struct slice *argv);

/* Fills fds, at most REDIS_FDS_MAX, and returns their number. */
unsigned redis_poll(struct redis *r, struct pollfd *fds);
/* When redis_turn() has something to do without any descriptor. */
int64_t redis_deadline(const struct redis *r);
/* fds: as redis_poll() filled them, with poll()'s results. */
void redis_turn(struct redis *r, const struct pollfd *fds, unsigned count,
		int64_t now_ms);

#endif
