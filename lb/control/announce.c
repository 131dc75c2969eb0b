/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "control/announce.h"
#include "log.h"

/* Counts the backends that take new connections, and all backends. */
static void count_left(const struct service *s, uint64_t now_ns, unsigned *left,
		       unsigned *all)
{
	*left = *all = 0;
	for (unsigned i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		*all += !b->gone;
		*left += backend_takes_flows(b) &&
			 breaker_allows(&b->breaker, now_ns);
	}
}

static const char *source_of(const struct engine *e, unsigned pool,
			     char text[ADDR_TEXT_MAX])
{
	return addr_format(&e->pools[pool].source, text);
}

/*
 * A possible reason why a backend has never answered: it holds our source
 * address itself and drops our packets as martians.
 */
static void hint(const struct config *config, const struct engine *e,
		 const struct backend *b, const char *who)
{
	const struct pool *p = &e->pools[b->pools[0]];
	char text[ADDR_TEXT_MAX];

	if (p->answered || b->health.last != CHECK_TIMEOUT ||
	    config->services[b->service].n_sources ||
	    !addr_equal(&p->source, &e->services[b->service].listen.addr))
		return;
	log_info("backend %s has never answered %s: if it holds that address "
		 "itself, as for direct routing, give l4lb another one (source "
		 "= in l4lb.conf)",
		 who, addr_format(&p->source, text));
}

void announce_backend(const struct config *config, const struct engine *engine,
		      enum backend_event event, const struct backend *b,
		      enum check_result why, uint64_t now_ns)
{
	const struct service *s = &engine->services[b->service];
	const char *reason =
		why == CHECK_TIMEOUT ? "no answer" : check_result_text(why);
	char who[ENDPOINT_TEXT_MAX], values[128];
	char source[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];
	unsigned left, all;

	endpoint_format(&b->addr, who);
	count_left(s, now_ns, &left, &all);
	snprintf(values, sizeof(values), "service=%s flows=%u left=%u/%u",
		 config->services[b->service].name, b->flows, left, all);
	switch (event) {
	case BACKEND_DOWN:
		log_warn("backend %s is down: %s, %u checks in a row %s", who,
			 reason, b->health.params.fall, values);
		hint(config, engine, b, who);
		break;
	case BACKEND_SOURCE:
		log_warn("backend %s answers %s and not %s: it probably holds "
			 "%s itself, as for direct routing; new connections "
			 "come from %s now, source = %s makes that fixed %s",
			 who, source_of(engine, b->pools[0], source),
			 source_of(engine, b->alternate, other), other, source,
			 source, values);
		break;
	case BACKEND_UP:
		log_info("backend %s is up again: %u checks in a row %s", who,
			 b->health.params.rise, values);
		break;
	case BACKEND_EJECTED:
		log_warn("backend %s is ejected: %s, next trial in %u ms %s",
			 who, reason, b->breaker.backoff_ms, values);
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
			 (double)(now_ns - engine->cut_since_ns) / NS_PER_S,
			 values);
		break;
	case BACKEND_DRAINED:
		log_info("backend %s is drained: what it still has is reset "
			 "%s",
			 who, values);
		break;
	}
}

void announce_flow(void *arg, enum flow_event event, const struct flow *f)
{
	static const char *const what[] = {
		[FLOW_OPENED] = "opened",
		[FLOW_CLOSED] = "closed",
		[FLOW_REVIVED] = "revived",
		[FLOW_EXPIRED] = "expired",
		[FLOW_RECYCLED] = "recycled",
		[FLOW_REDISPATCHED] = "redispatched",
	};
	struct endpoint client = flow_client(f), nat = flow_nat(f),
			backend = flow_backend(f);
	char c[ENDPOINT_TEXT_MAX], n[ENDPOINT_TEXT_MAX], b[ENDPOINT_TEXT_MAX];

	(void)arg;
	if (!log_wants(1))
		return;
	log_flow("flow %s id=%llu client=%s nat=%s backend=%s state=%s "
		 "c2s_bytes=%llu s2c_bytes=%llu",
		 what[event], (unsigned long long)f->id,
		 endpoint_format(&client, c), endpoint_format(&nat, n),
		 endpoint_format(&backend, b), tcp_state_name(f->tcp.state),
		 (unsigned long long)f->bytes[FLOW_ORIG],
		 (unsigned long long)f->bytes[FLOW_REPLY]);
}
