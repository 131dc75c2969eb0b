/* SPDX-License-Identifier: MIT */
/*
 * One connection to one Redis server: bytes out, replies in, by hiredis'
 * synchronous interface on a non-blocking socket. It never waits; the owner
 * polls. (hiredis' asynchronous interface aborts on sharded pub/sub, and its
 * timeouts break a connection for good.)
 */
#ifndef CHAT_REDIS_CONN_H
#define CHAT_REDIS_CONN_H

#include "core/slice.h"

#include <hiredis/hiredis.h>
#include <stdint.h>

#define REDIS_CONNECT_MS 2000
#define REDIS_PING_MS	 5000  /* also tells that the peer is there */
#define REDIS_SILENT_MS	 15000 /* then it is not */
#define REDIS_UNWELL_MS	 250   /* how often one that loads is asked */

struct redis_conn {
	redisContext *context; /* NULL: closed */
	bool connected;
	int64_t began_ms, heard_ms, ping_ms; /* ping_ms: the next one */
	int64_t retry_ms;		     /* closed: when to try again */
	unsigned attempts;		     /* in vain */
	char why[128];			     /* of the last one; or empty */
};

/* Begins to connect. Returns false if that failed at once: it is closed. */
bool redis_conn_open(struct redis_conn *c, const char *host, unsigned port,
		     int64_t now_ms, uint32_t random);
/* What is wrong with it, for the operator. */
void redis_conn_blame(struct redis_conn *c, struct slice why);
/* Closed connections may be closed again. random: for the time of a retry. */
void redis_conn_close(struct redis_conn *c, int64_t now_ms, uint32_t random);

/* Puts a command into the buffer. False: no memory. */
bool redis_conn_put(struct redis_conn *c, const char *bytes, size_t len);
bool redis_conn_command(struct redis_conn *c, unsigned argc,
			const struct slice *argv);

/* What to poll for; fd is -1 if it is closed. */
int redis_conn_fd(const struct redis_conn *c);
short redis_conn_events(const struct redis_conn *c);
/* After poll(). Returns false if the connection broke: close it. */
bool redis_conn_on_events(struct redis_conn *c, short events, int64_t now_ms);
/* The next reply, to be freed, or NULL. *broken: the stream is no RESP. */
redisReply *redis_conn_reply(struct redis_conn *c, bool *broken);

/* True if it did not connect in time, or says nothing any more. */
bool redis_conn_is_dead(const struct redis_conn *c, int64_t now_ms);

#endif
