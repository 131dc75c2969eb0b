/* SPDX-License-Identifier: MIT */
/* See logline.h. */
#include "core/logline.h"
#include "core/stamp.h"
#include "core/utf8.h"

#include <inttypes.h>

/* Bytes that are written. */
#define TEXT_MAX   512
#define METHOD_MAX 32

const char *log_level_name(enum log_level level)
{
	static const char *const names[LEVELS] = {
		[LEVEL_NOTICE] = "notice",
		[LEVEL_INFO] = "info",
		[LEVEL_REQUEST] = "request",
		[LEVEL_DEBUG] = "debug",
	};

	return names[level];
}

/* What a line begins with; JSON is left open. */
static void put_head(struct writer *w, const struct logline *l)
{
	if (l->format == LOG_TEXT) {
		stamp_put(w, l->time_ms);
		writer_printf(w, " %.*s ", SLICE_ARG(l->instance));
		return;
	}
	writer_put_slice(w, SLICE("{\"time\":\""));
	stamp_put(w, l->time_ms);
	writer_put_slice(w, SLICE("\",\"instance\":"));
	writer_put_json(w, l->instance);
	writer_printf(w, ",\"level\":\"%s\"", log_level_name(l->level));
}

/* Cut and cleaned; an empty one as "-" in text. */
static void put_value(struct writer *w, const struct logline *l,
		      const char *name, struct slice s, size_t max)
{
	char clean[UTF8_CLEAN_MAX(TEXT_MAX)];
	struct slice value = {clean, 0};

	if (s.len > max)
		s.len = max;
	if (s.len > 0)
		value.len = utf8_clean(s, clean);
	if (l->format == LOG_JSON) {
		writer_printf(w, ",\"%s\":", name);
		writer_put_json(w, value);
		return;
	}
	for (size_t i = 0; i < value.len; i++)
		if (clean[i] == '\n')
			clean[i] = ' ';
	writer_put_slice(w, value.len > 0 ? value : SLICE("-"));
}

static void put_end(struct writer *w, const struct logline *l)
{
	writer_put_slice(w, l->format == LOG_JSON ? SLICE("}\n") : SLICE("\n"));
}

void logline_put(struct writer *w, const struct logline *l, struct slice text)
{
	put_head(w, l);
	put_value(w, l, "message", text, TEXT_MAX);
	put_end(w, l);
}

void logline_put_request(struct writer *w, const struct logline *l,
			 const struct logline_request *r)
{
	const bool is_text = l->format == LOG_TEXT;

	put_head(w, l);
	if (is_text)
		writer_put_slice(w, SLICE("request "));
	put_value(w, l, "method", r->method, METHOD_MAX);
	if (is_text)
		writer_put_slice(w, SLICE(" "));
	put_value(w, l, "path", r->path, LOGLINE_PATH_MAX);
	if (is_text)
		writer_printf(w, " status=%u ms=%" PRId64 " bytes=%zu id=",
			      r->status, r->ms, r->bytes);
	else
		writer_printf(w,
			      ",\"status\":%u,\"ms\":%" PRId64 ",\"bytes\":%zu",
			      r->status, r->ms, r->bytes);
	put_value(w, l, "request_id", r->id, LOGLINE_ID_MAX);
	put_end(w, l);
}

bool logline_id_is_valid(struct slice id)
{
	for (size_t i = 0; i < id.len; i++) {
		const char c = id.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_' || c == '.' ||
		      c == '-'))
			return false;
	}
	return id.len > 0 && id.len <= LOGLINE_ID_MAX;
}
