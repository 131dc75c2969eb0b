/* SPDX-License-Identifier: MIT */
/*
 * reserve.c - takes the service ports and a NAT range, and gives them back
 *
 * A port of the kernel's list that no record has as `added` belongs to somebody
 * else and is never claimed. The record is written before the list, so that a
 * crash in between loses nothing.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/instance.h"
#include "host/port_set.h"
#include "host/reserve.h"

#define PORT_UNPRIVILEGED 1024u

/*
 * Warned of, if the host keeps fewer ports for its own connections, and less
 * than half of what it has. Each connection to one address and port takes a
 * port, until a minute after its end: 4096 ports are 68 new connections a
 * second to one server. UDP takes its ports here as well, and whoever forges a
 * DNS answer has to guess one: 4096 ports are 12 bits.
 */
#define HOST_PORTS_MIN 4096u

struct service_port {
	int fd;		   /* bound */
	struct err shared; /* a warning, or "" */
};

struct reservation {
	struct instance mine; /* what our record says */
	int record_fd;	      /* open as long as the lock is held */
	struct service_port *services;
	size_t n_services; /* of those that are bound */
	struct port_set unusable;
	uint16_t skipped[PORT_MAX + 1]; /* those of the range, as a list */
	unsigned n_skipped;
	struct err warning; /* "": none */
};

/* ------------------------------------------------------------ service ports */

/*
 * Without SO_REUSEADDR a bound socket excludes all others, whatever options
 * they set. But bind() would then fail for a minute after a server on that port
 * has stopped. If only closing connections of it are left, the option is set
 * for this one call.
 */
static int bind_service(int fd, const struct endpoint *ep)
{
	const struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = ep->port,
		.sin_addr.s_addr = addr_to_v4(&ep->addr),
	};
	const int on = 1, off = 0;
	struct port_set ignored = {.words = {0}};
	bool closing;
	int ret;

	/* The address may be added to the host later. */
	(void)setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	ret = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
	if (ret != -EADDRINUSE || used_ports_read(&ignored, ep, &closing) ||
	    !closing)
		return ret;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ret = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	return ret;
}

static int explain_bind(struct err *err, int ret, const struct endpoint *ep,
			const struct instance *others)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(ep, text);
	if (ret == -EACCES || ret == -EPERM)
		return err_set(err, -EACCES,
			       "service %s: no permission to use a port this "
			       "low: run as root, or choose a higher port",
			       text);
	if (ret != -EADDRINUSE)
		return err_set(err, ret, "service %s: cannot bind it: %s", text,
			       strerror(-ret));
	for (; others; others = others->next)
		if (others->running && instance_serves(others, ep))
			return err_set(err, ret,
				       "service %s is served by instance "
				       "\"%s\" (pid %d): stop it, or choose "
				       "another port",
				       text, others->name, (int)others->pid);
	return err_set(err, ret,
		       "service %s: another program uses this port: stop it, "
		       "or choose another port (who it is: ss -tanp 'sport = "
		       ":%u')",
		       text, ntohs(ep->port));
}

static int bind_services(struct reservation *r,
			 const struct reserve_request *req,
			 const struct instance *others, struct err *err)
{
	r->services = calloc(req->n_services + 1, sizeof(*r->services));
	if (!r->services)
		return err_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < req->n_services; i++) {
		const struct endpoint *ep = &req->services[i];
		const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int ret = fd == -1 ? -errno : 0;

		if (!ret) {
			r->services[r->n_services++].fd = fd;
			ret = bind_service(fd, ep);
		}
		if (ret)
			return explain_bind(err, ret, ep, others);
	}
	return 0;
}

/*
 * An instance that had started before chose its NAT ports without knowing of
 * our services, so it may use the port of one.
 */
static void find_shared(struct reservation *r,
			const struct reserve_request *req,
			const struct instance *others)
{
	char text[ENDPOINT_TEXT_MAX];

	for (; others; others = others->next) {
		for (size_t i = 0; i < req->n_services; i++) {
			const struct endpoint *ep = &req->services[i];
			const uint16_t port = ntohs(ep->port);

			if (port < others->lo || port > others->hi ||
			    !instance_has_source(others, &ep->addr))
				continue;
			err_set(&r->services[i].shared, 0,
				"service %s is among the NAT ports %u-%u of "
				"instance \"%s\", which started earlier and "
				"may use it: packets of no connection get no "
				"reset there; give that one other ports with "
				"--nat-ports, or start it later",
				endpoint_format(ep, text), others->lo,
				others->hi, others->name);
		}
	}
}

/* ------------------------------------------------------------ the NAT range */

/* Ports, inclusive. */
struct span {
	unsigned lo, hi;
};

static const struct instance *holder_of(const struct instance *others,
					struct span s)
{
	while (others && (others->lo > s.hi || others->hi < s.lo))
		others = others->next;
	return others;
}

static unsigned usable_in(const struct reservation *r, struct span s)
{
	return s.hi - s.lo + 1 - port_set_count(&r->unusable, s.lo, s.hi);
}

/*
 * The first run of ports from @lo on without any of @avoid, cut to the size
 * that was wanted. False: all are too short.
 */
static bool first_free(const struct reservation *r,
		       const struct reserve_request *req,
		       const struct port_set *avoid, unsigned lo,
		       struct span *out)
{
	const unsigned more = req->nat_hi - req->nat_lo;
	struct span run;

	for (run.lo = lo; run.lo <= PORT_MAX; run.lo = run.hi + 1) {
		run.hi = run.lo;
		if (port_set_has(avoid, run.lo))
			continue;
		while (run.hi < PORT_MAX && run.hi < run.lo + more &&
		       !port_set_has(avoid, run.hi + 1))
			run.hi++;
		if (usable_in(r, run) < req->ports_min)
			continue;
		*out = run;
		return true;
	}
	return false;
}

/*
 * Looks from the wanted range upward, then below it, where many a server may
 * want a port later; at first without the ports of the host's own connections.
 */
static bool choose(const struct reservation *r,
		   const struct reserve_request *req,
		   const struct instance *others, struct span host,
		   struct span *out)
{
	struct port_set held = {.words = {0}}, avoid;

	for (; others; others = others->next)
		port_set_add_range(&held, others->lo, others->hi);
	avoid = held;
	port_set_add_range(&avoid, host.lo, host.hi);
	return first_free(r, req, &avoid, req->nat_lo, out) ||
	       first_free(r, req, &avoid, PORT_UNPRIVILEGED, out) ||
	       first_free(r, req, &held, req->nat_lo, out) ||
	       first_free(r, req, &held, PORT_UNPRIVILEGED, out);
}

static int explain_held(struct err *err, struct span wanted,
			const struct instance *holder)
{
	const char *name = holder->name;

	if (holder->running)
		return err_set(err, -EADDRINUSE,
			       "NAT ports %u-%u: instance \"%s\" (pid %d) "
			       "holds %u-%u: choose others with --nat-ports",
			       wanted.lo, wanted.hi, name, (int)holder->pid,
			       holder->lo, holder->hi);
	return err_set(err, -EADDRINUSE,
		       "NAT ports %u-%u: instance \"%s\", which is not "
		       "running, left %u-%u for its next start: choose others "
		       "with --nat-ports, or clear them with: l4lb --down %s",
		       wanted.lo, wanted.hi, name, holder->lo, holder->hi,
		       name);
}

static int choose_range(struct reservation *r,
			const struct reserve_request *req,
			const struct instance *others, struct span host,
			struct err *err)
{
	struct span span = {req->nat_lo, req->nat_hi};
	const struct instance *holder = holder_of(others, span);
	const unsigned usable = usable_in(r, span);
	bool ok = usable >= req->ports_min && !holder;

	/* No reason justifies moving a range that was given or has flows. */
	if (!req->fixed && !(req->had && ok))
		ok = choose(r, req, others, host, &span);
	if (!ok && holder)
		return explain_held(err, span, holder);
	if (!ok)
		return err_set(err, -ENOSPC,
			       "NAT ports %u-%u: only %u are free, %u are "
			       "needed: choose a wider range with --nat-ports, "
			       "or stop what uses them (ss -tan)",
			       span.lo, span.hi, usable, req->ports_min);
	r->mine.lo = (uint16_t)span.lo;
	r->mine.hi = (uint16_t)span.hi;
	for (unsigned port = span.lo; port <= span.hi; port++)
		if (port_set_has(&r->unusable, port))
			r->skipped[r->n_skipped++] = (uint16_t)port;
	return 0;
}

/* Before Linux 6.8 the kernel lists no bound sockets that do not listen. */
static void add_services(struct port_set *out,
			 const struct reserve_request *req,
			 const struct instance *others)
{
	for (size_t i = 0; i < req->n_services; i++)
		port_set_add(out, ntohs(req->services[i].port));
	for (; others; others = others->next)
		instance_service_ports(others, out);
}

/* --------------------------------------------------------- the kernel's list
 */

/* Takes our ports out of it. */
static int unreserve(const struct port_set *added)
{
	struct port_set now, after;
	int ret = reserved_ports_read(&now);

	if (ret)
		return ret;
	after = now;
	port_set_remove_all(&after, added);
	return port_set_equal(&after, &now) ? 0 : reserved_ports_write(&after);
}

static int write_record(struct reservation *r,
			const struct reserve_request *req, struct err *err)
{
	int ret = instance_write(r->record_fd, &r->mine, req->services,
				 req->n_services, req->sources, req->n_sources);

	if (!ret)
		return 0;
	return err_set(err, ret,
		       "cannot write " INSTANCE_DIR "/%s.ports: %s: %s",
		       r->mine.name, strerror(-ret), instance_advice(ret));
}

static void warn_short(struct reservation *r, const struct port_set *reserved,
		       struct span host)
{
	const unsigned left = host.hi - host.lo + 1 -
			      port_set_count(reserved, host.lo, host.hi);
	const unsigned all =
		left + port_set_count(&r->mine.added, host.lo, host.hi);

	if (left < all && left < HOST_PORTS_MIN && left < all / 2)
		err_set(&r->warning, 0,
			"NAT ports %u-%u leave this host %u of its %u ports "
			"for connections of its own "
			"(net.ipv4.ip_local_port_range): when these are in use "
			"its connections fail, and DNS with them; choose "
			"others with --nat-ports, or widen that range",
			r->mine.lo, r->mine.hi, left, all);
}

/*
 * Writes the record, then the kernel's list, without the ports that an earlier
 * run claimed and this one does not. Only the record must succeed.
 */
static int reserve_range(struct reservation *r,
			 const struct reserve_request *req,
			 const struct instance *before, struct span host,
			 struct err *err)
{
	const unsigned lo = r->mine.lo > host.lo ? r->mine.lo : host.lo;
	const unsigned hi = r->mine.hi < host.hi ? r->mine.hi : host.hi;
	struct port_set now, after;
	int listed = reserved_ports_read(&now), ret;

	after = now;
	if (before)
		port_set_remove_all(&after, &before->added);
	port_set_add_range(&r->mine.added, lo, hi);
	port_set_remove_all(&r->mine.added, &after);
	port_set_add_all(&after, &r->mine.added);
	ret = write_record(r, req, err);
	if (!ret && !listed && !port_set_equal(&after, &now))
		listed = reserved_ports_write(&after);
	if (ret || lo > hi)
		return ret;
	if (!listed) {
		warn_short(r, &after, host);
		return 0;
	}
	err_set(&r->warning, listed,
		"cannot reserve ports %u-%u in " RESERVED_PORTS
		": %s: connections of this host may take some of them; reserve "
		"them from outside with sysctl",
		lo, hi, strerror(-listed));
	memset(&r->mine.added, 0, sizeof(r->mine.added));
	return write_record(r, req, err);
}

/* ------------------------------------------------------- putting it together
 */

/* Removes the instance @name from the list and returns it; NULL: not there. */
static struct instance *take_out(struct instance **list, const char *name)
{
	struct instance *found;

	while (*list && strcmp((*list)->name, name) != 0)
		list = &(*list)->next;
	found = *list;
	if (found) {
		*list = found->next;
		found->next = NULL;
	}
	return found;
}

/* Closes and frees; leaves the record and the kernel's list as they are. */
static void reservation_free(struct reservation *r)
{
	if (!r)
		return;
	while (r->n_services > 0)
		close(r->services[--r->n_services].fd);
	free(r->services);
	if (r->record_fd != -1)
		close(r->record_fd);
	free(r);
}

static int take(struct reservation *r, const struct reserve_request *req,
		const struct instance *others, const struct instance *before,
		struct err *err)
{
	struct span host;
	int ret = bind_services(r, req, others, err);

	host_ports_range(&host.lo, &host.hi);
	add_services(&r->unusable, req, others);
	if (!ret)
		ret = choose_range(r, req, others, host, err);
	if (ret)
		return ret;
	find_shared(r, req, others);
	return reserve_range(r, req, before, host, err);
}

static int claim_and_take(struct reservation *r,
			  const struct reserve_request *req, struct err *err)
{
	struct instance *others = NULL, *before;
	struct stat st;
	int ret = instance_claim(req->name, req->owner, &r->record_fd, err);

	if (ret)
		return ret;
	ret = instances_read(&others, err);
	before = take_out(&others, req->name);
	if (!ret)
		ret = take(r, req, others, before, err);
	instances_free(before);
	instances_free(others);
	/* Keep the record of a crash for the next try. */
	if (ret && fstat(r->record_fd, &st) == 0 && st.st_size == 0)
		instance_remove(req->name);
	return ret;
}

static struct reservation *reservation_new(const char *name)
{
	struct reservation *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->record_fd = -1;
	r->mine.pid = getpid();
	snprintf(r->mine.name, sizeof(r->mine.name), "%s", name);
	return r;
}

/*
 * The kernel takes 10 ms to list the sockets. So that is done before the folder
 * is locked: instances that start at once would have to wait for each other.
 */
int reserve_take(struct reservation **out, const struct reserve_request *req,
		 struct err *err)
{
	struct reservation *r = reservation_new(req->name);
	int dir = -1, ret = -ENOMEM;
	bool ignored;

	assert(strlen(req->name) < INSTANCE_NAME_MAX);
	assert(req->nat_lo > 0 && req->nat_lo <= req->nat_hi);
	*out = NULL;
	if (r)
		ret = used_ports_read(&r->unusable, NULL, &ignored);
	if (ret)
		err_set(err, ret, "cannot see which ports are in use: %s: %s",
			strerror(-ret), instance_advice(ret));
	if (!ret) {
		dir = instances_lock(req->owner, err);
		ret = dir < 0 ? dir : claim_and_take(r, req, err);
	}
	if (dir >= 0)
		close(dir);
	if (ret)
		reservation_free(r);
	else
		*out = r;
	return ret;
}

void reserve_add_source(struct reservation *r, const struct ip_addr *source)
{
	instance_add_source(r->record_fd, source);
}

int reserve_release(struct reservation *r, bool keep)
{
	struct err ignored;
	int dir, ret = 0;

	if (r && !keep) {
		dir = instances_lock(NULL, &ignored);
		ret = dir < 0 ? dir : unreserve(&r->mine.added);
		if (!ret)
			instance_remove(r->mine.name);
		if (dir >= 0)
			close(dir);
	}
	reservation_free(r);
	return ret;
}

/* Fails if there are reserved ports, which may be those of @name. */
static int explain_damaged(const char *name, struct err *err)
{
	const struct port_set none = {.words = {0}};
	struct port_set now;

	if (reserved_ports_read(&now) || port_set_equal(&now, &none))
		return 0;
	return err_set(err, -EINVAL,
		       INSTANCE_DIR "/%s.ports was not understood and is "
				    "removed: which ports \"%s\" had reserved "
				    "is not known; look at "
				    "sysctl " RESERVED_PORTS
				    ", and take out those that nobody needs",
		       name, name);
}

int reserve_clear(const char *name, struct err *err)
{
	struct instance *i = NULL;
	int ret = instance_load(name, &i);
	const bool damaged = ret == -EINVAL;

	if (!ret && i)
		ret = unreserve(&i->added);
	instances_free(i);
	if (ret && !damaged)
		return err_set(err, ret,
			       "cannot give back the ports of \"%s\": %s", name,
			       strerror(-ret));
	instance_remove(name);
	return damaged ? explain_damaged(name, err) : 0;
}

uint16_t reserve_lo(const struct reservation *r)
{
	return r->mine.lo;
}

uint16_t reserve_hi(const struct reservation *r)
{
	return r->mine.hi;
}

bool reserve_usable(const struct reservation *r, uint16_t port)
{
	return port >= r->mine.lo && port <= r->mine.hi &&
	       !port_set_has(&r->unusable, port);
}

unsigned reserve_skipped(const struct reservation *r)
{
	return r->n_skipped;
}

const uint16_t *reserve_skipped_ports(const struct reservation *r)
{
	return r->skipped;
}

unsigned reserve_count(const struct reservation *r)
{
	return r->mine.hi - r->mine.lo + 1u - r->n_skipped;
}

const char *reserve_warning(const struct reservation *r)
{
	return r->warning.text[0] ? r->warning.text : NULL;
}

const char *reserve_shared(const struct reservation *r, size_t service)
{
	const char *text = r->services[service].shared.text;

	return text[0] ? text : NULL;
}
