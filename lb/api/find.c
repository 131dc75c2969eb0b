/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api/find.h"
#include "api/look.h"
#include "control/config_value.h"

#define LIST_MAX 400

bool find_service(const struct api *api, const char *name, unsigned *out,
		  struct board_service *row, struct reply *reply)
{
	char names[LOOK_NAMES_MAX], quoted[QUOTED_MAX];
	const unsigned n = look_services(api);
	struct board_service s;
	unsigned live = 0;

	if (name) {
		if (look_service_named(api, name, out, row))
			return true;
		reply_error(reply, 404, "no-such-service",
			    "service \"%s\" is not known; there is %s",
			    value_quote(name, quoted),
			    look_service_names(api, names));
		return false;
	}
	for (unsigned i = 0; i < n; i++)
		if (look_service(api, i, &s) && s.slot == SLOT_LIVE) {
			*row = s;
			*out = i;
			live++;
		}
	if (live == 1)
		return true;
	if (!live)
		reply_error(reply, 404, "no-such-service",
			    "there is no service");
	else
		reply_error(reply, 400, "which-service",
			    "there are several services, so \"service\" must "
			    "say which: %s",
			    look_service_names(api, names));
	return false;
}

struct search {
	const struct api *api;
	const char *id;
	struct endpoint addr; /* port 0: it is no address */
	unsigned n;
	struct found *out;
	char where[LIST_MAX]; /* the services that have it */
	char known[LIST_MAX]; /* the ids that there are */
};

static void add(char list[LIST_MAX], const char *word)
{
	const size_t len = strlen(list);

	if (len + strlen(word) + 8 < LIST_MAX)
		snprintf(list + len, LIST_MAX - len, "%s%s", len ? ", " : "",
			 word);
	else if (len < 4 || strcmp(list + len - 3, "...") != 0)
		snprintf(list + len, LIST_MAX - len, ", ...");
}

static bool is_it(const struct search *x, const struct board_backend *b)
{
	return strcmp(b->id, x->id) == 0 ||
	       (x->addr.port && endpoint_equal(&b->addr, &x->addr));
}

static void look_in(struct search *x, unsigned service,
		    const struct board_service *s)
{
	struct board_backend b;

	for (unsigned k = 0; k < s->n_backends; k++) {
		if (!look_backend(x->api, service, k, &b) ||
		    b.slot != SLOT_LIVE)
			continue;
		add(x->known, b.id);
		if (!is_it(x, &b))
			continue;
		x->n++;
		add(x->where, s->name);
		x->out->service = service;
		x->out->backend = k;
		x->out->s = *s;
		x->out->b = b;
	}
}

static bool decide(const struct search *x, struct reply *reply)
{
	char quoted[QUOTED_MAX];

	if (x->n == 1)
		return true;
	if (x->n)
		reply_error(reply, 409, "ambiguous",
			    "backend \"%s\" is in several services: %s; say "
			    "which by ?service=NAME",
			    value_quote(x->id, quoted), x->where);
	else
		reply_error(reply, 404, "no-such-backend",
			    "backend \"%s\" is not known; there %s%s",
			    value_quote(x->id, quoted),
			    *x->known ? "are " : "is none", x->known);
	return false;
}

bool find_backend(const struct api *api, const char *id, const char *service,
		  struct found *out, struct reply *reply)
{
	struct search x = {.api = api, .id = id, .out = out};
	const unsigned n = look_services(api);
	struct board_service s;
	struct err err;
	unsigned only;

	if (value_endpoint(id, NULL, &x.addr, &err))
		x.addr.port = 0;
	if (service) {
		if (!find_service(api, service, &only, &s, reply))
			return false;
		look_in(&x, only, &s);
		return decide(&x, reply);
	}
	for (unsigned i = 0; i < n; i++)
		if (look_service(api, i, &s) && s.slot == SLOT_LIVE)
			look_in(&x, i, &s);
	return decide(&x, reply);
}
