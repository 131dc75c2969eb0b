/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/fields.h"
#include "api/utf8.h"
#include "control/config_value.h"

static const struct route_value *find(const struct route_value *fields,
				      const char *name)
{
	for (; fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

static int unknown(const struct route_value *fields, const char *name,
		   struct err *err)
{
	char quoted[QUOTED_MAX], known[ERR_TEXT_MAX] = "";
	size_t len = 0;

	for (; fields->name; fields++)
		len += (size_t)snprintf(
			known + len,
			len < sizeof(known) ? sizeof(known) - len : 0, "%s%s",
			len ? ", " : "", fields->name);
	return err_set(err, -EINVAL, "unknown key \"%s\"; expected %.400s",
		       value_quote(name, quoted), known);
}

static int check(const struct route_value *field, const json_t *value,
		 struct err *err)
{
	if (json_is_null(value))
		return 0;
	switch (field->kind) {
	case VALUE_TEXT:
		if (!json_is_string(value))
			return err_set(err, -EINVAL,
				       "\"%s\": expected a string",
				       field->name);
		if (!utf8_is_plain(json_string_value(value),
				   json_string_length(value)))
			return err_set(err, -EINVAL,
				       "\"%s\": has a control character",
				       field->name);
		return 0;
	case VALUE_NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return err_set(err, -EINVAL,
				       "\"%s\": expected a whole number from 0 "
				       "on",
				       field->name);
		return 0;
	case VALUE_FLAG:
		if (!json_is_boolean(value))
			return err_set(err, -EINVAL,
				       "\"%s\": expected true or false",
				       field->name);
		return 0;
	}
	return -EINVAL;
}

int fields_parse(const struct route_value *fields, const char *body, size_t len,
		 json_t **out, struct err *err)
{
	json_error_t why;
	json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, &why);
	const char *name;
	json_t *value;
	int ret = 0;

	if (!json)
		return err_set(err, -EINVAL,
			       "the body is no JSON: line %d, column %d: %s",
			       why.line, why.column, why.text);
	if (!json_is_object(json))
		ret = err_set(err, -EINVAL,
			      "the body is no JSON object: expected {...}");
	json_object_foreach(json, name, value)
	{
		const struct route_value *field = find(fields, name);

		ret = field ? check(field, value, err)
			    : unknown(fields, name, err);
		if (ret)
			break;
	}
	if (ret)
		json_decref(json);
	else
		*out = json;
	return ret;
}

static const json_t *get(const struct request *r, const char *name)
{
	const json_t *value =
		r->json ? json_object_get((const json_t *)r->json, name) : NULL;

	return json_is_null(value) ? NULL : value;
}

const char *field_text(const struct request *r, const char *name)
{
	return json_string_value(get(r, name));
}

bool field_number(const struct request *r, const char *name, uint64_t *out)
{
	const json_t *value = get(r, name);

	if (value)
		*out = (uint64_t)json_integer_value(value);
	return value;
}

bool field_flag(const struct request *r, const char *name, bool *out)
{
	const json_t *value = get(r, name);

	if (value)
		*out = json_boolean_value(value);
	return value;
}
