/* SPDX-License-Identifier: MIT */
/*
 * reserve.c - takes the service ports and a NAT range, and gives them back
 *
 * All decisions that depend on others (their records, the kernel's list) are
 * made and recorded under the lock of /run/l4lb, so instances that start or
 * stop at the same time never see each other half-way.
 *
 * Ownership of a reserved port: each record lists, as `added`, the ports that
 * it claims in the kernel's list. A reserved port in no record belongs to
 * somebody else and is never claimed. A port leaves the kernel's list with the
 * last record that claims it. The record is written before the kernel's list,
 * so that a crash in between loses nothing.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/reserve.h"
#include "host/reserve_ports.h"
#include "host/reserve_range.h"
#include "host/reserve_record.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct reservation {
	struct record mine;	  /* content of our file; we own its arrays */
	struct port_set unusable; /* ports within the range */
	uint16_t *skipped;	  /* @unusable as a list */
	unsigned n_skipped;
	int record_fd; /* open as long as the lock is held */
	int sysctl_fd; /* -1: not writable */
	int *service_fds;
	size_t n_service_fds;
	struct err warning; /* "": none */
	struct err *shared; /* such a warning per service, or "" */
};

/* Service ports */

union any_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t to_sockaddr(const struct ip_addr *addr, uint16_t port,
			     union any_sockaddr *out)
{
	memset(out, 0, sizeof(*out));
	if (addr_is_v4(addr)) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = port;
		out->in.sin_addr.s_addr = addr_to_v4(addr);
		return sizeof(out->in);
	}
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = port;
	memcpy(&out->in6.sin6_addr, addr->b, sizeof(addr->b));
	return sizeof(out->in6);
}

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

/*
 * Without SO_REUSEADDR a bound socket excludes all others, whatever options
 * they set. But bind() would then fail for a minute after a server on that port
 * has stopped. If only closing connections of it are left, the option is set
 * for this one call.
 */
static int bind_service(int fd, const struct endpoint *ep)
{
	union any_sockaddr sa;
	const socklen_t len = to_sockaddr(&ep->addr, ep->port, &sa);
	int code = bind(fd, &sa.sa, len) == -1 ? -errno : 0;

	if (code != -EADDRINUSE || !bound_only_closing(ep))
		return code;
	(void)set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	code = bind(fd, &sa.sa, len) == -1 ? -errno : 0;
	(void)set_option(fd, SOL_SOCKET, SO_REUSEADDR, 0);
	return code;
}

static const struct record *serving(const struct record *list,
				    const struct endpoint *ep)
{
	size_t i;

	for (; list; list = list->next) {
		for (i = 0; list->running && i < list->n_services; i++) {
			if (endpoint_equal(&list->services[i], ep))
				return list;
		}
	}
	return NULL;
}

static int explain_bind(struct err *err, int code, const struct endpoint *ep,
			const struct record *others)
{
	const struct record *holder;
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(ep, text);
	switch (code) {
	case -EADDRINUSE:
		holder = serving(others, ep);
		if (holder)
			return err_set(err, code,
				       "service %s is served by instance "
				       "\"%s\" (pid %d): stop it, or choose "
				       "another port",
				       text, holder->name, (int)holder->pid);
		return err_set(err, code,
			       "service %s: another program uses this port: "
			       "stop it, or choose another port (who it is: "
			       "ss -tanp 'sport = :%u')",
			       text, ntohs(ep->port));
	case -EACCES:
	case -EPERM:
		return err_set(err, -EACCES,
			       "service %s: no permission to use a port this "
			       "low: run as root, or choose a higher port",
			       text);
	default:
		return err_set(err, code, "service %s: cannot bind it: %s",
			       text, strerror(-code));
	}
}

static int bind_services(struct reservation *r,
			 const struct reserve_request *req,
			 const struct record *others, struct err *err)
{
	const struct endpoint *ep;
	int fd, code;
	size_t i;

	r->service_fds = calloc(req->n_services + 1, sizeof(int));
	if (!r->service_fds)
		return err_set(err, -ENOMEM, "no memory");
	for (i = 0; i < req->n_services; i++) {
		ep = &req->services[i];
		fd = socket(addr_is_v4(&ep->addr) ? AF_INET : AF_INET6,
			    SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd == -1)
			return explain_bind(err, -errno, ep, others);
		r->service_fds[r->n_service_fds++] = fd;
		/* The address may be added to the host later. */
		(void)set_option(fd, SOL_IP, IP_FREEBIND, 1);
		code = bind_service(fd, ep);
		if (code)
			return explain_bind(err, code, ep, others);
	}
	return 0;
}

/* Source addresses */

static int check_source(const struct ip_addr *addr, struct err *err)
{
	union any_sockaddr sa;
	const socklen_t len = to_sockaddr(addr, 0, &sa);
	const int fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[ADDR_TEXT_MAX];
	int code = 0;

	addr_format(addr, text);
	if (fd == -1)
		return err_set(err, -errno, "source %s: %s", text,
			       strerror(errno));
	(void)set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	(void)set_option(fd, SOL_IP, IP_FREEBIND, 1);
	if (bind(fd, &sa.sa, len) == -1)
		code = -errno;
	close(fd);
	if (code)
		return err_set(err, code, "source %s: cannot use it: %s", text,
			       strerror(-code));
	return 0;
}

/* The kernel's list */

static void warn_unreserved(struct reservation *r, int code)
{
	err_set(&r->warning, code,
		"cannot reserve ports %u-%u in " RESERVED_PORTS_PATH
		": %s: connections of this host may take some of them; reserve "
		"them from outside with sysctl net.ipv4.ip_local_reserved_ports",
		r->mine.lo, r->mine.hi, strerror(-code));
}

/* Only if the kernel has reserved the range: else the host loses no ports. */
static void warn_short(struct reservation *r, const struct range *range)
{
	if (!range->host_short || r->warning.text[0])
		return;
	err_set(&r->warning, 0,
		"NAT ports %u-%u leave this host %u of its %u ports for "
		"connections of its own (net.ipv4.ip_local_port_range): when "
		"these are in use its connections fail, and DNS with them; "
		"choose others with --nat-ports, or widen that range",
		r->mine.lo, r->mine.hi, range->host_left, range->host_all);
}

/* The union of what the records in @list claim. */
static void claimed_by(const struct record *list, struct port_set *out)
{
	memset(out, 0, sizeof(*out));
	for (; list; list = list->next)
		port_set_add_all(out, &list->added);
}

/*
 * Decides which ports this instance claims, and the kernel's next list: without
 * the ports that an earlier run claimed and this one does not.
 */
static void divide(struct reservation *r, const struct port_set *now,
		   const struct record *others, const struct record *before,
		   struct port_set *after)
{
	struct port_set claimed, foreign = *now;

	claimed_by(others, &claimed);
	port_set_remove_all(&foreign, &claimed);
	if (before)
		port_set_remove_all(&foreign, &before->added);

	port_set_add_range(&r->mine.added, r->mine.lo, r->mine.hi);
	port_set_remove_all(&r->mine.added, &foreign);

	*after = foreign;
	port_set_add_all(after, &claimed);
	port_set_add_all(after, &r->mine.added);
}

/* Opened once: stays writable after privileges are dropped. */
static int open_kernel_list(struct reservation *r, struct port_set *now,
			    int *write_code)
{
	r->sysctl_fd = open(RESERVED_PORTS_PATH, O_RDWR | O_CLOEXEC);
	*write_code = r->sysctl_fd == -1 ? -errno : 0;
	if (r->sysctl_fd == -1)
		r->sysctl_fd = open(RESERVED_PORTS_PATH, O_RDONLY | O_CLOEXEC);
	if (r->sysctl_fd == -1)
		return -errno;
	return reserved_ports_read(r->sysctl_fd, now);
}

/* Writes the record, then the kernel's list. Only the record must succeed. */
static int reserve_in_kernel(struct reservation *r, const struct record *others,
			     const struct record *before, struct err *err)
{
	struct port_set now, after;
	int write_code = 0;
	int code = open_kernel_list(r, &now, &write_code);
	int record_code = 0;

	if (!code) {
		divide(r, &now, others, before, &after);
		record_code = record_write(r->record_fd, &r->mine);
		if (!record_code && !port_set_equal(&after, &now))
			code = write_code ? write_code
					  : reserved_ports_write(r->sysctl_fd,
								 &after);
	}
	if (code) {
		warn_unreserved(r, code);
		memset(&r->mine.added, 0, sizeof(r->mine.added));
		record_code = record_write(r->record_fd, &r->mine);
	}
	if (record_code)
		return err_set(err, record_code,
			       "cannot write " RECORD_DIR "/%s.ports: %s: %s",
			       r->mine.name, strerror(-record_code),
			       record_advice(record_code));
	return 0;
}

static void unreserve_in_kernel(const struct reservation *r,
				const struct record *others)
{
	struct port_set now, after, remove = r->mine.added, claimed;

	if (r->sysctl_fd == -1 || reserved_ports_read(r->sysctl_fd, &now))
		return;
	claimed_by(others, &claimed);
	port_set_remove_all(&remove, &claimed);
	after = now;
	port_set_remove_all(&after, &remove);
	if (!port_set_equal(&after, &now))
		(void)reserved_ports_write(r->sysctl_fd, &after);
}

/* Putting it together */

/* Removes the record of @name from the list and returns it; NULL: not there. */
static struct record *take_out(struct record **list, const char *name)
{
	struct record *found;

	for (; *list; list = &(*list)->next) {
		if (strcmp((*list)->name, name) == 0) {
			found = *list;
			*list = found->next;
			found->next = NULL;
			return found;
		}
	}
	return NULL;
}

/* Closes and frees; leaves the record and the kernel's list as they are. */
static void reservation_free(struct reservation *r)
{
	if (!r)
		return;
	while (r->n_service_fds > 0)
		close(r->service_fds[--r->n_service_fds]);
	free(r->service_fds);
	free(r->skipped);
	free(r->shared);
	if (r->sysctl_fd != -1)
		close(r->sysctl_fd);
	if (r->record_fd != -1)
		close(r->record_fd);
	free(r->mine.sources);
	free(r->mine.services);
	free(r);
}

static void *copy_of(const void *from, size_t size)
{
	void *to = malloc(size + 1); /* never of size 0 */

	if (to && size)
		memcpy(to, from, size);
	return to;
}

static struct reservation *reservation_new(const struct reserve_request *req)
{
	struct reservation *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->record_fd = r->sysctl_fd = -1;
	snprintf(r->mine.name, sizeof(r->mine.name), "%s", req->name);
	r->mine.pid = getpid();
	r->mine.n_sources = req->n_sources;
	r->mine.n_services = req->n_services;
	r->mine.sources =
		copy_of(req->sources, req->n_sources * sizeof(*req->sources));
	r->mine.services = copy_of(req->services,
				   req->n_services * sizeof(*req->services));
	if (!r->mine.sources || !r->mine.services) {
		reservation_free(r);
		return NULL;
	}
	return r;
}

static int list_skipped(struct reservation *r, struct err *err)
{
	unsigned port, n;

	n = port_set_count(&r->unusable, r->mine.lo, r->mine.hi);
	r->skipped = calloc(n + 1, sizeof(*r->skipped));
	if (!r->skipped)
		return err_set(err, -ENOMEM, "no memory");
	for (port = r->mine.lo; port <= r->mine.hi; port++)
		if (port_set_has(&r->unusable, port))
			r->skipped[r->n_skipped++] = (uint16_t)port;
	return 0;
}

static int find_shared(struct reservation *r, const struct record *others,
		       struct err *err)
{
	r->shared = calloc(r->mine.n_services + 1, sizeof(*r->shared));
	if (!r->shared)
		return err_set(err, -ENOMEM, "no memory");
	for (size_t i = 0; i < r->mine.n_services; i++) {
		const struct endpoint *ep = &r->mine.services[i];
		const struct record *holder = range_holder(others, ep);
		char text[ENDPOINT_TEXT_MAX];

		if (!holder)
			continue;
		endpoint_format(ep, text);
		err_set(&r->shared[i], 0,
			"service %s is among the NAT ports %u-%u of instance "
			"\"%s\", which started earlier and may use it: packets "
			"of no connection get no reset there; give that one "
			"other ports with --nat-ports, or start it later",
			text, holder->lo, holder->hi, holder->name);
	}
	return 0;
}

static int take_ports(struct reservation *r, const struct reserve_request *req,
		      const struct record *others, const struct record *before,
		      struct err *err)
{
	struct range range;
	int code = bind_services(r, req, others, err);
	size_t i;

	for (i = 0; i < req->n_sources && !code; i++)
		code = check_source(&req->sources[i], err);
	if (!code)
		code = range_choose(req, others, before, &range, &r->unusable,
				    err);
	if (code)
		return code;
	r->mine.lo = range.lo;
	r->mine.hi = range.hi;
	code = list_skipped(r, err);
	if (!code)
		code = find_shared(r, others, err);
	if (code)
		return code;
	code = reserve_in_kernel(r, others, before, err);
	if (!code)
		warn_short(r, &range);
	return code;
}

int reserve_take(struct reservation **out, const struct reserve_request *req,
		 struct err *err)
{
	struct record *others = NULL, *before = NULL;
	struct reservation *r = NULL;
	int dir, code;
	bool made = false;

	assert(strlen(req->name) < RECORD_NAME_MAX);
	assert(req->nat_lo > 0 && req->nat_lo <= req->nat_hi);

	*out = NULL;
	dir = record_dir_lock(req->owner, err);
	if (dir < 0)
		return dir;
	r = reservation_new(req);
	if (!r) {
		code = err_set(err, -ENOMEM, "no memory");
		goto out;
	}
	code = record_claim(dir, req->name, req->owner, &r->record_fd, &made,
			    err);
	if (!code)
		code = record_read_all(dir, &others, err);
	if (!code) {
		before = take_out(&others, req->name);
		code = take_ports(r, req, others, before, err);
	}
	/* Keep the record of a crash for the next try. */
	if (code && made)
		record_remove(dir, req->name);
out:
	if (code)
		reservation_free(r);
	else
		*out = r;
	record_free(before);
	record_free(others);
	record_dir_unlock(dir);
	return code;
}

/* Appends to our list and to the file. */
static int append_source(struct reservation *r, const struct ip_addr *source)
{
	const size_t n = r->mine.n_sources;
	struct ip_addr *larger =
		realloc(r->mine.sources, (n + 1) * sizeof(*larger));
	int code;

	if (!larger)
		return -ENOMEM;
	r->mine.sources = larger;
	larger[r->mine.n_sources++] = *source;
	code = record_write(r->record_fd, &r->mine);
	if (code)
		r->mine.n_sources--;
	return code;
}

int reserve_add_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err)
{
	struct record *others = NULL;
	const int dir = record_dir_lock(NULL, err);
	char text[ADDR_TEXT_MAX];
	int code;

	if (dir < 0)
		return dir;
	code = record_read_all(dir, &others, err);
	if (!code) {
		record_free(take_out(&others, r->mine.name));
		code = range_check(others, source, r->mine.lo, r->mine.hi, err);
	}
	if (!code) {
		code = append_source(r, source);
		if (code)
			err_set(err, code, "source %s: %s",
				addr_format(source, text), strerror(-code));
	}
	record_free(others);
	record_dir_unlock(dir);
	return code;
}

static int give_back(const struct reservation *r)
{
	struct record *others = NULL;
	struct err ignored;
	const int dir = record_dir_lock(NULL, &ignored);
	int code;

	if (dir < 0)
		return dir;
	code = record_read_all(dir, &others, &ignored);
	if (!code) {
		record_free(take_out(&others, r->mine.name));
		unreserve_in_kernel(r, others);
		record_remove(dir, r->mine.name);
	}
	record_free(others);
	record_dir_unlock(dir);
	return code;
}

int reserve_release(struct reservation *r, bool keep)
{
	int code = 0;

	if (r && !keep)
		code = give_back(r);
	reservation_free(r);
	return code;
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
	return r->mine.hi - r->mine.lo + 1u - reserve_skipped(r);
}

const char *reserve_warning(const struct reservation *r)
{
	return r->warning.text[0] ? r->warning.text : NULL;
}

const char *reserve_shared(const struct reservation *r, size_t service)
{
	return r->shared[service].text[0] ? r->shared[service].text : NULL;
}
