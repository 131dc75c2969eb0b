/* SPDX-License-Identifier: MIT */
/*
 * A connection's place in a room: a cursor into the room's log (core/room.h).
 * Its worker alone touches it.
 */
#ifndef CHAT_SEAT_H
#define CHAT_SEAT_H

#include "core/room.h"

struct conn;
struct hub;
struct note;
struct worker;

/* A room as one worker has it. */
struct wroom {
	struct wroom *next;
	struct room core;
	bool opened;	      /* NOTE_OPEN came */
	struct seat *waiting; /* until then */
};

struct seat {
	struct member member;
	struct conn *conn;
	struct wroom *room;
	struct seat *next;	   /* of the connection */
	struct seat *next_waiting; /* of a room that is not open */
	struct msgid after;	   /* what it has already */
	unsigned show;		   /* or: the last messages that it shall see */
	bool has_after;
	bool waiting; /* for NOTE_OPEN */
	bool asked;   /* a page of the log is on its way */
	bool in_bus;  /* the store has no more: the bus is asked */
	bool is_inbox;
	bool asked_for; /* by /join: it is answered */
};

struct seat_wish {
	struct slice room; /* folded */
	struct msgid after;
	bool has_after; /* what came after .after */
	unsigned show;	/* else the last ones, so many */
	bool asked_for;
};

/*
 * Takes a seat; the wire is told when it has it, perhaps before the return.
 * Returns 0, -ENOMEM, -EEXIST, -ENOSPC: too many rooms, -EMFILE: too many
 * rooms of this connection.
 */
int seat_take(struct conn *c, const struct seat_wish *wish);
struct seat *seat_find(const struct conn *c, struct slice room);
void seat_leave(struct seat *s);
void seats_leave(struct conn *c);
/* Its connection takes more: hands over what it has not got. */
void seats_feed(struct conn *c);
/* A page for a seat that lags. */
void seats_on_page(struct conn *c, const struct note *n);

/* What the inbox has for rooms. */
void rooms_on_note(struct worker *w, struct note *n);
/* NULL: not open, or not followed. */
struct wroom *rooms_find(const struct worker *w, struct slice name);
void rooms_free(struct worker *w);

#endif
