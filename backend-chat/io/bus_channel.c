/* SPDX-License-Identifier: MIT */
/*
 * The channels of Redis: the one of each room and the one of all instances,
 * each followed at the node that has it, and what comes there.
 */
#include "io/bus_redis.h"
#include "core/resp_err.h"

#define FOLLOW_AGAIN_MS 5000 /* no answer: ask once more */
#define FOLLOW_WAIT_MS	200  /* after an error */

/*
 * The channel of a room, or of all instances: that one has a name that no room
 * can have.
 */
static struct slice channel_name(struct bus_redis *b, const struct channel *c,
				 struct slice room, char key[KEY_MAX])
{
	return c == &b->channel ? bus_key(b, SLICE("chat"), "all", key)
				: bus_key(b, room, "ch", key);
}

static void follow(struct bus_redis *b, struct channel *c, struct slice room,
		   bool on)
{
	char key[KEY_MAX];
	struct slice argv[2];

	if (on)
		argv[0] = b->classic ? SLICE("SUBSCRIBE") : SLICE("SSUBSCRIBE");
	else
		argv[0] = b->classic ? SLICE("UNSUBSCRIBE")
				     : SLICE("SUNSUBSCRIBE");
	argv[1] = channel_name(b, c, room, key);
	if (redis_follow(c->node, 2, argv) && on)
		c->state = FOLLOW_ASKED;
	c->ms = b->now_ms;
}

void bus_channel_attend(struct bus_redis *b, struct channel *c,
			struct slice room, bool wanted)
{
	char key[KEY_MAX];
	struct redis_node *node =
		wanted ? redis_node_of(b->redis, channel_name(b, c, room, key))
		       : NULL;

	if (c->state != FOLLOW_NOT && c->node != node) {
		follow(b, c, room, false);
		c->state = FOLLOW_NOT;
		c->ms = 0;
	}
	c->node = node;
	if (c->state == FOLLOW_ASKED && b->now_ms - c->ms > FOLLOW_AGAIN_MS)
		c->state = FOLLOW_NOT;
	if (node && c->state == FOLLOW_NOT && b->now_ms >= c->ms)
		follow(b, c, room, true);
}

static void lose_channel(struct bus_redis *b, struct channel *c,
			 const struct redis_node *node, int64_t wait_ms)
{
	if (c->node != node || c->state == FOLLOW_NOT)
		return;
	c->state = FOLLOW_NOT;
	c->ms = b->now_ms + wait_ms;
	b->tick_ms = 0;
}

/* All that were followed there, or those that were only asked for. */
static void lose_channels(struct bus_redis *b, const struct redis_node *node,
			  bool asked_only, int64_t wait_ms)
{
	if (!asked_only || b->channel.state == FOLLOW_ASKED)
		lose_channel(b, &b->channel, node, wait_ms);
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			if (!asked_only || r->channel.state == FOLLOW_ASKED)
				lose_channel(b, &r->channel, node, wait_ms);
}

void bus_on_subscriber(void *arg, struct redis_node *node)
{
	struct bus_redis *b = arg;

	(void)node;
	b->classic = false; /* it may be another server now */
	b->tick_ms = 0;
}

void bus_on_subscriber_lost(void *arg, struct redis_node *node)
{
	struct bus_redis *b = arg;

	lose_channels(b, node, false, 0);
	if (b->channel.node == node)
		b->channel.node = NULL;
	for (unsigned i = 0; i < HASH_SIZE; i++)
		for (struct room_log *r = b->rooms[i]; r; r = r->next)
			if (r->channel.node == node)
				r->channel.node = NULL;
}

/* Between "{" with the prefix and that suffix; empty if it is not so. */
static struct slice room_of_channel(const struct bus_redis *b,
				    struct slice name, const char *suffix)
{
	const size_t before = 1 + strlen(b->options.prefix);
	const size_t after = strlen(suffix);

	if (name.len <= before + after || name.at[0] != '{' ||
	    memcmp(name.at + name.len - after, suffix, after) != 0 ||
	    memcmp(name.at + 1, b->options.prefix, before - 1) != 0)
		return SLICE("");
	return (struct slice){name.at + before, name.len - before - after};
}

/* *r: its room; NULL if it is the channel of all instances. */
static struct channel *find_channel(struct bus_redis *b, struct slice name,
				    struct room_log **r)
{
	const struct slice room = room_of_channel(b, name, "}:ch");

	*r = NULL;
	if (room.len == 0)
		return room_of_channel(b, name, "}:all").len > 0 ? &b->channel
								 : NULL;
	*r = bus_room_find(b, room);
	return *r ? &(*r)->channel : NULL;
}

static void take_followed(struct bus_redis *b, struct slice name)
{
	struct room_log *r;
	struct channel *c = find_channel(b, name, &r);

	if (!c || c->state != FOLLOW_ASKED)
		return;
	c->state = FOLLOW_ON;
	/* What was told before is not known. */
	if (r)
		bus_room_look(r);
	else
		b->nicks_ms = 0;
	b->tick_ms = 0;
}

/* The slot has gone to another node; our own "no more" comes here, too. */
static void take_unfollowed(struct bus_redis *b, const struct redis_node *node,
			    struct slice name)
{
	struct room_log *r;
	struct channel *c = find_channel(b, name, &r);

	if (!c || c->node != node || c->state == FOLLOW_NOT)
		return;
	redis_doubt_map(b->redis);
	lose_channel(b, c, node, 0);
}

static void take_error(struct bus_redis *b, struct redis_node *node,
		       struct slice text)
{
	struct resp_redirect to;

	switch (resp_err_parse(text, &to)) {
	case RESP_ERR_MOVED:
		redis_slot_moved(b->redis, to.slot, to.host, to.port, node);
		lose_channels(b, node, true, 0);
		break;
	case RESP_ERR_UNKNOWN:
		/* Redis before 7 */
		if (!b->classic)
			lose_channels(b, node, true, 0);
		b->classic = true;
		break;
	case RESP_ERR_ASK:
	case RESP_ERR_WAIT:
	case RESP_ERR_NOSCRIPT:
	case RESP_ERR_AUTH:
	case RESP_ERR_FULL:
	case RESP_ERR_CROSS:
	case RESP_ERR_OTHER:
		redis_doubt_map(b->redis);
		lose_channels(b, node, true, FOLLOW_WAIT_MS);
		break;
	}
}

void bus_on_push(void *arg, struct redis_node *node, const redisReply *reply)
{
	struct bus_redis *b = arg;
	struct slice word, name, payload = SLICE("");
	struct room_log *r;

	if (reply->type == REDIS_REPLY_ERROR)
		take_error(b, node, reply_text(reply));
	if (!reply_is_list(reply, 3))
		return; /* a pong */
	word = reply_text(reply->element[0]);
	name = reply_text(reply->element[1]);
	payload = reply_text(reply->element[2]);
	if (slice_equal(word, SLICE("smessage")) ||
	    slice_equal(word, SLICE("message"))) {
		find_channel(b, name, &r);
		if (payload.len > 0 && payload.at[0] == '{')
			bus_signal_take(b, payload);
		else if (r && payload.len > 0)
			bus_room_live(b, r, payload);
	} else if (slice_equal(word, SLICE("ssubscribe")) ||
		   slice_equal(word, SLICE("subscribe"))) {
		take_followed(b, name);
	} else if (slice_equal(word, SLICE("sunsubscribe")) ||
		   slice_equal(word, SLICE("unsubscribe"))) {
		take_unfollowed(b, node, name);
	}
}
