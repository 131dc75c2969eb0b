/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/json_get.h"

#define KEY_MAX 64

json_t *get_value(const json_t *object, const char *path)
{
	json_t *value = NULL;
	char key[KEY_MAX];

	for (;;) {
		const size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = 0;
		value = json_object_get(object, key);
		if (!path[len] || !value)
			return value;
		object = value;
		path += len + 1;
	}
}

const char *get_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(get_value(object, path));

	return text && *text ? text : "-";
}

double get_number(const json_t *object, const char *path)
{
	const json_t *value = get_value(object, path);
	const char *text = json_string_value(value);
	char *end;
	double number;

	if (json_is_number(value))
		return json_number_value(value);
	if (!text || !*text)
		return NAN;
	number = strtod(text, &end);
	return *end ? NAN : number;
}

bool get_bool(const json_t *object, const char *path)
{
	return json_is_true(get_value(object, path));
}

/* What is printed as it is, so it must do nothing to a terminal. */
static void copy_plain(const char *from, char *text, size_t size)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < size; i++)
		text[i] = from[i] < ' ' || from[i] > '~' ? '?' : from[i];
	text[i] = 0;
}

const char *get_any(const json_t *object, const char *path, char *text,
		    size_t size)
{
	const json_t *value = get_value(object, path);

	if (json_is_integer(value))
		snprintf(text, size, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		copy_plain(get_text(object, path), text, size);
	return text;
}
