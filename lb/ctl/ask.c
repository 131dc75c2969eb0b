/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/find.h"
#include "ctl/http.h"
#include "ctl/json_get.h"
#include "ctl/token.h"

int ask_connect(struct ctl *c, struct err *err)
{
	struct http_target target = {.socket = c->socket, .url = c->url};
	char path[FIND_PATH_MAX] = "", token[TOKEN_MAX] = "";
	int ret = CTL_OK;

	if (c->http)
		return CTL_OK;
	if (c->url && c->token_file) {
		ret = token_read(c->token_file, token, err);
		target.token = token;
	} else if (!c->url && !c->socket) {
		ret = find_instance(FIND_DIR, c->name, path, err);
		target.socket = path;
	}
	return ret ? ret : http_open(&c->http, &target, err);
}

static void print_body(const struct ctl *c, const struct http_reply *reply)
{
	fwrite(reply->body, 1, reply->len, c->out);
	if (reply->len && reply->body[reply->len - 1] != '\n')
		fputc('\n', c->out);
}

/* The sentence of {"error":{"code":..,"message":..}}. */
static int refused(const struct http_reply *reply, struct err *err)
{
	json_t *answer = json_loadb(reply->body, reply->len, 0, NULL);
	const char *message =
		json_string_value(get_value(answer, "error.message"));
	/* It has lost its balancer, or the balancer is busy. */
	const int ret = reply->status == 503 ? CTL_NOBODY : CTL_REFUSED;

	if (message)
		err_set(err, ret, "%s", message);
	else
		err_set(err, ret,
			"the answer is HTTP status %ld without a reason; is "
			"that an l4lb?",
			reply->status);
	json_decref(answer);
	return ret;
}

static int send(struct ctl *c, const struct http_request *request,
		const struct url *u, struct http_reply *reply, struct err *err)
{
	int ret;

	if (u->too_long)
		return err_set(err, CTL_USAGE,
			       "the request is longer than %d bytes", URL_MAX);
	ret = ask_connect(c, err);
	return ret ? ret : http_ask(c->http, request, reply, err);
}

/* @quiet: nothing is printed. */
static int converse(struct ctl *c, const struct http_request *request,
		    const struct url *u, bool quiet, json_t **answer,
		    struct err *err)
{
	struct http_reply reply = {.status = 0};
	json_error_t wrong;
	int ret = send(c, request, u, &reply, err);

	*answer = NULL;
	if (ret)
		return ret;
	if (c->json && !quiet)
		print_body(c, &reply);
	if (reply.status < 200 || reply.status > 299) {
		ret = refused(&reply, err);
	} else if (!c->json || quiet) {
		*answer = json_loadb(reply.body, reply.len, 0, &wrong);
		if (!*answer)
			ret = err_set(err, CTL_REFUSED,
				      "the answer is not JSON (%s); is that "
				      "an l4lb?",
				      wrong.text);
	}
	http_reply_free(&reply);
	return ret;
}

static int ask_in_json(struct ctl *c, const char *method, const struct url *u,
		       json_t *body, bool quiet, json_t **answer,
		       struct err *err)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct http_request request = {
		.method = method,
		.path = u->text,
		.type = "application/json",
		.body = text,
	};
	int ret;

	*answer = NULL;
	if (body && !text)
		ret = err_set(err, CTL_USAGE,
			      "what was given is not valid UTF-8");
	else
		ret = converse(c, &request, u, quiet, answer, err);
	json_decref(body);
	free(text);
	return ret;
}

int ask(struct ctl *c, const char *method, const struct url *u, json_t *body,
	json_t **answer, struct err *err)
{
	return ask_in_json(c, method, u, body, false, answer, err);
}

int ask_quietly(struct ctl *c, const char *method, const struct url *u,
		json_t *body, json_t **answer, struct err *err)
{
	return ask_in_json(c, method, u, body, true, answer, err);
}

int ask_with_text(struct ctl *c, const struct url *u, const char *text,
		  json_t **answer, struct err *err)
{
	const struct http_request request = {
		.method = "POST",
		.path = u->text,
		.type = "text/plain",
		.body = text,
	};

	return converse(c, &request, u, false, answer, err);
}

int ask_for_text(struct ctl *c, const struct url *u, struct err *err)
{
	const struct http_request request = {.method = "GET", .path = u->text};
	struct http_reply reply = {.status = 0};
	int ret = send(c, &request, u, &reply, err);

	if (ret)
		return ret;
	if (reply.status == 200)
		print_body(c, &reply);
	else
		ret = refused(&reply, err);
	http_reply_free(&reply);
	return ret;
}

int ask_for_lines(struct ctl *c, const struct url *u,
		  bool (*on_line)(void *arg, const char *line, size_t len),
		  void *arg, struct err *err)
{
	const struct http_request request = {
		.method = "GET",
		.path = u->text,
		.on_line = on_line,
		.arg = arg,
	};
	struct http_reply reply = {.status = 0};
	int ret = send(c, &request, u, &reply, err);

	if (ret)
		return ret;
	if (reply.status != 200)
		ret = refused(&reply, err);
	http_reply_free(&reply);
	return ret;
}

bool ask_is_there(struct ctl *c)
{
	const struct http_request request = {.method = "GET",
					     .path = "/lb/health"};
	struct http_reply reply = {.status = 0};
	struct err ignored;

	if (http_ask(c->http, &request, &reply, &ignored))
		return false;
	http_reply_free(&reply);
	return true;
}
