/* SPDX-License-Identifier: MIT */
/*
 * json_get.h - values of an answer, whatever is missing in it
 *
 * @path: keys with dots between them, "bytes.to". What is not there, is empty,
 * or is of another kind, is "-" or NAN, both of which are shown as "-": a
 * balancer of another version may know less.
 */
#ifndef L4LBCTL_JSON_GET_H
#define L4LBCTL_JSON_GET_H

#include <jansson.h>
#include <stdbool.h>

/* NULL: it is not there. Borrowed. */
json_t *get_value(const json_t *object, const char *path);
/* Borrowed from @object. */
const char *get_text(const json_t *object, const char *path);
/* Numbers too large for JSON come as text; they are read as well. */
double get_number(const json_t *object, const char *path);
bool get_bool(const json_t *object, const char *path);
/*
 * The text of a value of any kind, into @text: a number as it came, of a string
 * what is printable ASCII, with ? for the rest.
 */
const char *get_any(const json_t *object, const char *path, char *text,
		    size_t size);

#endif
