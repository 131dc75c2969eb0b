/* SPDX-License-Identifier: MIT */
/*
 * flows.c - the flow table: its file, its index, the engine that changes it,
 * and what an earlier process left in it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "app.h"
#include "clock.h"
#include "control/announce.h"
#include "core/time.h"
#include "log.h"
#include "steps.h"

static int open_state(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	int ret = state_open(&app->state, c->state, c->flows, &app->user.owner,
			     err);

	if (ret)
		return ret;
	if (state_why_fresh(app->state) && !state_was_empty(app->state))
		log_warn("state file %s is not used, connections of before "
			 "are not continued: %s",
			 c->state, state_why_fresh(app->state));
	if (!*c->state && c->guard == GUARD_KEEP)
		log_warn("--state none: connections do not survive a restart, "
			 "with --guard keep either");
	return 0;
}

static void close_state(struct app *app, bool keep)
{
	if (keep)
		state_close(app->state);
	else
		state_remove(app->state);
}

const struct step step_state = {"state", open_state, close_state};

/*
 * The index of the flow table is accessed at random. It is present from the
 * start, so that no packet waits for a page, and in huge pages where it spans
 * many. Without it the engine uses ordinary memory.
 */
static int make_index(struct app *app, struct err *err)
{
	void *slots;

	(void)err;
	app->slots_bytes = (size_t)app->config.flows * FLOW_SLOTS *
			   sizeof(struct flow_slot);
	slots = mmap(NULL, app->slots_bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		return 0;
	(void)madvise(slots, app->slots_bytes, MADV_HUGEPAGE);
	memset(slots, 0, app->slots_bytes);
	app->slots = slots;
	return 0;
}

static void free_index(struct app *app, bool keep)
{
	(void)keep;
	if (app->slots)
		munmap(app->slots, app->slots_bytes);
}

const struct step step_index = {"index", make_index, free_index};

static void on_flow(void *arg, enum flow_event event, const struct flow *flow,
		    const struct flow_note *note)
{
	announce_flow(event, flow, note);
	publish_flow(arg, event, flow, note);
}

static void on_refused(void *arg, unsigned service,
		       const struct endpoint *client, enum drop_reason why)
{
	publish_refused(arg, service, client, why);
}

static void on_backend(void *arg, enum backend_event event, unsigned service,
		       unsigned backend, enum check_result why)
{
	struct app *app = arg;

	announce_backend(&app->config, app->engine, event, service, backend,
			 why, clock_now_ns());
	publish_backend(app, event, service, backend, why);
}

/* The NAT ports that flows may get; the caller frees them. NULL: no memory. */
static uint16_t *flow_ports(const struct app *app, uint32_t *n)
{
	const struct reservation *r = app->reservation;
	uint16_t *ports = calloc(UINT16_MAX + 1, sizeof(*ports));

	*n = 0;
	for (unsigned p = 0; ports && p <= PORT_MAX; p++) {
		/* Reserved and guarded with the range, but for checks only. */
		const bool probes =
			app->probe_lo && p - app->probe_lo < PROBE_PORTS;

		if (r->usable.has[p] && !probes)
			ports[(*n)++] = (uint16_t)p;
	}
	return ports;
}

static int make_engine(struct app *app, struct err *err)
{
	struct engine_spec spec = {
		.n_services = app->plan->n_services,
		.services = app->plan->services,
		.n_flows = app->config.flows,
		.timeouts = app->config.timeouts,
		.on_flow = on_flow,
		.on_refused = on_refused,
		.on_backend = on_backend,
		.probe_lo = app->probe_lo,
		.flows = state_flows(app->state),
		.slots = app->slots,
		.notes = app->publish.notes.at,
		.on_arg = app,
	};
	uint16_t *ports;
	int ret;

	if (!app->probe_lo && plan_without_syn_checks(app->plan))
		log_warn("no %d free NAT ports in a row: syn checks cannot be "
			 "made, widen --nat-ports",
			 PROBE_PORTS);
	if (getrandom(&spec.seed, sizeof(spec.seed), 0) == -1)
		return err_set(err, -errno, "no random numbers: %s",
			       strerror(errno));
	memcpy(spec.secret, state_secret(app->state), sizeof(spec.secret));
	ports = flow_ports(app, &spec.n_ports);
	if (!ports)
		return err_set(err, -ENOMEM, "out of memory");
	spec.ports = ports;
	ret = engine_new(&app->engine, &spec, clock_now_ns(), err);
	free(ports);
	return ret;
}

static void free_engine(struct app *app, bool keep)
{
	(void)keep;
	engine_free(app->engine);
}

const struct step step_engine = {"engine", make_engine, free_engine};

/* Takes over the flows of an earlier process. */
static int take_over(struct app *app, struct err *err)
{
	const uint64_t begin_ns = clock_now_ns();
	const struct plan *p = app->plan;
	const uint32_t lost = p->lost_service + p->lost_room;
	uint32_t refused = 0;
	char others[96] = "";
	int64_t n;

	if (!state_found(app->state))
		return 0;
	n = engine_adopt(app->engine, begin_ns, &refused);
	if (n < 0)
		return err_set(err, (int)n, "out of memory");
	log_info("took over flows=%lld refused=%u ms=%.1f from %s",
		 (long long)n, refused,
		 (double)(clock_now_ns() - begin_ns) / NS_PER_MS,
		 app->config.state);
	if (refused > lost)
		snprintf(others, sizeof(others),
			 "; the other %u are damaged, or their ports are not "
			 "ours any more",
			 refused - lost);
	if (refused)
		log_warn("%u flows of before cannot go on: service_gone=%u "
			 "too_many_backends=%u%s",
			 refused, p->lost_service, p->lost_room, others);
	return 0;
}

const struct step step_takeover = {"takeover", take_over, NULL};
