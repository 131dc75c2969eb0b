/* SPDX-License-Identifier: MIT */
/*
 * leave.c - the clean exit: nobody is left with half a connection
 */
#include "app.h"
#include "clock.h"
#include "core/time.h"
#include "core/view.h"
#include "log.h"
#include "steps.h"

#define RESET_MAX_MS	30000 /* for all flows */
#define RESET_LINGER_MS 100   /* to answer replies to our resets */

/*
 * Resets both sides of every flow, as many at a time as the outbox holds. In
 * between, packets of sides that did not accept their reset are answered, and
 * new connections are refused. A second signal ends this at once.
 */
static void reset_flows(struct app *app)
{
	struct engine *e = app->engine;
	const struct engine_counters *c = engine_counters(e);
	const uint64_t begin_ns = clock_now_ns(), before = c->reset;
	uint64_t until_ns = begin_ns + RESET_MAX_MS * NS_PER_MS;
	bool more, waits, told = false;

	engine_refuse_new(e);
	do {
		more = engine_reset_all(e, clock_now_ns());
		forward_tick(app->forward); /* sends the resets */
		/* What found no room needs a moment; do not spin. */
		waits = forward_waits(app->forward);
		(void)supervision_turn(app);
		(void)publish_turn(app);
		if (!loop_turn(app, waits ? 1 : 0))
			return;
		if (!told && clock_now_ns() > begin_ns + 100 * NS_PER_MS) {
			told = true;
			log_info("resetting %u flows, a second signal ends it",
				 engine_flows(e)->used);
		}
	} while ((more || waits) && app->signals.stops < 2 &&
		 clock_now_ns() < until_ns);
	if (c->reset == before)
		return;
	log_info("reset %llu flows in %llu ms%s",
		 (unsigned long long)(c->reset - before),
		 (unsigned long long)((clock_now_ns() - begin_ns) / NS_PER_MS),
		 more ? ", the others have to find out" : "");
	until_ns = clock_now_ns() + RESET_LINGER_MS * NS_PER_MS;
	while (clock_now_ns() < until_ns && loop_turn(app, 10))
		forward_tick(app->forward);
}

static void stop(struct app *app, bool keep)
{
	app->publish.stopping = true;
	publish_operator(app, OPERATOR_STOPS, app->channel.stops_by,
			 keep ? "connections go on with the next start"
			      : "connections are reset");
	if (!keep)
		reset_flows(app);
	publish_all(app); /* the last figures */
}

const struct step step_leave = {"leave", NULL, stop};
