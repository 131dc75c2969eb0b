/* SPDX-License-Identifier: MIT */
/*
 * Names of people and rooms, and the tokens that hold a nick.
 *
 * A name is letters, marks and digits of any script and "_", "-", "." as UTF-8.
 * "Letter" is told by blocks of Unicode: what is no ASCII is accepted unless
 * its block holds blanks, controls, punctuation, symbols, emoji or private
 * characters. Two names are the same if their keys are: ASCII letters folded to
 * lower case. Look-alikes of other scripts are not folded.
 *
 * A nick belongs to a token of 128 random bits that only its holder knows;
 * everybody else sees the SHA-256 of it.
 */
#ifndef CHAT_NAME_H
#define CHAT_NAME_H

#include "core/slice.h"

#include <assert.h>
#include <stdint.h>

#define NAME_CHARS_MAX 32 /* of a nick */
#define ROOM_CHARS_MAX 64
/* Bytes with the NUL: up to 4 a character. */
#define NAME_MAX_BYTES (NAME_CHARS_MAX * 4 + 1)
#define ROOM_MAX_BYTES (ROOM_CHARS_MAX * 4 + 1)
#define TOPIC_MAX      200 /* bytes */
#define INSTANCE_MAX   64  /* bytes of an instance's id with the NUL */

#define TOKEN_LEN      32 /* hex digits */
#define TOKEN_HASH_LEN 64 /* hex digits */
#define GUEST_LEN      10 /* "guest-1a2b" */
/* "@NICK#12345678", with the NUL */
#define INBOX_MAX_BYTES (1 + NAME_MAX_BYTES + 1 + 8)
static_assert(INBOX_MAX_BYTES <= ROOM_MAX_BYTES, "an inbox is a room");

/* The server's own name (nick.h) is no name of a person. */
bool name_is_valid(struct slice nick);
bool name_is_room(struct slice room);
/* At most TOPIC_MAX bytes of UTF-8 on one line, no controls; may be empty. */
bool name_is_topic(struct slice topic);

/* Writes the key of a name and a NUL. out: at least name.len + 1 bytes. */
void name_key(struct slice name, char *out);
bool name_same(struct slice a, struct slice b);

/*
 * Another name to propose for one that is taken: NAME2, NAME3 ... for attempt
 * 2, 3 ..., cut so that it stays valid.
 */
void name_propose(struct slice taken, unsigned attempt,
		  char out[NAME_MAX_BYTES]);

/* What the page calls somebody who gave no nick. */
void name_guest(uint32_t random, char out[GUEST_LEN + 1]);

void token_make(const uint8_t random[16], char out[TOKEN_LEN + 1]);
/* TOKEN_LEN hex digits of lower case. */
bool token_is_valid(struct slice token);
/* False without memory. */
bool token_hash(struct slice token, char out[TOKEN_HASH_LEN + 1]);

/* The room that holds a nick's direct messages: "@NICK#" and 8 hex digits. */
void name_inbox(struct slice nick, struct slice token_hash,
		char out[INBOX_MAX_BYTES]);

#endif
