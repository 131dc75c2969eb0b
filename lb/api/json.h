/* SPDX-License-Identifier: MIT */
/*
 * json.h - JSON written into a text, value by value
 *
 * A writer without a tree: a listing of a million flows is written as it is
 * read. Parsing is jansson's business. @key is the name of a member, or NULL
 * for an element of an array and for the outermost value.
 *
 *   struct json_writer w = json_writer(&reply->body);
 *
 *   json_put_object(&w, NULL);
 *   json_put_text(&w, "status", "healthy");
 *   json_put_end(&w);
 */
#ifndef L4LB_API_JSON_H
#define L4LB_API_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "control/text.h"

#define JSON_DEPTH_MAX 16

struct json_writer {
	struct text *out;
	unsigned depth;
	bool comma; /* the next value comes after another one */
	char ends[JSON_DEPTH_MAX];
};

struct json_writer json_writer(struct text *out);

void json_put_object(struct json_writer *w, const char *key);
void json_put_array(struct json_writer *w, const char *key);
/* Ends the object or array that was begun last. */
void json_put_end(struct json_writer *w);

/* Bytes that are no UTF-8 become U+FFFD. NULL: null. */
void json_put_text(struct json_writer *w, const char *key, const char *value);
/* Above 2^53, where a browser would round it, a string. */
void json_put_number(struct json_writer *w, const char *key, uint64_t value);
/*
 * With at most @decimals digits after the point, of which there may be 9. What
 * is not finite, or has more than 53 bits of such digits: null.
 */
void json_put_real(struct json_writer *w, const char *key, double value,
		   unsigned decimals);
void json_put_flag(struct json_writer *w, const char *key, bool value);
void json_put_null(struct json_writer *w, const char *key);
/* What is JSON already. */
void json_put_json(struct json_writer *w, const char *key, const char *json);

#endif
