/* SPDX-License-Identifier: MIT */
/*
 * flows.c - connections, some of them or as many as there are
 *
 * With --all they come one by one and are shown in pages, so a million of them
 * needs no more memory than a few hundred.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/table.h"
#include "ctl/units.h"

#define PAGE_ROWS 200

/* Digits or an id, in front of many commas: as the API gives them. */
static const struct column columns[] = {
	{"FLOW", .right = true},
	{"CLIENT", .right = false},
	{"NAT", .right = true},
	{"BACKEND", .shrink_to = 8},
	{"STATE", .right = false},
	{"AGE", .right = true},
	{"IDLE", .right = true, .drop = 1},
	{"SENT", .right = true, .drop = 2},
	{"GOT", .right = true, .drop = 3},
};

#define COLUMNS ((unsigned)(sizeof(columns) / sizeof(*columns)))

/* "10245" of "198.18.0.1:10245" */
static const char *port_of(const char *endpoint)
{
	const char *colon = strrchr(endpoint, ':');

	return colon ? colon + 1 : endpoint;
}

static void add_row(struct table *t, const json_t *flow)
{
	char text[UNITS_TEXT_MAX];

	table_cell(t, "%s", get_any(flow, "id", text, sizeof(text)));
	table_cell(t, "%s", get_text(flow, "client"));
	table_cell(t, "%s", port_of(get_text(flow, "nat")));
	table_cell(t, "%s", get_text(flow, "backend_id"));
	table_cell(t, "%s", get_text(flow, "state"));
	table_cell(t, "%s", units_age(get_number(flow, "age_s"), text));
	table_cell(t, "%s", units_age(get_number(flow, "idle_s"), text));
	table_cell(t, "%s", units_bytes(get_number(flow, "c2s.bytes"), text));
	table_cell(t, "%s", units_bytes(get_number(flow, "s2c.bytes"), text));
}

struct stream {
	struct ctl *c;
	struct table *table;
	int ret;
	struct err *err;
};

static void print_json_line(struct ctl *c, const char *line, size_t len)
{
	fwrite(line, 1, len, c->out);
	fputc('\n', c->out);
}

static bool on_line(void *arg, const char *line, size_t len)
{
	struct stream *s = arg;
	json_t *flow = json_loadb(line, len, 0, NULL);
	const char *wrong = json_string_value(get_value(flow, "error.message"));
	bool more = true;

	if (!flow || wrong) {
		s->ret = err_set(s->err, CTL_REFUSED, "%s",
				 wrong ? wrong : "a line is not JSON");
		more = false;
	} else if (s->c->json) {
		print_json_line(s->c, line, len);
	} else {
		add_row(s->table, flow);
		if (table_rows(s->table) == PAGE_ROWS)
			more = table_flush(s->table, s->c->out);
	}
	json_decref(flow);
	return more && !ferror(s->c->out);
}

static int show_all(struct ctl *c, struct url *u, struct table *t,
		    struct err *err)
{
	struct stream s = {.c = c, .table = t, .err = err};
	int ret;

	url_query(u, "stream", "1");
	ret = ask_for_lines(c, u, on_line, &s, err);
	if (!ret && !c->json)
		table_flush(t, c->out);
	return ret ? ret : s.ret;
}

static int show_some(struct ctl *c, struct url *u, struct table *t,
		     struct err *err)
{
	json_t *answer;
	const json_t *flow;
	size_t i;
	int ret;

	url_query(u, "limit", c->limit ? c->limit : "100");
	ret = ask(c, "GET", u, NULL, &answer, err);
	if (!answer)
		return ret;
	json_array_foreach(get_value(answer, "flows"), i, flow)
		add_row(t, flow);
	table_flush(t, c->out);
	if (json_is_number(get_value(answer, "next")))
		fprintf(c->out, "there are more: --limit N or --all\n");
	json_decref(answer);
	return ret;
}

int flows_run(struct ctl *c, struct err *err)
{
	struct table *t = table_new(columns, COLUMNS, 0, c->width, c->utf8);
	struct url u;
	int ret;

	if (!t)
		return err_set(err, CTL_REFUSED, "no memory");
	url_start(&u, "/lb/flows");
	for (unsigned i = 0; i < c->n_words; i++)
		url_term(&u, c->words[i]);
	ret = ctl_has(c, OPTION_ALL) ? show_all(c, &u, t, err)
				     : show_some(c, &u, t, err);
	table_free(t);
	return ret;
}
