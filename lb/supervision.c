/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "clock.h"
#include "core/time.h"
#include "core/view.h"
#include "log.h"
#include "supervision.h"

#define LOOK_NS (5 * NS_PER_S)

void supervision_open(struct app *app)
{
	int ret = notify_open(&app->supervision.notify);

	if (ret)
		log_warn("NOTIFY_SOCKET cannot be used: %s: whoever started "
			 "l4lb is not told when it is ready",
			 strerror(-ret));
}

void supervision_close(struct app *app)
{
	notify_close(&app->supervision.notify);
}

static void count_backends(const struct app *app, uint64_t now_ns,
			   unsigned *good, unsigned *all)
{
	const struct engine *e = app->engine;

	*good = *all = 0;
	for (unsigned s = 0; s < engine_services(e); s++) {
		for (unsigned b = 0; b < engine_backends(e, s); b++) {
			const struct backend_view v =
				engine_view_backend(e, s, b, now_ns);

			if (v.slot != SLOT_LIVE)
				continue;
			++*all;
			*good += v.up && v.proven && !v.ejected;
		}
	}
}

static const char *status_text(struct app *app, char text[NOTIFY_STATUS_MAX])
{
	struct supervision *s = &app->supervision;
	unsigned good, all;

	s->looked_ns = clock_now_ns();
	count_backends(app, s->looked_ns, &good, &all);
	snprintf(text, NOTIFY_STATUS_MAX, "%u of %u backends up, %u flows%s%s",
		 good, all, engine_flows(app->engine)->used,
		 s->refused[0] ? "; the last reload changed nothing: " : "",
		 s->refused);
	return text;
}

void supervision_ready(struct app *app)
{
	char text[NOTIFY_STATUS_MAX];

	if (app->supervision.notify.is_open)
		notify_ready(&app->supervision.notify, status_text(app, text));
}

void supervision_reload_begins(struct app *app)
{
	notify_reloading(&app->supervision.notify,
			 "reads its configuration file again");
}

void supervision_reload_ends(struct app *app, const char *why)
{
	struct supervision *s = &app->supervision;

	snprintf(s->refused, sizeof(s->refused), "%s", why ? why : "");
	supervision_ready(app);
}

void supervision_stopping(struct app *app)
{
	notify_stopping(&app->supervision.notify, "ends");
}

uint64_t supervision_turn(struct app *app)
{
	struct supervision *s = &app->supervision;
	char text[NOTIFY_STATUS_MAX];
	uint64_t now_ns;

	if (!s->notify.is_open)
		return UINT64_MAX;
	now_ns = clock_now_ns();
	if (now_ns - s->looked_ns >= LOOK_NS)
		notify_status(&s->notify, status_text(app, text));
	return notify_turn(&s->notify, now_ns);
}
