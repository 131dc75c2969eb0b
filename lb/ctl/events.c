/* SPDX-License-Identifier: MIT */
/*
 * events.c - what happened, and with -f what happens
 *
 * It asks again and again, so nobody waits for a slow reader. When l4lb-api is
 * started again it goes on where it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/event_line.h"
#include "ctl/json_get.h"
#include "ctl/subcommand.h"
#include "ctl/units.h"

#define POLL_MS	    500
#define PATIENCE_MS 10000 /* how long nobody may answer */
#define LIMIT	    100	  /* of the API, if none is given */

static void print_events(struct ctl *c, const json_t *answer)
{
	const double lost = get_number(answer, "lost");
	const json_t *event;
	size_t i;

	/* Said before them: the oldest are those that are lost. */
	if (lost > 0 && !c->json)
		fprintf(c->out, "%.0f events are lost\n", lost);
	json_array_foreach(get_value(answer, "events"), i, event)
	{
		if (c->json) {
			json_dumpf(event, c->out, JSON_COMPACT);
			fputc('\n', c->out);
		} else {
			event_line(c, event);
		}
	}
	fflush(c->out);
}

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000,
				      .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void make_url(const struct ctl *c, struct url *u, const char *since)
{
	url_start(u, "/lb/events");
	for (unsigned i = 0; i < c->n_words; i++)
		url_term(u, c->words[i]);
	if (since)
		url_query(u, "since", since);
	if (c->limit)
		url_query(u, "limit", c->limit);
}

/* As many as an answer may have: there are more, which do not wait for us. */
static bool is_full(const struct ctl *c, const json_t *answer)
{
	const size_t n = json_array_size(get_value(answer, "events"));

	return n && n >= (c->limit ? strtoul(c->limit, NULL, 10) : LIMIT);
}

static int follow(struct ctl *c, struct err *err)
{
	char since[UNITS_TEXT_MAX];
	bool answered = false, more;
	long silent_ms = 0;
	json_t *answer;
	struct url u;
	int ret;

	make_url(c, &u, c->since);
	while (!ferror(c->out)) {
		ret = ask_quietly(c, "GET", &u, NULL, &answer, err);
		silent_ms = ret ? silent_ms + POLL_MS : 0;
		/* Whoever has answered once may be on its way back. */
		if (ret &&
		    (ret != CTL_NOBODY || !answered || silent_ms > PATIENCE_MS))
			return ret;
		more = !ret && is_full(c, answer);
		if (!ret) {
			answered = true;
			print_events(c, answer);
			make_url(c, &u,
				 get_any(answer, "next", since, sizeof(since)));
			json_decref(answer);
		}
		if (!more)
			pause_ms(POLL_MS);
	}
	return CTL_OK;
}

int events_run(struct ctl *c, struct err *err)
{
	json_t *answer;
	struct url u;
	int ret;

	if (ctl_has(c, OPTION_FOLLOW))
		return follow(c, err);
	make_url(c, &u, c->since);
	ret = ask(c, "GET", &u, NULL, &answer, err);
	if (answer)
		print_events(c, answer);
	json_decref(answer);
	return ret;
}
