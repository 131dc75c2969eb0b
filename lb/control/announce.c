/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "control/announce.h"
#include "core/flow_end.h"
#include "core/time.h"
#include "core/view.h"
#include "log.h"

/* Counts the backends that take new connections, and all backends. */
static void count_left(const struct engine *e, unsigned service,
		       uint64_t now_ns, unsigned *left, unsigned *all)
{
	*left = *all = 0;
	for (unsigned i = 0; i < engine_backends(e, service); i++) {
		const struct backend_view b =
			engine_view_backend(e, service, i, now_ns);

		*all += b.slot == SLOT_LIVE;
		*left += b.takes_flows;
	}
}

/*
 * A possible reason why a backend has never answered: it holds our source
 * address itself and drops our packets as martians.
 */
static void hint(const struct service_config *service,
		 const struct backend_view *b, const char *who)
{
	char text[ADDR_TEXT_MAX];

	if (b->answered || b->last != CHECK_TIMEOUT || service->n_sources ||
	    !addr_equal(&b->source, &service->listen.addr))
		return;
	log_info("backend %s has never answered %s: if it holds that address "
		 "itself, as for direct routing, give l4lb another one (source "
		 "= in l4lb.conf)",
		 who, addr_format(&b->source, text));
}

void announce_backend(const struct config *config, const struct engine *engine,
		      enum backend_event event, unsigned service,
		      unsigned backend, enum check_result why, uint64_t now_ns)
{
	const struct service_config *s = &config->services[service];
	const struct backend_view b =
		engine_view_backend(engine, service, backend, now_ns);
	const char *reason =
		why == CHECK_TIMEOUT ? "no answer" : check_result_text(why);
	char who[ENDPOINT_TEXT_MAX], values[128];
	char source[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];
	unsigned left, all;

	endpoint_format(&b.addr, who);
	count_left(engine, service, now_ns, &left, &all);
	snprintf(values, sizeof(values), "service=%s flows=%u left=%u/%u",
		 s->name, b.flows, left, all);
	switch (event) {
	case BACKEND_DOWN:
		log_warn("backend %s is down: %s, %u checks in a row %s", who,
			 reason, s->params.health.fall, values);
		hint(s, &b, who);
		break;
	case BACKEND_SOURCE:
		log_warn("backend %s answers %s and not %s: it probably holds "
			 "%s itself, as for direct routing; new connections "
			 "come from %s now, source = %s makes that fixed %s",
			 who, addr_format(&b.source, source),
			 addr_format(&b.alternate, other), other, source,
			 source, values);
		break;
	case BACKEND_UP:
		log_info("backend %s is up again: %u checks in a row %s", who,
			 s->params.health.rise, values);
		break;
	case BACKEND_EJECTED:
		log_warn("backend %s is ejected: %s, next trial in %u ms %s",
			 who, reason, b.backoff_ms, values);
		break;
	case BACKEND_RECOVERED:
		log_info("backend %s has recovered: it took a connection %s",
			 who, values);
		break;
	case BACKEND_CUT_OFF:
		log_warn("cut off: no answer from backend %s, nor anything "
			 "else from where it is; backends there stay what they "
			 "were, connections are kept %s",
			 who, values);
		break;
	case BACKEND_HEARD:
		log_info("no longer cut off: something is heard from where "
			 "backend %s is, after %.1f s %s",
			 who,
			 (double)(now_ns - engine_cut_since_ns(engine)) /
				 NS_PER_S,
			 values);
		break;
	case BACKEND_PROVEN:
		log_info("backend %s takes connections: its first check "
			 "succeeded %s",
			 who, values);
		break;
	case BACKEND_DRAINED:
		log_info("backend %s is drained: what it still has is reset "
			 "%s",
			 who, values);
		break;
	}
}

void announce_flow(enum flow_event event, const struct flow *f,
		   const struct flow_note *note)
{
	static const char *const what[] = {
		[FLOW_OPENED] = "opened",
		[FLOW_ENDED] = "ended",
		[FLOW_REVIVED] = "revived",
		[FLOW_REDISPATCHED] = "redispatched",
	};
	struct endpoint client = flow_client(f), nat = flow_nat(f),
			backend = flow_backend(f);
	char c[ENDPOINT_TEXT_MAX], n[ENDPOINT_TEXT_MAX], b[ENDPOINT_TEXT_MAX];
	char end[32] = "";

	if (!log_wants(1))
		return;
	if (event == FLOW_ENDED)
		snprintf(end, sizeof(end), " end=%s",
			 flow_end_name((enum flow_end)note->end));
	log_flow("flow %s id=%llu client=%s nat=%s backend=%s state=%s "
		 "c2s_bytes=%llu s2c_bytes=%llu%s",
		 what[event], (unsigned long long)f->id,
		 endpoint_format(&client, c), endpoint_format(&nat, n),
		 endpoint_format(&backend, b), tcp_state_name(f->tcp.state),
		 (unsigned long long)f->bytes[FLOW_ORIG],
		 (unsigned long long)f->bytes[FLOW_REPLY], end);
}
