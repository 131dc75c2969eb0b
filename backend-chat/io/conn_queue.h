/* SPDX-License-Identifier: MIT */
/*
 * What a connection has to send: its queue, the lines held back from it while
 * it arrives, and whether speakers wait for it. For conn.c; what the others may
 * queue is in conn.h. Its worker alone touches it.
 */
#ifndef CHAT_CONN_QUEUE_H
#define CHAT_CONN_QUEUE_H

#include "io/conn.h"

/* Bytes that are not sent, with those held back. */
size_t conn_queued(const struct conn *c);

/* Bytes for it, whatever it has already. */
void conn_append(struct conn *c, const char *bytes, size_t len);
/* Ends the line of a probe that was answered without a newline. */
void conn_end_open_line(struct conn *c);
/* Queues the lines that were held back. */
void conn_release_held(struct conn *c);
/* Its connection failed, or there is no memory for it. It ends soon. */
void conn_broke(struct conn *c);

/* The queue, or who it belongs to, has changed: do speakers wait for it? */
void conn_watch_queue(struct conn *c);
/* Until then, if it is .awaited. */
int64_t conn_awaited_until_ms(const struct conn *c);
/* Stops waiting for it. It stays, and may catch up until its queue is full. */
void conn_give_up(struct conn *c);

#endif
