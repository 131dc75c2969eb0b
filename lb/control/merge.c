/* SPDX-License-Identifier: MIT */
/*
 * merge.c - see merge.h
 *
 * The result is built anew, the services that run first. Values are compared
 * and set as the text that a file would have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "control/config_keys.h"
#include "control/diff.h"
#include "control/merge.h"

struct merging {
	const struct config *base, *theirs, *ours;
	bool reset;
	struct config *out;
	struct merge_notes *notes;
	struct err *err;
};

/* The same service in each; NULL: it is not there. */
struct same_service {
	const struct service_config *base, *theirs, *ours;
};

struct same_backend {
	const struct backend_config *base, *theirs, *ours;
};

void merge_notes_free(struct merge_notes *notes)
{
	text_free(&notes->kept);
	text_free(&notes->restart);
}

/* True if what runs stays. At least one of @theirs and @ours is there. */
static bool ours_stays(const struct merging *m, const char *base,
		       const char *theirs, const char *ours)
{
	if (!theirs)
		return true;
	if (!ours || m->reset)
		return false;
	return base && strcmp(base, theirs) == 0;
}

/* ------------------------------------------------------------------- keys */

/* What a key is in one section; NULL if there is no such section. */
static const char *key_text(const struct key *key, const struct config *c,
			    const struct service_config *s, bool there,
			    struct text *text)
{
	if (!there)
		return NULL;
	key_print(key, c, s, text);
	return text_get(text);
}

/* @s: what is set; NULL: the global section. */
static int set_chosen(struct merging *m, const struct key *key,
		      const struct same_service *same, struct service_config *s)
{
	struct target t = {.config = m->out, .service = s, .key = key};
	struct text texts[3] = {0};
	const char *base, *theirs, *ours, *chosen;
	struct err reason;
	int ret;

	base = key_text(key, m->base, same->base, !s || same->base, &texts[0]);
	theirs = key_text(key, m->theirs, same->theirs, !s || same->theirs,
			  &texts[1]);
	ours = key_text(key, m->ours, same->ours, !s || same->ours, &texts[2]);
	chosen = ours_stays(m, base, theirs, ours) ? ours : theirs;
	if (chosen == ours && theirs && strcmp(ours, theirs) != 0)
		text_add(&m->notes->kept, "%s%s%s%s=%s (set at run time)\n",
			 s ? "service " : "", s ? s->name : "", s ? " " : "",
			 key->name, ours);
	ret = key_set_whole(&t, chosen, &reason);
	if (ret)
		err_set(m->err, ret, "%s%s%s%s: %s", s ? "service " : "",
			s ? s->name : "", s ? " " : "", key->name, reason.text);
	if (texts[0].failed || texts[1].failed || texts[2].failed)
		ret = err_set(m->err, -ENOMEM, "out of memory");
	for (int i = 0; i < 3; i++)
		text_free(&texts[i]);
	return ret;
}

/* A key that the user chose in neither follows from others, at the start. */
static bool restart_matters(const struct merging *m, const struct key *key)
{
	return !(key->flags & KEY_CHOSEN) || key_is_set(m->theirs, key) ||
	       key_is_set(m->ours, key);
}

static void note_restart(struct merging *m, const struct key *key)
{
	struct text theirs = {0}, ours = {0};

	key_print(key, m->theirs, NULL, &theirs);
	key_print(key, m->ours, NULL, &ours);
	if (strcmp(text_get(&theirs), text_get(&ours)) != 0)
		text_add(&m->notes->restart, "%s %s -> %s\n", key->name,
			 text_get(&ours), text_get(&theirs));
	text_free(&theirs);
	text_free(&ours);
}

static int merge_global(struct merging *m)
{
	const struct same_service none = {0};
	int ret = 0;

	for (unsigned i = 0; i < keys_global.n && !ret; i++) {
		const struct key *key = &keys_global.keys[i];

		if (!(key->flags & KEY_RESTART))
			ret = set_chosen(m, key, &none, NULL);
		else if (restart_matters(m, key))
			note_restart(m, key);
	}
	return ret;
}

/* --------------------------------------------------------------- backends */

/* The id that a user gave, "" if l4lb did. */
static const char *own_id(const struct backend_config *b)
{
	return config_id_is_automatic(b->id) ? "" : b->id;
}

/* As far as a file can say it. */
static bool lines_equal(const struct backend_config *a,
			const struct backend_config *b)
{
	return a->params.weight == b->params.weight &&
	       a->params.backup == b->params.backup &&
	       strcmp(own_id(a), own_id(b)) == 0;
}

static void note_backend(struct merging *m, const struct service_config *s,
			 const struct backend_config *b, const char *what)
{
	const bool unique = config_id_is_automatic(b->id);

	text_add(&m->notes->kept, "%s%s%s %s\n", b->id, unique ? "" : " of ",
		 unique ? "" : s->name, what);
}

/* True if the value of the file is used, as a file's number or word. */
static bool theirs_wins(struct merging *m, const struct same_backend *same,
			uint32_t base, uint32_t theirs, uint32_t ours,
			const struct service_config *s, const char *name)
{
	char text[3][12], what[64];

	snprintf(text[0], sizeof(text[0]), "%u", base);
	snprintf(text[1], sizeof(text[1]), "%u", theirs);
	snprintf(text[2], sizeof(text[2]), "%u", ours);
	if (!ours_stays(m, same->base ? text[0] : NULL, text[1], text[2]))
		return true;
	if (ours != theirs) {
		snprintf(what, sizeof(what), "%s=%u (set at run time)", name,
			 ours);
		note_backend(m, s, same->ours, what);
	}
	return false;
}

/* The name that the result has; "": the next one of l4lb's. */
static const char *merge_id(const struct merging *m,
			    const struct same_backend *same)
{
	const char *theirs = own_id(same->theirs), *ours = same->ours->id;

	if (ours_stays(m, same->base ? own_id(same->base) : NULL, theirs, ours))
		return ours;
	/* The file gives no name: then l4lb's own stays, too. */
	return *theirs || !config_id_is_automatic(ours) ? theirs : ours;
}

static void note_admin(struct merging *m, const struct service_config *s,
		       const struct backend_config *b)
{
	if (b->params.admin != ADMIN_ENABLED)
		note_backend(m, s, b,
			     b->params.admin == ADMIN_DRAIN
				     ? "drains (set at run time)"
				     : "is disabled (set at run time)");
}

/* Both have it: each value by itself. */
static void merge_values(struct merging *m, const struct service_config *s,
			 const struct same_backend *same,
			 struct backend_config *b)
{
	static const struct backend_config none;
	const struct backend_params *base =
		same->base ? &same->base->params : &none.params;
	const struct backend_params *theirs = &same->theirs->params;
	const struct backend_params *ours = &same->ours->params;

	*b = *same->ours;
	if (theirs_wins(m, same, base->weight, theirs->weight, ours->weight, s,
			"weight"))
		b->params.weight = theirs->weight;
	if (theirs_wins(m, same, base->backup, theirs->backup, ours->backup, s,
			"backup"))
		b->params.backup = theirs->backup;
	snprintf(b->id, sizeof(b->id), "%s", merge_id(m, same));
	if (m->reset) {
		b->params.admin = theirs->admin;
		b->params.drain_s = theirs->drain_s;
		b->params.then = theirs->then;
	} else {
		note_admin(m, s, b);
	}
}

/* False: the result does not have it. */
static bool merge_backend(struct merging *m, const struct service_config *s,
			  const struct same_backend *same,
			  struct backend_config *b)
{
	if (same->theirs && same->ours) {
		merge_values(m, s, same, b);
		return true;
	}
	if (same->theirs) {
		char text[ENDPOINT_TEXT_MAX];

		if (!m->reset && same->base &&
		    lines_equal(same->base, same->theirs)) {
			text_add(&m->notes->kept,
				 "%s of %s is removed (at run time)\n",
				 endpoint_format(&same->theirs->addr, text),
				 s->name);
			return false;
		}
		*b = *same->theirs;
		snprintf(b->id, sizeof(b->id), "%s", own_id(same->theirs));
		return true;
	}
	if (m->reset || same->base)
		return false;
	*b = *same->ours;
	note_backend(m, s, b, "(added at run time)");
	return true;
}

static int add_merged(struct merging *m, struct service_config *s,
		      const struct same_backend *same)
{
	const struct endpoint *addr =
		same->ours ? &same->ours->addr : &same->theirs->addr;
	struct backend_config b;
	char text[ENDPOINT_TEXT_MAX];
	struct err reason;
	int ret;

	if (!merge_backend(m, s, same, &b))
		return 0;
	ret = config_add_backend(m->out, s, &b, &reason);
	if (ret)
		return err_set(m->err, ret, "service %s: backend %s: %s",
			       s->name, endpoint_format(addr, text),
			       reason.text);
	return 0;
}

static const struct backend_config *find_backend(const struct service_config *s,
						 const struct endpoint *addr,
						 unsigned hint)
{
	return s ? diff_find_backend(s, addr, hint) : NULL;
}

static int merge_backends(struct merging *m, const struct same_service *same,
			  struct service_config *s)
{
	const struct service_config *ours = same->ours, *theirs = same->theirs;
	int ret = 0;

	for (unsigned i = 0; ours && i < ours->n_backends && !ret; i++) {
		struct same_backend b = {.ours = &ours->backends[i]};

		if (!backend_is_live(b.ours))
			continue;
		b.base = find_backend(same->base, &b.ours->addr, i);
		b.theirs = find_backend(theirs, &b.ours->addr, i);
		ret = add_merged(m, s, &b);
	}
	for (unsigned i = 0; theirs && i < theirs->n_backends && !ret; i++) {
		struct same_backend b = {.theirs = &theirs->backends[i]};

		if (!backend_is_live(b.theirs) ||
		    find_backend(ours, &b.theirs->addr, i))
			continue;
		b.base = find_backend(same->base, &b.theirs->addr, i);
		ret = add_merged(m, s, &b);
	}
	return ret;
}

/* --------------------------------------------------------------- services */

/* True if the file says the same of the service and of its backends. */
static bool sections_equal(const struct merging *m,
			   const struct same_service *same)
{
	bool equal = strcmp(same->base->name, same->theirs->name) == 0;

	for (unsigned i = 0; i < keys_service.n && equal; i++) {
		const struct key *key = &keys_service.keys[i];
		struct text a = {0}, b = {0};

		if (!key->print)
			continue;
		key_print(key, m->base, same->base, &a);
		key_print(key, m->theirs, same->theirs, &b);
		equal = strcmp(text_get(&a), text_get(&b)) == 0;
		text_free(&a);
		text_free(&b);
	}
	return equal;
}

static bool backends_equal(const struct service_config *a,
			   const struct service_config *b)
{
	for (unsigned i = 0; i < a->n_backends; i++) {
		const struct backend_config *x = &a->backends[i], *y;

		if (!backend_is_live(x))
			continue;
		y = diff_find_backend(b, &x->addr, i);
		if (!y || !lines_equal(x, y))
			return false;
	}
	return true;
}

/* True if the result has it. */
static bool service_stays(struct merging *m, const struct same_service *same)
{
	if (same->theirs && same->ours)
		return true;
	if (same->theirs) {
		if (m->reset || !same->base || !sections_equal(m, same) ||
		    !backends_equal(same->base, same->theirs) ||
		    !backends_equal(same->theirs, same->base))
			return true;
		text_add(&m->notes->kept,
			 "service %s is removed (at run time)\n",
			 same->theirs->name);
		return false;
	}
	if (m->reset || same->base)
		return false;
	text_add(&m->notes->kept, "service %s (added at run time)\n",
		 same->ours->name);
	return true;
}

static const char *service_name(const struct merging *m,
				const struct same_service *same)
{
	const char *base = same->base ? same->base->name : NULL;
	const char *theirs = same->theirs ? same->theirs->name : NULL;
	const char *ours = same->ours ? same->ours->name : NULL;

	return ours_stays(m, base, theirs, ours) ? ours : theirs;
}

static int merge_service(struct merging *m, struct same_service *same)
{
	const char *name;
	struct service_config *s = NULL;
	struct err reason;
	int ret;

	if (!service_stays(m, same))
		return 0;
	/* What comes back comes back whole. */
	if (!same->ours)
		same->base = NULL;
	name = service_name(m, same);
	if (config_find_service(m->out, name))
		return err_set(m->err, -EEXIST,
			       "two services would be called \"%s\"", name);
	ret = config_add_service(m->out, name, &s, &reason);
	if (!ret)
		ret = config_set_listen(m->out, s,
					same->ours ? &same->ours->listen
						   : &same->theirs->listen,
					&reason);
	if (ret)
		return err_set(m->err, ret, "service %s: %s", name,
			       reason.text);
	for (unsigned i = 0; i < keys_service.n && !ret; i++) {
		const struct key *key = &keys_service.keys[i];

		/* The address is what makes them the same. */
		if (key->print && strcmp(key->name, "listen") != 0)
			ret = set_chosen(m, key, same, s);
	}
	return ret ? ret : merge_backends(m, same, s);
}

static int merge_services(struct merging *m)
{
	int ret = 0;

	for (unsigned i = 0; i < m->ours->n_services && !ret; i++) {
		struct same_service s = {.ours = &m->ours->services[i]};

		if (!service_is_live(s.ours))
			continue;
		s.base = diff_find_service(m->base, &s.ours->listen, i);
		s.theirs = diff_find_service(m->theirs, &s.ours->listen, i);
		ret = merge_service(m, &s);
	}
	for (unsigned i = 0; i < m->theirs->n_services && !ret; i++) {
		struct same_service s = {.theirs = &m->theirs->services[i]};

		if (!service_is_live(s.theirs) ||
		    diff_find_service(m->ours, &s.theirs->listen, i))
			continue;
		s.base = diff_find_service(m->base, &s.theirs->listen, i);
		ret = merge_service(m, &s);
	}
	return ret;
}

int merge(const struct config *base, const struct config *theirs,
	  const struct config *ours, bool reset, struct config *out,
	  struct merge_notes *notes, struct err *err)
{
	struct merging m = {base, theirs, ours, reset, out, notes, err};
	int ret;

	*out = *ours;
	out->n_services = 0;
	out->services = calloc(CONFIG_SERVICES_MAX, sizeof(*out->services));
	if (!out->services)
		return err_set(err, -ENOMEM, "out of memory");
	ret = merge_global(&m);
	if (!ret)
		ret = merge_services(&m);
	if (!ret)
		ret = command_check(out, err);
	if (notes->kept.failed || notes->restart.failed)
		ret = err_set(err, -ENOMEM, "out of memory");
	if (ret && notes->kept.len) {
		const struct err reason = *err;

		err_set(err, ret,
			"%.400s; part of it was set at run time, which a "
			"reload with reset forgets",
			reason.text);
	}
	return ret;
}

/* ------------------------------------------------- the ids of the new base */

static const char *id_in(const struct config *out,
			 const struct service_config *s,
			 const struct endpoint *addr)
{
	const struct service_config *same =
		diff_find_service(out, &s->listen, 0);
	const struct backend_config *b =
		same ? diff_find_backend(same, addr, 0) : NULL;

	return b ? b->id : NULL;
}

void merge_take_ids(struct config *theirs, const struct config *out)
{
	/* Above all that are in use, for those that @out does not have. */
	uint32_t next =
		theirs->next_id > out->next_id ? theirs->next_id : out->next_id;

	for (unsigned i = 0; i < theirs->n_services; i++) {
		struct service_config *s = &theirs->services[i];

		for (unsigned k = 0; k < s->n_backends; k++) {
			struct backend_config *b = &s->backends[k];
			const char *id;

			if (!config_id_is_automatic(b->id))
				continue;
			id = id_in(out, s, &b->addr);
			if (id && config_id_is_automatic(id))
				snprintf(b->id, sizeof(b->id), "%s", id);
			else
				snprintf(b->id, sizeof(b->id), "backend%u",
					 next++);
		}
	}
	theirs->next_id = next;
}
