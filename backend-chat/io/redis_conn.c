/* SPDX-License-Identifier: MIT */
/* See redis_conn.h. */
#include "io/redis_conn.h"
#include "core/resp_err.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A command has no more words: a script with a batch of messages. */
#define WORDS_MAX 80

bool redis_conn_open(struct redis_conn *c, const char *host, unsigned port,
		     int64_t now_ms, uint32_t random)
{
	c->context = redisConnectNonBlock(host, (int)port);
	c->connected = false;
	c->began_ms = c->heard_ms = now_ms;
	c->ping_ms = now_ms;
	if (c->context && c->context->err == 0)
		return true;
	redis_conn_close(c, now_ms, random);
	return false;
}

void redis_conn_blame(struct redis_conn *c, struct slice why)
{
	snprintf(c->why, sizeof(c->why), "%.*s", SLICE_ARG(why));
}

void redis_conn_close(struct redis_conn *c, int64_t now_ms, uint32_t random)
{
	if (c->context && c->context->err)
		redis_conn_blame(c, slice_of(c->context->errstr));
	if (c->context)
		redisFree(c->context);
	c->context = NULL;
	c->connected = false;
	c->retry_ms = now_ms + resp_err_wait_ms(c->attempts++, random);
}

bool redis_conn_put(struct redis_conn *c, const char *bytes, size_t len)
{
	return redisAppendFormattedCommand(c->context, bytes, len) == REDIS_OK;
}

bool redis_conn_command(struct redis_conn *c, unsigned argc,
			const struct slice *argv)
{
	const char *words[WORDS_MAX];
	size_t lens[WORDS_MAX];

	if (argc > WORDS_MAX)
		return false;
	for (unsigned i = 0; i < argc; i++) {
		words[i] = argv[i].at ? argv[i].at : "";
		lens[i] = argv[i].len;
	}
	return redisAppendCommandArgv(c->context, (int)argc, words, lens) ==
	       REDIS_OK;
}

int redis_conn_fd(const struct redis_conn *c)
{
	return c->context ? c->context->fd : -1;
}

short redis_conn_events(const struct redis_conn *c)
{
	if (!c->context)
		return 0;
	if (!c->connected)
		return POLLOUT;
	return sdslen(c->context->obuf) > 0 ? POLLIN | POLLOUT : POLLIN;
}

static bool has_connected(struct redis_conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->context->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error) {
		redis_conn_blame(c, slice_of(strerror(error)));
		return false;
	}
	c->connected = true;
	redisEnableKeepAlive(c->context);
	return true;
}

bool redis_conn_on_events(struct redis_conn *c, short events, int64_t now_ms)
{
	int done;

	if (events == 0)
		return true;
	if (!c->connected && !has_connected(c))
		return false;
	if (redisBufferWrite(c->context, &done) != REDIS_OK)
		return false;
	if (!(events & (POLLIN | POLLERR | POLLHUP)))
		return true;
	if (redisBufferRead(c->context) != REDIS_OK)
		return false;
	c->heard_ms = now_ms;
	return true;
}

redisReply *redis_conn_reply(struct redis_conn *c, bool *broken)
{
	void *reply = NULL;

	*broken = redisGetReplyFromReader(c->context, &reply) != REDIS_OK;
	return reply;
}

bool redis_conn_is_dead(const struct redis_conn *c, int64_t now_ms)
{
	if (!c->context)
		return false;
	return c->connected ? now_ms - c->heard_ms > REDIS_SILENT_MS
			    : now_ms - c->began_ms > REDIS_CONNECT_MS;
}
