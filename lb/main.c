/* SPDX-License-Identifier: MIT */
/*
 * main.c - wiring: arguments, configuration, engine, adapters, loop
 *
 * The only file that prints errors and exits. One thread, one poll(): captured
 * frames, rtnetlink, signals, and the engine's next deadline.
 */
#include <cap-ng.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/config.h"
#include "control/dump.h"
#include "core/engine.h"
#include "dumper.h"
#include "events.h"
#include "io/checker.h"
#include "io/forward.h"
#include "io/guard_watch.h"
#include "io/inject.h"
#include "io/netlink.h"
#include "io/reserve.h"
#include "io/state.h"
#include "log.h"
#include "setup.h"
#include "taps.h"

#define EXIT_HOST   1 /* this host does not allow it, or a later failure */
#define EXIT_CONFIG 2 /* wrong by itself */

#define BUSY_FRAMES_MAX 2     /* fewer in a turn: the load is light */
#define POLL_MAX_MS	1000  /* housekeeping */
#define RESET_MAX_MS	30000 /* all flows, at a clean exit */
#define RESET_LINGER_MS 100   /* for those who ask back, see reset.c */
#define NS_PER_MS	1000000ull

struct app {
	struct config config;
	struct setup *setup;
	struct netlink *netlink;
	struct reservation *reservation;
	uint16_t probe_lo;	   /* see setup_probe_ports() */
	struct guard_watch *guard; /* NULL: none of ours */
	struct state *state;	   /* the flow table lies there */
	struct flow_slot *slots;   /* its index */
	size_t slots_bytes;
	struct engine *engine;
	struct inject *inject;
	struct forward *forward;
	struct checker *checker; /* NULL: no service needs it */
	char *filter[TAP_RINGS];
	struct taps taps;
	unsigned frames; /* read in the last turn */
	int signals;
	pid_t dumper;	/* child writing a dump, or 0 */
	unsigned stops; /* how often it was told to */
	bool links_changed;
	uint64_t started_ns;
	uint64_t housekept_ns;
	bool checks_warned;   /* some could not be made */
	unsigned pool_warned; /* percent of the fullest, last told */
};

/* --------------------------------------------------------------- events */

static bool is_our_address(const struct app *app, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < app->setup->n_services; i++)
		if (addr_equal(&app->setup->listens[i].addr, addr))
			return true;
	for (unsigned i = 0; i < app->setup->n_sources; i++)
		if (addr_equal(&app->setup->sources[i], addr))
			return true;
	return false;
}

static void on_netlink(void *arg, const struct netlink_event *event)
{
	struct app *app = arg;
	char text[ADDR_TEXT_MAX];

	app->links_changed = true;
	switch (event->kind) {
	case NETLINK_LINK_UP:
	case NETLINK_LINK_DOWN:
		taps_link_changed(&app->taps, event->link->name,
				  event->kind == NETLINK_LINK_UP);
		break;
	case NETLINK_ADDR_NEW:
	case NETLINK_ADDR_GONE:
		if (is_our_address(app, &event->addr))
			log_warn("address %s %s %s",
				 addr_format(&event->addr, text),
				 event->kind == NETLINK_ADDR_NEW
					 ? "is there again on"
					 : "was removed from",
				 event->link ? event->link->name : "?");
		break;
	case NETLINK_LINK_CHANGED:
	case NETLINK_ROUTE_CHANGED: break;
	}
}

static void read_netlink(struct app *app)
{
	struct err err;

	netlink_read(app->netlink, on_netlink, app);
	if (!app->links_changed)
		return;
	app->links_changed = false;
	taps_refresh(&app->taps, false, &err);
}

static void on_flow(void *arg, enum flow_event event, const struct flow *f)
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

static void on_backend(void *arg, enum backend_event event,
		       const struct backend *b, enum check_result why)
{
	struct app *app = arg;

	events_backend(&app->config, app->engine, event, b, why,
		       forward_now_ns());
}

/* -------------------------------------------------------------- signals */

static void start_dump(struct app *app)
{
	if (app->dumper) {
		log_warn("the previous dump is still being written: is stdout "
			 "read by anyone?");
		return;
	}
	app->dumper =
		dumper_start(app->engine, forward_now_ns(), app->started_ns);
	if (!app->dumper)
		log_warn("cannot dump the flows: fork: %s", strerror(errno));
}

static void log_counters(struct app *app)
{
	const struct inject_counters *sent;
	char text[1024];

	dump_counters(app->engine, text, sizeof(text));
	log_info("%s", text);
	sent = inject_counters(app->inject);
	log_info("sent by_link=%llu by_raw=%llu supers=%llu merged=%llu "
		 "cut=%llu originated=%llu originate_failed=%llu",
		 (unsigned long long)sent->by_link,
		 (unsigned long long)sent->by_raw,
		 (unsigned long long)sent->supers,
		 (unsigned long long)sent->merged,
		 (unsigned long long)sent->cut,
		 (unsigned long long)sent->originated,
		 (unsigned long long)sent->originate_failed);
	taps_tell_counters(&app->taps);
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
			log_counters(app);
			break;
		case SIGCHLD:
			while (waitpid(-1, NULL, WNOHANG) > 0)
				app->dumper = 0;
			break;
		default: break;
		}
	}
}

static int catch_signals(struct app *app, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	app->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (app->signals == -1)
		return err_set(err, -errno, "signalfd: %s", strerror(errno));
	return 0;
}

/* --------------------------------------------------------- housekeeping */

static void read_guard(struct app *app)
{
	const char *news = guard_watch_read(app->guard, forward_now_ns());

	if (news)
		log_warn("%s", news);
}

/* Warns once when the fullest port pool passes 90 %, and when it is back. */
static void check_pools(struct app *app)
{
	const struct engine *e = app->engine;
	const struct pool *fullest = NULL;
	unsigned percent = 0;

	for (unsigned i = 0; i < e->n_pools; i++) {
		const struct port_pool *p = &e->pools[i].ports;
		unsigned used = 100 - p->free * 100 / p->size;

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

/* Warns once when health checks cannot be made, until they can again. */
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
	uint64_t now_ns = forward_now_ns();

	if (now_ns - app->housekept_ns < ENGINE_NS_PER_S)
		return;
	app->housekept_ns = now_ns;
	check_pools(app);
	taps_tell_drops(&app->taps);
	check_checks(app);
	app->links_changed |= app->taps.incomplete;
	read_netlink(app);
	read_guard(app);
}

/* ----------------------------------------------------------------- loop */

static int poll_timeout_ms(uint64_t next_ns)
{
	uint64_t now_ns = forward_now_ns();

	if (next_ns <= now_ns)
		return 0;
	if (next_ns - now_ns >= POLL_MAX_MS * NS_PER_MS)
		return POLL_MAX_MS;
	return (int)((next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/*
 * A lone packet is often followed by its answer: a short look around before
 * going to sleep saves the wake-up. After a batch there is none, since others
 * on this processor have work to do then.
 */
static int wait_for(const struct app *app, struct pollfd *fds, nfds_t n,
		    int timeout_ms)
{
	uint64_t until_ns;
	int ready;

	if (app->config.busy_poll_us == 0 || app->frames == 0 ||
	    app->frames > BUSY_FRAMES_MAX || timeout_ms == 0)
		return poll(fds, n, timeout_ms);
	until_ns = forward_now_ns() + app->config.busy_poll_us * 1000ull;
	do {
		ready = poll(fds, n, 0);
	} while (ready == 0 && forward_now_ns() < until_ns);
	return ready ? ready : poll(fds, n, timeout_ms);
}

/* Waits for something to come and deals with it; false: it cannot. */
static bool turn(struct app *app, int timeout_ms)
{
	const uint64_t before_ns = forward_now_ns();
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
	app->frames =
		taps_read(&app->taps, fds, before_ns, &app->links_changed);
	if (more[0].revents)
		read_signals(app);
	if (more[1].revents || app->links_changed)
		read_netlink(app);
	return true;
}

/* Until it is told to stop; false: it cannot go on. */
static bool run(struct app *app)
{
	while (!app->stops) {
		uint64_t next_ns, probes_ns;

		checker_read(app->checker, forward_now_ns());
		next_ns = forward_tick(app->forward);
		probes_ns = checker_start(app->checker, forward_now_ns());
		if (probes_ns < next_ns)
			next_ns = probes_ns;
		if (!turn(app, poll_timeout_ms(next_ns)))
			return false;
		keep_house(app);
	}
	return true;
}

/*
 * A clean exit: both sides of every flow learn of it. An outbox full at a
 * time, and in between what comes back is answered, for a side that does not
 * believe its reset asks. Who comes new is refused. Who is told to stop a
 * second time does so at once.
 */
static void reset_flows(struct app *app)
{
	struct engine *e = app->engine;
	const uint64_t begin_ns = forward_now_ns(), before = e->counters.reset;
	uint64_t until_ns = begin_ns + RESET_MAX_MS * NS_PER_MS;
	bool more, waits, told = false;

	for (unsigned s = 0; s < e->n_services; s++) {
		e->services[s].drop_all_down = false;
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			e->services[s].backends[i].weight = 0;
	}
	do {
		more = engine_reset_all(e, forward_now_ns());
		forward_tick(app->forward); /* sends them */
		/* What found no room needs a moment, and no processor. */
		waits = forward_waits(app->forward);
		if (!turn(app, waits ? 1 : 0))
			return;
		if (!told && forward_now_ns() > begin_ns + 100 * NS_PER_MS) {
			told = true;
			log_info("resetting %u flows, a second signal ends it",
				 e->table.used);
		}
	} while ((more || waits) && app->stops < 2 &&
		 forward_now_ns() < until_ns);
	if (e->counters.reset == before)
		return;
	log_info(
		"reset %llu flows in %llu ms%s",
		(unsigned long long)(e->counters.reset - before),
		(unsigned long long)((forward_now_ns() - begin_ns) / NS_PER_MS),
		more ? ", the others have to find out" : "");
	until_ns = forward_now_ns() + RESET_LINGER_MS * NS_PER_MS;
	while (forward_now_ns() < until_ns && turn(app, 10))
		forward_tick(app->forward);
}

/* ---------------------------------------------------------------- start */

static int need_privilege(struct err *err)
{
	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW) &&
	    capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		return 0;
	return err_set(err, -EPERM,
		       "no permission: l4lb needs CAP_NET_RAW and "
		       "CAP_NET_ADMIN; run it with sudo");
}

/* Only these two remain after the start (design rule 14). */
static int drop_privilege(struct err *err)
{
	capng_clear(CAPNG_SELECT_BOTH);
	capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW,
		      CAP_NET_ADMIN, -1);
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return err_set(err, -EPERM, "cannot drop capabilities: %s",
			       strerror(errno));
	return 0;
}

static_assert(CONFIG_CLAMP_OFF == FORWARD_CLAMP_OFF, "handed on as it is");
static_assert(CONFIG_CLAMP_AUTO == FORWARD_CLAMP_AUTO, "the same");

static int take_ports(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	const struct setup *s = app->setup;
	struct reserve_request req = {
		.name = c->name,
		.services = s->listens,
		.n_services = s->n_services,
		.sources = s->sources,
		.n_sources = s->n_sources,
		.nat_lo = c->nat_lo,
		.nat_hi = c->nat_hi,
		.fixed = c->nat_ports_set,
		.ports_min = CONFIG_NAT_MIN,
	};
	int ret;

	/* Flows that go on have their ports. */
	if (!req.fixed)
		req.had = state_ports(app->state, &req.nat_lo, &req.nat_hi);
	ret = reserve_take(&app->reservation, &req, err);
	if (ret)
		return ret;
	if (reserve_warning(app->reservation))
		log_warn("%s", reserve_warning(app->reservation));
	app->probe_lo = setup_probe_ports(app->reservation, app->state);
	log_info("nat ports %u-%u free=%u in_use_by_this_host=%u",
		 reserve_lo(app->reservation), reserve_hi(app->reservation),
		 reserve_count(app->reservation) -
			 (app->probe_lo ? PROBE_PORTS : 0),
		 reserve_skipped(app->reservation));
	state_set_ports(app->state, reserve_lo(app->reservation),
			reserve_hi(app->reservation), app->probe_lo);
	return 0;
}

static int put_guard(struct app *app, struct err *err)
{
	const struct setup *s = app->setup;
	const struct guard_spec spec = {
		.name = app->config.name,
		.services = s->listens,
		.n_services = s->n_services,
		.backends = s->endpoints,
		.n_backends = s->n_backends,
		.sources = s->sources,
		.n_sources = s->n_sources,
		.nat_lo = reserve_lo(app->reservation),
		.nat_hi = reserve_hi(app->reservation),
		.skipped = reserve_skipped_ports(app->reservation),
		.n_skipped = reserve_skipped(app->reservation),
	};
	int ret;

	if (app->config.guard == GUARD_NONE) {
		log_info(
			"guard none: nothing keeps this host's kernel from "
			"resetting connections, unless iptables/guard.sh does");
		return 0;
	}
	ret = guard_watch_open(&app->guard, &spec, err);
	if (ret)
		return ret;
	log_info("guard %s: nftables table l4lb_%s",
		 app->config.guard == GUARD_KEEP ? "keep" : "auto", spec.name);
	return 0;
}

/*
 * The table's index is touched at random: present from the start, so that no
 * packet waits for a page, and in huge pages where it spans many. NULL: the
 * engine takes ordinary memory.
 */
static struct flow_slot *make_index(uint32_t flows, size_t *bytes)
{
	void *slots;

	*bytes = (size_t)flows * FLOW_SLOTS * sizeof(struct flow_slot);
	slots = mmap(NULL, *bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		return NULL;
	(void)madvise(slots, *bytes, MADV_HUGEPAGE);
	memset(slots, 0, *bytes);
	return slots;
}

static int make_engine(struct app *app, struct err *err)
{
	/* Reserved with the range, guarded with it, never a flow's. */
	const unsigned probe_lo = app->probe_lo;
	struct engine_spec spec = {
		.n_services = app->setup->n_services,
		.services = app->setup->services,
		.n_flows = app->config.flows,
		.timeouts = app->config.timeouts,
		.on_flow = on_flow,
		.on_backend = on_backend,
		.probe_lo = (uint16_t)probe_lo,
		.on_arg = app,
	};
	uint16_t *ports;
	int ret;

	if (!probe_lo && setup_without_syn_checks(app->setup))
		log_warn("no %d free NAT ports in a row: syn checks cannot be "
			 "made, widen --nat-ports",
			 PROBE_PORTS);
	ports = calloc(UINT16_MAX + 1, sizeof(*ports));
	if (!ports)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned p = reserve_lo(app->reservation);
	     p <= reserve_hi(app->reservation); p++)
		if (reserve_usable(app->reservation, (uint16_t)p) &&
		    (p < probe_lo || p >= probe_lo + PROBE_PORTS))
			ports[spec.n_ports++] = (uint16_t)p;
	spec.ports = ports;

	if (getrandom(&spec.seed, sizeof(spec.seed), 0) == -1) {
		free(ports);
		return err_set(err, -errno, "no random numbers: %s",
			       strerror(errno));
	}
	memcpy(spec.secret, state_secret(app->state), sizeof(spec.secret));
	spec.flows = state_flows(app->state);
	spec.slots = app->slots = make_index(spec.n_flows, &app->slots_bytes);
	ret = engine_new(&app->engine, &spec, forward_now_ns(), err);
	free(ports);
	return ret;
}

static int open_state(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	int ret = state_open(&app->state, c->state, c->flows, err);

	if (ret)
		return ret;
	if (state_why_fresh(app->state))
		log_warn("state file %s is not used, connections of before "
			 "are not continued: %s",
			 c->state, state_why_fresh(app->state));
	if (!*c->state && c->guard == GUARD_KEEP)
		log_warn("--state none: connections do not survive a restart, "
			 "with --guard keep either");
	return 0;
}

/* The flows of an earlier process go on from here. */
static int take_over(struct app *app, struct err *err)
{
	const uint64_t begin_ns = forward_now_ns();
	uint32_t refused = 0;
	int64_t n;

	if (!state_found(app->state))
		return 0;
	n = engine_adopt(app->engine, begin_ns, &refused);
	if (n < 0)
		return err_set(err, (int)n, "out of memory");
	log_info("took over flows=%lld refused=%u ms=%.1f from %s",
		 (long long)n, refused,
		 (double)(forward_now_ns() - begin_ns) / NS_PER_MS,
		 app->config.state);
	if (refused)
		log_warn("%u flows of before cannot go on: service_gone=%u "
			 "source_gone=%u too_many_backends=%u; the others are "
			 "damaged, or their ports are not ours any more",
			 refused, app->setup->lost_service,
			 app->setup->lost_source, app->setup->lost_room);
	return 0;
}

/* One line per service and backend: what, where, how. */
static void tell_setup(struct app *app)
{
	const struct config *c = &app->config;

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_spec *s = &app->setup->services[i];
		char text[ENDPOINT_TEXT_MAX], source[ADDR_TEXT_MAX];

		log_info("service %s listen=%s scheduler=%s backends=%u "
			 "flows=%u",
			 c->services[i].name, endpoint_format(&s->listen, text),
			 sched_name(s->scheduler), s->n_backends, c->flows);
		for (unsigned k = 0; k < s->n_backends; k++) {
			const struct backend_spec *b = &s->backends[k];
			const struct link *link;
			struct hop hop;

			netlink_hop(app->netlink, &b->sources[0], &b->addr.addr,
				    forward_now_ns(), &hop);
			link = netlink_link(app->netlink, hop.ifindex);
			log_info("backend %s weight=%u%s source=%s%s via=%s "
				 "inject=%s",
				 endpoint_format(&b->addr, text), b->weight,
				 b->gone     ? " gone"
				 : b->backup ? " backup"
					     : "",
				 addr_format(&b->sources[0], source),
				 b->n_sources > 1 ? ",..." : "",
				 link ? link->name : "route",
				 hop.link ? "link-layer"
				 : link && link->loopback
					 ? "raw IP (this host)"
					 : "raw IP until its neighbour is "
					   "known");
		}
	}
}

static int start(struct app *app, struct err *err)
{
	int ret;

	app->started_ns = forward_now_ns();
	ret = need_privilege(err);
	if (!ret)
		ret = catch_signals(app, err);
	if (!ret)
		ret = netlink_open(&app->netlink, err);
	if (!ret)
		ret = open_state(app, err);
	if (!ret)
		ret = setup_new(&app->setup, &app->config, app->state,
				app->netlink, err);
	if (!ret)
		ret = take_ports(app, err);
	if (!ret)
		ret = inject_open(&app->inject, err);
	if (!ret)
		ret = make_engine(app, err);
	if (!ret)
		ret = take_over(app, err);
	if (!ret)
		ret = forward_new(&app->forward, app->engine, app->inject,
				  app->netlink, app->config.mss_clamp, err);
	if (!ret)
		ret = checker_open(&app->checker, app->engine,
				   reserve_lo(app->reservation),
				   reserve_hi(app->reservation), err);
	if (ret)
		return ret;
	app->filter[TAP_FLOWS] =
		setup_filter(app->setup, reserve_lo(app->reservation),
			     reserve_hi(app->reservation));
	app->filter[TAP_SYNS] = setup_syn_filter(app->setup);
	if (!app->filter[TAP_FLOWS] || !app->filter[TAP_SYNS])
		return err_set(err, -ENOMEM, "out of memory");
	app->taps.setup = app->setup;
	app->taps.netlink = app->netlink;
	app->taps.inject = app->inject;
	app->taps.forward = app->forward;
	app->taps.engine = app->engine;
	memcpy(app->taps.filter, app->filter, sizeof(app->filter));
	/* The guard before the first packet can be answered by us. */
	ret = put_guard(app, err);
	if (!ret)
		ret = taps_refresh(&app->taps, true, err);
	if (!ret)
		ret = drop_privilege(err);
	if (!ret)
		tell_setup(app);
	return ret;
}

/*
 * In reverse; everything may be half-built. @started: it ran, and ends as it
 * was asked to; otherwise what a crash had left is left to the next try.
 */
static void finish(struct app *app, bool started)
{
	bool keep = started ? app->config.guard == GUARD_KEEP
			    : app->state && state_found(app->state);
	struct err err;

	if (app->dumper)
		kill(app->dumper, SIGKILL);
	if (started && !keep)
		reset_flows(app);
	taps_close(&app->taps);
	if (app->guard && !keep && guard_down(app->config.name, &err))
		log_warn("%s", err.text);
	guard_watch_close(app->guard);
	reserve_release(app->reservation, keep);
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
	setup_free(app->setup);
	netlink_close(app->netlink);
	if (app->signals >= 0)
		close(app->signals);
	for (int i = 0; i < TAP_RINGS; i++)
		free(app->filter[i]);
}

int main(int argc, char *argv[])
{
	static struct app app = {.signals = -1};
	bool failed = false;
	struct err err;
	int ret;

	signal(SIGPIPE, SIG_IGN);
	ret = config_read(&app.config, argc, argv, &err);
	if (ret == CONFIG_SHOWN)
		return 0;
	if (ret < 0) {
		fprintf(stderr, "l4lb: %s\n", err.text);
		config_free(&app.config);
		return ret == -EIO || ret == -EACCES ? EXIT_HOST : EXIT_CONFIG;
	}
	if (app.config.check) {
		printf("l4lb: the configuration is right: %u service%s\n",
		       app.config.n_services,
		       app.config.n_services == 1 ? "" : "s");
		config_free(&app.config);
		return 0;
	}

	log_set_level(app.config.verbosity);
	ret = start(&app, &err);
	if (ret) {
		fprintf(stderr, "l4lb: %s\n", err.text);
	} else {
		log_info("ready pid=%d start_ms=%.1f", (int)getpid(),
			 (double)(forward_now_ns() - app.started_ns) /
				 NS_PER_MS);
		failed = !run(&app);
		log_counters(&app);
	}
	finish(&app, ret == 0);
	config_free(&app.config);
	return ret || failed ? EXIT_HOST : 0;
}
