/* SPDX-License-Identifier: MIT */
/*
 * rename.c - renames in an order that works
 *
 * Two may have exchanged their names, so one of them needs another name in
 * between.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/rename.h"

struct move {
	const char *service; /* of a backend: its service's name; else NULL */
	char old[CONFIG_NAME_MAX];
	const char *new;
	size_t first; /* move of the same service */
	bool done;
};

struct moves {
	struct move *list;
	size_t n, size;
	unsigned passing; /* names that were given in between */
	struct text *out;
};

static int add_move(struct moves *m, const char *service, const char *old,
		    const char *new)
{
	struct move *list = m->list;
	size_t first = m->n;

	if (strcmp(old, new) == 0)
		return 0;
	if (m->n == m->size) {
		m->size = m->size ? 2 * m->size : 16;
		list = realloc(list, m->size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		m->list = list;
	}
	if (m->n && list[m->n - 1].service == service)
		first = list[m->n - 1].first;
	list[m->n] = (struct move){
		.service = service,
		.new = new,
		.first = first,
	};
	snprintf(list[m->n++].old, sizeof(list->old), "%s", old);
	return 0;
}

/* True if the name that @move wants still belongs to another that moves. */
static bool is_taken(const struct moves *m, const struct move *move)
{
	/* An automatic id is the whole instance's. */
	const bool all = move->service && config_id_is_automatic(move->new);

	for (size_t i = all ? 0 : move->first; i < m->n; i++) {
		const struct move *other = &m->list[i];

		if (!all && other->service != move->service)
			break;
		if (other != move && !other->done &&
		    strcmp(other->old, move->new) == 0)
			return true;
	}
	return false;
}

static void print_move(struct moves *m, struct move *move, const char *new)
{
	if (move->service)
		text_add(m->out, "backend set %s %s id=%s\n", move->service,
			 move->old, new);
	else
		text_add(m->out, "service set %s name=%s\n", move->old, new);
	snprintf(move->old, sizeof(move->old), "%s", new);
}

/* Makes every move that can be made now; false if there was none. */
static bool make_moves(struct moves *m)
{
	bool any = false;

	for (size_t i = 0; i < m->n; i++) {
		struct move *move = &m->list[i];

		if (move->done || is_taken(m, move))
			continue;
		print_move(m, move, move->new);
		move->done = any = true;
	}
	return any;
}

static bool is_name_of(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (service_is_live(s) &&
		    (strcmp(s->name, name) == 0 || config_find_id(s, name)))
			return true;
	}
	return false;
}

/* Breaks a circle: the first that waits gets a name that nobody has. */
static bool step_aside(struct moves *m, const struct config *from,
		       const struct config *to)
{
	for (size_t i = 0; i < m->n; i++) {
		char name[CONFIG_NAME_MAX];

		if (m->list[i].done)
			continue;
		do
			snprintf(name, sizeof(name), "renamed_%u",
				 ++m->passing);
		while (is_name_of(from, name) || is_name_of(to, name));
		print_move(m, &m->list[i], name);
		return true;
	}
	return false;
}

static int collect_services(struct moves *m, const struct config *from,
			    const struct config *to)
{
	int ret = 0;

	for (unsigned i = 0; i < to->n_services && !ret; i++) {
		const struct service_config *b = &to->services[i], *a;

		if (!service_is_live(b))
			continue;
		a = diff_find_service(from, &b->listen, i);
		if (a)
			ret = add_move(m, NULL, a->name, b->name);
	}
	return ret;
}

static int collect_backends(struct moves *m, const struct config *from,
			    const struct config *to)
{
	int ret = 0;

	for (unsigned i = 0; i < to->n_services && !ret; i++) {
		const struct service_config *b = &to->services[i], *a;

		if (!service_is_live(b))
			continue;
		a = diff_find_service(from, &b->listen, i);
		for (unsigned k = 0; a && k < b->n_backends && !ret; k++) {
			const struct backend_config *new = &b->backends[k];
			const struct backend_config *old;

			if (!backend_is_live(new))
				continue;
			old = diff_find_backend(a, &new->addr, k);
			if (old)
				ret = add_move(m, b->name, old->id, new->id);
		}
	}
	return ret;
}

int rename_print(const struct config *from, const struct config *to,
		 struct text *out)
{
	struct moves m = {.out = out};
	int ret = collect_services(&m, from, to);

	while (!ret && (make_moves(&m) || step_aside(&m, from, to)))
		continue;
	m.n = 0;
	if (!ret)
		ret = collect_backends(&m, from, to);
	while (!ret && (make_moves(&m) || step_aside(&m, from, to)))
		continue;
	free(m.list);
	return ret;
}
