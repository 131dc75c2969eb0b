/* SPDX-License-Identifier: MIT */
/* publish_journal.c - what happens goes into the journal when it does */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "clock.h"
#include "core/time.h"
#include "core/view.h"
#include "publish_rows.h"

/* -------------------------------------------------------------------- flows */

static enum journal_kind kind_of(enum flow_event event)
{
	switch (event) {
	case FLOW_OPENED: return JOURNAL_OPENED;
	case FLOW_ENDED: return JOURNAL_ENDED;
	case FLOW_REVIVED: return JOURNAL_REVIVED;
	case FLOW_REDISPATCHED: break;
	}
	return JOURNAL_REDISPATCHED;
}

void publish_flow(struct app *app, enum flow_event event,
		  const struct flow *flow, const struct flow_note *note)
{
	const uint64_t now_ns = clock_now_ns();
	struct journal_record r = {
		.time_ns = now_ns,
		.id = flow->id,
		.index = flow_index(engine_flows(app->engine), flow),
		.service = flow->service,
		.backend = flow->backend,
		.kind = (uint8_t)kind_of(event),
		.reason = note->end,
		.flow =
			{
				.client = flow_client(flow),
				.vip = flow_vip(flow),
				.nat = flow_nat(flow),
				.backend = flow_backend(flow),
				.duration_ns = now_ns - flow->opened_ns,
				.handshake_us = note->handshake_us,
				.first_byte_us = note->first_byte_us,
				.tries = note->tries,
				.why = note->why,
				.flags = note->flags,
				.state = (uint8_t)flow->tcp.state,
			},
	};

	for (int side = 0; side < FLOW_SIDES; side++) {
		r.flow.packets[side] = flow->packets[side];
		r.flow.bytes[side] = flow->bytes[side];
		r.flow.retransmits[side] = note->retransmits[side];
	}
	journal_write(app->publish.journal, &r);
}

/* Of a flood a thousand a second are enough. */
static bool is_one_too_many(struct publish *p)
{
	if (p->turn_ns - p->refusals_ns >= NS_PER_S) {
		p->refusals_ns = p->turn_ns;
		p->refusals = 0;
	}
	return p->refusals++ >= PUBLISH_REFUSALS;
}

void publish_refused(struct app *app, unsigned service,
		     const struct endpoint *client, enum drop_reason why)
{
	struct journal_record r = {
		.service = (uint16_t)service,
		.backend = JOURNAL_NO_SLOT,
		.kind = JOURNAL_REFUSED,
		.reason = (uint8_t)why,
		.flow = {.client = *client},
	};

	if (is_one_too_many(&app->publish)) {
		app->publish.skipped++;
		return;
	}
	r.time_ns = clock_now_ns();
	r.flow.vip = app->config.services[service].listen;
	journal_write(app->publish.journal, &r);
}

/* ------------------------------------------------------------------- events */

static void copy_text(char *out, size_t size, const char *text)
{
	static const char more[] = "...";

	if ((size_t)snprintf(out, size, "%s", text) >= size)
		memcpy(out + size - sizeof(more), more, sizeof(more));
}

static void write_event(struct app *app, struct journal_record *r,
			const char *by, const char *text)
{
	r->time_ns = clock_now_ns();
	copy_text(r->event.by, sizeof(r->event.by), by);
	copy_text(r->event.text, sizeof(r->event.text), text);
	journal_write(app->publish.journal, r);
	publish_soon(app);
}

/* What decided it, if anything did. */
static void tell_why(const struct app *app, enum backend_event event,
		     unsigned service, const struct backend_view *b,
		     enum check_result why, char text[JOURNAL_TEXT_MAX])
{
	const struct health_params *h =
		&app->config.services[service].params.health;
	const char *reason =
		why == CHECK_TIMEOUT ? "no answer" : check_result_text(why);
	char source[ADDR_TEXT_MAX];

	text[0] = '\0';
	switch (event) {
	case BACKEND_DOWN:
		snprintf(text, JOURNAL_TEXT_MAX, "%s, %u checks in a row",
			 reason, h->fall);
		break;
	case BACKEND_UP:
		snprintf(text, JOURNAL_TEXT_MAX, "%u checks in a row", h->rise);
		break;
	case BACKEND_EJECTED:
		snprintf(text, JOURNAL_TEXT_MAX, "%s, next trial in %u ms",
			 reason, b->backoff_ms);
		break;
	case BACKEND_SOURCE:
		snprintf(text, JOURNAL_TEXT_MAX, "it answers only %s",
			 addr_format(&b->source, source));
		break;
	case BACKEND_RECOVERED:
		snprintf(text, JOURNAL_TEXT_MAX, "it took a connection");
		break;
	case BACKEND_PROVEN:
		snprintf(text, JOURNAL_TEXT_MAX, "its first check succeeded");
		break;
	case BACKEND_DRAINED:
		snprintf(text, JOURNAL_TEXT_MAX, "%u flows are reset",
			 b->flows);
		break;
	case BACKEND_CUT_OFF:
	case BACKEND_HEARD: break;
	}
}

void publish_backend(struct app *app, enum backend_event event,
		     unsigned service, unsigned backend, enum check_result why)
{
	const uint64_t now_ns = clock_now_ns();
	const struct backend_view b =
		engine_view_backend(app->engine, service, backend, now_ns);
	struct journal_record r = {
		.service = (uint16_t)service,
		.backend = (uint16_t)backend,
		.kind = JOURNAL_BACKEND,
		.reason = (uint8_t)event,
		.detail = (uint8_t)why,
	};
	char text[JOURNAL_TEXT_MAX];

	tell_why(app, event, service, &b, why, text);
	write_event(app, &r, "", text);
	publish_soon_backend(app, service, backend);
}

void publish_operator(struct app *app, enum journal_operator what,
		      const char *by, const char *text)
{
	struct journal_record r = {
		.service = JOURNAL_NO_SLOT,
		.backend = JOURNAL_NO_SLOT,
		.kind = JOURNAL_OPERATOR,
		.reason = (uint8_t)what,
	};

	write_event(app, &r, by, text);
}

void publish_changed(struct app *app, const char *why)
{
	struct publish *p = &app->publish;

	p->changed_ns = clock_now_ns();
	copy_text(p->changed, sizeof(p->changed), why);
	publish_soon(app);
}

void publish_hup(struct app *app)
{
	app->publish.hups++;
	publish_soon(app);
}

void publish_reloaded(struct app *app, bool ok, const char *by,
		      const char *text)
{
	if (ok)
		app->publish.reloads_ok++;
	else
		app->publish.reloads_failed++;
	publish_operator(app, ok ? OPERATOR_RELOADED : OPERATOR_REFUSED, by,
			 text);
}
