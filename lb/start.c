/* SPDX-License-Identifier: MIT */
/*
 * start.c - starts a balancer from a configuration
 *
 * The order matters: we send nothing before the ports are reserved, the flows
 * of an earlier process are taken over and the guard is active.
 */
#include <cap-ng.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app.h"
#include "clock.h"
#include "control/announce.h"
#include "control/old_flows.h"
#include "control/plan.h"
#include "host/syscall_filter.h"
#include "host/guard.h"
#include "host/needs.h"
#include "host/probe_ports.h"
#include "io/tap_match.h"
#include "log.h"
#include "way.h"

static int catch_signals(struct app *app, struct err *err)
{
	sigset_t set;

	signal(SIGCHLD, SIG_DFL); /* else a child could not be reaped */
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

static void on_backend(void *arg, enum backend_event event,
		       const struct backend *b, enum check_result why)
{
	struct app *app = arg;

	announce_backend(&app->config, app->engine, event, b, why,
			 clock_now_ns());
}

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

/*
 * One socket for each interface that packets leave by, and for each running
 * check. If the limit is reached, each of them fails with its own message, and
 * none names the cause.
 */
#define FILES_MIN 256

static int need_files(struct err *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return err_set(err, -errno, "limit of open files: %s",
			       strerror(errno));
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max >= FILES_MIN)
		return 0;
	return err_set(
		err, -EMFILE,
		"%ju open files are allowed and %d are needed: raise the "
		"limit (ulimit -n)",
		(uintmax_t)files.rlim_max, FILES_MIN);
}

static int drop_privilege(const struct app *app, struct err *err)
{
	int ret = sandbox_become(&app->user, err);

	if (!ret)
		log_debug("runs as uid=%u from here on", (unsigned)geteuid());
	return ret;
}

static int filter_calls(const struct app *app, struct err *err)
{
	const struct user *u = &app->user;
	const char *unfiltered;
	int ret = sandbox_filter(app->config.sandbox, &unfiltered, err);

	if (ret)
		return ret;
	if (unfiltered && app->config.sandbox)
		log_warn("system calls are not filtered: %s", unfiltered);
	log_info("runs as uid=%u%s%s%s%s%s caps=net_raw,net_admin "
		 "no_new_privs filter=%s",
		 (unsigned)geteuid(), *u->name ? " user=" : "", u->name,
		 u->stays ? " (" : "", u->stays ? u->stays : "",
		 u->stays ? ")" : "", unfiltered ? "none" : FILTER_NAME);
	return 0;
}

static_assert(CONFIG_CLAMP_OFF == FORWARD_CLAMP_OFF, "handed on as it is");
static_assert(CONFIG_CLAMP_AUTO == FORWARD_CLAMP_AUTO, "the same");

static int make_plan(struct app *app, struct err *err)
{
	struct needs needs;
	int ret;

	if (needs_read(&needs, app->state))
		return err_set(err, -ENOMEM, "out of memory");
	ret = plan_new(&app->plan, &app->config, &needs, app->netlink, err);
	if (!ret)
		old_flows_add(app->plan, &needs);
	free(needs.list);
	return ret;
}

static int take_ports(struct app *app, struct err *err)
{
	const struct config *c = &app->config;
	const struct plan *p = app->plan;
	struct reserve_request req = {
		.name = c->name,
		.services = p->listens,
		.n_services = p->n_services,
		.sources = p->sources,
		.n_sources = p->n_sources,
		.nat_lo = c->nat_lo,
		.nat_hi = c->nat_hi,
		.fixed = c->nat_ports_set,
		.ports_min = CONFIG_NAT_MIN,
		.owner = &app->user.owner,
	};
	struct ip_addr sources[PLAN_SOURCES_MAX + 1];
	int ret;

	/*
	 * A source that a route will choose may be any address. So no other
	 * instance may have the same ports on any address.
	 */
	if (plan_has_unset(p)) {
		memcpy(sources, p->sources, p->n_sources * sizeof(*sources));
		sources[p->n_sources] = addr_from_v4(INADDR_ANY);
		req.sources = sources;
		req.n_sources = p->n_sources + 1;
	}
	/* Flows that continue keep their ports. */
	if (!req.fixed)
		req.had = state_ports(app->state, &req.nat_lo, &req.nat_hi);
	ret = reserve_take(&app->reservation, &req, err);
	if (ret)
		return ret;
	if (reserve_warning(app->reservation))
		log_warn("%s", reserve_warning(app->reservation));
	/*
	 * Resetting what looks like a stray would end a connection of another
	 * instance.
	 */
	for (unsigned i = 0; i < p->n_services; i++) {
		if (!reserve_shared(app->reservation, i))
			continue;
		log_warn("%s", reserve_shared(app->reservation, i));
		p->services[i].params.reset_out_of_state = false;
	}
	app->probe_lo = probe_ports_choose(app->reservation, app->state);
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
	const struct plan *p = app->plan;
	const struct guard_spec spec = {
		.name = app->config.name,
		.services = p->listens,
		.n_services = p->n_services,
		.backends = p->endpoints,
		.n_backends = p->n_backends,
		.sources = p->sources,
		.n_sources = p->n_sources,
		.nat_lo = reserve_lo(app->reservation),
		.nat_hi = reserve_hi(app->reservation),
		.skipped = reserve_skipped_ports(app->reservation),
		.n_skipped = reserve_skipped(app->reservation),
		.interfaces = app->taps.guarded,
		.n_interfaces = app->taps.n_guarded,
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
 * The index of the flow table is accessed at random. It is present from the
 * start, so that no packet waits for a page, and in huge pages where it spans
 * many. NULL: the engine uses ordinary memory.
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
	/* Reserved and guarded with the range, but flows never get them. */
	const unsigned probe_lo = app->probe_lo;
	struct engine_spec spec = {
		.n_services = app->plan->n_services,
		.services = app->plan->services,
		.n_flows = app->config.flows,
		.timeouts = app->config.timeouts,
		.on_flow = announce_flow,
		.on_backend = on_backend,
		.can_reach = way_can_reach,
		.way_heard_ns = way_heard_ns,
		.may_use = presence_may_use,
		.probe_lo = (uint16_t)probe_lo,
		.on_arg = app,
	};
	uint16_t *ports;
	int ret;

	if (!probe_lo && plan_without_syn_checks(app->plan))
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
	ret = engine_new(&app->engine, &spec, clock_now_ns(), err);
	free(ports);
	return ret;
}

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

static bool is_captured(const struct config *c, const char *ifname)
{
	for (unsigned i = 0; i < c->n_interfaces; i++)
		if (strcmp(c->interfaces[i], ifname) == 0)
			return true;
	return c->n_interfaces == 0;
}

void app_tell_backend(struct app *app, const struct backend_spec *b)
{
	char text[ENDPOINT_TEXT_MAX], source[ADDR_TEXT_MAX];
	const struct link *link;
	struct hop hop;

	netlink_hop(app->netlink, &b->sources[0], &b->addr.addr, clock_now_ns(),
		    &hop);
	link = netlink_link(app->netlink, hop.ifindex);
	endpoint_format(&b->addr, text);
	log_info("backend %s weight=%u%s source=%s%s via=%s inject=%s", text,
		 b->params.weight,
		 b->gone	    ? " gone"
		 : b->params.backup ? " backup"
				    : "",
		 addr_format(&b->sources[0], source),
		 b->n_sources > 1 ? ",..." : "", link ? link->name : "route",
		 hop.link ? "link-layer"
		 : link && link->loopback
			 ? "raw IP (this host)"
			 : "raw IP until its neighbour is known");
	if (link && !is_captured(&app->config, link->name))
		log_warn("backend %s is reached via %s, which -i does not "
			 "name: its answers are not captured, add -i %s",
			 text, link->name, link->name);
}

/* Logs one line per service and backend: its address and its settings. */
static void tell_setup(struct app *app)
{
	const struct config *c = &app->config;

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_spec *s = &app->plan->services[i];
		char text[ENDPOINT_TEXT_MAX];

		log_info("service %s listen=%s scheduler=%s backends=%u "
			 "flows=%u",
			 c->services[i].name, endpoint_format(&s->listen, text),
			 sched_name(s->params.scheduler), s->n_backends,
			 c->flows);
		for (unsigned k = 0; k < s->n_backends; k++)
			if (!s->backends[k].waits)
				app_tell_backend(app, &s->backends[k]);
	}
}

static struct tap_match match(const struct app *app)
{
	const struct plan *p = app->plan;

	return (struct tap_match){
		.services = p->listens,
		.n_services = p->n_services,
		.sources = p->sources,
		.n_sources = p->n_sources,
		.nat_lo = reserve_lo(app->reservation),
		.nat_hi = reserve_hi(app->reservation),
	};
}

static int make_filter(struct app *app)
{
	const struct tap_match m = match(app);
	char *filter = tap_match_flows(&m);

	if (!filter)
		return -ENOMEM;
	free(app->filter[TAP_FLOWS]);
	app->filter[TAP_FLOWS] = filter;
	return 0;
}

/* The guard first: the captures must not take what it leaves to the kernel. */
void app_sources_changed(struct app *app)
{
	guard_watch_sources(app->guard, app->plan->n_sources);
	if (make_filter(app) == 0)
		taps_set_filter(&app->taps, app->filter[TAP_FLOWS]);
	else
		log_warn("out of memory");
}

int app_start(struct app *app, struct err *err)
{
	struct tap_match m;
	int ret;

	app->started_ns = clock_now_ns();
	ret = need_privilege(err);
	if (!ret)
		ret = sandbox_user(&app->user, app->config.user, err);
	if (!ret)
		ret = need_files(err);
	if (!ret)
		ret = catch_signals(app, err);
	if (!ret)
		ret = netlink_open(&app->netlink, err);
	if (!ret)
		ret = open_state(app, err);
	if (!ret)
		ret = make_plan(app, err);
	if (!ret)
		ret = take_ports(app, err);
	if (!ret)
		ret = inject_open(&app->inject, err);
	if (!ret)
		ret = make_engine(app, err);
	/*
	 * Before the flows of an earlier process are trusted: that process may
	 * have been broken into and have written anything.
	 */
	if (!ret)
		ret = drop_privilege(app, err);
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
	m = match(app);
	app->filter[TAP_SYNS] = tap_match_syns(&m);
	if (make_filter(app) || !app->filter[TAP_SYNS])
		return err_set(err, -ENOMEM, "out of memory");
	app->taps.plan = app->plan;
	app->taps.netlink = app->netlink;
	app->taps.inject = app->inject;
	app->taps.forward = app->forward;
	app->taps.engine = app->engine;
	memcpy(app->taps.filter, app->filter, sizeof(app->filter));
	ret = taps_name(&app->taps, err);
	/* The guard must be active before we can answer the first packet. */
	if (!ret)
		ret = put_guard(app, err);
	app->taps.guard = app->guard;
	if (!ret)
		ret = taps_open(&app->taps, err);
	if (!ret)
		ret = filter_calls(app, err);
	if (ret)
		return ret;
	presence_refresh(app);
	tell_setup(app);
	return 0;
}
