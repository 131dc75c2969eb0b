/* SPDX-License-Identifier: MIT */
/*
 * drain.c - backends that are to lose their flows
 *
 * A backend is drained (it has weight 0, or the administrator says so),
 * disabled, or its slot leaves. None of these takes new flows. They differ in
 * what happens to existing flows, and when.
 */
#include "core/drain.h"
#include "core/health/evidence.h"
#include "core/state.h"

enum fate {
	FATE_GO_ON,
	FATE_DRAIN, /* they go on for the drain time */
	FATE_END,
};

static enum fate fate_of(const struct service *s, const struct backend *b)
{
	const enum leave then = b->params.then;

	if (b->slot == SLOT_LIVE && b->params.admin != ADMIN_DISABLED) {
		if (b->params.admin == ADMIN_ENABLED && b->params.weight > 0)
			return FATE_GO_ON;
		return then == LEAVE_KEEP ? FATE_GO_ON : FATE_DRAIN;
	}
	switch (then) {
	case LEAVE_ON_DOWN:
		return s->params.keep_on_down ? FATE_GO_ON : FATE_END;
	case LEAVE_DRAIN: return FATE_DRAIN;
	case LEAVE_RESET: return FATE_END;
	case LEAVE_KEEP: break;
	}
	return FATE_GO_ON;
}

static uint64_t drain_ns(const struct service *s, const struct backend *b)
{
	const uint32_t time_s = b->params.drain_s ? b->params.drain_s
						  : s->params.drain_timeout_s;

	return time_s * NS_PER_S;
}

void engine_settle_drain(struct engine *e, struct backend *b, bool anew,
			 uint64_t now_ns)
{
	const struct service *s = &e->services[b->service];
	const uint64_t limit_ns = drain_ns(s, b);

	if (anew)
		b->drain_from_ns = 0;
	switch (fate_of(s, b)) {
	case FATE_GO_ON:
		b->drained = false;
		b->drain_from_ns = b->drain_until_ns = 0;
		/* But those of a silent backend go on ending. */
		b->sweep = b->sweep && engine_sweeps_down(e, b);
		break;
	case FATE_DRAIN:
		if (!b->drain_from_ns) {
			b->drain_from_ns = now_ns;
			b->drained = false;
			b->sweep = b->sweep && engine_sweeps_down(e, b);
		}
		b->drain_until_ns = limit_ns && !b->drained
					    ? b->drain_from_ns + limit_ns
					    : 0;
		break;
	case FATE_END:
		b->drain_from_ns = b->drain_until_ns = 0;
		if (!b->drained)
			engine_start_sweep(e, b);
		b->drained = true;
		break;
	}
	e->checks_due_ns = 0;
}

enum flow_end engine_sweep_end(const struct engine *e, const struct backend *b)
{
	if (!b->drained)
		return FLOW_END_DOWN;
	if (fate_of(&e->services[b->service], b) == FATE_DRAIN)
		return FLOW_END_DRAINED;
	return b->slot == SLOT_LEAVING ? FLOW_END_REMOVED : FLOW_END_DISABLED;
}

void engine_run_drain(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (!b->drain_until_ns || b->drain_until_ns > now_ns)
		return;
	b->drain_until_ns = 0;
	b->drained = true;
	engine_start_sweep(e, b);
	engine_tell(e, BACKEND_DRAINED, b, CHECK_OK);
}
