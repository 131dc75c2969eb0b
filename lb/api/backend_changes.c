/* SPDX-License-Identifier: MIT */
/* backend_changes.c - backends come, go, and are told what to do */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/backend_json.h"
#include "api/change.h"
#include "api/fields.h"
#include "api/find.h"
#include "api/look.h"
#include "api/routes.h"
#include "clock.h"
#include "control/config.h"
#include "control/config_value.h"
#include "control/host_name.h"
#include "control/words.h"

/* From the body or the query; NULL: neither. */
static const char *given(const struct request *r, const char *name)
{
	const char *text = field_text(r, name);

	return text ? text : request_query(r, name);
}

static void add_option(struct text *command, const char *key, const char *value)
{
	struct text word = {0};

	if (!value)
		return;
	text_add(&word, "%s=%s", key, value);
	text_add(command, " ");
	words_quote(text_get(&word), command);
	command->failed |= word.failed;
	text_free(&word);
}

/* `backend VERB SERVICE ID` */
static void begin_command(struct text *command, const char *verb,
			  const struct found *found)
{
	text_add(command, "backend %s ", verb);
	words_quote(found->s.name, command);
	text_add(command, " ");
	words_quote(found->b.id, command);
}

static bool carry_out(struct api *api, const struct request *request,
		      struct text *command, struct reply *reply)
{
	bool done = false;

	if (command->failed)
		reply_error(reply, 503, "no-memory", "out of memory");
	else
		done = change_carry_out(api, request, text_get(command), reply);
	text_free(command);
	return done && !request->dry_run;
}

static bool find(const struct api *api, const struct request *request,
		 struct found *found, struct reply *reply)
{
	return find_backend(api, request->id, given(request, "service"), found,
			    reply);
}

/* The backend as it is now; it may have a new id, but not another address. */
static void reply_backend(const struct api *api, unsigned service,
			  const struct endpoint *addr, struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	char address[ENDPOINT_TEXT_MAX];
	struct board_service s;
	struct board_backend b;

	if (look_service(api, service, &s))
		for (unsigned k = 0; k < s.n_backends; k++)
			if (look_backend(api, service, k, &b) &&
			    b.slot == SLOT_LIVE &&
			    endpoint_equal(&b.addr, addr)) {
				json_put_backend(&w, NULL, s.name, &b,
						 clock_now_ns());
				return;
			}
	/* Somebody has removed it since. */
	json_put_object(&w, NULL);
	json_put_text(&w, "address", endpoint_format(addr, address));
	json_put_number(&w, "generation", reply->generation);
	json_put_end(&w);
}

/* ----------------------------------------------------------------------- add
 */

/* "host" and "port", or "host" alone as HOST:PORT. */
static bool read_address(const struct request *r, struct endpoint *out,
			 struct reply *reply)
{
	const char *host = field_text(r, "host");
	char both[300], quoted[QUOTED_MAX];
	uint64_t port;
	const bool has_port = field_number(r, "port", &port);
	struct err err;
	int ret;

	if (!host || (!has_port && !strchr(host, ':'))) {
		reply_error(reply, 400, "bad-value",
			    "\"host\" and \"port\" are needed, for example "
			    "{\"host\":\"192.0.2.7\",\"port\":9001}");
		return false;
	}
	if (has_port)
		snprintf(both, sizeof(both), "%s:%" PRIu64, host, port);
	else
		snprintf(both, sizeof(both), "%s", host);
	ret = strlen(host) > 255
		      ? err_set(&err, -EINVAL, "longer than a name may be")
		      : value_endpoint(both, host_name_ask, out, &err);
	if (!ret)
		return true;
	if (ret == -EAGAIN)
		reply_error(reply, 503, "no-name-server", "%s", err.text);
	else
		reply_error(reply, 400, "bad-value", "backend \"%s\": %s",
			    value_quote(both, quoted), err.text);
	return false;
}

static void add(struct api *api, const struct request *request,
		struct reply *reply)
{
	char address[ENDPOINT_TEXT_MAX], weight[24];
	struct text command = {0};
	struct board_service s;
	struct endpoint addr;
	bool backup = false;
	uint64_t number;
	unsigned service;

	if (!find_service(api, given(request, "service"), &service, &s,
			  reply) ||
	    !read_address(request, &addr, reply))
		return;
	text_add(&command, "backend add ");
	words_quote(s.name, &command);
	text_add(&command, " %s", endpoint_format(&addr, address));
	if (field_number(request, "weight", &number)) {
		snprintf(weight, sizeof(weight), "%" PRIu64, number);
		add_option(&command, "weight", weight);
	}
	if (field_flag(request, "backup", &backup) && backup)
		text_add(&command, " backup");
	add_option(&command, "id", field_text(request, "id"));
	if (!carry_out(api, request, &command, reply))
		return;
	reply->status = 201;
	reply_backend(api, service, &addr, reply);
}

/* ----------------------------------------------- enable, disable, drain,
 * weight
 */

static void command(struct api *api, const struct request *request,
		    const char *verb, struct reply *reply)
{
	struct text line = {0};
	struct found found;

	if (!find(api, request, &found, reply))
		return;
	begin_command(&line, verb, &found);
	add_option(&line, "for", given(request, "for"));
	add_option(&line, "then", given(request, "then"));
	if (carry_out(api, request, &line, reply))
		reply_backend(api, found.service, &found.b.addr, reply);
}

static void enable(struct api *api, const struct request *request,
		   struct reply *reply)
{
	command(api, request, "enable", reply);
}

static void disable(struct api *api, const struct request *request,
		    struct reply *reply)
{
	command(api, request, "disable", reply);
}

static void drain(struct api *api, const struct request *request,
		  struct reply *reply)
{
	command(api, request, "drain", reply);
}

static void set_weight(struct api *api, const struct request *request,
		       struct reply *reply)
{
	const char *weight = request_query(request, "weight");
	struct text line = {0};
	struct found found;
	uint64_t number;
	char digits[24];

	if (field_number(request, "weight", &number)) {
		snprintf(digits, sizeof(digits), "%" PRIu64, number);
		weight = digits;
	}
	if (!weight) {
		reply_error(reply, 400, "bad-value",
			    "\"weight\" is needed, for example {\"weight\":2}");
		return;
	}
	if (!find(api, request, &found, reply))
		return;
	begin_command(&line, "set", &found);
	add_option(&line, "weight", weight);
	if (carry_out(api, request, &line, reply))
		reply_backend(api, found.service, &found.b.addr, reply);
}

/* -------------------------------------------------------------------- remove
 */

static void remove_it(struct api *api, const struct request *request,
		      struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct text line = {0};
	struct board_backend b;
	struct found found;
	bool leaves;

	if (!find(api, request, &found, reply))
		return;
	begin_command(&line, "remove", &found);
	add_option(&line, "then", given(request, "then"));
	if (!carry_out(api, request, &line, reply))
		return;
	leaves = look_backend(api, found.service, found.backend, &b) &&
		 b.slot == SLOT_LEAVING && b.flows &&
		 endpoint_equal(&b.addr, &found.b.addr);
	reply->status = leaves ? 202 : 200;
	json_put_object(&w, NULL);
	json_put_text(&w, "id", found.b.id);
	json_put_text(&w, "service", found.s.name);
	json_put_text(&w, "state", leaves ? "leaving" : "removed");
	json_put_number(&w, "flows", leaves ? b.flows : 0);
	json_put_number(&w, "generation", reply->generation);
	json_put_end(&w);
}

#define SERVICE                                                            \
	{                                                                  \
		"service", VALUE_TEXT,                                     \
			"of which service, if several have such a backend" \
	}
#define DRY_RUN                                                                \
	{                                                                      \
		"dry_run", VALUE_FLAG,                                         \
			"check it and answer the commands, but change nothing" \
	}
#define THEN                                                                \
	{                                                                   \
		"then", VALUE_TEXT,                                         \
			"what happens to its connections: drain, reset or " \
			"keep"                                              \
	}
#define FOR                                                              \
	{                                                                \
		"for", VALUE_TEXT, "how long they may go on, as 30s, 5m" \
	}
#define WEIGHT                                                     \
	{                                                          \
		"weight", VALUE_NUMBER, "share of new connections" \
	}

static const struct route_value dry[] = {DRY_RUN, {0}};
static const struct route_value plain[] = {SERVICE, DRY_RUN, {0}};
static const struct route_value ending[] = {SERVICE, DRY_RUN, THEN, {0}};
static const struct route_value draining[] = {SERVICE, DRY_RUN, FOR, THEN, {0}};
static const struct route_value weighing[] = {SERVICE, DRY_RUN, WEIGHT, {0}};
static const struct route_value adding[] = {
	{"host", VALUE_TEXT, "its address or name"},
	{"port", VALUE_NUMBER, "its port"},
	WEIGHT,
	{"service", VALUE_TEXT, "of which service, if there are several"},
	{"id", VALUE_TEXT, "a name for it, else backendN"},
	{"backup", VALUE_FLAG, "use it only if no other takes connections"},
	DRY_RUN,
	{0},
};

const struct route backend_changes_routes[] = {
	{METHOD_POST, "/lb/backends/add", add, dry, adding, ROUTE_WRITES,
	 "Add a backend"},
	{METHOD_POST, "/lb/backends/{id}/enable", enable, plain, plain,
	 ROUTE_WRITES, "New connections may go to it again"},
	{METHOD_POST, "/lb/backends/{id}/disable", disable, ending, ending,
	 ROUTE_WRITES, "No new connections, no checks; those that it has end"},
	{METHOD_POST, "/lb/backends/{id}/drain", drain, draining, draining,
	 ROUTE_WRITES, "No new connections; those that it has go on"},
	{METHOD_POST, "/lb/backends/{id}/weight", set_weight, weighing,
	 weighing, ROUTE_WRITES, "Set its weight"},
	{METHOD_DELETE, "/lb/backends/{id}/remove", remove_it, ending, ending,
	 ROUTE_WRITES, "Remove it: 202 while it still has connections"},
	{METHOD_DELETE, "/lb/backends/{id}", remove_it, ending, ending,
	 ROUTE_WRITES, "The same"},
	{0},
};
