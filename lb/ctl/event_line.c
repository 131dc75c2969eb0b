/* SPDX-License-Identifier: MIT */
#include "ctl/event_line.h"
#include "ctl/json_get.h"
#include "ctl/show.h"

static bool has(const json_t *event, const char *key)
{
	return json_string_length(get_value(event, key)) > 0;
}

static void part(const struct ctl *c, const json_t *event, const char *key,
		 const char *before, const char *after)
{
	if (!has(event, key))
		return;
	fputs(before, c->out);
	show_text(c, get_text(event, key));
	fputs(after, c->out);
}

void event_line(const struct ctl *c, const json_t *event)
{
	show_time(c, get_text(event, "time"));
	part(c, event, "service", "  ", "");
	part(c, event, "backend", has(event, "service") ? "/" : "  ", "");
	part(c, event, "client", "  ", "");
	part(c, event, "what", "  ", "");
	part(c, event, "reason", " ", "");
	part(c, event, "why", ": ", "");
	part(c, event, "text", ": ", "");
	part(c, event, "by", "  (by ", ")");
	fputc('\n', c->out);
}
