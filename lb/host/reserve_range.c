/* SPDX-License-Identifier: MIT */
/* reserve_range.c - finds a NAT range that nobody else holds */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/reserve_range.h"

#define PORT_UNPRIVILEGED 1024u

/*
 * The host keeps this number of ports for its own connections, or half of what
 * it has, if that is less. Each connection to one address and port takes a
 * port, until a minute after its end: 4096 ports are 68 new connections a
 * second to one server. UDP takes its ports here as well, and whoever forges a
 * DNS answer has to guess one: 4096 ports are 12 bits.
 */
#define HOST_PORTS_MIN 4096u

/* Like struct range, but can be empty: lo > hi. */
struct span {
	unsigned lo, hi;
};

static bool shares_source(const struct record *other,
			  const struct reserve_request *req)
{
	size_t i, k;

	for (i = 0; i < other->n_sources; i++) {
		for (k = 0; k < req->n_sources; k++) {
			if (addr_equal(&other->sources[i], &req->sources[k]) ||
			    port_addr_is_any(&other->sources[i]) ||
			    port_addr_is_any(&req->sources[k]))
				return true;
		}
	}
	return false;
}

/* The first instance with a port from @lo to @hi on one of our sources. */
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
	struct port_set held;	  /* by other instances, on our sources */
	struct port_set used;	  /* by sockets and services */
	struct span host;	  /* the host's ephemeral ports, */
	struct port_set reserved; /* without these, which others reserved */
};

/* The host's ephemeral ports. */
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

/* Ports reserved by others than the instance that left @before. */
static void read_reserved(struct port_set *out, const struct record *before)
{
	const int fd = open(RESERVED_PORTS_PATH, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (reserved_ports_read(fd, out))
		memset(out, 0, sizeof(*out));
	close(fd);
	if (before)
		port_set_remove_all(out, &before->added);
}

static int choice_init(struct choice *c, const struct reserve_request *req,
		       const struct record *others, const struct record *before,
		       struct err *err)
{
	const struct record *o;
	size_t i;
	int code;

	memset(c, 0, sizeof(*c));
	c->host = ephemeral_span();
	read_reserved(&c->reserved, before);
	for (i = 0; i < req->n_services; i++)
		port_set_add(&c->used, ntohs(req->services[i].port));
	for (o = others; o; o = o->next) {
		if (shares_source(o, req))
			port_set_add_range(&c->held, o->lo, o->hi);
		/*
		 * Before Linux 6.8 the kernel lists no bound sockets that do
		 * not listen.
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

/* The number of ephemeral ports that the host keeps if @taken is ours. */
static unsigned host_ports(const struct choice *c, struct span taken)
{
	unsigned port, n = 0;

	for (port = c->host.lo; port <= c->host.hi; port++)
		n += !port_set_has(&c->reserved, port) &&
		     (port < taken.lo || port > taken.hi);
	return n;
}

static const struct span nothing = {1, 0};

static bool starves_host(const struct choice *c, struct span taken)
{
	const unsigned all = host_ports(c, nothing);
	const unsigned left = host_ports(c, taken);

	return left < all && left < HOST_PORTS_MIN && left < all / 2;
}

static bool is_enough(const struct choice *c, const struct reserve_request *req,
		      struct span range)
{
	return range.lo <= range.hi && usable_in(c, range) >= req->ports_min;
}

/* The range where flows have their ports: no reason justifies moving it. */
static int choose_old(const struct choice *c, const struct reserve_request *req,
		      const struct record *before, struct span *out)
{
	if (before) {
		*out = best_run(c, (struct span){before->lo, before->hi});
		if (is_enough(c, req, *out))
			return 0;
	}
	if (!req->had)
		return -ENOSPC;
	*out = best_run(c, (struct span){req->nat_lo, req->nat_hi});
	return is_enough(c, req, *out) ? 0 : -ENOSPC;
}

/*
 * Searches in this order: the wanted range; the lower half of the host's
 * ephemeral ports (the host keeps the upper half) or, if there are more, the
 * ports above; last the ports below, many of which a server may want later.
 * Takes no more ports than were wanted.
 */
static int choose_new(const struct choice *c, const struct reserve_request *req,
		      bool spare_host, struct span *out)
{
	const unsigned size = req->nat_hi - req->nat_lo + 1u;
	const struct span lower = {c->host.lo,
				   c->host.lo + (c->host.hi - c->host.lo) / 2};
	const struct span above = {c->host.hi + 1, PORT_MAX};
	const bool much_above =
		above.hi + 1 - above.lo > lower.hi + 1 - lower.lo;
	const struct span windows[] = {
		{req->nat_lo, req->nat_hi},
		much_above ? above : lower,
		much_above ? lower : above,
		{PORT_UNPRIVILEGED, req->nat_lo - 1u},
	};
	size_t i;

	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		*out = best_run(c, windows[i]);
		if (out->hi >= out->lo + size)
			out->hi = out->lo + size - 1;
		if (is_enough(c, req, *out) &&
		    !(spare_host && starves_host(c, *out)))
			return 0;
	}
	return -ENOSPC;
}

static int choose_any(const struct choice *c, const struct reserve_request *req,
		      const struct record *before, struct span *out)
{
	if (choose_old(c, req, before, out) == 0 ||
	    choose_new(c, req, true, out) == 0)
		return 0;
	return choose_new(c, req, false, out);
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

int range_check(const struct record *others, const struct ip_addr *source,
		unsigned lo, unsigned hi, struct err *err)
{
	const struct reserve_request req = {
		.sources = source,
		.n_sources = 1,
	};
	const struct record *holder = holder_of(others, &req, lo, hi);
	char text[ADDR_TEXT_MAX];

	if (!holder)
		return 0;
	return err_set(err, -EADDRINUSE,
		       "source %s, which the route has chosen: instance \"%s\" "
		       "holds %u-%u of it, we %u-%u: restart l4lb, which then "
		       "takes others, or choose another source address",
		       addr_format(source, text), holder->name, holder->lo,
		       holder->hi, lo, hi);
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
	int code = choice_init(&c, req, others, before, err);

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
	out->host_all = host_ports(&c, nothing);
	out->host_left = host_ports(&c, span);
	out->host_short = starves_host(&c, span);
	*unusable = c.used;
	return 0;
}

const struct record *range_holder(const struct record *others,
				  const struct endpoint *service)
{
	const uint16_t port = ntohs(service->port);

	for (; others; others = others->next)
		for (size_t i = 0; i < others->n_sources; i++)
			if (addr_equal(&others->sources[i], &service->addr) &&
			    port >= others->lo && port <= others->hi)
				return others;
	return NULL;
}
