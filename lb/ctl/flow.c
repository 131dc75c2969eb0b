/* SPDX-License-Identifier: MIT */
/*
 * flow.c - one connection: who, how much, what happened; or its end
 */
#include <string.h>

#include "ctl/ask.h"
#include "ctl/event_line.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/table.h"
#include "ctl/units.h"

static void pair(struct ctl *c, const char *label, const char *from,
		 const char *to)
{
	fprintf(c->out, "  %-10s", label);
	show_text(c, from);
	fputs(" -> ", c->out);
	show_text(c, to);
}

static void head(struct ctl *c, const json_t *f)
{
	char id[UNITS_TEXT_MAX], age[UNITS_TEXT_MAX], idle[UNITS_TEXT_MAX];

	fprintf(c->out, "flow %s  ", get_any(f, "id", id, sizeof(id)));
	show_text(c, get_text(f, "service"));
	fputs("  ", c->out);
	show_text(c, get_text(f, "state"));
	fprintf(c->out, "  age %s  idle %s\n",
		units_age(get_number(f, "age_s"), age),
		units_age(get_number(f, "idle_s"), idle));
	pair(c, "client", get_text(f, "client"), get_text(f, "vip"));
	fputc('\n', c->out);
	pair(c, "backend", get_text(f, "nat"), get_text(f, "backend"));
	fputs(" (", c->out);
	show_text(c, get_text(f, "backend_id"));
	fputs(")\n", c->out);
}

static void side(struct table *t, const char *name, const json_t *f,
		 const char *key)
{
	const json_t *s = get_value(f, key);
	char text[UNITS_TEXT_MAX];

	table_cell(t, "%s", name);
	table_cell(t, "%s", get_any(s, "packets", text, sizeof(text)));
	table_cell(t, "%s", get_any(s, "bytes", text, sizeof(text)));
	table_cell(t, "%s", get_any(s, "retransmits", text, sizeof(text)));
}

static void figures(struct ctl *c, const json_t *f)
{
	static const struct column columns[] = {
		{"", .right = false},
		{"PACKETS", .right = true},
		{"BYTES", .right = true},
		{"RETRANSMITS", .right = true},
	};
	struct table *t = table_new(columns, 4, 2, c->width, c->utf8);
	char shake[UNITS_TEXT_MAX], first[UNITS_TEXT_MAX];

	if (!t)
		return;
	side(t, "to backend", f, "c2s");
	side(t, "to client", f, "s2c");
	table_flush(t, c->out);
	table_free(t);
	fprintf(c->out, "  handshake %s, first byte %s",
		units_ms(get_number(f, "handshake_ms"), shake),
		units_ms(get_number(f, "first_byte_ms"), first));
	if (get_number(f, "tries") > 1)
		fprintf(c->out, ", %.0f backends tried",
			get_number(f, "tries"));
	if (get_value(f, "end")) {
		fputs(", ended: ", c->out);
		show_text(c, get_text(f, "end"));
	}
	fputc('\n', c->out);
}

static int show(struct ctl *c, const struct url *u, struct err *err)
{
	const json_t *event;
	json_t *f;
	size_t i;
	int ret = ask(c, "GET", u, NULL, &f, err);

	if (!f)
		return ret;
	head(c, f);
	figures(c, f);
	json_array_foreach(get_value(f, "events"), i, event)
	{
		fputs("  ", c->out);
		event_line(c, event);
	}
	json_decref(f);
	return ret;
}

int flow_run(struct ctl *c, struct err *err)
{
	json_t *answer;
	struct url u;
	int ret;

	if (c->n_words == 2 && strcmp(c->words[1], "kill") != 0)
		return err_set(err, CTL_USAGE,
			       "\"%s\": expected kill, or nothing",
			       c->words[1]);
	url_start(&u, "/lb/flows");
	url_part(&u, c->words[0]);
	if (c->n_words == 1)
		return show(c, &u, err);
	ret = ask(c, "DELETE", &u, NULL, &answer, err);
	if (answer)
		fprintf(c->out, "flow %s is reset\n", c->words[0]);
	json_decref(answer);
	return ret;
}
