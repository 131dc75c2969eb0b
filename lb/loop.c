/* SPDX-License-Identifier: MIT */
/*
 * loop.c - one thread, one poll(): captured frames, rtnetlink, nftables,
 * signals, checks, and the engine's next deadline; and the end of it
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "clock.h"
#include "control/dump.h"
#include "control/dumper.h"
#include "host/guard.h"
#include "log.h"

#define BUSY_FRAMES_MAX 2     /* frames per turn at a light load */
#define POLL_MAX_MS	1000  /* housekeeping */
#define RESET_MAX_MS	30000 /* for all flows, at a clean exit */
#define RESET_LINGER_MS 100   /* to answer replies to our resets */

/* -------------------------------------------------------------- network */

static void log_network(const struct netlink_event *event)
{
	static const char *const what[] = {
		[NETLINK_LINK_UP] = "is up",
		[NETLINK_LINK_DOWN] = "is down",
		[NETLINK_LINK_CHANGED] = "has another name, MAC, MTU or master",
		[NETLINK_ADDR_NEW] = "has a new address",
		[NETLINK_ADDR_GONE] = "has lost an address",
	};
	char text[ADDR_TEXT_MAX] = "";

	if (event->kind == NETLINK_ROUTE_CHANGED) {
		log_debug("network: routes changed");
		return;
	}
	if (event->kind == NETLINK_ADDR_NEW || event->kind == NETLINK_ADDR_GONE)
		addr_format(&event->addr, text);
	log_debug("network: %s %s%s%s", event->link ? event->link->name : "?",
		  what[event->kind], text[0] ? ": " : "", text);
}

static void on_netlink(void *arg, const struct netlink_event *event)
{
	struct app *app = arg;

	app->links_changed = true;
	log_network(event);
	switch (event->kind) {
	case NETLINK_LINK_UP:
	case NETLINK_LINK_DOWN:
		taps_link_changed(&app->taps, event->link,
				  event->kind == NETLINK_LINK_UP);
		break;
	case NETLINK_ADDR_NEW:
	case NETLINK_ADDR_GONE:
	case NETLINK_LINK_CHANGED:
	case NETLINK_ROUTE_CHANGED: break;
	}
}

static void read_netlink(struct app *app)
{
	netlink_read(app->netlink, on_netlink, app);
	if (!app->links_changed)
		return;
	app->links_changed = false;
	presence_changed(app);
	taps_refresh(&app->taps);
}

/* -------------------------------------------------------------- signals */

static void start_dump(struct app *app)
{
	const uint64_t now_ns = clock_now_ns();

	app->dump_again = app->dumper != 0;
	if (app->dumper) {
		if (now_ns - app->dumped_ns > NS_PER_S)
			log_warn("the previous dump is still being written, "
				 "another one follows: is stdout read by "
				 "anyone?");
		return;
	}
	app->dumped_ns = now_ns;
	app->dumper = dumper_start(app->engine, now_ns, app->started_ns);
	if (!app->dumper)
		log_warn("cannot dump the flows: fork: %s", strerror(errno));
}

/* Warns of lost packets: the guard dropped them and no capture saw them. */
static void weigh_guard(struct app *app)
{
	uint64_t dropped, lost;

	app->weighed_ns = clock_now_ns();
	if (!guard_watch_count(app->guard, &dropped))
		return;
	lost = guard_balance(&app->balance, dropped, taps_captured(&app->taps));
	if (lost)
		log_warn("%llu packets for a service came by a way that cannot "
			 "be captured, and are lost: has this host's own NAT "
			 "redirected them, or IPsec unpacked them?",
			 (unsigned long long)lost);
}

void app_log_counters(struct app *app)
{
	const struct netlink_counters net = netlink_counters(app->netlink);
	const struct engine_counters *counted = &app->engine->counters;
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
	taps_tell_counters(&app->taps);
	weigh_guard(app);
	if (app->balance.begun)
		log_info("guard took=%llu uncaptured=%llu",
			 (unsigned long long)app->balance.taken,
			 (unsigned long long)app->balance.uncaptured);
}

static void reap_dumper(struct app *app)
{
	int status;

	while (waitpid(-1, &status, WNOHANG) > 0) {
		app->dumper = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status))
			log_warn("the dump could not be written to stdout: %s",
				 strerror(WEXITSTATUS(status)));
	}
}

static void read_signals(struct app *app)
{
	struct signalfd_siginfo info;

	while (read(app->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT: app->stops++; break;
		case SIGHUP:
			log_warn("SIGHUP: reloading the configuration is not "
				 "built yet; restart l4lb to change it");
			break;
		case SIGUSR1:
			start_dump(app);
			app_log_counters(app);
			break;
		case SIGCHLD:
			reap_dumper(app);
			if (!app->dumper && app->dump_again)
				start_dump(app);
			break;
		default: break;
		}
	}
}

/* --------------------------------------------------------- housekeeping */

static void read_guard(struct app *app)
{
	const char *news = guard_watch_read(app->guard, clock_now_ns());

	if (news)
		log_warn("%s", news);
}

/*
 * Warns when the fullest port pool reaches 90 %, and again after it was below.
 * A port counts as free if its flow can be recycled.
 */
static void check_pools(struct app *app)
{
	const struct engine *e = app->engine;
	const struct pool *fullest = NULL;
	unsigned percent = 0;

	for (unsigned i = 0; i < e->n_pools; i++) {
		const struct port_pool *p = &e->pools[i].ports;
		uint32_t room = p->free + e->pools[i].recyclable;
		unsigned used = (unsigned)(100 - room * 100ull / p->size);

		if (!fullest || used > percent) {
			fullest = &e->pools[i];
			percent = used;
		}
	}
	if (fullest && percent >= 90 && app->pool_warned < 90) {
		char source[ADDR_TEXT_MAX], backend[ENDPOINT_TEXT_MAX];

		log_warn("%u%% of the NAT ports of %s toward %s are used; add "
			 "a source address (source = in l4lb.conf) or widen "
			 "--nat-ports",
			 percent, addr_format(&fullest->source, source),
			 endpoint_format(&fullest->backend, backend));
	}
	app->pool_warned = percent;
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
	const struct engine_counters *c = &e->counters;
	uint64_t n =
		to_tell(&app->refused, c->dropped[DROP_TABLE_FULL], now_ns);

	if (n)
		log_warn("the flow table is full, %llu new connections were "
			 "refused; raise --flows (flows = in l4lb.conf) above "
			 "%u",
			 (unsigned long long)n, e->table.size);
	n = to_tell(&app->no_port, c->dropped[DROP_NO_PORT], now_ns);
	if (n)
		log_warn("the NAT ports are used up, %llu new connections were "
			 "refused; add a source address (source = in "
			 "l4lb.conf) or widen --nat-ports",
			 (unsigned long long)n);
	n = to_tell(&app->displaced, c->recycled_half_closed, now_ns);
	if (n)
		log_warn("flows or NAT ports are used up, %llu half-closed "
			 "connections were reset to make room, those that "
			 "were idle longest; raise --flows above %u or widen "
			 "--nat-ports",
			 (unsigned long long)n, e->table.size);
}

/* Warns of other limits that were reached. */
static void check_limits(struct app *app, uint64_t now_ns)
{
	const struct engine_counters *c = &app->engine->counters;
	uint64_t n = to_tell(&app->limited, c->answers_limited, now_ns);

	if (n)
		log_warn("%llu packets that belong to no connection were not "
			 "answered: too many; a scan, a flood, or clients of "
			 "an earlier instance",
			 (unsigned long long)n);
	n = to_tell(&app->outbox, c->outbox_lost, now_ns);
	if (n)
		log_warn("%llu resets and checks were not sent, too many "
			 "waited; the ends find out by themselves",
			 (unsigned long long)n);
	n = to_tell(&app->forgotten, netlink_counters(app->netlink).table_full,
		    now_ns);
	if (n)
		log_warn("this host has more links, addresses or neighbours "
			 "than are remembered: %llu were not; what goes by "
			 "them is slower",
			 (unsigned long long)n);
}

static void check_ways(struct app *app, uint64_t now_ns)
{
	const uint64_t n = to_tell(&app->unreached,
				   app->engine->counters.unreached, now_ns);

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

	if (why && !app->checks_warned)
		log_warn("%u health checks could not be made, their backends "
			 "stay what they were: %s",
			 n, strerror(why));
	app->checks_warned = why != 0;
}

static void keep_house(struct app *app)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - app->housekept_ns < NS_PER_S)
		return;
	app->housekept_ns = now_ns;
	check_pools(app);
	check_table(app, now_ns);
	check_limits(app, now_ns);
	taps_tell_drops(&app->taps);
	check_checks(app);
	check_ways(app, now_ns);
	read_netlink(app);
	presence_each_second(app);
	taps_refresh(&app->taps);
	read_guard(app);
	if (now_ns - app->weighed_ns >= 10 * NS_PER_S)
		weigh_guard(app);
}

/* ----------------------------------------------------------------- loop */

static int poll_timeout_ms(uint64_t next_ns)
{
	uint64_t now_ns = clock_now_ns();

	if (next_ns <= now_ns)
		return 0;
	if (next_ns - now_ns >= POLL_MAX_MS * NS_PER_MS)
		return POLL_MAX_MS;
	return (int)((next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/*
 * The answer often follows a lone packet closely: a short poll before going to
 * sleep saves the wake-up. After a batch it is left out, because other
 * processes have work to do then.
 */
static int wait_for(const struct app *app, struct pollfd *fds, nfds_t n,
		    int timeout_ms)
{
	uint64_t until_ns;
	int ready;

	if (app->config.busy_poll_us == 0 || app->frames == 0 ||
	    app->frames > BUSY_FRAMES_MAX || timeout_ms == 0)
		return poll(fds, n, timeout_ms);
	until_ns = clock_now_ns() + app->config.busy_poll_us * 1000ull;
	do {
		ready = poll(fds, n, 0);
	} while (ready == 0 && clock_now_ns() < until_ns);
	return ready ? ready : poll(fds, n, timeout_ms);
}

/* Waits for an event and handles it. False: poll() failed. */
static bool turn(struct app *app, int timeout_ms)
{
	const uint64_t before_ns = clock_now_ns();
	struct pollfd fds[TAPS_FDS + 4], *more;

	more = fds + taps_poll(&app->taps, fds);
	more[0] = (struct pollfd){app->signals, POLLIN, 0};
	more[1] = (struct pollfd){netlink_fd(app->netlink), POLLIN, 0};
	more[2] = (struct pollfd){checker_fd(app->checker), POLLIN, 0};
	more[3] = (struct pollfd){guard_watch_fd(app->guard), POLLIN, 0};
	if (wait_for(app, fds, (nfds_t)(more - fds) + 4, timeout_ms) == -1 &&
	    errno != EINTR) {
		log_warn("poll: %s", strerror(errno));
		return false;
	}
	if (more[3].revents)
		read_guard(app);
	app->frames = taps_read(&app->taps, fds, before_ns);
	if (more[0].revents)
		read_signals(app);
	if (more[1].revents)
		read_netlink(app);
	return true;
}

bool app_run(struct app *app)
{
	while (!app->stops) {
		uint64_t next_ns, probes_ns;

		checker_read(app->checker, clock_now_ns());
		next_ns = forward_tick(app->forward);
		probes_ns = checker_start(app->checker, clock_now_ns());
		if (probes_ns < next_ns)
			next_ns = probes_ns;
		if (!turn(app, poll_timeout_ms(next_ns)))
			return false;
		presence_take_wanted(app);
		keep_house(app);
	}
	return true;
}

/* ------------------------------------------------------------------ end */

/*
 * Clean exit: resets both sides of every flow, as many at a time as the outbox
 * holds. In between, packets of sides that did not accept their reset are
 * answered, and new connections are refused. A second signal ends this at once.
 */
static void reset_flows(struct app *app)
{
	struct engine *e = app->engine;
	const uint64_t begin_ns = clock_now_ns(), before = e->counters.reset;
	uint64_t until_ns = begin_ns + RESET_MAX_MS * NS_PER_MS;
	bool more, waits, told = false;

	for (unsigned s = 0; s < e->n_services; s++) {
		e->services[s].params.drop_all_down = false;
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			e->services[s].backends[i].params.weight = 0;
	}
	do {
		more = engine_reset_all(e, clock_now_ns());
		forward_tick(app->forward); /* sends the resets */
		/* What found no room needs a moment; do not spin. */
		waits = forward_waits(app->forward);
		if (!turn(app, waits ? 1 : 0))
			return;
		if (!told && clock_now_ns() > begin_ns + 100 * NS_PER_MS) {
			told = true;
			log_info("resetting %u flows, a second signal ends it",
				 e->table.used);
		}
	} while ((more || waits) && app->stops < 2 &&
		 clock_now_ns() < until_ns);
	if (e->counters.reset == before)
		return;
	log_info("reset %llu flows in %llu ms%s",
		 (unsigned long long)(e->counters.reset - before),
		 (unsigned long long)((clock_now_ns() - begin_ns) / NS_PER_MS),
		 more ? ", the others have to find out" : "");
	until_ns = clock_now_ns() + RESET_LINGER_MS * NS_PER_MS;
	while (clock_now_ns() < until_ns && turn(app, 10))
		forward_tick(app->forward);
}

void app_finish(struct app *app, bool started)
{
	bool keep = started ? app->config.guard == GUARD_KEEP
			    : app->state && state_found(app->state);
	struct err err;
	int ret;

	if (started && !keep)
		reset_flows(app);
	taps_close(&app->taps);
	if (app->guard && !keep && guard_down(app->config.name, &err))
		log_warn("%s", err.text);
	guard_watch_close(app->guard);
	ret = reserve_release(app->reservation, keep);
	if (ret)
		log_warn("the ports of \"%s\" stay reserved, as they cannot be "
			 "given back: %s; iptables/guard.sh down %s does it",
			 app->config.name,
			 ret == -EBUSY ? "another process has /run/l4lb locked"
				       : strerror(-ret),
			 app->config.name);
	checker_close(app->checker);
	forward_free(app->forward);
	inject_close(app->inject);
	engine_free(app->engine);
	if (app->slots)
		munmap(app->slots, app->slots_bytes);
	if (keep)
		state_close(app->state);
	else
		state_remove(app->state);
	plan_free(app->plan);
	netlink_close(app->netlink);
	if (app->signals >= 0)
		close(app->signals);
	for (int i = 0; i < TAP_RINGS; i++)
		free(app->filter[i]);
}
