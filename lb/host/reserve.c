/* SPDX-License-Identifier: MIT */
/*
 * A port of the kernel's list that no record has as `added` belongs to somebody
 * else and is never claimed. The record is written before the list, so that a
 * crash in between loses nothing.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/reservation.h"

#define PORT_UNPRIVILEGED 1024u

/*
 * Warned of, if the host keeps fewer ports for its own connections, and less
 * than half of what it has. Each connection to one address and port takes a
 * port, until a minute after its end: 4096 ports are 68 new connections a
 * second to one server. UDP takes its ports here as well, and whoever forges a
 * DNS answer has to guess one: 4096 ports are 12 bits.
 */
#define HOST_PORTS_MIN 4096u

/* What is decided on, under the folder's lock. */
struct taking {
	const struct reserve_request *req;
	struct port_set used;	 /* ports of sockets and services */
	struct port_range host;	 /* of the host's own connections */
	struct instance *before; /* our record of an earlier run, or NULL */
	struct instance *others;
	struct reservation *r;
	struct err *err;
};

/* ------------------------------------------------------------ service ports */

static bool is_used(const struct endpoint *ep)
{
	return addr_is_set(&ep->addr);
}

static int bind_services(struct taking *t)
{
	const struct reserve_request *req = t->req;
	int ret = 0;

	for (unsigned i = 0; i < req->n_services && !ret; i++)
		if (is_used(&req->services[i]))
			ret = reservation_bind(t->r, i, &req->services[i],
					       t->others, t->err);
	return ret;
}

/* ------------------------------------------------------------ the NAT range */

static const struct instance *holder_of(const struct taking *t,
					struct port_range range)
{
	const struct instance *i = t->others;

	while (i && (i->range.lo > range.hi || i->range.hi < range.lo))
		i = i->next;
	return i;
}

static unsigned usable_in(const struct taking *t, struct port_range range)
{
	return range.hi - range.lo + 1 - port_set_count(&t->used, range);
}

/*
 * The first run of ports from @lo on without any of @avoid, cut to the size
 * that was wanted. False: all are too short.
 */
static bool first_free(const struct taking *t, const struct port_set *avoid,
		       unsigned lo, struct port_range *out)
{
	const unsigned more = t->req->nat_hi - t->req->nat_lo;
	struct port_range run;

	for (run.lo = lo; run.lo <= PORT_MAX; run.lo = run.hi + 1) {
		run.hi = run.lo;
		if (avoid->has[run.lo])
			continue;
		while (run.hi < PORT_MAX && run.hi < run.lo + more &&
		       !avoid->has[run.hi + 1])
			run.hi++;
		if (usable_in(t, run) < t->req->ports_min)
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
static bool choose(const struct taking *t, struct port_range *out)
{
	struct port_set held = {.has = {false}}, avoid;
	const unsigned wanted = t->req->nat_lo;

	for (const struct instance *i = t->others; i; i = i->next)
		port_set_add(&held, i->range);
	avoid = held;
	port_set_add(&avoid, t->host);
	return first_free(t, &avoid, wanted, out) ||
	       first_free(t, &avoid, PORT_UNPRIVILEGED, out) ||
	       first_free(t, &held, wanted, out) ||
	       first_free(t, &held, PORT_UNPRIVILEGED, out);
}

static int explain_held(struct err *err, struct port_range wanted,
			const struct instance *holder)
{
	const struct port_range held = holder->range;
	const char *name = holder->name;

	if (holder->running)
		return err_set(err, -EADDRINUSE,
			       "NAT ports %u-%u: instance \"%s\" (pid %d) "
			       "holds %u-%u: choose others with --nat-ports",
			       wanted.lo, wanted.hi, name, (int)holder->pid,
			       held.lo, held.hi);
	return err_set(err, -EADDRINUSE,
		       "NAT ports %u-%u: instance \"%s\", which is not "
		       "running, left %u-%u for its next start: choose others "
		       "with --nat-ports, or clear them with: l4lb --down %s",
		       wanted.lo, wanted.hi, name, held.lo, held.hi, name);
}

static int choose_range(struct taking *t)
{
	const struct reserve_request *req = t->req;
	const struct port_range wanted = {req->nat_lo, req->nat_hi};
	const struct instance *holder = holder_of(t, wanted);
	const unsigned usable = usable_in(t, wanted);
	struct reservation *r = t->r;
	bool ok = usable >= req->ports_min && !holder;

	r->mine.range = wanted;
	/* No reason justifies moving a range that was given or has flows. */
	if (!req->fixed && !(req->had && ok))
		ok = choose(t, &r->mine.range);
	if (!ok && holder)
		return explain_held(t->err, wanted, holder);
	if (!ok)
		return err_set(t->err, -ENOSPC,
			       "NAT ports %u-%u: only %u are free, %u are "
			       "needed: choose a wider range with --nat-ports, "
			       "or stop what uses them (ss -tan)",
			       wanted.lo, wanted.hi, usable, req->ports_min);
	r->n_usable = usable_in(t, r->mine.range);
	for (unsigned p = r->mine.range.lo; p <= r->mine.range.hi; p++) {
		r->usable.has[p] = !t->used.has[p];
		if (t->used.has[p])
			r->skipped[r->n_skipped++] = (uint16_t)p;
	}
	return 0;
}

/* ------------------------------------------------------- the kernel's list */

/* Takes our ports out of it. */
static int unreserve(const struct port_set *added)
{
	struct port_set now, after;
	int ret = reserved_ports_read(&now);

	after = now;
	port_set_remove(&after, added);
	return ret ? ret : reserved_ports_change(&now, &after);
}

static void warn_short(struct taking *t, const struct port_set *reserved)
{
	struct reservation *r = t->r;
	const unsigned left =
		t->host.hi - t->host.lo + 1 - port_set_count(reserved, t->host);
	const unsigned all = left + port_set_count(&r->mine.added, t->host);

	if (left < all && left < HOST_PORTS_MIN && left < all / 2)
		err_set(&r->warning, 0,
			"NAT ports %u-%u leave this host %u of its %u ports "
			"for connections of its own "
			"(net.ipv4.ip_local_port_range): when these are in use "
			"its connections fail, and DNS with them; choose "
			"others with --nat-ports, or widen that range",
			r->mine.range.lo, r->mine.range.hi, left, all);
}

/*
 * Writes the record, then the kernel's list, without the ports that an earlier
 * run claimed and this one does not. Only the record must succeed.
 */
static int reserve_range(struct taking *t)
{
	struct reservation *r = t->r;
	const struct port_range nat = r->mine.range, host = t->host;
	const struct port_range both = {nat.lo > host.lo ? nat.lo : host.lo,
					nat.hi < host.hi ? nat.hi : host.hi};
	struct port_set now, after;
	int listed = reserved_ports_read(&now), ret;

	after = now;
	if (t->before)
		port_set_remove(&after, &t->before->added);
	port_set_add(&r->mine.added, both);
	port_set_remove(&r->mine.added, &after);
	port_set_add(&after, both);
	ret = reservation_write(r, t->err);
	if (!ret && !listed)
		listed = reserved_ports_change(&now, &after);
	if (ret || both.lo > both.hi)
		return ret;
	if (!listed) {
		warn_short(t, &after);
		return 0;
	}
	err_set(&r->warning, listed,
		"cannot reserve ports %u-%u in " RESERVED_PORTS
		": %s: connections of this host may take some of them; reserve "
		"them from outside with sysctl",
		both.lo, both.hi, strerror(-listed));
	memset(&r->mine.added, 0, sizeof(r->mine.added));
	return reservation_write(r, t->err);
}

/* ---------------------------------------------------- putting it together */

static int take(struct taking *t)
{
	const struct reserve_request *req = t->req;
	int ret;

	/*
	 * Before Linux 6.8 the kernel lists bound sockets only if they listen.
	 * But not after a crash: a flow may have had that port before a service
	 * was added there, and goes on. Both can have it, what comes from the
	 * flow's backend is the flow's.
	 */
	for (size_t i = 0; i < req->n_services && !t->before; i++)
		if (is_used(&req->services[i]))
			t->used.has[ntohs(req->services[i].port)] = true;
	for (const struct instance *i = t->others; i; i = i->next)
		instance_service_ports(i, &t->used);
	t->host = host_ports();
	ret = bind_services(t);
	if (!ret)
		ret = choose_range(t);
	if (!ret)
		ret = reserve_range(t);
	return ret;
}

static int claim_and_take(struct taking *t)
{
	const char *name = t->req->name;
	struct reservation *r = t->r;
	struct stat st;
	int ret;

	snprintf(r->mine.name, sizeof(r->mine.name), "%s", name);
	ret = instance_claim(name, t->req->owner, ", or choose another --name",
			     &r->record_fd, t->err);
	if (ret)
		return ret;
	ret = instance_load(name, &t->before, t->err);
	if (!ret)
		ret = instances_read(&t->others, name, t->err);
	if (!ret)
		ret = take(t);
	/* Keep the record of a crash for the next try. */
	if (ret && fstat(r->record_fd, &st) == 0 && st.st_size == 0)
		instance_remove(name);
	return ret;
}

/*
 * The kernel takes 10 ms to list the sockets. So that is done before the folder
 * is locked: instances that start at once would have to wait for each other.
 */
int reserve_take(struct reservation **out, const struct reserve_request *req,
		 struct err *err)
{
	struct taking t = {.req = req, .err = err};
	int ret = used_ports_read(&t.used, NULL), dir;

	assert(strlen(req->name) < INSTANCE_NAME_MAX);
	assert(req->nat_lo > 0 && req->nat_lo <= req->nat_hi);
	assert(req->n_services <= RESERVE_SERVICES_MAX);
	assert(req->n_sources <= RESERVE_SOURCES_MAX);
	*out = NULL;
	if (ret)
		return instance_explain(err, ret, "see",
					"which ports are in use");
	dir = instances_lock(req->owner, err);
	if (dir < 0)
		return dir;
	t.r = reservation_new(req);
	ret = t.r ? claim_and_take(&t) : err_set(err, -ENOMEM, "no memory");
	close(dir);
	instances_free(t.before);
	instances_free(t.others);
	if (ret)
		reservation_free(t.r);
	else
		*out = t.r;
	return ret;
}

/* ------------------------------------------------------------------ the end */

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
	struct port_set now;

	if (reserved_ports_read(&now) ||
	    port_set_count(&now, (struct port_range){0, PORT_MAX}) == 0)
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
	int ret = instance_load(name, &i, err);
	const bool damaged = ret == -EINVAL;

	if (i)
		ret = unreserve(&i->added);
	if (i && ret)
		err_set(err, ret, "cannot give back the ports of \"%s\": %s",
			name, strerror(-ret));
	instances_free(i);
	if (ret && !damaged)
		return ret;
	instance_remove(name);
	return damaged ? explain_damaged(name, err) : 0;
}
