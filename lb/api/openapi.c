/* SPDX-License-Identifier: MIT */
/*
 * openapi.c - GET /openapi.json, printed from the tables of routes
 *
 * So it cannot say anything else than what the router and the checks of
 * parameters do.
 */
#include <string.h>

#include "api/json.h"
#include "api/router.h"
#include "api/routes.h"

static const char *type_name(enum value_kind kind)
{
	static const char *const names[] = {
		[VALUE_TEXT] = "string",
		[VALUE_NUMBER] = "integer",
		[VALUE_FLAG] = "boolean",
	};

	return names[kind];
}

static void put_schema(struct json_writer *w, enum value_kind kind)
{
	json_put_object(w, "schema");
	json_put_text(w, "type", type_name(kind));
	json_put_end(w);
}

static void put_parameter(struct json_writer *w, const char *in,
			  const struct route_value *v)
{
	json_put_object(w, NULL);
	json_put_text(w, "name", v->name);
	json_put_text(w, "in", in);
	json_put_text(w, "description", v->what);
	if (strcmp(in, "path") == 0)
		json_put_flag(w, "required", true);
	put_schema(w, v->kind);
	json_put_end(w);
}

static void put_terms(struct json_writer *w)
{
	static const struct route_value names[] = {
		{"client", VALUE_TEXT, "addresses: 10.0.0.0/8,192.0.2.1:443"},
		{"vip", VALUE_TEXT, "the same of the service"},
		{"nat", VALUE_TEXT, "the same of our side toward the backend"},
		{"service", VALUE_TEXT, "names"},
		{"backend", VALUE_TEXT, "ids or addresses"},
		{"state", VALUE_TEXT, "ESTABLISHED and others"},
		{"id", VALUE_TEXT, "numbers of flows"},
		{0},
	};

	for (const struct route_value *v = names; v->name; v++)
		put_parameter(w, "query", v);
}

static void put_parameters(struct json_writer *w, const struct route *r)
{
	static const struct route_value id = {
		"id", VALUE_TEXT,
		"a backend's id or ADDRESS:PORT, or a flow's "
		"number"};
	static const struct route_value if_match = {
		"If-Match", VALUE_TEXT,
		"the ETag of an answer: 412 if something was changed since"};

	json_put_array(w, "parameters");
	if (strstr(r->pattern, "{id}"))
		put_parameter(w, "path", &id);
	for (const struct route_value *v = r->query; v && v->name; v++)
		put_parameter(w, "query", v);
	if (r->flags & ROUTE_FILTER)
		put_terms(w);
	if (r->flags & ROUTE_WRITES)
		put_parameter(w, "header", &if_match);
	json_put_end(w);
}

static void put_body(struct json_writer *w, const struct route *r)
{
	const bool text = r->flags & ROUTE_TEXT;

	if (!text && !r->fields)
		return;
	json_put_object(w, "requestBody");
	json_put_object(w, "content");
	json_put_object(w, text ? "text/plain" : "application/json");
	json_put_object(w, "schema");
	json_put_text(w, "type", text ? "string" : "object");
	if (!text) {
		json_put_flag(w, "additionalProperties", false);
		json_put_object(w, "properties");
		for (const struct route_value *v = r->fields; v->name; v++) {
			json_put_object(w, v->name);
			json_put_text(w, "type", type_name(v->kind));
			json_put_text(w, "description", v->what);
			json_put_end(w);
		}
		json_put_end(w);
	}
	for (unsigned i = 0; i < 4; i++)
		json_put_end(w);
}

static void put_responses(struct json_writer *w)
{
	json_put_object(w, "responses");
	json_put_object(w, "2XX");
	json_put_text(w, "description", "The answer");
	json_put_end(w);
	json_put_object(w, "default");
	json_put_text(w, "description",
		      "{\"error\":{\"code\":..,\"message\":..,"
		      "\"generation\":..}}");
	json_put_end(w);
	json_put_end(w);
}

static void put_route(struct json_writer *w, const struct route *r)
{
	static const char *const verbs[METHODS] = {"get", "post", "delete"};

	json_put_object(w, verbs[r->method]);
	json_put_text(w, "summary", r->summary);
	put_parameters(w, r);
	put_body(w, r);
	put_responses(w);
	json_put_end(w);
}

/* True if a route before @r has the same path. */
static bool is_repeated(const struct route *r)
{
	for (const struct route *const *t = route_tables; *t; t++)
		for (const struct route *other = *t; other->handle; other++) {
			if (other == r)
				return false;
			if (strcmp(other->pattern, r->pattern) == 0)
				return true;
		}
	return false;
}

static void put_path(struct json_writer *w, const char *pattern)
{
	json_put_object(w, pattern);
	for (const struct route *const *t = route_tables; *t; t++)
		for (const struct route *r = *t; r->handle; r++)
			if (strcmp(r->pattern, pattern) == 0)
				put_route(w, r);
	json_put_end(w);
}

static void openapi(struct api *api, const struct request *request,
		    struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);

	(void)api;
	(void)request;
	json_put_object(&w, NULL);
	json_put_text(&w, "openapi", "3.0.3");
	json_put_object(&w, "info");
	json_put_text(&w, "title", "l4lb");
	json_put_text(&w, "version", L4LB_VERSION);
	json_put_text(&w, "description",
		      "See l4lb-api(8) for what the answers mean.");
	json_put_end(&w);
	json_put_object(&w, "paths");
	for (const struct route *const *t = route_tables; *t; t++)
		for (const struct route *r = *t; r->handle; r++)
			if (!is_repeated(r))
				put_path(&w, r->pattern);
	json_put_end(&w);
	json_put_end(&w);
}

const struct route openapi_routes[] = {
	{METHOD_GET, "/openapi.json", openapi, .flags = ROUTE_OPEN,
	 .summary = "All of this, for programs"},
	{0},
};
