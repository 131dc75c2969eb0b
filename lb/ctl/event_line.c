/* SPDX-License-Identifier: MIT */
#include "ctl/event_line.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/units.h"

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
	char flow[UNITS_TEXT_MAX];
	const double at_s = get_number(event, "t_s");

	/* Of one flow: since it was opened. */
	if (at_s >= 0)
		fprintf(c->out, "+%.3fs", at_s);
	else
		show_time(c, get_text(event, "time"));
	part(c, event, "service", "  ", "");
	part(c, event, "backend", has(event, "service") ? "/" : "  ", "");
	part(c, event, "client", "  ", "");
	if (get_number(event, "flow") > 0)
		fprintf(c->out, "  flow %s",
			get_any(event, "flow", flow, sizeof(flow)));
	part(c, event, "what", "  ", "");
	part(c, event, "why", ": ", "");
	part(c, event, "by", "  (by ", ")");
	fputc('\n', c->out);
}

void event_line_of_one(const struct ctl *c, const json_t *event)
{
	show_time(c, get_text(event, "time"));
	part(c, event, "what", "  ", "");
	part(c, event, "why", ": ", "");
	fputc('\n', c->out);
}
