/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON that strangers send, by jansson, with our limits: an object, at
 * most JSON_DEPTH levels, no name twice, no NUL in strings, UTF-8, and nothing
 * behind it. Pure but for jansson's memory.
 */
#ifndef CHAT_JSON_H
#define CHAT_JSON_H

#include "core/slice.h"

#include <jansson.h>
#include <stdint.h>

#define JSON_DEPTH   8
#define JSON_WHY_MAX 160

/*
 * Returns an object that the caller must json_decref(), or NULL with a sentence
 * in why that begins with a small letter and names line and column.
 */
json_t *json_read(struct slice text, char why[JSON_WHY_MAX]);

/* The same for an array (REDIS_NODES). */
json_t *json_read_array(struct slice text, char why[JSON_WHY_MAX]);

/*
 * A member as a slice, which holds as long as the object. Empty if there is
 * none or it is no string; *wrong becomes true in the second case. wrong may be
 * NULL.
 */
struct slice json_text(const json_t *object, const char *name, bool *wrong);

#endif
