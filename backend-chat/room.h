/* SPDX-License-Identifier: MIT */
/*
 * The chat room: everybody who is connected, and what is said to all.
 *
 * One thread per client reads (reader.c) and says its lines to the room; the
 * room sends them on at once to whoever can take them and keeps the rest. One
 * courier thread (courier.c) delivers what was kept, drops who does not read,
 * sees the leaving off, and is the only one to free a client.
 */
#ifndef CHAT_ROOM_H
#define CHAT_ROOM_H

#include <stddef.h>

struct report;
struct room;

struct room_limits {
	unsigned clients;   /* more are refused */
	size_t queue_bytes; /* kept for a client that does not read */
};

/* Descriptors a room of so many clients may use at one time. */
unsigned room_descriptors(unsigned clients);

/* 0 or -errno. The report stays the caller's. */
int room_new(struct room **out, const struct room_limits *limits,
	     struct report *report);

/* Takes over the connected socket fd, whatever comes of it. */
void room_admit(struct room *r, int fd, const char *peer);

/* Say goodbye to all and wait, two seconds at most, until all are gone. */
void room_close(struct room *r);

#endif
