/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ctl/ask.h"
#include "ctl/json_get.h"
#include "ctl/subcommand.h"
#include "ctl/table.h"
#include "ctl/units.h"

static const struct column columns[] = {
	{"SERVICE", .shrink_to = 8},   {"LISTEN", .right = false},
	{"SCHEDULER", .right = false}, {"CHECK", .shrink_to = 10},
	{"UP", .right = true},	       {"FLOWS", .right = true},
	{"TOTAL", .right = true},      {"FAIL", .right = true},
};

#define COLUMNS ((unsigned)(sizeof(columns) / sizeof(*columns)))

static void add_row(struct table *t, const json_t *s)
{
	char text[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX];

	table_cell(t, "%s%s", get_text(s, "name"),
		   strcmp(get_text(s, "state"), "leaving") == 0 ? " (leaving)"
		   : get_bool(s, "away")			? " (away)"
								: "");
	table_cell(t, "%s", get_text(s, "listen"));
	table_cell(t, "%s", get_text(s, "scheduler"));
	table_cell(t, "%s", get_text(s, "check"));
	table_cell(t, "%s/%s", get_any(s, "backends_up", text, sizeof(text)),
		   get_any(s, "backends", all, sizeof(all)));
	table_cell(t, "%s", units_count(get_number(s, "flows"), text));
	table_cell(t, "%s", units_count(get_number(s, "total_requests"), text));
	table_cell(t, "%s",
		   units_count(get_number(s, "failed_requests"), text));
}

static int show(struct ctl *c, const json_t *services, struct err *err)
{
	struct table *t = table_new(columns, COLUMNS, 0, c->width, c->utf8);
	const json_t *service;
	bool whole;
	size_t i;

	if (!t)
		return err_set(err, CTL_REFUSED, "no memory");
	json_array_foreach(services, i, service) add_row(t, service);
	whole = table_flush(t, c->out);
	table_free(t);
	return whole ? CTL_OK : err_set(err, CTL_REFUSED, "no memory");
}

int service_list_run(struct ctl *c, struct err *err)
{
	const json_t *services;
	json_t *answer;
	struct url u;
	int ret;

	/* What they count is there, and not in /lb/services. */
	url_start(&u, "/lb/stats");
	ret = ask_quietly(c, "GET", &u, NULL, &answer, err);
	if (ret)
		return ret;
	services = get_value(answer, "services");
	if (c->json) {
		json_dumpf(services, c->out, JSON_COMPACT);
		fputc('\n', c->out);
	} else {
		ret = show(c, services, err);
	}
	json_decref(answer);
	return ret;
}
