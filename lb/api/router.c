/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/filter.h"
#include "api/router.h"
#include "control/config_value.h"

static const char *const names[METHODS] = {
	[METHOD_GET] = "GET",
	[METHOD_POST] = "POST",
	[METHOD_DELETE] = "DELETE",
};

const char *method_name(enum method method)
{
	return names[method];
}

enum method method_of(const char *name)
{
	if (strcmp(name, "HEAD") == 0)
		return METHOD_GET;
	for (unsigned i = 0; i < METHODS; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum method)i;
	return METHODS;
}

static bool matches(const char *pattern, const struct uri *uri, const char **id)
{
	const char *at = pattern + 1; /* all begin with a / */
	unsigned i = 0;

	*id = "";
	while (*at) {
		const size_t len = strcspn(at, "/");
		const char *segment;

		if (i == uri->n_segments)
			return false;
		segment = uri->segment[i++];
		if (len == 4 && memcmp(at, "{id}", 4) == 0) {
			if (!*segment)
				return false;
			*id = segment;
		} else if (strlen(segment) != len ||
			   memcmp(segment, at, len) != 0) {
			return false;
		}
		at += len;
		at += *at == '/';
	}
	return i == uri->n_segments;
}

static void add_allowed(char allow[ALLOW_MAX], enum method method)
{
	const size_t len = strlen(allow);

	if (!strstr(allow, names[method]))
		snprintf(allow + len, ALLOW_MAX - len, "%s%s%s",
			 len ? ", " : "", names[method],
			 method == METHOD_GET ? ", HEAD" : "");
}

enum routed router_find(const struct route *const tables[], enum method method,
			const struct uri *uri, const struct route **route,
			const char **id, char allow[ALLOW_MAX])
{
	enum routed found = ROUTED_NOWHERE;

	allow[0] = '\0';
	for (; *tables; tables++)
		for (const struct route *r = *tables; r->handle; r++) {
			if (!matches(r->pattern, uri, id))
				continue;
			if (r->method == method) {
				*route = r;
				return ROUTED;
			}
			add_allowed(allow, r->method);
			found = ROUTED_OTHER_METHOD;
		}
	return found;
}

/* ---------------------------------------------------------------- the query */

static void list_known(const struct route *route, char *list, size_t size)
{
	size_t len = 0;

	list[0] = '\0';
	for (const struct route_value *v = route->query; v && v->name; v++)
		len += (size_t)snprintf(list + len, len < size ? size - len : 0,
					"%s%s", len ? ", " : "", v->name);
	if (route->flags & ROUTE_FILTER)
		snprintf(list + len, len < size ? size - len : 0,
			 "%sand the terms of a filter: %s", len ? ", " : "",
			 FILTER_TERMS);
}

static int check_pair(const struct route *route, const struct uri_pair *pair,
		      struct err *err)
{
	char quoted[QUOTED_MAX], known[ERR_TEXT_MAX];

	for (const struct route_value *v = route->query; v && v->name; v++)
		if (strcmp(v->name, pair->name) == 0)
			return 0;
	if (route->flags & ROUTE_FILTER && filter_knows(pair->name))
		return 0;
	list_known(route, known, sizeof(known));
	return err_set(err, -EINVAL, "unknown parameter \"%s\"; %s%s",
		       value_quote(pair->name, quoted),
		       *known ? "expected " : "there are none here", known);
}

int router_check_query(const struct route *route, const struct uri *uri,
		       struct err *err)
{
	for (unsigned i = 0; i < uri->n_pairs; i++) {
		const struct uri_pair *pair = &uri->pair[i];
		const bool term =
			route->flags & ROUTE_FILTER && filter_knows(pair->name);
		int ret = check_pair(route, pair, err);

		if (ret)
			return ret;
		for (unsigned k = 0; k < i && !term; k++)
			if (strcmp(pair->name, uri->pair[k].name) == 0)
				return err_set(err, -EINVAL,
					       "the parameter \"%s\" is given "
					       "twice",
					       pair->name);
	}
	return 0;
}

int router_flag(const char *name, const char *value, bool *out, struct err *err)
{
	static const struct {
		const char *word;
		bool means;
	} words[] = {{"", true},      {"1", true},  {"yes", true},
		     {"true", true},  {"0", false}, {"no", false},
		     {"false", false}};
	char quoted[QUOTED_MAX];

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(value, words[i].word) == 0) {
			*out = words[i].means;
			return 0;
		}
	return err_set(err, -EINVAL, "%s \"%s\": expected 1 or 0", name,
		       value_quote(value, quoted));
}
