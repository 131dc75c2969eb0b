/* SPDX-License-Identifier: MIT */
/*
 * backend.c - backends come, go, and get more or less
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/backend_table.h"
#include "ctl/backend_words.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/units.h"

/* backend2  198.18.0.12:9001 of chat: drain, up, weight 2, 402 connections */
static void one_line(struct ctl *c, const json_t *b)
{
	char health[BACKEND_HEALTH_MAX], weight[UNITS_TEXT_MAX];
	char flows[UNITS_TEXT_MAX];
	const double n = get_number(b, "active_connections");

	show_text(c, get_text(b, "id"));
	fputs("  ", c->out);
	show_text(c, get_text(b, "address"));
	fputs(" of ", c->out);
	show_text(c, get_text(b, "service"));
	fputs(": ", c->out);
	show_text(c, get_text(b, "admin"));
	fputs(", ", c->out);
	show_text(c, backend_health(b, health));
	fprintf(c->out, ", weight %s, %s connection%s\n",
		get_any(b, "weight", weight, sizeof(weight)),
		units_count(n, flows), n == 1 ? "" : "s");
}

static void dry(const struct ctl *c, struct url *u)
{
	if (ctl_has(c, OPTION_DRY_RUN))
		url_query(u, "dry_run", "1");
}

/* /lb/backends/ID/@action?service= */
static void make_url(const struct ctl *c, struct url *u,
		     const struct backend_words *w, const char *action)
{
	url_start(u, "/lb/backends");
	url_part(u, w->which);
	url_part(u, action);
	if (w->service)
		url_query(u, "service", w->service);
	dry(c, u);
}

/* Sends @body, which it frees, and shows what the backend is then. */
static int change(struct ctl *c, const struct url *u, json_t *body,
		  struct err *err)
{
	json_t *answer;
	int ret = ask(c, "POST", u, body, &answer, err);

	if (!answer)
		return ret;
	if (ctl_has(c, OPTION_DRY_RUN))
		show_changes(c, answer);
	else
		one_line(c, answer);
	json_decref(answer);
	return ret;
}

static int command(struct ctl *c, const char *action, struct err *err)
{
	struct backend_words w;
	struct url u;
	int ret = backend_words(&w, c->words, c->n_words, false, err);

	if (ret)
		return ret;
	make_url(c, &u, &w, action);
	return change(c, &u, w.body, err);
}

int backend_drain_run(struct ctl *c, struct err *err)
{
	return command(c, "drain", err);
}

int backend_enable_run(struct ctl *c, struct err *err)
{
	return command(c, "enable", err);
}

int backend_disable_run(struct ctl *c, struct err *err)
{
	return command(c, "disable", err);
}

int backend_weight_run(struct ctl *c, struct err *err)
{
	struct backend_words w;
	struct url u;
	char *end;
	long weight;
	int ret = backend_words(&w, c->words, c->n_words, true, err);

	if (ret)
		return ret;
	errno = 0;
	weight = strtol(w.figure, &end, 10);
	if (*end || end == w.figure || errno) {
		json_decref(w.body);
		return err_set(err, CTL_USAGE,
			       "weight \"%s\": expected a whole number",
			       w.figure);
	}
	json_object_set_new(w.body, "weight", json_integer(weight));
	make_url(c, &u, &w, "weight");
	return change(c, &u, w.body, err);
}

/* HOST:PORT into the object, as host and port. */
static int set_address(json_t *body, const char *address, struct err *err)
{
	const char *colon = strrchr(address, ':');
	char *host, *end = NULL;
	long port = 0;

	if (colon && colon > address && colon[1])
		port = strtol(colon + 1, &end, 10);
	if (!end || *end || port < 1 || port > 65535)
		return err_set(err, CTL_USAGE,
			       "\"%s\": expected HOST:PORT, for example "
			       "192.168.0.11:9001",
			       address);
	host = strndup(address, (size_t)(colon - address));
	json_object_set_new(body, "host", json_string(host ? host : ""));
	json_object_set_new(body, "port", json_integer(port));
	free(host);
	return CTL_OK;
}

int backend_add_run(struct ctl *c, struct err *err)
{
	struct backend_words w;
	struct url u;
	int ret = backend_words(&w, c->words, c->n_words, false, err);

	if (ret)
		return ret;
	ret = set_address(w.body, w.which, err);
	if (ret) {
		json_decref(w.body);
		return ret;
	}
	if (w.service)
		json_object_set_new(w.body, "service", json_string(w.service));
	url_start(&u, "/lb/backends/add");
	dry(c, &u);
	return change(c, &u, w.body, err);
}

int backend_remove_run(struct ctl *c, struct err *err)
{
	struct backend_words w;
	json_t *answer;
	const json_t *then;
	struct url u;
	double flows;
	int ret = backend_words(&w, c->words, c->n_words, false, err);

	if (ret)
		return ret;
	make_url(c, &u, &w, "remove");
	then = json_object_get(w.body, "then");
	if (json_object_size(w.body) > (then ? 1 : 0)) {
		json_decref(w.body);
		return err_set(err, CTL_USAGE,
			       "backend remove takes then=drain|reset|keep "
			       "only");
	}
	if (json_is_string(then))
		url_query(&u, "then", json_string_value(then));
	json_decref(w.body);
	ret = ask(c, "DELETE", &u, NULL, &answer, err);
	if (!answer)
		return ret;
	flows = get_number(answer, "flows");
	if (ctl_has(c, OPTION_DRY_RUN)) {
		show_changes(c, answer);
	} else {
		show_text(c, w.which);
		if (flows > 0)
			fprintf(c->out, " leaves: %.0f connection%s left\n",
				flows, flows == 1 ? " is" : "s are");
		else
			fputs(" is removed\n", c->out);
	}
	json_decref(answer);
	return ret;
}

int backend_list_run(struct ctl *c, struct err *err)
{
	struct table *t;
	json_t *answer;
	struct url u;
	int ret;

	url_start(&u, "/lb/backends");
	if (c->n_words)
		url_query(&u, "service", c->words[0]);
	ret = ask(c, "GET", &u, NULL, &answer, err);
	if (!answer)
		return ret;
	t = backend_table_new(c, false);
	if (t)
		backend_table_add(t, answer, NULL, NULL, 0);
	if (!t || !table_flush(t, c->out))
		ret = err_set(err, CTL_REFUSED, "no memory");
	table_free(t);
	json_decref(answer);
	return ret;
}
