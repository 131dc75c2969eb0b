/* SPDX-License-Identifier: MIT */
/* See msg.h. */
#include "core/msg.h"
#include "core/digest.h"
#include "core/json.h"
#include "core/mid.h"
#include "core/stamp.h"
#include "core/utf8.h"
#include "core/writer.h"
#include "core/ws.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the fields of a record take besides their values. */
#define RECORD_OVERHEAD 400

/* A form's text, behind room for the header of a frame, before a newline. */
struct msg_form {
	size_t len;    /* of the text alone */
	size_t header; /* bytes of the frame's header, which end at the text */
	char bytes[];  /* WS_HEADER_MAX, the text, "\n" */
};

static const struct {
	const char *name;
	const char *event;
	const char *what; /* how a line client is told of it */
	const char *url;  /* the field that it is shown */
	const char *caption;
} types[MSG_TYPES] = {
	[MSG_TEXT] = {"text", "message", NULL, NULL, NULL},
	[MSG_ACTION] = {"action", "message", NULL, NULL, NULL},
	[MSG_DIRECT] = {"direct", "message", NULL, NULL, NULL},
	[MSG_IMAGE] = {"image", "message:image", "an image", "imageUrl",
		       "caption"},
	[MSG_FILE] = {"file", "message:file", "a file", "fileUrl", "fileName"},
	[MSG_LOCATION] = {"location", "message:location", "a location", NULL,
			  "address"},
	[MSG_AUDIO] = {"audio", "message:audio", "a recording", "audioUrl",
		       NULL},
};

static const char *const vias[] = {
	[MSG_LINE] = "line",
	[MSG_WS] = "ws",
	[MSG_WEBHOOK] = "webhook",
};

const char *msg_type_name(enum msg_type type)
{
	return types[type].name;
}

/* "[NICK] ", "[ME -> NICK] " or, for /me, "[NICK] * ". */
static void put_prefix(struct writer *w, const struct msg_fields *f)
{
	if (f->type == MSG_DIRECT)
		writer_printf(w, "[%.*s -> %.*s] ", SLICE_ARG(f->sender),
			      SLICE_ARG(f->to));
	else
		writer_printf(w, "[%.*s] %s", SLICE_ARG(f->sender),
			      f->type == MSG_ACTION ? "* " : "");
}

/* Clean text on one line of its own, or more, each with the prefix. */
static void put_text(struct writer *w, const struct msg_fields *f,
		     struct slice text)
{
	size_t start = 0;
	unsigned lines = 1;

	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] != '\n')
			continue;
		writer_put(w, text.at + start, i - start);
		start = i + 1;
		if (lines++ < MSG_LINES_MAX) {
			writer_put(w, "\n", 1);
			put_prefix(w, f);
		} else {
			writer_put(w, " ", 1);
		}
	}
	writer_put(w, text.at + start, text.len - start);
}

/* Text of the metadata goes into a line: cleaned, without newlines. */
static void put_meta(struct writer *w, const json_t *metadata, const char *name)
{
	struct slice s = json_text(metadata, name, NULL);
	char *clean = s.len ? malloc(UTF8_CLEAN_MAX(s.len)) : NULL;
	size_t len;

	if (s.len && !clean)
		w->failed = true;
	if (!clean)
		return;
	len = utf8_clean(s, clean);
	for (size_t i = 0; i < len; i++)
		if (clean[i] == '\n')
			clean[i] = ' ';
	writer_put(w, clean, len);
	free(clean);
}

/* "sent an image: URL (caption)" */
static void put_typed(struct writer *w, const struct msg_fields *f)
{
	const char *caption = types[f->type].caption;

	writer_printf(w, "sent %s: ", types[f->type].what);
	if (types[f->type].url)
		put_meta(w, f->metadata, types[f->type].url);
	else
		writer_printf(w, "%.7g, %.7g",
			      json_number_value(
				      json_object_get(f->metadata, "latitude")),
			      json_number_value(json_object_get(f->metadata,
								"longitude")));
	if (caption && json_text(f->metadata, caption, NULL).len) {
		writer_put(w, " (", 2);
		put_meta(w, f->metadata, caption);
		writer_put(w, ")", 1);
	}
}

/* The line as the fields alone give it, without its newline. */
static void put_line(struct writer *w, const struct msg_fields *f,
		     struct slice text)
{
	put_prefix(w, f);
	if (types[f->type].what)
		put_typed(w, f);
	else
		put_text(w, f, text);
}

/* metadata with our "type" in front, as JSON. */
static void put_metadata(struct writer *w, const struct msg_fields *f)
{
	const char *name;
	json_t *value;

	writer_printf(w, "{\"type\":\"%s\"", types[f->type].name);
	/* The macro of jansson wants an object that may be changed. */
	json_object_foreach((json_t *)f->metadata, name, value)
	{
		char *text;

		if (strcmp(name, "type") == 0)
			continue;
		/* 15 digits, or 10.7 would become 10.699999999999999. */
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY |
						 JSON_REAL_PRECISION(15));
		if (!text)
			w->failed = true;
		writer_put(w, ",", 1);
		writer_put_json(w, slice_of(name));
		writer_put(w, ":", 1);
		writer_put_slice(w, slice_of(text));
		free(text);
	}
	writer_put(w, "}", 1);
}

static bool is_too_long(const struct msg_fields *f)
{
	return f->text.len > UTF8_CLEAN_MAX(MSG_TEXT_MAX) ||
	       f->raw.len > MSG_TEXT_MAX || f->mid.len >= MID_STORED_MAX ||
	       f->room.len >= ROOM_MAX_BYTES ||
	       f->sender.len >= NAME_MAX_BYTES || f->to.len >= NAME_MAX_BYTES ||
	       f->instance.len >= INSTANCE_MAX;
}

/* Copies s to *at, which it advances, and makes s the copy. */
static void move_in(struct slice *s, char **at)
{
	if (s->len > 0)
		memcpy(*at, s->at, s->len);
	s->at = *at;
	*at += s->len;
}

/* All in one piece of memory: the struct, then the bytes of its slices. */
static struct msg *assemble(struct msg m)
{
	struct slice *const parts[] = {&m.mid,	&m.room,    &m.sender,
				       &m.to,	&m.text,    &m.instance,
				       &m.line, &m.metadata};
	const size_t count = sizeof(parts) / sizeof(parts[0]);
	size_t bytes = sizeof(m);
	struct msg *made;
	char *at;

	for (size_t i = 0; i < count; i++)
		bytes += parts[i]->len;
	made = malloc(bytes);
	if (!made)
		return NULL;
	at = (char *)(made + 1);
	for (size_t i = 0; i < count; i++)
		move_in(parts[i], &at);
	if (m.raw.at)
		m.raw = (struct slice){m.line.at, m.line.len - 1};
	m.bytes = 2 * bytes + RECORD_OVERHEAD;
	*made = m;
	return made;
}

/*
 * The line that the fields give; or what was said, if that is another. Only
 * then the message keeps .raw.
 */
static void put_whole_line(struct writer *w, const struct msg_fields *f,
			   struct msg *m)
{
	put_line(w, f, m->text);
	if (f->raw.at && slice_equal(f->raw, writer_slice(w)))
		m->raw = (struct slice){NULL, 0};
	if (m->raw.at) {
		w->len = 0;
		writer_put_slice(w, m->raw);
	}
	writer_put(w, "\n", 1);
}

int msg_new(struct msg **out, const struct msg_fields *f)
{
	struct msg m = {.id = f->id,
			.prev = f->prev,
			.mid = f->mid,
			.room = f->room,
			.sender = f->sender,
			.to = f->to,
			.raw = f->raw,
			.instance = f->instance,
			.ts_ms = f->ts_ms,
			.via = f->via,
			.type = f->type,
			.verified = f->verified,
			.refs = 1};
	struct writer line, metadata;
	int error = -ENOMEM;
	char *text;

	*out = NULL;
	if (is_too_long(f))
		return -EMSGSIZE;
	writer_init(&line, MSG_RECORD_MAX);
	writer_init(&metadata, MSG_META_MAX);
	text = malloc(UTF8_CLEAN_MAX(f->text.len) + 1);
	if (text) {
		m.text = (struct slice){text, utf8_clean(f->text, text)};
		put_whole_line(&line, f, &m);
		put_metadata(&metadata, f);
		m.line = writer_slice(&line);
		m.metadata = writer_slice(&metadata);
		if (metadata.failed)
			error = -EMSGSIZE;
		else if (!line.failed)
			*out = assemble(m);
	}
	free(text);
	writer_free(&line);
	writer_free(&metadata);
	return *out ? 0 : error;
}

struct msg *msg_ref(struct msg *m)
{
	__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
	return m;
}

void msg_unref(struct msg *m)
{
	if (!m || __atomic_fetch_sub(&m->refs, 1, __ATOMIC_ACQ_REL) > 1)
		return;
	free(m->record);
	free(m->json);
	free(m);
}

size_t msg_bytes(const struct msg *m)
{
	return m->bytes;
}

struct slice msg_line(const struct msg *m)
{
	return m->line;
}

static void put_field(struct writer *w, const char *name, struct slice s)
{
	writer_printf(w, ",\"%s\":", name);
	writer_put_json(w, s);
}

static void put_id(struct writer *w, const char *name, struct msgid id)
{
	char text[MSGID_TEXT_MAX];

	if (msgid_is_none(id))
		return;
	msgid_format(id, text);
	put_field(w, name, slice_of(text));
}

/* The object but for its last brace. */
static void put_json(struct writer *w, const struct msg *m)
{
	writer_printf(w, "{\"t\":\"message\",\"event\":\"%s\"",
		      types[m->type].event);
	put_id(w, "id", m->id);
	if (m->prev.epoch != m->id.epoch)
		put_id(w, "prev", m->prev);
	put_field(w, "mid", m->mid);
	put_field(w, "room", m->room);
	put_field(w, "roomId", m->room);
	put_field(w, "sender", m->sender);
	if (m->to.len)
		put_field(w, "to", m->to);
	put_field(w, "text", m->text);
	writer_printf(w, ",\"ts\":%" PRId64 ",\"timestamp\":", m->ts_ms);
	writer_put(w, "\"", 1);
	stamp_put(w, m->ts_ms);
	writer_put(w, "\"", 1);
	put_field(w, "instance", m->instance);
	writer_printf(w, ",\"via\":\"%s\",\"verified\":%s,\"metadata\":",
		      vias[m->via], m->verified ? "true" : "false");
	writer_put_slice(w, m->metadata);
}

/* "raw" is base64: the bytes need not be UTF-8. */
static void put_raw(struct writer *w, struct slice raw)
{
	char *text = malloc(BASE64_LEN(raw.len) + 1);

	if (!text) {
		w->failed = true;
		return;
	}
	base64_encode(raw.at, raw.len, text);
	put_field(w, "raw", slice_of(text));
	free(text);
}

static struct msg_form *make_form(const struct msg *m, bool with_raw)
{
	struct msg_form *form = NULL;
	struct writer w;

	writer_init(&w, MSG_RECORD_MAX);
	put_json(&w, m);
	if (with_raw)
		put_raw(&w, m->raw);
	writer_put(&w, "}", 1);
	if (!w.failed)
		form = malloc(sizeof(*form) + WS_HEADER_MAX + w.len + 1);
	if (form) {
		uint8_t header[WS_HEADER_MAX];

		form->len = w.len;
		form->header = ws_header(header, WS_OP_TEXT, w.len);
		memcpy(form->bytes + WS_HEADER_MAX - form->header, header,
		       form->header);
		memcpy(form->bytes + WS_HEADER_MAX, w.bytes, w.len);
		form->bytes[WS_HEADER_MAX + w.len] = '\n';
	}
	writer_free(&w);
	return form;
}

/* Threads may make the same form at once: the first one to finish wins. */
static const struct msg_form *get_form(const struct msg *m,
				       struct msg_form **place, bool with_raw)
{
	struct msg_form *form = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	struct msg_form *none = NULL;

	if (form)
		return form;
	form = make_form(m, with_raw);
	if (!form ||
	    __atomic_compare_exchange_n(place, &none, form, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return form;
	free(form);
	return none; /* the other thread's */
}

struct slice msg_record(struct msg *m)
{
	const struct msg_form *form;

	if (!m->raw.at)
		return msg_json(m);
	form = get_form(m, &m->record, true);
	return form ? (struct slice){form->bytes + WS_HEADER_MAX, form->len}
		    : (struct slice){NULL, 0};
}

/* The part of the form for clients that is before the text and behind it. */
static struct slice part_of_json(struct msg *m, bool header, size_t behind)
{
	const struct msg_form *form = get_form(m, &m->json, false);
	size_t before = form && header ? form->header : 0;

	if (!form)
		return (struct slice){NULL, 0};
	return (struct slice){form->bytes + WS_HEADER_MAX - before,
			      before + form->len + behind};
}

struct slice msg_json(struct msg *m)
{
	return part_of_json(m, false, 0);
}

struct slice msg_json_line(struct msg *m)
{
	return part_of_json(m, false, 1);
}

struct slice msg_frame(struct msg *m)
{
	return part_of_json(m, true, 0);
}

/* Reading a record. */

static bool lacks(char why[MSG_WHY_MAX], const char *field)
{
	snprintf(why, MSG_WHY_MAX, "the record has no usable \"%s\"", field);
	return false;
}

/* A string that must be there, of any length. */
static bool read_text(const json_t *root, const char *name, struct slice *out,
		      char why[MSG_WHY_MAX])
{
	*out = json_text(root, name, NULL);
	return out->at || lacks(why, name);
}

static bool read_type(struct msg_fields *f, char why[MSG_WHY_MAX])
{
	struct slice name = json_text(f->metadata, "type", NULL);

	for (f->type = 0; f->type < MSG_TYPES; f->type++)
		if (slice_equal(name, slice_of(types[f->type].name)))
			return true;
	return lacks(why, "metadata");
}

static bool read_via(const json_t *root, struct msg_fields *f,
		     char why[MSG_WHY_MAX])
{
	struct slice name = json_text(root, "via", NULL);

	for (f->via = MSG_LINE; f->via <= MSG_WEBHOOK; f->via++)
		if (slice_equal(name, slice_of(vias[f->via])))
			return true;
	return lacks(why, "via");
}

/* raw: room for MSG_TEXT_MAX bytes and what padding adds. */
static bool read_raw(const json_t *root, struct msg_fields *f, char *raw,
		     char why[MSG_WHY_MAX])
{
	struct slice text = json_text(root, "raw", NULL);

	if (!text.at)
		return true;
	if (text.len > BASE64_LEN(MSG_TEXT_MAX) ||
	    !base64_decode(text, raw, &f->raw.len))
		return lacks(why, "raw");
	f->raw.at = raw;
	return true;
}

/* One that the log did not tell. */
static bool read_id(const json_t *root, const char *name, struct msgid *id,
		    char why[MSG_WHY_MAX])
{
	struct slice text = json_text(root, name, NULL);

	if (!msgid_is_none(*id) || !text.at)
		return true;
	return msgid_parse(text, id) || lacks(why, name);
}

static bool read_fields(const json_t *root, struct msg_fields *f, char *raw,
			char why[MSG_WHY_MAX])
{
	const json_t *ts = json_object_get(root, "ts");

	f->to = json_text(root, "to", NULL);
	f->metadata = json_object_get(root, "metadata");
	f->verified = json_is_true(json_object_get(root, "verified"));
	f->ts_ms = json_integer_value(ts);
	return read_text(root, "mid", &f->mid, why) &&
	       read_text(root, "room", &f->room, why) &&
	       read_text(root, "sender", &f->sender, why) &&
	       read_text(root, "text", &f->text, why) &&
	       read_text(root, "instance", &f->instance, why) &&
	       ((json_is_integer(ts) && f->ts_ms >= 0) || lacks(why, "ts")) &&
	       read_id(root, "id", &f->id, why) &&
	       read_id(root, "prev", &f->prev, why) && read_via(root, f, why) &&
	       read_type(f, why) && read_raw(root, f, raw, why);
}

int msg_parse(struct msg **out, struct slice record, struct msgid id,
	      struct msgid prev, char why[MSG_WHY_MAX])
{
	char raw[BASE64_LEN(MSG_TEXT_MAX)];
	struct msg_fields f = {.id = id, .prev = prev};
	json_t *root = json_read(record, why);
	int error = -EINVAL;

	*out = NULL;
	if (root && read_fields(root, &f, raw, why)) {
		error = msg_new(out, &f);
		if (error == -EMSGSIZE) {
			snprintf(why, MSG_WHY_MAX, "the record is too long");
			error = -EINVAL;
		}
	}
	json_decref(root);
	return error;
}
