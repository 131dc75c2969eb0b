/* SPDX-License-Identifier: MIT */
/*
 * reserve_range.c - looks for a NAT range nobody else holds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/reserve_range.h"

#define PORT_UNPRIVILEGED 1024u

/* As struct range, with room for an empty one: lo > hi. */
struct span {
	unsigned lo, hi;
};

static bool shares_source(const struct record *other,
			  const struct reserve_request *req)
{
	size_t i, k;

	for (i = 0; i < other->n_sources; i++) {
		for (k = 0; k < req->n_sources; k++) {
			if (addr_equal(&other->sources[i], &req->sources[k]))
				return true;
		}
	}
	return false;
}

/* The first instance that holds a port of lo..hi on one of our sources. */
static const struct record *holder_of(const struct record *others,
				      const struct reserve_request *req,
				      unsigned lo, unsigned hi)
{
	for (; others; others = others->next) {
		if (others->lo <= hi && others->hi >= lo &&
		    shares_source(others, req))
			return others;
	}
	return NULL;
}

struct choice {
	struct port_set held; /* by other instances, on our sources */
	struct port_set used; /* by sockets and services */
};

static int choice_init(struct choice *c, const struct reserve_request *req,
		       const struct record *others, struct err *err)
{
	const struct record *o;
	size_t i;
	int code;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < req->n_services; i++)
		port_set_add(&c->used, ntohs(req->services[i].port));
	for (o = others; o; o = o->next) {
		if (shares_source(o, req))
			port_set_add_range(&c->held, o->lo, o->hi);
		/* Bound sockets that do not listen are in no list of the
		 * kernel's before Linux 6.8.
		 */
		for (i = 0; i < o->n_services; i++)
			port_set_add(&c->used, ntohs(o->services[i].port));
	}
	code = bound_ports_read(&c->used, req->sources, req->n_sources);
	if (code)
		return err_set(err, code,
			       "cannot read which ports are in use from "
			       "/proc/net/tcp: %s",
			       strerror(-code));
	return 0;
}

static unsigned usable_in(const struct choice *c, struct span range)
{
	if (range.lo > range.hi)
		return 0;
	return range.hi - range.lo + 1 -
	       port_set_count(&c->used, range.lo, range.hi);
}

/* The part of @window with the most usable ports that nobody else holds. */
static struct span best_run(const struct choice *c, struct span window)
{
	struct span best = {1, 0}, run;
	unsigned port;

	for (port = window.lo; port <= window.hi; port = run.hi + 1) {
		run.lo = run.hi = port;
		if (port_set_has(&c->held, port))
			continue;
		while (run.hi < window.hi &&
		       !port_set_has(&c->held, run.hi + 1))
			run.hi++;
		if (usable_in(c, run) > usable_in(c, best))
			best = run;
	}
	return best;
}

/* What the host uses for its own connections. */
static struct span ephemeral_span(void)
{
	const struct span usual = {32768, 60999}; /* the kernel's default */
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	char line[64] = "", *end;
	struct span s;
	bool read;

	if (!file)
		return usual;
	read = fgets(line, sizeof(line), file) != NULL;
	(void)fclose(file);
	if (!read || !port_parse(line, &end, &s.lo) ||
	    !port_parse(end + strspn(end, " \t"), &end, &s.hi) || s.lo > s.hi)
		return usual;
	return s;
}

/*
 * Where to look, the best first: what this instance had; what is wanted; the
 * lower half of what the host uses for its own connections (large, and the
 * host keeps the other half); above that; at last the ports below, many of
 * which some server may want later.
 */
static int choose_any(const struct choice *c, const struct reserve_request *req,
		      const struct record *before, struct span *out)
{
	const struct span host = ephemeral_span();
	const struct span windows[] = {
		{before ? before->lo : 1, before ? before->hi : 0},
		{req->nat_lo, req->nat_hi},
		{host.lo, host.lo + (host.hi - host.lo) / 2},
		{host.hi + 1, PORT_MAX},
		{PORT_UNPRIVILEGED, req->nat_lo - 1u},
	};
	size_t i;

	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		*out = best_run(c, windows[i]);
		if (out->lo <= out->hi && usable_in(c, *out) >= req->ports_min)
			return 0;
	}
	return -ENOSPC;
}

static int explain_held(struct err *err, const struct reserve_request *req,
			const struct record *holder)
{
	if (holder->running)
		return err_set(
			err, -EADDRINUSE,
			"NAT ports %u-%u: instance \"%s\" (pid %d) holds "
			"%u-%u of the same source address: choose others "
			"with --nat-ports, or another source address",
			req->nat_lo, req->nat_hi, holder->name,
			(int)holder->pid, holder->lo, holder->hi);
	return err_set(
		err, -EADDRINUSE,
		"NAT ports %u-%u: instance \"%s\", which is not running, "
		"left %u-%u of the same source address reserved for its "
		"next start: choose others with --nat-ports, or clear "
		"them with: iptables/guard.sh down %s",
		req->nat_lo, req->nat_hi, holder->name, holder->lo, holder->hi,
		holder->name);
}

int range_choose(const struct reserve_request *req, const struct record *others,
		 const struct record *before, struct range *out,
		 struct port_set *unusable, struct err *err)
{
	const struct span wanted = {req->nat_lo, req->nat_hi};
	const struct record *holder =
		holder_of(others, req, wanted.lo, wanted.hi);
	struct span span = wanted;
	struct choice c;
	unsigned usable;
	int code = choice_init(&c, req, others, err);

	if (code)
		return code;
	if (req->fixed && holder)
		return explain_held(err, req, holder);
	if (!req->fixed && choose_any(&c, req, before, &span)) {
		if (holder)
			return explain_held(err, req, holder);
		span = wanted;
	}
	usable = usable_in(&c, span);
	if (usable < req->ports_min)
		return err_set(err, -ENOSPC,
			       "NAT ports %u-%u: only %u are free, %u are "
			       "needed: choose a wider range with --nat-ports, "
			       "or stop what uses them (ss -tan)",
			       span.lo, span.hi, usable, req->ports_min);
	out->lo = (uint16_t)span.lo;
	out->hi = (uint16_t)span.hi;
	*unusable = c.used;
	return 0;
}
