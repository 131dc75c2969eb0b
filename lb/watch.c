/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "app.h"
#include "clock.h"
#include "control/dump.h"
#include "core/time.h"
#include "core/view.h"
#include "guarding.h"
#include "log.h"
#include "network.h"
#include "packets.h"

void watch_turn_begins(struct app *app, uint64_t now_ns, bool busy)
{
	app->watch.turn.begun_ns = now_ns;
	app->watch.turn.begun_cpu_ns = busy ? clock_cpu_ns() : 0;
}

void watch_turn_ends(struct app *app, uint64_t now_ns)
{
	struct gauge *g = &app->watch.turn;
	const uint64_t took_ns = now_ns - g->begun_ns;
	uint64_t cpu_ns;

	if (!g->begun_ns)
		return;
	g->begun_ns = 0;
	if (took_ns > g->longest_ns)
		g->longest_ns = took_ns;
	if (took_ns > g->recent_ns)
		g->recent_ns = took_ns;
	if (took_ns > g->second_ns)
		g->second_ns = took_ns;
	g->busy_ns += took_ns;
	if (!g->begun_cpu_ns)
		return;
	cpu_ns = clock_cpu_ns() - g->begun_cpu_ns;
	if (cpu_ns > g->recent_cpu_ns)
		g->recent_cpu_ns = cpu_ns;
}

void watch_take_recent(struct app *app, uint64_t *ns, uint64_t *cpu_ns)
{
	struct gauge *g = &app->watch.turn;

	*ns = g->recent_ns;
	*cpu_ns = g->recent_cpu_ns;
	g->recent_ns = g->recent_cpu_ns = 0;
}

void watch_take_second(struct app *app, uint64_t *busy_ns, uint64_t *longest_ns)
{
	struct gauge *g = &app->watch.turn;

	*busy_ns = g->busy_ns;
	*longest_ns = g->second_ns;
	g->second_ns = 0;
}

/* Warns of lost packets: the guard dropped them and no capture saw them. */
static void weigh_guard(struct app *app)
{
	uint64_t dropped, lost;

	app->watch.weighed_ns = clock_now_ns();
	if (!guard_watch_count(app->guard, &dropped))
		return;
	lost = guard_balance(&app->watch.balance, dropped,
			     taps_captured(&app->taps));
	if (lost)
		log_warn("%llu packets for a service came by a way that cannot "
			 "be captured, and are lost: has this host's own NAT "
			 "redirected them, or IPsec unpacked them?",
			 (unsigned long long)lost);
}

void watch_log_counters(struct app *app)
{
	const struct netlink_counters net = netlink_counters(app->netlink);
	const struct engine_counters *counted = engine_counters(app->engine);
	const struct inject_counters *sent;
	char text[1024];

	dump_counters(app->engine, text, sizeof(text));
	log_info("%s", text);
	sent = inject_counters(app->inject);
	log_info("sent by_link=%llu by_raw=%llu supers=%llu merged=%llu "
		 "cut=%llu originated=%llu originate_failed=%llu "
		 "outbox_lost=%llu answers_spared=%llu "
		 "answers_limited=%llu",
		 (unsigned long long)sent->by_link,
		 (unsigned long long)sent->by_raw,
		 (unsigned long long)sent->supers,
		 (unsigned long long)sent->merged,
		 (unsigned long long)sent->cut,
		 (unsigned long long)sent->originated,
		 (unsigned long long)sent->originate_failed,
		 (unsigned long long)counted->outbox_lost,
		 (unsigned long long)counted->answers_spared,
		 (unsigned long long)counted->answers_limited);
	log_info("network queries=%llu over_budget=%llu verified=%llu "
		 "resyncs=%llu table_full=%llu too_big_limited=%llu",
		 (unsigned long long)net.queries,
		 (unsigned long long)net.over_budget,
		 (unsigned long long)net.probes,
		 (unsigned long long)net.resyncs,
		 (unsigned long long)net.table_full,
		 (unsigned long long)forward_too_big_limited(app->forward));
	log_info("loop longest_turn_ms=%.3f",
		 (double)app->watch.turn.longest_ns / NS_PER_MS);
	taps_tell_counters(&app->taps);
	weigh_guard(app);
	if (app->watch.balance.begun)
		log_info("guard took=%llu uncaptured=%llu",
			 (unsigned long long)app->watch.balance.taken,
			 (unsigned long long)app->watch.balance.uncaptured);
}

/*
 * Warns when the fullest port pool reaches 90 %, and again after it was below.
 * A port counts as free if its flow can be recycled.
 */
static void check_pools(struct app *app)
{
	const struct pool_view p = engine_fullest_pool(app->engine);

	if (p.used_percent >= 90 && app->watch.pool_warned < 90) {
		char source[ADDR_TEXT_MAX], backend[ENDPOINT_TEXT_MAX];

		log_warn("%u%% of the NAT ports of %s toward %s are used; add "
			 "a source address (source = in l4lb.conf) or widen "
			 "--nat-ports",
			 p.used_percent, addr_format(&p.source, source),
			 endpoint_format(&p.backend, backend));
	}
	app->watch.pool_warned = p.used_percent;
}

/*
 * Returns the growth of @count since it was last logged; 0 if there is none or
 * it is too soon.
 */
static uint64_t to_tell(struct told *told, uint64_t count, uint64_t now_ns)
{
	const uint64_t more = count - told->count;

	if (!more || (told->at_ns && now_ns - told->at_ns < 10 * NS_PER_S))
		return 0;
	*told = (struct told){count, now_ns};
	return more;
}

static void check_table(struct app *app, uint64_t now_ns)
{
	const struct engine *e = app->engine;
	const struct engine_counters *c = engine_counters(e);
	uint64_t n = to_tell(&app->watch.refused, c->dropped[DROP_TABLE_FULL],
			     now_ns);

	if (n)
		log_warn("the flow table is full, %llu new connections were "
			 "refused; raise --flows (flows = in l4lb.conf) above "
			 "%u",
			 (unsigned long long)n, engine_flows(e)->size);
	n = to_tell(&app->watch.no_port, c->dropped[DROP_NO_PORT], now_ns);
	if (n)
		log_warn("the NAT ports are used up, %llu new connections were "
			 "refused; add a source address (source = in "
			 "l4lb.conf) or widen --nat-ports",
			 (unsigned long long)n);
	n = to_tell(&app->watch.displaced, c->recycled_half_closed, now_ns);
	if (n)
		log_warn("flows or NAT ports are used up, %llu half-closed "
			 "connections were reset to make room, those that "
			 "were idle longest; raise --flows above %u or widen "
			 "--nat-ports",
			 (unsigned long long)n, engine_flows(e)->size);
}

/* Warns of other limits that were reached. */
static void check_limits(struct app *app, uint64_t now_ns)
{
	const struct engine_counters *c = engine_counters(app->engine);
	uint64_t n = to_tell(&app->watch.limited, c->answers_limited, now_ns);

	if (n)
		log_warn("%llu packets that belong to no connection were not "
			 "answered: too many; a scan, a flood, or clients of "
			 "an earlier instance",
			 (unsigned long long)n);
	n = to_tell(&app->watch.outbox, c->outbox_lost, now_ns);
	if (n)
		log_warn("%llu resets and checks were not sent, too many "
			 "waited; the ends find out by themselves",
			 (unsigned long long)n);
	n = to_tell(&app->watch.forgotten,
		    netlink_counters(app->netlink).table_full, now_ns);
	if (n)
		log_warn("this host has more links, addresses or neighbours "
			 "than are remembered: %llu were not; what goes by "
			 "them is slower",
			 (unsigned long long)n);
}

static void check_ways(struct app *app, uint64_t now_ns)
{
	const uint64_t n =
		to_tell(&app->watch.unreached,
			engine_counters(app->engine)->unreached, now_ns);

	if (n)
		log_warn(
			"%llu health checks and handshakes had no answer since "
			"this host has no way to their backends (no route, or "
			"the interface is down), which stay what they were",
			(unsigned long long)n);
}

/* Warns once that health checks cannot be made, until they can again. */
static void check_checks(struct app *app)
{
	unsigned n = 0;
	int why = checker_trouble(app->checker, &n);

	if (why && !app->watch.checks_warned)
		log_warn("%u health checks could not be made, their backends "
			 "stay what they were: %s",
			 n, strerror(why));
	app->watch.checks_warned = why != 0;
}

void watch_each_second(struct app *app)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - app->watch.looked_ns < NS_PER_S)
		return;
	app->watch.looked_ns = now_ns;
	check_pools(app);
	check_table(app, now_ns);
	check_limits(app, now_ns);
	taps_tell_drops(&app->taps);
	check_checks(app);
	check_ways(app, now_ns);
	network_read(app);
	presence_each_second(app);
	overlay_each_second(app);
	reach_changed(app); /* not every change is notified */
	packets_links_changed(app);
	guarding_read(app);
	if (now_ns - app->watch.weighed_ns >= 10 * NS_PER_S)
		weigh_guard(app);
}
