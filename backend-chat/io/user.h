/* SPDX-License-Identifier: MIT */
/*
 * Who a connection is. A nick belongs to whoever has its token; a line client
 * gets a token that nobody sees, so its nick is free again when it leaves.
 */
#ifndef CHAT_USER_H
#define CHAT_USER_H

#include "core/mid.h"
#include "io/conn.h"

/*
 * Asks for a nick. token: of one who had it before, or empty for a new one.
 * asked: the wire is told the answer. Returns false without memory.
 */
bool user_claim(struct conn *c, struct slice nick, struct slice token,
		bool asked);
/* c: NULL if the connection has gone. */
void user_on_claimed(struct worker *w, struct conn *c, const struct note *n);
/* The connection ends; its seats are left already. */
void user_end(struct conn *c);

/* The nick, or else a guest's name. */
struct slice user_name(struct conn *c);
/* Six hex digits and more, for stored mids. */
struct slice user_hash(struct conn *c);
static inline bool user_has_nick(const struct conn *c)
{
	return c->user && c->user->nick[0];
}

/*
 * Fills in what every message of the connection has; fields->mid is its own mid
 * or empty. stored: MID_STORED_MAX bytes.
 */
void user_sign(struct conn *c, struct msg_fields *fields, char *stored);

/* Signals for the connections of a worker. */
void signal_on_note(struct worker *w, const struct note *n);

#endif
