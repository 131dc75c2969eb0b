/* SPDX-License-Identifier: MIT */
/* See wsjson.h: what clients say. */
#include "core/wsjson.h"
#include "core/hook.h"
#include "core/json.h"
#include "core/mid.h"
#include "core/name.h"

#include <stdio.h>

static bool fail(struct wsjson *j, const char *code, const char *message)
{
	j->code = code;
	snprintf(j->message, sizeof(j->message), "%s", message);
	return false;
}

static bool fail_field(struct wsjson *j, const char *code, const char *field,
		       const char *why)
{
	j->code = code;
	snprintf(j->message, sizeof(j->message), "\"%s\" %s.", field, why);
	return false;
}

/*
 * A string member. Missing is no error here; the checks below tell. Returns
 * false if it is there and no string.
 */
static bool get(struct wsjson *j, const json_t *from, const char *name,
		struct slice *out)
{
	bool wrong = false;

	*out = json_text(from, name, &wrong);
	return !wrong || fail_field(j, "bad_field", name, "must be a string");
}

static bool need(struct wsjson *j, const char *name, struct slice *out)
{
	if (!get(j, j->root, name, out))
		return false;
	return out->len > 0 ||
	       fail_field(j, "missing_field", name, "is missing");
}

static bool judge_nick(struct wsjson *j, const char *name, struct slice nick)
{
	return name_is_valid(nick) ||
	       fail_field(j, "bad_field", name,
			  "must be 1 to 32 letters, digits, dots, _ or -");
}

static bool judge_room(struct wsjson *j, const char *name, struct slice room)
{
	return name_is_room(room) ||
	       fail_field(j, "bad_field", name,
			  "must be 1 to 64 letters, digits, dots, _ or -");
}

static bool take_room(struct wsjson *j)
{
	return need(j, "room", &j->room) && judge_room(j, "room", j->room);
}

/* An id that may be missing. */
static bool take_id(struct wsjson *j, const json_t *from, const char *name,
		    struct msgid *out, bool *has)
{
	struct slice text;

	if (!get(j, from, name, &text))
		return false;
	*has = text.at != NULL;
	return !*has || msgid_parse(text, out) ||
	       fail_field(j, "bad_field", name, "must be an id: EPOCH-SEQ");
}

/* Truly missing, or null: false. */
static bool take_flag(struct wsjson *j, const char *name, bool *out)
{
	const json_t *value = json_object_get(j->root, name);

	*out = json_is_true(value);
	return !value || json_is_null(value) || json_is_boolean(value) ||
	       fail_field(j, "bad_field", name, "must be true or false");
}

static bool take_text(struct wsjson *j)
{
	if (!need(j, "text", &j->text))
		return false;
	return j->text.len <= MSG_TEXT_MAX ||
	       fail(j, "too_long", "A text has at most 4096 bytes.");
}

static bool take_mid(struct wsjson *j)
{
	return need(j, "mid", &j->mid) &&
	       (mid_is_valid(j->mid) ||
		fail_field(j, "bad_field", "mid",
			   "must be 16 to 64 of A-Z a-z 0-9 _ -"));
}

/* Text and actions need a text; for the typed ones it comes of their fields. */
static bool take_metadata(struct wsjson *j)
{
	const json_t *metadata = json_object_get(j->root, "metadata");
	struct slice type;
	struct hook h;
	enum hook_error error;

	j->msg_type = MSG_TEXT;
	if (!metadata || json_is_null(metadata))
		return take_text(j);
	if (!json_is_object(metadata))
		return fail_field(j, "bad_field", "metadata",
				  "must be an object");
	if (!get(j, metadata, "type", &type))
		return false;
	if (slice_equal(type, slice_of(msg_type_name(MSG_ACTION))))
		j->msg_type = MSG_ACTION;
	if (type.len == 0 || slice_equal(type, SLICE("text")) ||
	    j->msg_type == MSG_ACTION)
		return take_text(j);
	j->msg_type = MSG_IMAGE;
	while (j->msg_type < MSG_TYPES &&
	       !slice_equal(type, slice_of(msg_type_name(j->msg_type))))
		j->msg_type++;
	if (j->msg_type == MSG_TYPES)
		return fail_field(j, "bad_field", "metadata",
				  "has an unknown type");
	error = hook_typed(&h, j->msg_type, metadata);
	if (error == HOOK_OK) {
		j->metadata = json_incref(h.metadata);
		j->text = h.text; /* points into .root */
	} else {
		fail(j, hook_error_code(error), h.why);
	}
	hook_free(&h);
	return error == HOOK_OK;
}

static bool take_hello_room(struct wsjson *j, const json_t *item)
{
	struct wsjson_room *room = &j->rooms[j->room_count];

	if (!json_is_object(item))
		return fail_field(j, "bad_field", "rooms",
				  "must be a list of {id, after}");
	if (!get(j, item, "id", &room->name) ||
	    !judge_room(j, "id", room->name) ||
	    !take_id(j, item, "after", &room->after, &room->has_after))
		return false;
	j->room_count++;
	return true;
}

static bool take_hello(struct wsjson *j)
{
	const json_t *rooms = json_object_get(j->root, "rooms");
	const json_t *item;
	size_t i;

	if (!get(j, j->root, "nick", &j->nick) ||
	    (j->nick.len && !judge_nick(j, "nick", j->nick)) ||
	    !get(j, j->root, "token", &j->token) ||
	    !get(j, j->root, "client", &j->client))
		return false;
	if (j->token.len && !token_is_valid(j->token))
		return fail_field(j, "bad_field", "token",
				  "must be 32 hex digits");
	if (j->client.len > WSJSON_CLIENT_MAX)
		j->client = (struct slice){NULL, 0};
	if (!rooms || json_is_null(rooms))
		return true;
	if (!json_is_array(rooms))
		return fail_field(j, "bad_field", "rooms", "must be a list");
	if (json_array_size(rooms) > WSJSON_ROOMS_MAX)
		return fail(j, "too_many_rooms",
			    "A connection is in at most 32 rooms.");
	json_array_foreach(rooms, i,
			   item) if (!take_hello_room(j, item)) return false;
	return true;
}

static bool take_join(struct wsjson *j)
{
	return take_room(j) &&
	       take_id(j, j->root, "after", &j->after, &j->has_after);
}

static bool take_msg(struct wsjson *j)
{
	return take_mid(j) && take_room(j) && take_metadata(j) &&
	       take_flag(j, "retry", &j->retry);
}

static bool take_dm(struct wsjson *j)
{
	j->msg_type = MSG_DIRECT;
	return take_mid(j) && need(j, "to", &j->to) &&
	       judge_nick(j, "to", j->to) && take_text(j) &&
	       take_flag(j, "retry", &j->retry);
}

static bool take_nick(struct wsjson *j)
{
	return need(j, "nick", &j->nick) && judge_nick(j, "nick", j->nick);
}

/* An empty topic takes the topic away. */
static bool take_topic(struct wsjson *j)
{
	if (!take_room(j) || !get(j, j->root, "text", &j->text))
		return false;
	if (!j->text.at)
		return fail_field(j, "missing_field", "text", "is missing");
	if (j->text.len > TOPIC_MAX)
		return fail(j, "too_long", "A topic has at most 200 bytes.");
	return name_is_topic(j->text) ||
	       fail_field(j, "bad_field", "text",
			  "must be one line without control characters");
}

static bool take_history(struct wsjson *j)
{
	const json_t *limit = json_object_get(j->root, "limit");
	json_int_t number = WSJSON_HISTORY;
	bool has;

	if (!take_room(j) || !take_id(j, j->root, "before", &j->before, &has))
		return false;
	if (limit && !json_is_null(limit))
		number = json_integer_value(limit); /* 0 if it is none */
	if (number < 1 || number > WSJSON_HISTORY_MAX)
		return fail_field(j, "bad_field", "limit",
				  "must be a number from 1 to 200");
	j->limit = (unsigned)number;
	return true;
}

static bool take_nothing(struct wsjson *j)
{
	(void)j;
	return true;
}

static bool take_ping(struct wsjson *j)
{
	j->n = json_integer_value(json_object_get(j->root, "n"));
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct wsjson *j);
} types[WSJSON_TYPES] = {
	[WSJSON_HELLO] = {"hello", take_hello},
	[WSJSON_JOIN] = {"join", take_join},
	[WSJSON_LEAVE] = {"leave", take_room},
	[WSJSON_MSG] = {"msg", take_msg},
	[WSJSON_DM] = {"dm", take_dm},
	[WSJSON_NICK] = {"nick", take_nick},
	[WSJSON_TOPIC] = {"topic", take_topic},
	[WSJSON_WHO] = {"who", take_room},
	[WSJSON_ROOMS] = {"rooms", take_nothing},
	[WSJSON_HISTORY_ASK] = {"history", take_history},
	[WSJSON_TYPING] = {"typing", take_room},
	[WSJSON_PING] = {"ping", take_ping},
};

bool wsjson_parse(struct wsjson *j, struct slice text)
{
	char why[JSON_WHY_MAX];
	struct slice type;

	memset(j, 0, sizeof(*j));
	j->root = json_read(text, why);
	if (!j->root) {
		fail(j, "bad_json", why);
		return false;
	}
	if (!need(j, "t", &type))
		return false;
	/* What an error refers to. */
	j->ref = json_text(j->root, "mid", NULL);
	if (!mid_is_valid(j->ref))
		j->ref = type;
	for (j->type = 0; j->type < WSJSON_TYPES; j->type++)
		if (slice_equal(type, slice_of(types[j->type].name)))
			return types[j->type].take(j);
	return fail(j, "unknown_type", "That \"t\" is not known.");
}

void wsjson_free(struct wsjson *j)
{
	json_decref(j->metadata);
	json_decref(j->root);
	j->metadata = j->root = NULL;
}
