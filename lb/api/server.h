/* SPDX-License-Identifier: MIT */
/*
 * server.h - HTTP on the listening sockets, by libmicrohttpd
 *
 * For each listener a few threads, which a bounded number of connections share.
 * A client that is silent, or does not read, is closed after SERVER_PATIENCE_S;
 * one that is always only a little slow, after SERVER_REQUEST_S. What the
 * listeners do to each other is nothing: the UNIX socket is there when the
 * other one is full.
 */
#ifndef L4LB_API_SERVER_H
#define L4LB_API_SERVER_H

#include "api/api.h"
#include "api/auth.h"

#define SERVER_THREADS	   4
#define SERVER_CONNECTIONS 64 /* of each listener */
#define SERVER_PATIENCE_S  10
#define SERVER_REQUEST_S   30 /* from the first byte of a request to its last */
#define SERVER_ROOM	   ((size_t)256 << 20)

struct server;

/*
 * @listener: a listening socket; stays the caller's. @api and @auth are used
 * until server_stop(). -EIO: @err says what failed.
 */
int server_start(struct server **out, struct api *api, struct auth *auth,
		 int listener, bool local, struct err *err);

/* Closes those that take too long; call it each second. */
void server_tick(struct server *s);

/*
 * How many bytes of big replies may wait until their clients read them,
 * SERVER_ROOM if this is not called; before the first request. One that would
 * be more is refused by 503, unless it is the only one.
 */
void server_set_room(struct server *s, size_t bytes);

/* Waits for requests under way. Accepts NULL. */
void server_stop(struct server *s);

#endif
