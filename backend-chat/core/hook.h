/* SPDX-License-Identifier: MIT */
/*
 * The bodies of POST /webhook and /webhook/{image,file,location,audio}
 * (section 4.3 of the design): checked field by field. Pure.
 *
 *   all	roomId* sender id
 *   plain	message*
 *   image	imageUrl* caption width height fileSize
 *   file	fileUrl* fileName* fileSize fileType
 *   location	latitude* longitude* address
 *   audio	audioUrl* duration
 *
 * URLs are http or https with a host and no spaces or controls; numbers are not
 * negative; latitude -90..90, longitude -180..180. null is the same as missing.
 * Unknown fields are ignored.
 */
#ifndef CHAT_HOOK_H
#define CHAT_HOOK_H

#include "core/msg.h"
#include "core/slice.h"

#include <jansson.h>

#define HOOK_URL_MAX 2048
#define HOOK_FIELD_MAX                                        \
	1000 /* bytes of caption, fileName, fileType, address \
	      */
#define HOOK_WHY_MAX 200
#define HOOK_SENDER  "webhook" /* without a sender */

enum hook_error {
	HOOK_OK,
	HOOK_BAD_JSON,	    /* 400 bad_json */
	HOOK_MISSING_FIELD, /* 400 missing_field */
	HOOK_BAD_FIELD,	    /* 400 bad_field */
};

struct hook {
	enum msg_type type; /* MSG_TEXT for the plain one */
	struct slice room, sender;
	struct slice
		text;	 /* message, caption, fileName, address; may be empty */
	struct slice id; /* as given, a mid (mid.h), or empty */
	json_t *metadata;	/* the typed fields; NULL for the plain one */
	const char *field;	/* which one is missing or bad */
	char why[HOOK_WHY_MAX]; /* a sentence for people */
	json_t *root;		/* owns what the slices point into */
};

/* path: "/webhook/image" ... Returns false if it is none of the five. */
bool hook_path(struct slice path, enum msg_type *type);

/* Always needs hook_free() afterwards. */
enum hook_error hook_parse(struct hook *h, enum msg_type type,
			   struct slice body);
/*
 * The same for the typed fields alone, as a client's metadata has them: sets
 * .text and .metadata. type is not MSG_TEXT.
 */
enum hook_error hook_typed(struct hook *h, enum msg_type type,
			   const json_t *metadata);
void hook_free(struct hook *h);

const char *hook_error_code(enum hook_error error); /* "bad_json" ... */

#endif
