/* SPDX-License-Identifier: MIT */
/* See hook.h. */
#include "core/hook.h"
#include "core/json.h"
#include "core/mid.h"
#include "core/name.h"

#include <math.h>
#include <stdio.h>

enum kind {
	KIND_URL,
	KIND_TEXT,
	KIND_COUNT,   /* a whole number, not negative */
	KIND_SECONDS, /* any number, not negative */
	KIND_LATITUDE,
	KIND_LONGITUDE,
};

/* Those of one type, after one another; the text of the message is one. */
static const struct field {
	enum msg_type type;
	const char *name;
	enum kind kind;
	bool needed, is_text;
} fields[] = {
	{MSG_IMAGE, "imageUrl", KIND_URL, true, false},
	{MSG_IMAGE, "caption", KIND_TEXT, false, true},
	{MSG_IMAGE, "width", KIND_COUNT, false, false},
	{MSG_IMAGE, "height", KIND_COUNT, false, false},
	{MSG_IMAGE, "fileSize", KIND_COUNT, false, false},
	{MSG_FILE, "fileUrl", KIND_URL, true, false},
	{MSG_FILE, "fileName", KIND_TEXT, true, true},
	{MSG_FILE, "fileSize", KIND_COUNT, false, false},
	{MSG_FILE, "fileType", KIND_TEXT, false, false},
	{MSG_LOCATION, "latitude", KIND_LATITUDE, true, false},
	{MSG_LOCATION, "longitude", KIND_LONGITUDE, true, false},
	{MSG_LOCATION, "address", KIND_TEXT, false, true},
	{MSG_AUDIO, "audioUrl", KIND_URL, true, false},
	{MSG_AUDIO, "duration", KIND_SECONDS, false, false},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

bool hook_path(struct slice path, enum msg_type *type)
{
	static const struct {
		const char *path;
		enum msg_type type;
	} paths[] = {
		{"/webhook", MSG_TEXT},
		{"/webhook/image", MSG_IMAGE},
		{"/webhook/file", MSG_FILE},
		{"/webhook/location", MSG_LOCATION},
		{"/webhook/audio", MSG_AUDIO},
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (!slice_equal(path, slice_of(paths[i].path)))
			continue;
		*type = paths[i].type;
		return true;
	}
	return false;
}

/* http or https, a host, no blanks or controls, at most HOOK_URL_MAX. */
static bool is_url(struct slice url)
{
	static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};

	if (url.len > HOOK_URL_MAX)
		return false;
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.at[i] <= ' ' || url.at[i] == 0x7f)
			return false;
	for (size_t i = 0; i < 2; i++) {
		const struct slice start = {url.at, schemes[i].len};

		if (url.len > start.len && slice_equal_case(start, schemes[i]))
			return !strchr("/?#:@", url.at[start.len]);
	}
	return false;
}

static enum hook_error fail(struct hook *h, enum hook_error error,
			    const char *field, const char *why)
{
	h->field = field;
	snprintf(h->why, sizeof(h->why), "\"%s\" %s.", field, why);
	return error;
}

static enum hook_error missing(struct hook *h, const char *field)
{
	return fail(h, HOOK_MISSING_FIELD, field, "is missing");
}

/* What is wrong with the value, or NULL. */
static const char *judge(enum kind kind, const json_t *value)
{
	const double number = json_number_value(value);
	struct slice text = {json_string_value(value),
			     json_string_length(value)};

	switch (kind) {
	case KIND_URL:
		return text.at && is_url(text) ? NULL
					       : "must be an http or https URL";
	case KIND_TEXT:
		if (!text.at)
			return "must be a string";
		return text.len <= HOOK_FIELD_MAX ? NULL
						  : "is longer than 1000 bytes";
	case KIND_COUNT:
		return json_is_integer(value) && json_integer_value(value) >= 0
			       ? NULL
			       : "must be a whole number from 0";
	case KIND_SECONDS:
		return json_is_number(value) && number >= 0
			       ? NULL
			       : "must be a number from 0";
	case KIND_LATITUDE:
		return json_is_number(value) && fabs(number) <= 90
			       ? NULL
			       : "must be a number from -90 to 90";
	case KIND_LONGITUDE:
		return json_is_number(value) && fabs(number) <= 180
			       ? NULL
			       : "must be a number from -180 to 180";
	}
	return NULL;
}

/* null is the same as missing. */
static bool is_absent(const json_t *value)
{
	return !value || json_is_null(value);
}

/* A needed text must not be empty either. */
static enum hook_error take_field(struct hook *h, const struct field *f)
{
	json_t *value = json_object_get(h->root, f->name);
	const char *wrong;

	if (is_absent(value) ||
	    (f->needed && json_is_string(value) && !json_string_length(value)))
		return f->needed ? missing(h, f->name) : HOOK_OK;
	wrong = judge(f->kind, value);
	if (wrong)
		return fail(h, HOOK_BAD_FIELD, f->name, wrong);
	if (f->is_text)
		h->text = json_text(h->root, f->name, NULL);
	if (json_object_set(h->metadata, f->name, value) != 0)
		return fail(h, HOOK_BAD_FIELD, f->name, "finds no memory");
	return HOOK_OK;
}

static enum hook_error take_typed(struct hook *h)
{
	enum hook_error error = HOOK_OK;

	h->metadata = json_object();
	if (!h->metadata)
		return fail(h, HOOK_BAD_JSON, "metadata", "finds no memory");
	for (size_t i = 0; i < FIELDS && error == HOOK_OK; i++)
		if (fields[i].type == h->type)
			error = take_field(h, &fields[i]);
	return error;
}

static enum hook_error take_message(struct hook *h)
{
	bool wrong = false;

	h->text = json_text(h->root, "message", &wrong);
	if (wrong)
		return fail(h, HOOK_BAD_FIELD, "message", "must be a string");
	if (h->text.len == 0)
		return missing(h, "message");
	if (h->text.len > MSG_TEXT_MAX)
		return fail(h, HOOK_BAD_FIELD, "message",
			    "is longer than 4096 bytes");
	return HOOK_OK;
}

static enum hook_error take_common(struct hook *h)
{
	bool wrong = false;

	h->room = json_text(h->root, "roomId", &wrong);
	if (!wrong && h->room.len == 0)
		return missing(h, "roomId");
	if (wrong || !name_is_room(h->room))
		return fail(h, HOOK_BAD_FIELD, "roomId",
			    "must be 1 to 64 letters, digits, dots, _ or -");
	h->sender = json_text(h->root, "sender", &wrong);
	if (wrong || (h->sender.len && !name_is_valid(h->sender)))
		return fail(h, HOOK_BAD_FIELD, "sender",
			    "must be 1 to 32 letters, digits, dots, _ or -");
	if (h->sender.len == 0)
		h->sender = SLICE(HOOK_SENDER);
	h->id = json_text(h->root, "id", &wrong);
	if (wrong || (h->id.len && !mid_is_valid(h->id)))
		return fail(h, HOOK_BAD_FIELD, "id",
			    "must be 16 to 64 of A-Z a-z 0-9 _ -");
	return HOOK_OK;
}

static void start(struct hook *h, enum msg_type type)
{
	memset(h, 0, sizeof(*h));
	h->type = type;
}

enum hook_error hook_parse(struct hook *h, enum msg_type type,
			   struct slice body)
{
	char why[JSON_WHY_MAX];
	enum hook_error error;

	start(h, type);
	h->root = json_read(body, why);
	if (!h->root) {
		snprintf(h->why, sizeof(h->why), "The body is no JSON: %s.",
			 why);
		return HOOK_BAD_JSON;
	}
	error = take_common(h);
	if (error == HOOK_OK)
		error = type == MSG_TEXT ? take_message(h) : take_typed(h);
	return error;
}

enum hook_error hook_typed(struct hook *h, enum msg_type type,
			   const json_t *metadata)
{
	start(h, type);
	h->root = json_incref((json_t *)metadata);
	return take_typed(h);
}

void hook_free(struct hook *h)
{
	json_decref(h->metadata);
	json_decref(h->root);
	h->metadata = h->root = NULL;
}

const char *hook_error_code(enum hook_error error)
{
	switch (error) {
	case HOOK_OK: return "ok";
	case HOOK_BAD_JSON: return "bad_json";
	case HOOK_MISSING_FIELD: return "missing_field";
	case HOOK_BAD_FIELD: return "bad_field";
	}
	return "";
}
