/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/exchange.h"
#include "api/fields.h"
#include "clock.h"
#include "control/config_value.h"

const char *request_query(const struct request *r, const char *name)
{
	return uri_value(r->uri, name);
}

/* ------------------------------------------------------------------ the head
 */

static void find_route(struct exchange *x, enum method method, const char *name)
{
	struct request *r = &x->request;
	char quoted[QUOTED_MAX];

	switch (router_find(route_tables, method, &x->uri, &r->route, &r->id,
			    x->allow)) {
	case ROUTED: return;
	case ROUTED_NOWHERE:
		reply_error(&x->reply, 404, "no-such-path",
			    "there is nothing at this address; /openapi.json "
			    "says what there is");
		break;
	case ROUTED_OTHER_METHOD:
		reply_error(&x->reply, 405, "wrong-method",
			    "%s is not possible here; expected %s",
			    value_quote(name, quoted), x->allow);
		x->reply.allow = x->allow;
		break;
	}
	x->decided = true;
}

static void check_query(struct exchange *x)
{
	struct request *r = &x->request;
	const char *dry = uri_value(&x->uri, "dry_run");
	struct err err;
	int ret = router_check_query(r->route, &x->uri, &err);

	if (!ret && dry)
		ret = router_flag("dry_run", dry, &r->dry_run, &err);
	if (!ret)
		return;
	reply_error(&x->reply, 400, "bad-query", "%s", err.text);
	x->decided = true;
}

/* "42", as in the ETag; also without quotes, and the weak form. */
static void read_if_match(struct exchange *x, const char *header)
{
	struct request *r = &x->request;
	const char *at = header;
	bool quoted;
	char *end;

	if (!header || strcmp(header, "*") == 0)
		return;
	if (strncmp(at, "W/", 2) == 0)
		at += 2;
	quoted = *at == '"';
	at += quoted;
	r->if_match = strtoull(at, &end, 10);
	r->has_if_match = true;
	if (*at >= '0' && *at <= '9' && strcmp(end, quoted ? "\"" : "") == 0)
		return;
	reply_error(&x->reply, 400, "bad-header",
		    "If-Match: expected the number of a generation, as in an "
		    "ETag: \"42\"");
	x->decided = true;
}

static bool is_type(const char *header, const char *type)
{
	const size_t len = strlen(type);

	return strncasecmp(header, type, len) == 0 &&
	       (!header[len] || header[len] == ';' || header[len] == ' ');
}

static void check_type(struct exchange *x, const struct asked *asked)
{
	const bool text = x->request.route->flags & ROUTE_TEXT;
	const char *encoding = asked->content_encoding;
	const char *want = text ? "text/plain" : "application/json";

	if (encoding && strcasecmp(encoding, "identity") != 0) {
		reply_error(&x->reply, 415, "wrong-type",
			    "the body must not be compressed");
		x->decided = true;
		return;
	}
	if (!asked->content_type || is_type(asked->content_type, want) ||
	    (!text && !x->request.route->fields))
		return;
	reply_error(&x->reply, 415, "wrong-type",
		    "the body must be %s, and its Content-Type must say so",
		    want);
	x->decided = true;
}

static void too_big(struct exchange *x)
{
	reply_error(&x->reply, 413, "too-big",
		    "a body may have at most %d bytes", HTTP_BODY_MAX);
	x->decided = true;
}

void exchange_begin(struct exchange *x, struct api *api, struct auth *auth,
		    const struct asked *asked)
{
	const enum method method = method_of(asked->method);
	struct request *r = &x->request;
	unsigned flags;
	struct err err;
	int ret;

	memset(x, 0, sizeof(*x));
	x->reply.generation = api_generation(api);
	r->uri = &x->uri;
	r->method = method;
	r->id = r->body = "";
	r->accept = x->accept;
	snprintf(x->accept, sizeof(x->accept), "%s",
		 asked->accept ? asked->accept : "");
	ret = uri_parse(&x->uri, asked->uri, &err);
	if (ret) {
		reply_error(&x->reply, ret == -ENAMETOOLONG ? 414 : 400,
			    "bad-address", "%s", err.text);
		x->decided = true;
		return;
	}
	find_route(x, method, asked->method);
	/* Who may not ask at all does not learn what there is. */
	flags = x->decided ? 0 : r->route->flags;
	if (!auth_allows(auth, &asked->caller, flags, clock_now_ns(), r->who,
			 &x->reply)) {
		x->reply.allow = NULL;
		x->decided = true;
	}
	if (!x->decided)
		check_query(x);
	if (!x->decided && r->route->flags & ROUTE_WRITES)
		read_if_match(x, asked->if_match);
	if (!x->decided)
		check_type(x, asked);
	if (!x->decided && asked->length > HTTP_BODY_MAX)
		too_big(x);
}

/* ------------------------------------------------------------------ the body
 */

void exchange_take(struct exchange *x, const char *bytes, size_t len)
{
	if (x->decided)
		return;
	if (len > HTTP_BODY_MAX - x->body.len) {
		text_free(&x->body);
		too_big(x);
		return;
	}
	text_put(&x->body, bytes, len);
}

static bool is_blank(const struct text *t)
{
	return strspn(text_get(t), " \t\r\n") == t->len;
}

static void read_fields(struct exchange *x)
{
	struct request *r = &x->request;
	struct err err;
	bool dry;

	if (fields_parse(r->route->fields, r->body, r->body_len,
			 (json_t **)&r->json, &err)) {
		reply_error(&x->reply, 400, "bad-json", "%s", err.text);
		x->decided = true;
	} else if (field_flag(r, "dry_run", &dry)) {
		r->dry_run = r->dry_run || dry;
	}
}

static void read_body(struct exchange *x)
{
	struct request *r = &x->request;

	r->body = text_get(&x->body);
	r->body_len = x->body.len;
	if (x->body.failed) {
		reply_error(&x->reply, 503, "no-memory", "out of memory");
		x->decided = true;
		return;
	}
	if (is_blank(&x->body) || r->route->flags & ROUTE_TEXT)
		return;
	if (r->route->fields) {
		read_fields(x);
		return;
	}
	reply_error(&x->reply, 400, "no-body-here",
		    "this request takes no body");
	x->decided = true;
}

static void complete(struct reply *reply)
{
	if (!reply->status)
		reply->status = 200;
	if (!reply->type)
		reply->type = "application/json";
	if (reply->body.failed && !reply->more) {
		text_free(&reply->body);
		reply_error(reply, 503, "no-memory", "out of memory");
		reply->type = "application/json";
	}
}

void exchange_finish(struct exchange *x, struct api *api)
{
	struct request *r = &x->request;

	if (!x->decided)
		read_body(x);
	if (!x->decided)
		r->route->handle(api, r, &x->reply);
	x->decided = true;
	complete(&x->reply);
	if (x->reply.status < API_STATUS_MAX)
		atomic_fetch_add_explicit(&api->replies[x->reply.status], 1,
					  memory_order_relaxed);
}

void exchange_free(struct exchange *x)
{
	json_decref((json_t *)x->request.json);
	text_free(&x->body);
	text_free(&x->reply.body);
	if (x->reply.done)
		x->reply.done(x->reply.state);
}
