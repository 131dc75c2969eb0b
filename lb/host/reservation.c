/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/reservation.h"
#include "host/service_port.h"

struct reservation *reservation_new(const struct reserve_request *req)
{
	struct reservation *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->record_fd = -1;
	for (unsigned i = 0; i < RESERVE_SERVICES_MAX; i++)
		r->services[i].fd = -1;
	r->n_sources = (unsigned)req->n_sources;
	if (req->n_sources)
		memcpy(r->sources, req->sources,
		       req->n_sources * sizeof(*r->sources));
	return r;
}

int reservation_bind(struct reservation *r, unsigned slot,
		     const struct endpoint *ep, const struct instance *others,
		     struct err *err)
{
	struct reserved_service *s = &r->services[slot];
	const int fd = service_port_bind(ep);

	if (fd < 0)
		return service_port_explain(err, fd, ep, others);
	*s = (struct reserved_service){.fd = fd, .at = *ep};
	service_port_shared(&s->shared, ep, others);
	return 0;
}

static void unbind(struct reserved_service *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

void reservation_free(struct reservation *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < RESERVE_SERVICES_MAX; i++)
		unbind(&r->services[i]);
	if (r->record_fd != -1)
		close(r->record_fd);
	free(r);
}

int reservation_write(const struct reservation *r, struct err *err)
{
	struct endpoint services[RESERVE_SERVICES_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < RESERVE_SERVICES_MAX; i++)
		if (r->services[i].fd != -1)
			services[n++] = r->services[i].at;
	return instance_write(r->record_fd, &r->mine, services, n, r->sources,
			      r->n_sources, err);
}

/* --------------------------------------------------------- while l4lb runs */

/*
 * As in reserve_take(), but never waits: the packets do. Returns the folder's
 * descriptor.
 */
static int try_lock(struct err *err)
{
	const int dir = instances_lock_now(err);

	return dir == -EBUSY ? -EAGAIN : dir;
}

int reserve_add_service(struct reservation *r, unsigned slot,
			const struct endpoint *ep, struct err *err)
{
	struct instance *others = NULL;
	struct err ignored;
	int dir, ret;

	assert(slot < RESERVE_SERVICES_MAX && r->services[slot].fd == -1);
	dir = try_lock(err);
	if (dir < 0)
		return dir;
	/* Only for what is said: one that is damaged does not forbid it. */
	(void)instances_read(&others, r->mine.name, &ignored);
	ret = reservation_bind(r, slot, ep, others, err);
	if (!ret) {
		ret = reservation_write(r, err);
		if (ret)
			unbind(&r->services[slot]);
	}
	instances_free(others);
	close(dir);
	return ret;
}

int reserve_del_service(struct reservation *r, unsigned slot, struct err *err)
{
	struct reserved_service *s = &r->services[slot];
	int dir, ret;

	assert(slot < RESERVE_SERVICES_MAX);
	if (s->fd == -1)
		return 0;
	dir = try_lock(err);
	if (dir < 0)
		return dir;
	unbind(s);
	ret = reservation_write(r, err);
	close(dir);
	return ret;
}

void reserve_move_service(struct reservation *r, unsigned from, unsigned to)
{
	assert(from < RESERVE_SERVICES_MAX && to < RESERVE_SERVICES_MAX &&
	       r->services[to].fd == -1);
	r->services[to] = r->services[from];
	r->services[from] = (struct reserved_service){.fd = -1};
}

static unsigned find_source(const struct reservation *r,
			    const struct ip_addr *source)
{
	unsigned i = 0;

	while (i < r->n_sources && !addr_equal(&r->sources[i], source))
		i++;
	return i;
}

int reserve_add_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err)
{
	int ret;

	if (find_source(r, source) < r->n_sources)
		return 0;
	if (r->n_sources == RESERVE_SOURCES_MAX)
		return err_set(err, -ENOSPC,
			       "more than %d addresses toward backends",
			       RESERVE_SOURCES_MAX);
	ret = instance_add_source(r->record_fd, source);
	if (ret)
		return instance_explain(err, ret, "write the record of",
					r->mine.name);
	r->sources[r->n_sources++] = *source;
	return 0;
}

int reserve_del_source(struct reservation *r, const struct ip_addr *source,
		       struct err *err)
{
	const unsigned i = find_source(r, source);
	int dir, ret;

	if (i == r->n_sources)
		return 0;
	dir = try_lock(err);
	if (dir < 0)
		return dir;
	r->sources[i] = r->sources[--r->n_sources];
	ret = reservation_write(r, err);
	close(dir);
	return ret;
}
