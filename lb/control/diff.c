/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/blocking.h"
#include "control/command.h"
#include "control/diff.h"
#include "control/line.h"
#include "control/rename.h"

const struct service_config *diff_find_service(const struct config *c,
					       const struct endpoint *listen,
					       unsigned hint)
{
	const struct service_config *s = &c->services[hint];

	if (hint < c->n_services && service_is_live(s) &&
	    endpoint_equal(&s->listen, listen))
		return s;
	for (unsigned i = 0; i < c->n_services; i++) {
		s = &c->services[i];
		if (service_is_live(s) && endpoint_equal(&s->listen, listen))
			return s;
	}
	return NULL;
}

const struct backend_config *diff_find_backend(const struct service_config *s,
					       const struct endpoint *addr,
					       unsigned hint)
{
	const struct backend_config *b = &s->backends[hint];

	if (hint < s->n_backends && backend_is_live(b) &&
	    endpoint_equal(&b->addr, addr))
		return b;
	for (unsigned i = 0; i < s->n_backends; i++) {
		b = &s->backends[i];
		if (backend_is_live(b) && endpoint_equal(&b->addr, addr))
			return b;
	}
	return NULL;
}

/* ------------------------------------------------------------- the lines */

/* What @to says of the flows of what leaves; drain is the default. */
static void end_removal(enum leave leaves, struct text *out)
{
	const char *then = command_leave_word(leaves);

	if (then && leaves != LEAVE_DRAIN)
		text_add(out, " then=%s", then);
	text_add(out, "\n");
}

/*
 * Removes the backends of service @a that are not in @b, those that block
 * others or the rest. @name: what the service is called at this point.
 */
static void remove_backends(const struct blocking *all,
			    const struct service_config *a,
			    const struct service_config *b, bool blocking,
			    struct text *out)
{
	const char *name = blocking ? a->name : b->name;

	for (unsigned i = 0; i < a->n_backends; i++) {
		const struct backend_config *old = &a->backends[i];
		const struct backend_config *now = &b->backends[i];

		if (!backend_is_live(old) ||
		    diff_find_backend(b, &old->addr, i) ||
		    blocking_backend(all, b, old) != blocking)
			continue;
		text_add(out, "backend remove %s %s", name, old->id);
		end_removal(
			i < b->n_backends && now->slot == SLOT_LEAVING &&
					endpoint_equal(&now->addr, &old->addr)
				? now->leaves
				: LEAVE_DRAIN,
			out);
	}
}

static void remove_service(const struct config *to,
			   const struct service_config *a, unsigned slot,
			   struct text *out)
{
	const struct service_config *now = &to->services[slot];

	text_add(out, "service remove %s", a->name);
	end_removal(slot < to->n_services && now->slot == SLOT_LEAVING &&
				    endpoint_equal(&now->listen, &a->listen)
			    ? now->leaves
			    : LEAVE_DRAIN,
		    out);
}

static void remove_old(const struct config *from, const struct blocking *all,
		       bool blocking, struct text *out)
{
	const struct config *to = all->to;

	for (unsigned i = 0; i < from->n_services; i++) {
		const struct service_config *a = &from->services[i], *b;

		if (!service_is_live(a))
			continue;
		b = diff_find_service(to, &a->listen, i);
		if (b)
			remove_backends(all, a, b, blocking, out);
		else if (blocking_service(all, a) == blocking)
			remove_service(to, a, i, out);
	}
}

static void print_admin(const struct service_config *s,
			const struct backend_config *b, struct text *out)
{
	static const char *const verbs[] = {
		[ADMIN_ENABLED] = "enable",
		[ADMIN_DRAIN] = "drain",
		[ADMIN_DISABLED] = "disable",
	};
	const struct backend_params *p = &b->params;
	const char *then = command_leave_word(p->then);

	text_add(out, "backend %s %s %s", verbs[p->admin], s->name, b->id);
	if (p->admin == ADMIN_DRAIN && p->drain_s)
		text_add(out, " for=%us", p->drain_s);
	if (p->admin != ADMIN_ENABLED && then)
		text_add(out, " then=%s", then);
	text_add(out, "\n");
}

static void add_backend(const struct service_config *s,
			const struct backend_config *b, struct text *out)
{
	char addr[ENDPOINT_TEXT_MAX];

	text_add(out, "backend add %s %s weight=%u%s id=%s\n", s->name,
		 endpoint_format(&b->addr, addr), b->params.weight,
		 b->params.backup ? " backup" : "", b->id);
	if (b->params.admin != ADMIN_ENABLED)
		print_admin(s, b, out);
}

/* The one has the ids and names of @to already. */
static void change_backend(const struct service_config *s,
			   const struct backend_config *old,
			   const struct backend_config *b, struct text *out)
{
	const struct backend_params *o = &old->params, *p = &b->params;

	if (o->weight != p->weight || o->backup != p->backup) {
		text_add(out, "backend set %s %s", s->name, b->id);
		if (o->weight != p->weight)
			text_add(out, " weight=%u", p->weight);
		if (o->backup != p->backup)
			text_add(out, " backup=%s", p->backup ? "yes" : "no");
		text_add(out, "\n");
	}
	if (o->admin != p->admin ||
	    (p->admin == ADMIN_DRAIN && o->drain_s != p->drain_s) ||
	    (p->admin != ADMIN_ENABLED && o->then != p->then))
		print_admin(s, b, out);
}

static void change_service(const struct config *from, const struct config *to,
			   const struct service_config *a,
			   const struct service_config *b, struct text *out)
{
	struct line line;

	line_begin(&line, out, "service set %s", b->name);
	line_keys(&line, &keys_service, 0, from, a, to, b);
	line_end(&line);
	for (unsigned i = 0; i < b->n_backends; i++) {
		const struct backend_config *new = &b->backends[i], *old;

		if (!backend_is_live(new))
			continue;
		old = diff_find_backend(a, &new->addr, i);
		if (old)
			change_backend(b, old, new, out);
	}
}

static void change_old(const struct config *from, const struct config *to,
		       struct text *out)
{
	for (unsigned i = 0; i < to->n_services; i++) {
		const struct service_config *b = &to->services[i], *a;

		if (!service_is_live(b))
			continue;
		a = diff_find_service(from, &b->listen, i);
		if (a)
			change_service(from, to, a, b, out);
	}
}

static void add_service(const struct config *to, const struct service_config *b,
			struct text *out)
{
	static const struct service_params defaults = SERVICE_PARAMS_DEFAULT;
	const struct service_config empty = {.listen = b->listen,
					     .params = defaults};
	char listen[ENDPOINT_TEXT_MAX];
	struct line line;

	line_begin(&line, out, "service add %s", b->name);
	line_pair(&line, "listen", endpoint_format(&b->listen, listen));
	snprintf(line.head, sizeof(line.head), "service set %s", b->name);
	line_keys(&line, &keys_service, 0, to, &empty, to, b);
	line_end(&line);
}

static void add_new(const struct config *from, const struct config *to,
		    struct text *out)
{
	for (unsigned i = 0; i < to->n_services; i++) {
		const struct service_config *b = &to->services[i], *a;

		if (!service_is_live(b))
			continue;
		a = diff_find_service(from, &b->listen, i);
		if (!a)
			add_service(to, b, out);
		for (unsigned k = 0; k < b->n_backends; k++) {
			const struct backend_config *new = &b->backends[k];

			if (backend_is_live(new) &&
			    !(a && diff_find_backend(a, &new->addr, k)))
				add_backend(b, new, out);
		}
	}
}

/* The number that is next after the lines so far. */
static uint32_t next_id_after(const struct config *from,
			      const struct config *to)
{
	uint32_t next = from->next_id;

	for (unsigned i = 0; i < to->n_services; i++) {
		const struct service_config *s = &to->services[i];

		for (unsigned k = 0; service_is_live(s) && k < s->n_backends;
		     k++) {
			const uint32_t n = config_id_number(s->backends[k].id);

			if (backend_is_live(&s->backends[k]) && n >= next)
				next = n + 1;
		}
	}
	return next;
}

int diff_print(const struct config *from, const struct config *to,
	       struct text *out)
{
	struct blocking all;
	struct line line;
	int ret = blocking_init(&all, to);

	if (ret)
		return ret;
	line_begin(&line, out, "set");
	line_keys(&line, &keys_global, KEY_RESTART, from, NULL, to, NULL);
	line_end(&line);
	remove_old(from, &all, true, out);
	ret = rename_print(from, to, out);
	change_old(from, to, out);
	add_new(from, to, out);
	remove_old(from, &all, false, out);
	blocking_free(&all);
	if (to->next_id > next_id_after(from, to))
		text_add(out, "set next_id=%u\n", to->next_id);
	return out->failed ? -ENOMEM : ret;
}

int config_print(const struct config *c, struct text *out)
{
	struct text value = {0}, old = {0};
	struct config empty;
	struct line line;
	struct err err;
	int ret = config_init(&empty, &err);

	if (ret)
		return ret;
	line_begin(&line, out, "set");
	for (unsigned i = 0; i < keys_global.n; i++) {
		const struct key *key = &keys_global.keys[i];
		bool differs;

		if (!(key->flags & KEY_RESTART))
			continue;
		text_cut(&value, 0);
		text_cut(&old, 0);
		key_print(key, c, NULL, &value);
		key_print(key, &empty, NULL, &old);
		differs = strcmp(text_get(&value), text_get(&old)) != 0;
		/* What depends on the name is not a choice of the user. */
		if (key->flags & KEY_CHOSEN ? key_is_set(c, key) : differs)
			line_pair(&line, key->name, text_get(&value));
	}
	line_end(&line);
	ret = diff_print(&empty, c, out);
	if (value.failed || old.failed)
		ret = -ENOMEM;
	text_free(&value);
	text_free(&old);
	config_free(&empty);
	return ret;
}
