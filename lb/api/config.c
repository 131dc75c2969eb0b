/* SPDX-License-Identifier: MIT */
/* config.c - GET /lb/config, /lb/services, /lb/diff: what is configured */
#include <string.h>

#include "api/change.h"
#include "api/config_from.h"
#include "api/config_ini.h"
#include "api/json.h"
#include "api/look.h"
#include "api/routes.h"
#include "control/config_value.h"
#include "control/diff.h"

static void put_value(struct json_writer *w, const char *key, const char *value,
		      enum from from)
{
	json_put_object(w, key);
	json_put_text(w, "value", value);
	json_put_text(w, "from", from_name(from));
	json_put_end(w);
}

static void put_keys(struct json_writer *w, const struct configs *c,
		     const struct key_table *table,
		     const struct service_config *s)
{
	struct text value = {0};

	for (unsigned i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		enum from from;

		if (!key->print)
			continue;
		text_cut(&value, 0);
		from = config_from(c, key, s, &value);
		put_value(w, key->name, text_get(&value), from);
	}
	w->out->failed |= value.failed;
	text_free(&value);
}

static void put_backend(struct json_writer *w, const struct configs *c,
			const struct service_config *s,
			const struct backend_config *b)
{
	const struct backend_from from = config_backend_from(c, s, b);
	char address[ENDPOINT_TEXT_MAX];

	json_put_object(w, NULL);
	json_put_text(w, "id", b->id);
	json_put_text(w, "address", endpoint_format(&b->addr, address));
	json_put_text(w, "from", from_name(from.itself));
	json_put_object(w, "weight");
	json_put_number(w, "value", b->params.weight);
	json_put_text(w, "from", from_name(from.weight));
	json_put_end(w);
	json_put_object(w, "backup");
	json_put_flag(w, "value", b->params.backup);
	json_put_text(w, "from", from_name(from.backup));
	json_put_end(w);
	put_value(w, "admin", look_admin_name(b->params.admin), from.admin);
	json_put_end(w);
}

static void put_services(struct json_writer *w, const char *key,
			 const struct configs *c)
{
	json_put_array(w, key);
	for (unsigned i = 0; i < c->running.n_services; i++) {
		const struct service_config *s = &c->running.services[i];

		if (!service_is_live(s))
			continue;
		json_put_object(w, NULL);
		json_put_text(w, "name", s->name);
		put_keys(w, c, &keys_service, s);
		json_put_array(w, "backends");
		for (unsigned k = 0; k < s->n_backends; k++)
			if (backend_is_live(&s->backends[k]))
				put_backend(w, c, s, &s->backends[k]);
		json_put_end(w);
		json_put_end(w);
	}
	json_put_end(w);
}

static void put_config(struct json_writer *w, const struct configs *c,
		       uint64_t generation)
{
	json_put_object(w, NULL);
	json_put_number(w, "generation", generation);
	json_put_object(w, "global");
	put_keys(w, c, &keys_global, NULL);
	json_put_end(w);
	put_services(w, "services", c);
	json_put_end(w);
}

static void config(struct api *api, const struct request *request,
		   struct reply *reply)
{
	const char *format = request_query(request, "format");
	struct json_writer w = json_writer(&reply->body);
	char quoted[QUOTED_MAX];
	struct configs c;

	if (format && strcmp(format, "ini") != 0 &&
	    strcmp(format, "json") != 0) {
		reply_error(reply, 400, "bad-query",
			    "format \"%s\": expected json or ini",
			    value_quote(format, quoted));
		return;
	}
	if (!configs_ask(api, &c, reply))
		return;
	if (format && strcmp(format, "ini") == 0) {
		reply->type = "text/plain; charset=utf-8";
		config_print_ini(&c.running, &c.initial, &reply->body);
	} else {
		put_config(&w, &c, reply->generation);
	}
	configs_free(&c);
}

static void services(struct api *api, const struct request *request,
		     struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct configs c;

	(void)request;
	if (!configs_ask(api, &c, reply))
		return;
	put_services(&w, NULL, &c);
	configs_free(&c);
}

static void diff(struct api *api, const struct request *request,
		 struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct text lines = {0};
	struct configs c;

	(void)request;
	if (!configs_ask(api, &c, reply))
		return;
	if (diff_print(&c.base, &c.running, &lines))
		reply->body.failed = true;
	json_put_object(&w, NULL);
	json_put_number(&w, "generation", reply->generation);
	json_put_changes(&w, "changes", text_get(&lines));
	json_put_end(&w);
	text_free(&lines);
	configs_free(&c);
}

static const struct route_value format[] = {
	{"format", VALUE_TEXT, "json, or ini for a file"},
	{0},
};

const struct route config_routes[] = {
	{METHOD_GET, "/lb/config", config, format,
	 .summary = "What is configured, and where each value comes from"},
	{METHOD_GET, "/lb/services", services,
	 .summary = "The same of the services alone"},
	{METHOD_GET, "/lb/diff", diff,
	 .summary = "What was changed at run time, as commands"},
	{0},
};
