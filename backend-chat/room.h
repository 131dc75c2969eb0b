/* SPDX-License-Identifier: MIT */
/*
 * The chat room: everybody who is connected, and what is said to all.
 *
 * One thread per client (reader.c) reads its lines and says them to the room.
 * The room sends them at once to clients that can take them, and queues them
 * for the others. One courier thread (courier.c) delivers what was queued,
 * drops clients that do not read, completes the departure of leaving ones, and
 * is the only one to free a client.
 */
#ifndef CHAT_ROOM_H
#define CHAT_ROOM_H

#include <stddef.h>

struct report;
struct room;

struct room_limits {
	unsigned clients;   /* further ones are refused */
	size_t queue_bytes; /* size of the queue of each client */
};

/* Descriptors that a room of that size may use at the same time. */
unsigned room_descriptors(unsigned clients);

/* Returns 0 or -errno. Borrows report. */
int room_new(struct room **out, const struct room_limits *limits,
	     struct report *report);

/* Takes ownership of the connected socket fd, in every case. */
void room_admit(struct room *r, int fd, const char *peer);

/* Says goodbye to all and waits at most two seconds until all are gone. */
void room_close(struct room *r);

#endif
