/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "channel_jobs.h"
#include "clock.h"
#include "control/diff.h"
#include "control/text.h"
#include "core/change.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/view.h"

#define FLOWS_A_TURN	16384
#define BACKENDS_A_TURN 64

/* Answered at the end if what was shown changed meanwhile. */
static void end_shown(struct app *app, const struct channel_job *job)
{
	struct err err;

	if (job->generation == app->change.generation) {
		channel_ok(app, &job->who);
		return;
	}
	err_set(&err, -EBUSY,
		"the configuration was changed meanwhile; ask again");
	channel_refuse(app, &job->who, -EBUSY, &err);
}

static bool only_end(struct app *app, struct channel_job *job)
{
	end_shown(app, job);
	return false;
}

static void begin_job(struct app *app, const struct asker *who,
		      bool (*part)(struct app *app, struct channel_job *job))
{
	app->channel.jobs[who->connection] = (struct channel_job){
		.part = part,
		.who = *who,
		.generation = app->change.generation,
	};
}

static void send_text(struct app *app, const struct asker *who, struct text *t)
{
	command_socket_lines(app->channel.socket, who, text_get(t), t->len,
			     clock_now_ns());
	text_free(t);
}

/* --------------------------------------------------------------------- show */

/* Takes out what every part begins with: the keys of no service. */
static void cut_globals(struct text *t)
{
	size_t at = 0;

	while (at < t->len && strncmp(t->bytes + at, "set ", 4) == 0)
		at += strcspn(t->bytes + at, "\n") + 1;
	if (at) {
		memmove(t->bytes, t->bytes + at, t->len - at + 1);
		text_cut(t, t->len - at);
	}
}

/* One service in each turn: 256 backends take a fraction of a millisecond. */
static bool show_part(struct app *app, struct channel_job *job)
{
	struct config one = *job->config;
	struct text t = {.bytes = NULL};

	if (job->service < one.n_services) {
		one.services += job->service++;
		one.n_services = 1;
	} else {
		end_shown(app, job);
		return false;
	}
	if (config_print(&one, &t))
		text_cut(&t, 0);
	if (job->service > 1)
		cut_globals(&t);
	send_text(app, &job->who, &t);
	return true;
}

void channel_show(struct app *app, const struct asker *who,
		  const struct config *config)
{
	begin_job(app, who, show_part);
	app->channel.jobs[who->connection].config = config;
}

/* ------------------------------------------------------------------- status */

static const char *slot_name(enum slot slot)
{
	return slot == SLOT_LEAVING ? "leaving" : "live";
}

static const char *admin_name(enum admin admin)
{
	static const char *const names[] = {
		[ADMIN_ENABLED] = "enabled",
		[ADMIN_DRAIN] = "drain",
		[ADMIN_DISABLED] = "disabled",
	};

	return names[admin];
}

static const char *health_name(const struct backend_view *b)
{
	if (!b->up)
		return "down";
	if (!b->proven)
		return "unproven";
	return b->ejected ? "ejected" : "up";
}

static void print_service(const struct app *app, unsigned i, struct text *t)
{
	const struct service_config *s = &app->config.services[i];
	char listen[ENDPOINT_TEXT_MAX];

	text_add(t, "service %s %s slot=%u state=%s scheduler=%s away=%s\n",
		 s->name, endpoint_format(&s->listen, listen), i,
		 slot_name(s->slot), sched_name(s->params.scheduler),
		 app->presence.service_away[i] ? "yes" : "no");
}

static void print_backend(const struct app *app, unsigned i, unsigned k,
			  struct text *t)
{
	const struct service_config *s = &app->config.services[i];
	const struct backend_view b =
		engine_view_backend(app->engine, i, k, clock_now_ns());
	char addr[ENDPOINT_TEXT_MAX];

	text_add(t,
		 "backend %s %s %s slot=%u state=%s weight=%u backup=%s "
		 "admin=%s health=%s flows=%u refs=%u total=%" PRIu64
		 " failed=%" PRIu64 "\n",
		 s->name, s->backends[k].id, endpoint_format(&b.addr, addr), k,
		 slot_name(b.slot), b.params.weight,
		 b.params.backup ? "yes" : "no", admin_name(b.params.admin),
		 health_name(&b), b.flows, b.refs, b.total, b.failed);
}

static bool status_part(struct app *app, struct channel_job *job)
{
	const struct config *c = &app->config;
	struct text t = {.bytes = NULL};

	for (unsigned n = 0;
	     n < BACKENDS_A_TURN && job->service < c->n_services; n++) {
		const struct service_config *s = &c->services[job->service];

		if (s->slot == SLOT_FREE || job->backend > s->n_backends) {
			job->service++;
			job->backend = 0;
		} else if (job->backend++ == 0) {
			print_service(app, job->service, &t);
		} else if (job->backend - 2 < s->n_backends &&
			   s->backends[job->backend - 2].slot != SLOT_FREE) {
			print_backend(app, job->service, job->backend - 2, &t);
		}
	}
	send_text(app, &job->who, &t);
	if (job->service < c->n_services)
		return true;
	job->part = only_end;
	return true;
}

void channel_status(struct app *app, const struct asker *who)
{
	begin_job(app, who, status_part);
}

/* ------------------------------------------------------------- flow kill ID */

static void killed(struct app *app, const struct channel_job *job)
{
	char text[32];

	snprintf(text, sizeof(text), "flow %" PRIu64, job->id);
	publish_operator(app, OPERATOR_KILLED, job->by, text);
	channel_ok(app, &job->who);
}

static bool kill_part(struct app *app, struct channel_job *job)
{
	const struct flow_table *flows = engine_flows(app->engine);
	struct err err;

	for (unsigned n = 0; n < FLOWS_A_TURN && job->index < flows->size;
	     n++, job->index++) {
		const struct flow *f = &flows->flows[job->index];

		if (!f->open || f->id != job->id)
			continue;
		if (engine_kill_flow(app->engine, job->index, job->id,
				     clock_now_ns()))
			killed(app, job);
		else
			channel_refuse(
				app, &job->who, -EAGAIN,
				(err_set(&err, 0,
					 "flow %" PRIu64
					 " is closed already, or too many "
					 "resets wait: try again",
					 job->id),
				 &err));
		return false;
	}
	if (job->index < flows->size)
		return true;
	err_set(&err, 0, "there is no flow %" PRIu64, job->id);
	channel_refuse(app, &job->who, -ENOENT, &err);
	return false;
}

void channel_kill(struct app *app, const struct asker *who, uint64_t id)
{
	begin_job(app, who, kill_part);
	app->channel.jobs[who->connection].id = id;
	memcpy(app->channel.jobs[who->connection].by, app->channel.by,
	       CHANNEL_BY_MAX);
}

/* --------------------------------------------------------------------- loop */

void channel_loop(struct app *app, const struct asker *who)
{
	uint64_t ns, cpu_ns;

	watch_take_recent(app, &ns, &cpu_ns);
	command_socket_end(app->channel.socket, who,
			   "ok generation=%" PRIu64 " recent_us=%" PRIu64
			   " recent_cpu_us=%" PRIu64 " longest_us=%" PRIu64,
			   app->change.generation, ns / 1000, cpu_ns / 1000,
			   app->watch.turn.longest_ns / 1000);
}

/* --------------------------------------------------------------------- jobs */

void channel_end_after_lines(struct app *app, const struct asker *who)
{
	begin_job(app, who, only_end);
}

uint64_t channel_continue(struct app *app)
{
	struct channel *ch = &app->channel;
	uint64_t next_ns = UINT64_MAX;

	for (unsigned i = 0; i < COMMAND_CONNECTIONS; i++) {
		struct channel_job *job = &ch->jobs[i];

		if (job->part && !command_socket_serves(ch->socket, &job->who))
			job->part = NULL;
		/* Its socket wakes the loop when it has room again. */
		if (!job->part || command_socket_waits(ch->socket, &job->who))
			continue;
		if (!job->part(app, job))
			job->part = NULL;
		else if (!command_socket_waits(ch->socket, &job->who))
			next_ns = 0;
	}
	return next_ns;
}
