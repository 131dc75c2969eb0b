/* SPDX-License-Identifier: MIT */
/* See json.h. */
#include "core/json.h"

#include <stdio.h>

/*
 * jansson's own limit is 2048 levels. Brackets in strings do not count; where
 * the text is no JSON, jansson will find out.
 */
static bool is_too_deep(struct slice text)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH)
				return true;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return false;
}

/* jansson's sentences quote the input: only what is printable goes on. */
static void explain(const json_error_t *error, char why[JSON_WHY_MAX])
{
	snprintf(why, JSON_WHY_MAX, "line %d, column %d: ", error->line,
		 error->column);
	for (const char *in = error->text; *in; in++) {
		size_t len = strlen(why);

		if (len + 1 < JSON_WHY_MAX && *in >= 0x20 && *in < 0x7f) {
			why[len] = *in;
			why[len + 1] = '\0';
		}
	}
}

static json_t *read_any(struct slice text, char why[JSON_WHY_MAX])
{
	json_error_t error;
	json_t *root;

	if (is_too_deep(text)) {
		snprintf(why, JSON_WHY_MAX, "more than %d levels deep",
			 JSON_DEPTH);
		return NULL;
	}
	root = json_loadb(text.at ? text.at : "", text.len,
			  JSON_REJECT_DUPLICATES, &error);
	if (!root)
		explain(&error, why);
	return root;
}

json_t *json_read(struct slice text, char why[JSON_WHY_MAX])
{
	json_t *root = read_any(text, why);

	if (!root || json_is_object(root))
		return root;
	snprintf(why, JSON_WHY_MAX, "an object was expected");
	json_decref(root);
	return NULL;
}

json_t *json_read_array(struct slice text, char why[JSON_WHY_MAX])
{
	json_t *root = read_any(text, why);

	if (!root || json_is_array(root))
		return root;
	snprintf(why, JSON_WHY_MAX, "an array was expected");
	json_decref(root);
	return NULL;
}

struct slice json_text(const json_t *object, const char *name, bool *wrong)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_string(value))
		return (struct slice){json_string_value(value),
				      json_string_length(value)};
	if (wrong && value && !json_is_null(value))
		*wrong = true;
	return (struct slice){NULL, 0};
}
