/* SPDX-License-Identifier: MIT */
/*
 * status.c - the balancer, its services and their backends on one page
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/backend_table.h"
#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/subcommand.h"
#include "ctl/table.h"
#include "ctl/units.h"

#define RATE_NS	  1000000000 /* what --rate waits */
#define CHECK_MIN 6 /* characters of a check that are shown in any case */

/* Two looks at everything; .before is empty without --rate. */
struct look {
	json_t *stats, *backends;
	double at_s;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int look(struct ctl *c, struct look *l, struct err *err)
{
	struct url u;
	int ret;

	url_start(&u, "/lb/backends");
	ret = ask_quietly(c, "GET", &u, NULL, &l->backends, err);
	l->at_s = now_s();
	if (ret)
		return ret;
	url_start(&u, "/lb/stats");
	return ask_quietly(c, "GET", &u, NULL, &l->stats, err);
}

static void look_free(struct look *l)
{
	json_decref(l->stats);
	json_decref(l->backends);
}

static void wait_for_rate(void)
{
	struct timespec left = {.tv_sec = RATE_NS / 1000000000,
				.tv_nsec = RATE_NS % 1000000000};

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

/* How many connections, or how many a second. */
static void count_requests(const struct look *now, const struct look *before,
			   char *text, size_t size)
{
	static const char total[] = "total_requests";
	double requests = get_number(now->stats, total);
	char figure[UNITS_TEXT_MAX], failed[UNITS_TEXT_MAX];

	units_count(get_number(now->stats, "failed_requests"), failed);
	if (before->stats) {
		requests -= get_number(before->stats, total);
		units_rate(requests / (now->at_s - before->at_s), figure);
	} else {
		units_count(requests, figure);
	}
	snprintf(text, size, "%s %s  %s failed", figure,
		 before->stats ? "conn/s" : "conns", failed);
}

/* l4lb chat  up 3d04h  generation 42  flows 1204/65536  150 conns  0 failed */
static void head(struct ctl *c, const struct look *now,
		 const struct look *before)
{
	const json_t *s = now->stats;
	const char *name = get_text(s, "name");
	char age[UNITS_TEXT_MAX], generation[UNITS_TEXT_MAX];
	char used[UNITS_TEXT_MAX], size[UNITS_TEXT_MAX];
	char requests[3 * UNITS_TEXT_MAX];
	unsigned len = table_text_width(name);

	fputs("l4lb ", c->out);
	show_text(c, name);
	len += (unsigned)fprintf(
		c->out, "  up %s  generation %s  flows %s/%s",
		units_age(get_number(s, "uptime_s"), age),
		get_any(s, "generation", generation, sizeof(generation)),
		units_count(get_number(s, "flows.used"), used),
		get_any(s, "flows.size", size, sizeof(size)));
	count_requests(now, before, requests, sizeof(requests));
	/* "l4lb " and the blanks between the two. */
	if (c->width && len + 7 + strlen(requests) > c->width)
		fprintf(c->out, "\n     %s\n", requests);
	else
		fprintf(c->out, "  %s\n", requests);
}

static const char *backends_text(const json_t *s, char *text, size_t size)
{
	char up[UNITS_TEXT_MAX], all[UNITS_TEXT_MAX];

	snprintf(text, size, "  %s of %s up%s%s",
		 get_any(s, "backends_up", up, sizeof(up)),
		 get_any(s, "backends", all, sizeof(all)),
		 get_bool(s, "away") ? "  ADDRESS AWAY" : "",
		 strcmp(get_text(s, "state"), "leaving") == 0 ? "  leaving"
							      : "");
	return text;
}

/* SERVICE chat  198.18.0.1:20000  wrr  check http GET /  2 of 3 up */
static void service_line(struct ctl *c, const json_t *s)
{
	static const char *const parts[] = {"name", "listen", "scheduler"};
	static const char before_check[] = "  check ";
	char backends[4 * UNITS_TEXT_MAX];
	unsigned used =
		(unsigned)strlen("SERVICE") + (unsigned)strlen(before_check);

	used += (unsigned)strlen(backends_text(s, backends, sizeof(backends)));
	fputs("\nSERVICE", c->out);
	for (unsigned i = 0; i < 3; i++) {
		fputs(i ? "  " : " ", c->out);
		show_text(c, get_text(s, parts[i]));
		used += table_text_width(get_text(s, parts[i])) + 2;
	}
	fputs(before_check, c->out);
	/* What it asks for may be long. */
	table_text(c->out, get_text(s, "check"),
		   !c->width			 ? 0
		   : used + CHECK_MIN < c->width ? c->width - used
						 : CHECK_MIN,
		   0, c->utf8);
	fprintf(c->out, "%s\n", backends);
}

static unsigned backends_of(const json_t *backends, const char *service)
{
	const json_t *backend;
	unsigned n = 0;
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		n += strcmp(get_text(backend, "service"), service) == 0;
	}
	return n;
}

static int show(struct ctl *c, const struct look *now,
		const struct look *before, struct err *err)
{
	const json_t *services = get_value(now->stats, "services");
	struct table *t = backend_table_new(c, before->stats);
	const json_t *service;
	unsigned first = 0, n;
	size_t i;

	if (!t)
		return err_set(err, CTL_REFUSED, "no memory");
	/* All rows first: the services have one layout. */
	json_array_foreach(services, i, service)
	{
		backend_table_add(t, now->backends, get_text(service, "name"),
				  before->backends, now->at_s - before->at_s);
	}
	head(c, now, before);
	json_array_foreach(services, i, service)
	{
		n = backends_of(now->backends, get_text(service, "name"));
		service_line(c, service);
		table_part(t, first, n, c->out);
		first += n;
	}
	table_free(t);
	return CTL_OK;
}

int status_run(struct ctl *c, struct err *err)
{
	struct look before = {.stats = NULL}, now = {.stats = NULL};
	json_t *nothing;
	struct url u;
	int ret = CTL_OK;

	if (c->json) {
		url_start(&u, "/lb/stats");
		return ask(c, "GET", &u, NULL, &nothing, err);
	}
	if (ctl_has(c, OPTION_RATE)) {
		ret = look(c, &before, err);
		if (!ret)
			wait_for_rate();
	}
	if (!ret)
		ret = look(c, &now, err);
	if (!ret)
		ret = show(c, &now, &before, err);
	look_free(&before);
	look_free(&now);
	return ret;
}
