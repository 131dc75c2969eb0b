/* SPDX-License-Identifier: MIT */
/* Hashes of Redis, as the files about people use them. */
#include "io/bus_redis.h"
#include "io/clock.h"

#include <stdio.h>

bool bus_chat_is_reachable(struct bus_redis *b)
{
	return bus_is_reachable(b, SLICE("chat"));
}

struct slice bus_chat_key(struct bus_redis *b, const char *suffix,
			  char out[KEY_MAX])
{
	return bus_key(b, SLICE("chat"), suffix, out);
}

int64_t bus_time(const struct bus_redis *b)
{
	return b->redis_ms ? b->redis_ms + (b->now_ms - b->redis_at_ms)
			   : wall_ms();
}

int bus_ask_all(struct bus_redis *b, struct slice key, redis_done *done,
		void *arg)
{
	const struct slice argv[] = {SLICE("HGETALL"), key};
	const struct redis_command c = {.key = key,
					.argc = 2,
					.argv = argv,
					.done = done,
					.arg = arg,
					.patience_ms = ASK_PATIENCE_MS};

	return bus_send(b, &c);
}

/* Drops a field if nobody changed it meanwhile. */
void bus_drop_field(struct bus_redis *b, struct slice key, struct slice field,
		    struct slice value)
{
	const struct slice argv[] = {field, value};
	const struct redis_command c = {.key = key,
					.argc = 2,
					.argv = argv,
					.patience_ms = ASK_PATIENCE_MS};

	bus_script(b, SCRIPT_DROP, &c);
}

void bus_copy(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", SLICE_ARG(text));
}

bool bus_is_ours(const struct bus_redis *b, struct slice instance)
{
	return slice_equal(instance, slice_of(b->options.instance));
}
