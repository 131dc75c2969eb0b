/* SPDX-License-Identifier: MIT */
/*
 * blocking.c - see blocking.h
 *
 * Automatic ids are unique in the instance. A reload may replace all of sixteen
 * thousand backends while packets wait, so each id is looked up in a sorted
 * list and not among all others.
 */
#include <errno.h>
#include <stdlib.h>

#include "control/blocking.h"
#include "control/diff.h"

static int compare(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t count_backends(const struct config *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]))
			n += c->services[i].n_backends;
	return n;
}

static void add_numbers(struct blocking *b, const struct service_config *s)
{
	for (unsigned k = 0; k < s->n_backends; k++) {
		const uint32_t number =
			backend_is_live(&s->backends[k])
				? config_id_number(s->backends[k].id)
				: 0;

		if (number)
			b->numbers[b->n++] = number;
	}
}

int blocking_init(struct blocking *b, const struct config *to)
{
	*b = (struct blocking){
		.to = to,
		.numbers = calloc(count_backends(to) + 1, sizeof(*b->numbers)),
	};
	if (!b->numbers)
		return -ENOMEM;
	for (unsigned i = 0; i < to->n_services; i++)
		if (service_is_live(&to->services[i]))
			add_numbers(b, &to->services[i]);
	qsort(b->numbers, b->n, sizeof(*b->numbers), compare);
	return 0;
}

void blocking_free(struct blocking *b)
{
	free(b->numbers);
	b->numbers = NULL;
}

static bool has_backend_at(const struct config *c, const struct endpoint *addr)
{
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]) &&
		    diff_find_backend(&c->services[i], addr, 0))
			return true;
	return false;
}

/* An automatic id is the instance's, a name of the user's its service's. */
static bool id_is_wanted(const struct blocking *b,
			 const struct service_config *service, const char *id)
{
	const uint32_t number = config_id_number(id);

	if (!number)
		return service && config_find_id(service, id);
	return bsearch(&number, b->numbers, b->n, sizeof(number), compare);
}

bool blocking_backend(const struct blocking *b,
		      const struct service_config *service,
		      const struct backend_config *backend)
{
	return id_is_wanted(b, service, backend->id) ||
	       diff_find_service(b->to, &backend->addr, 0);
}

bool blocking_service(const struct blocking *b, const struct service_config *s)
{
	if (config_find_service(b->to, s->name) ||
	    has_backend_at(b->to, &s->listen))
		return true;
	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_is_live(&s->backends[i]) &&
		    blocking_backend(b, NULL, &s->backends[i]))
			return true;
	return false;
}
