/* SPDX-License-Identifier: MIT */
/*
 * backend_show.c - all that is known of one backend, and why it is down
 */
#include <string.h>

#include "ctl/ask.h"
#include "ctl/event_line.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/units.h"

#define LABEL "  %-13s"

static void text_row(struct ctl *c, const char *label, const json_t *b,
		     const char *key)
{
	char text[256];

	fprintf(c->out, LABEL, label);
	show_text(c, get_any(b, key, text, sizeof(text)));
	fputc('\n', c->out);
}

static void times_row(struct ctl *c, const char *label, const json_t *b,
		      const char *key)
{
	const json_t *times = get_value(b, key);
	char last[UNITS_TEXT_MAX], avg[UNITS_TEXT_MAX];
	char p50[UNITS_TEXT_MAX], p99[UNITS_TEXT_MAX];

	fprintf(c->out,
		LABEL "last %s, average %s, half below %s, 99%% below "
		      "%s\n",
		label, units_ms(get_number(times, "last"), last),
		units_ms(get_number(times, "avg"), avg),
		units_ms(get_number(times, "p50"), p50),
		units_ms(get_number(times, "p99"), p99));
}

/* In both directions. */
static void sides_row(struct ctl *c, const char *label, const json_t *b,
		      const char *key, char *(*unit)(double, char *))
{
	const json_t *sides = get_value(b, key);
	char to[UNITS_TEXT_MAX], from[UNITS_TEXT_MAX];

	fprintf(c->out, LABEL "%s to it, %s from it\n", label,
		unit(get_number(sides, "to"), to),
		unit(get_number(sides, "from"), from));
}

static void check_row(struct ctl *c, const json_t *b)
{
	const json_t *check = get_value(b, "check");
	char ms[UNITS_TEXT_MAX];

	fprintf(c->out, LABEL, "last check");
	show_text(c, get_text(check, "text"));
	if (get_number(check, "ms") >= 0)
		fprintf(c->out, ", took %s",
			units_ms(get_number(check, "ms"), ms));
	if (get_number(check, "fails") > 0)
		fprintf(c->out, ", %.0f failed in a row",
			get_number(check, "fails"));
	fputc('\n', c->out);
}

static void connections_row(struct ctl *c, const json_t *b)
{
	char open[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX], failed[UNITS_TEXT_MAX];

	fprintf(c->out, LABEL "%s open, %s in all, %s failed\n", "connections",
		units_count(get_number(b, "active_connections"), open),
		units_count(get_number(b, "total_connections"), all),
		units_count(get_number(b, "failed_connections"), failed));
}

static void show(struct ctl *c, const json_t *b)
{
	char age[UNITS_TEXT_MAX], total[UNITS_TEXT_MAX];

	show_text(c, get_text(b, "id"));
	fputs("  ", c->out);
	show_text(c, get_text(b, "address"));
	fputs(" of ", c->out);
	show_text(c, get_text(b, "service"));
	fputs(get_bool(b, "backup") ? ", backup\n" : "\n", c->out);
	text_row(c, "admin", b, "admin");
	text_row(c, "weight", b, "weight");
	fprintf(c->out, LABEL, "health");
	show_text(c, get_text(b, "health"));
	fprintf(c->out, " for %s", units_age(get_number(b, "since_s"), age));
	if (get_number(b, "downs") > 0)
		fprintf(c->out, "; down %.0f time%s, %s in all",
			get_number(b, "downs"),
			get_number(b, "downs") > 1 ? "s" : "",
			units_age(get_number(b, "downtime_s"), total));
	fputc('\n', c->out);
	check_row(c, b);
	text_row(c, "breaker", b, "breaker");
	connections_row(c, b);
	sides_row(c, "bytes", b, "bytes", units_bytes);
	sides_row(c, "retransmits", b, "retransmits", units_count);
	times_row(c, "handshake", b, "handshake_ms");
	times_row(c, "first byte", b, "first_byte_ms");
}

/* The last of its events says why it is as it is. */
static void last_event(struct ctl *c, const json_t *b)
{
	const json_t *event, *last = NULL;
	struct err ignored;
	json_t *answer;
	struct url u;
	size_t i;

	url_start(&u, "/lb/events");
	url_query(&u, "kind", "backend");
	if (ask_quietly(c, "GET", &u, NULL, &answer, &ignored))
		return;
	json_array_foreach(get_value(answer, "events"), i, event)
	{
		if (strcmp(get_text(event, "backend"), get_text(b, "id")) ==
			    0 &&
		    strcmp(get_text(event, "service"),
			   get_text(b, "service")) == 0)
			last = event;
	}
	if (last) {
		fprintf(c->out, LABEL, "last event");
		event_line_of_one(c, last);
	}
	json_decref(answer);
}

int backend_show_run(struct ctl *c, struct err *err)
{
	json_t *answer;
	struct url u;
	int ret;

	url_start(&u, "/lb/backends");
	url_part(&u, c->words[c->n_words - 1]);
	if (c->n_words == 2)
		url_query(&u, "service", c->words[0]);
	ret = ask(c, "GET", &u, NULL, &answer, err);
	if (!answer)
		return ret;
	show(c, answer);
	last_event(c, answer);
	json_decref(answer);
	return ret;
}
