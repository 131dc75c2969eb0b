/* SPDX-License-Identifier: MIT */
/* Commands of line clients: core/linecmd.h says what they are. */
#ifndef CHAT_COMMAND_H
#define CHAT_COMMAND_H

#include "core/linecmd.h"
#include "io/conn.h"

/* Return false if the client must go. */
bool command_run(struct conn *c, const struct linecmd_line *l);
/* "//x" says "/x". */
bool command_say_slash(struct conn *c, const struct linecmd_line *l);

/* line.c */
bool line_say(struct conn *c, const struct linecmd_line *l, struct slice raw,
	      enum msg_type type);
/* One line of the server's. */
void conn_refuse_line(struct conn *c, const char *sentence);

/*
 * Posts a direct message. Returns 0, -ENOENT: nobody has that nick; else as
 * -EAGAIN or -ENOMEM. *here: it is connected.
 */
int direct_post(struct conn *c, struct slice to, struct slice text,
		struct slice mid, bool retry, enum msg_via via, bool *here);

/* People of a room, for /who and who; free() the lists. */
struct people {
	struct wsjson_person *list;
	size_t count;
	unsigned unnamed;
	char *names; /* what the list points into */
};
bool people_get(struct people *p, struct hub *h, struct slice room);
void people_free(struct people *p);

/* Rooms of all instances; free() the result. NULL without memory. */
struct bus_room *rooms_get(struct hub *h, unsigned *count);

#endif
