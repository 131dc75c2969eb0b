/* SPDX-License-Identifier: MIT */
/* See wsjson.h: what the server says. */
#include "core/name.h"
#include "core/wsjson.h"

#include <inttypes.h>

static void put_text(struct writer *w, const char *name, struct slice s)
{
	writer_printf(w, ",\"%s\":", name);
	writer_put_json(w, s);
}

static void put_id(struct writer *w, const char *name, struct msgid id)
{
	char text[MSGID_TEXT_MAX];

	msgid_format(id, text);
	writer_printf(w, ",\"%s\":\"%s\"", name, text);
}

static const char *truth(bool value)
{
	return value ? "true" : "false";
}

static void put_end(struct writer *w)
{
	writer_put(w, "}", 1);
}

void wsjson_put_welcome(struct writer *w, const struct wsjson_welcome *welcome)
{
	writer_printf(w, "{\"t\":\"welcome\"");
	put_text(w, "instance", welcome->instance);
	put_text(w, "nick", welcome->nick);
	put_text(w, "token", welcome->token);
	put_text(w, "version", welcome->version);
	writer_printf(w,
		      ",\"spread_ms\":%u,\"ping_s\":%u,\"redis\":\"%s\","
		      "\"limits\":{\"text\":%d,\"rooms\":%d,\"history\":%d,"
		      "\"nick\":%d,\"room\":%d,\"topic\":%d}}",
		      welcome->spread_ms, welcome->ping_s, welcome->redis,
		      MSG_TEXT_MAX, WSJSON_ROOMS_MAX, WSJSON_HISTORY_MAX,
		      NAME_CHARS_MAX, ROOM_CHARS_MAX, TOPIC_MAX);
}

void wsjson_put_joined(struct writer *w, struct slice room, struct slice topic,
		       bool e2ee, struct msgid head, unsigned members)
{
	writer_printf(w, "{\"t\":\"joined\"");
	put_text(w, "room", room);
	put_text(w, "topic", topic);
	writer_printf(w, ",\"e2ee\":%s", truth(e2ee));
	put_id(w, "head", head);
	writer_printf(w, ",\"members_n\":%u}", members);
}

void wsjson_put_left(struct writer *w, struct slice room)
{
	writer_printf(w, "{\"t\":\"left\"");
	put_text(w, "room", room);
	put_end(w);
}

void wsjson_put_ack(struct writer *w, struct slice mid, struct msgid id)
{
	writer_printf(w, "{\"t\":\"ack\"");
	put_text(w, "mid", mid);
	put_id(w, "id", id);
	put_end(w);
}

void wsjson_put_error(struct writer *w, const char *code, struct slice message,
		      struct slice ref)
{
	writer_printf(w, "{\"t\":\"error\",\"code\":\"%s\"", code);
	put_text(w, "message", message);
	if (ref.len)
		put_text(w, "ref", ref);
	put_end(w);
}

void wsjson_put_gap(struct writer *w, struct slice room, struct msgid from,
		    struct msgid to)
{
	writer_printf(w, "{\"t\":\"gap\"");
	put_text(w, "room", room);
	put_id(w, "from", from);
	put_id(w, "to", to);
	put_end(w);
}

void wsjson_put_state(struct writer *w, const char *redis)
{
	writer_printf(w, "{\"t\":\"state\",\"redis\":\"%s\"}", redis);
}

void wsjson_put_reconnect(struct writer *w, unsigned in_ms)
{
	writer_printf(w, "{\"t\":\"reconnect\",\"in_ms\":%u}", in_ms);
}

void wsjson_put_pong(struct writer *w, int64_t n)
{
	writer_printf(w, "{\"t\":\"pong\",\"n\":%" PRId64 "}", n);
}

void wsjson_put_nick(struct writer *w, struct slice nick)
{
	writer_printf(w, "{\"t\":\"nick\"");
	put_text(w, "nick", nick);
	put_end(w);
}

void wsjson_put_topic(struct writer *w, struct slice room, struct slice topic,
		      struct slice nick)
{
	writer_printf(w, "{\"t\":\"topic\"");
	put_text(w, "room", room);
	put_text(w, "text", topic);
	put_text(w, "nick", nick);
	put_end(w);
}

void wsjson_put_typing(struct writer *w, struct slice room, struct slice nick)
{
	writer_printf(w, "{\"t\":\"typing\"");
	put_text(w, "room", room);
	put_text(w, "nick", nick);
	put_end(w);
}

void wsjson_put_members(struct writer *w, struct slice room,
			const struct wsjson_person *people, size_t count,
			unsigned unnamed)
{
	writer_printf(w, "{\"t\":\"members\"");
	put_text(w, "room", room);
	writer_printf(w, ",\"unnamed\":%u,\"members\":[", unnamed);
	for (size_t i = 0; i < count; i++) {
		writer_printf(w, "%s{\"nick\":", i ? "," : "");
		writer_put_json(w, people[i].nick);
		put_text(w, "instance", people[i].instance);
		put_end(w);
	}
	writer_put_slice(w, SLICE("]}"));
}

void wsjson_put_rooms(struct writer *w, const struct wsjson_room_line *rooms,
		      size_t count)
{
	writer_printf(w, "{\"t\":\"rooms\",\"rooms\":[");
	for (size_t i = 0; i < count; i++) {
		writer_printf(w, "%s{\"id\":", i ? "," : "");
		writer_put_json(w, rooms[i].name);
		put_text(w, "topic", rooms[i].topic);
		writer_printf(w, ",\"here\":%u,\"e2ee\":%s}", rooms[i].here,
			      truth(rooms[i].e2ee));
	}
	writer_put_slice(w, SLICE("]}"));
}

void wsjson_put_history(struct writer *w, struct slice room,
			struct msg *const *items, size_t count, bool more,
			bool complete)
{
	writer_printf(w, "{\"t\":\"history\"");
	put_text(w, "room", room);
	writer_printf(w, ",\"more\":%s,\"complete\":%s,\"items\":[",
		      truth(more), truth(complete));
	for (size_t i = 0; i < count; i++) {
		struct slice item = msg_json(items[i]);

		if (i)
			writer_put(w, ",", 1);
		writer_put_slice(w, item);
		w->failed |= item.len == 0;
	}
	writer_put_slice(w, SLICE("]}"));
}
