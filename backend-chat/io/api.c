/* SPDX-License-Identifier: MIT */
/* The paths of section 4.3 of the design. */
#include "core/auth.h"
#include "core/hook.h"
#include "core/json.h"
#include "core/origin.h"
#include "io/assets.h"
#include "io/command.h"
#include "io/user.h"
#include "io/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A worker that has not turned for so long hangs. */
#define WORKER_SILENT_MS 5000
#define HISTORY_DEFAULT	 50
#define HISTORY_MAX	 200
#define HISTORY_AGAIN_S	 5
#define INSTANCES_SHOWN	 64
#define SHARDS_SHOWN	 64
#define BROADCAST_MAX	 1000

static struct writer new_body(void)
{
	struct writer w;

	writer_init(&w, WSJSON_MAX);
	return w;
}

/* Sends what was written and frees it. */
static void send_body(struct conn *c, const struct http_request *r,
		      unsigned status, const char *type, struct writer *body)
{
	if (body->failed)
		web_error(c, r, 500, "no_memory", "The server has no memory.",
			  NULL);
	else
		web_respond(c, r,
			    &(struct http_response){
				    .status = status,
				    .type = type,
				    .body = writer_slice(body),
			    });
	writer_free(body);
}

static void send_json(struct conn *c, const struct http_request *r,
		      unsigned status, struct writer *body)
{
	send_body(c, r, status, "application/json; charset=utf-8", body);
}

static void not_found(struct conn *c, const struct http_request *r)
{
	web_error(c, r, 404, "not_found", "There is nothing at this address.",
		  NULL);
}

/* ----------------------------------------------------- health, metrics */

static const char *redis_state(struct hub *h)
{
	switch (h->bus->state(h->bus)) {
	case BUS_UP: return "up";
	case BUS_DOWN: return "down";
	case BUS_OFF: break;
	}
	return "off";
}

static bool a_worker_hangs(const struct hub *h, int64_t now_ms)
{
	for (unsigned i = 0; i < h->worker_count; i++)
		if (now_ms - atomic_load_explicit(&h->workers[i]->turn_ms,
						  memory_order_relaxed) >
		    WORKER_SILENT_MS)
			return true;
	return false;
}

static struct gauges gauges_of(struct conn *c)
{
	struct hub *h = conn_hub(c);
	struct gauges g = {
		.instance = h->options.instance,
		.redis = redis_state(h),
		.history = !h->store		       ? "off"
			   : h->store->works(h->store) ? "ok"
						       : "failed",
		.uptime_s =
			(uint64_t)(clock_us() / 1000 - h->started_ms) / 1000,
	};

	pthread_mutex_lock(&h->lock);
	g.clients = h->here;
	g.rooms = h->room_count;
	pthread_mutex_unlock(&h->lock);
	return g;
}

/*
 * Redis or the disk down is 200 "degraded": 503 would make a balancer take all
 * instances out at once.
 */
static void health(struct conn *c, const struct http_request *r)
{
	struct hub *h = conn_hub(c);
	const struct gauges g = gauges_of(c);
	struct writer w = new_body();
	const char *status = "ok";
	bool draining;

	pthread_mutex_lock(&h->lock);
	draining = h->draining;
	pthread_mutex_unlock(&h->lock);
	if (strcmp(g.redis, "down") == 0 || strcmp(g.history, "failed") == 0)
		status = "degraded";
	if (draining)
		status = "draining";
	else if (a_worker_hangs(h, worker_ms(c->worker)))
		status = "failed";
	writer_printf(&w, "{\"status\":\"%s\",\"instance\":", status);
	writer_put_json(&w, slice_of(g.instance));
	writer_printf(&w,
		      ",\"clients\":%u,\"redis\":\"%s\",\"history\":\"%s\","
		      "\"uptime_s\":%llu}",
		      g.clients, g.redis, g.history,
		      (unsigned long long)g.uptime_s);
	send_json(c, r,
		  strcmp(status, "draining") == 0 ||
				  strcmp(status, "failed") == 0
			  ? 503
			  : 200,
		  &w);
}

static void metrics(struct conn *c, const struct http_request *r)
{
	const struct gauges g = gauges_of(c);
	struct writer w = new_body();
	char format[16];
	bool text = http_wants_prometheus(r);

	if (http_query(r, "format", format, sizeof(format)) >= 0)
		text = strcmp(format, "json") != 0;
	if (text && !slice_equal(r->path, SLICE("/metrics.json"))) {
		metrics_put_text(&w, &conn_hub(c)->metrics, &g);
		send_body(c, r, 200, "text/plain; version=0.0.4; charset=utf-8",
			  &w);
		return;
	}
	metrics_put_json(&w, &conn_hub(c)->metrics, &g);
	send_json(c, r, 200, &w);
}

/* ------------------------------------------------------- rooms, history */

static void rooms(struct conn *c, const struct http_request *r)
{
	struct writer w = new_body();
	unsigned count;
	struct bus_room *list = rooms_get(conn_hub(c), &count);

	writer_put_slice(&w, SLICE("{\"rooms\":["));
	for (unsigned i = 0; i < count; i++) {
		writer_printf(&w, "%s{\"id\":", i ? "," : "");
		writer_put_json(&w, slice_of(list[i].name));
		writer_put_slice(&w, SLICE(",\"topic\":"));
		writer_put_json(&w, slice_of(list[i].topic));
		writer_printf(&w, ",\"here\":%u,\"e2ee\":%s}", list[i].here,
			      list[i].e2ee ? "true" : "false");
	}
	writer_put_slice(&w, SLICE("]}"));
	free(list);
	send_json(c, r, 200, &w);
}

/* Of "/api/rooms/ID/history", into a folded name. */
static bool room_of_path(struct slice path, char room[ROOM_MAX_BYTES])
{
	const struct slice begin = SLICE("/api/rooms/"),
			   end = SLICE("/history");
	char name[3 * ROOM_MAX_BYTES + 1];
	struct slice id;
	int len;

	if (path.len <= begin.len + end.len)
		return false;
	id = (struct slice){path.at + begin.len,
			    path.len - begin.len - end.len};
	if (id.len > 3 * ROOM_MAX_BYTES)
		return false;
	len = http_unescape(id, name);
	if (len < 0 || !name_is_room((struct slice){name, (size_t)len}))
		return false;
	name_key((struct slice){name, (size_t)len}, room);
	return true;
}

/* Returns false if it was there and wrong. */
static bool id_of_query(const struct http_request *r, const char *name,
			struct msgid *id, bool *given)
{
	char text[MSGID_TEXT_MAX];
	int len = http_query(r, name, text, sizeof(text));

	*given = len >= 0;
	return len < 0 || msgid_parse((struct slice){text, (size_t)len}, id);
}

static void history(struct conn *c, const struct http_request *r)
{
	struct page_question q = {.limit = HISTORY_DEFAULT, .once = true};
	char room[ROOM_MAX_BYTES], number[16];
	unsigned long limit = HISTORY_DEFAULT;
	bool before, after;
	int len;

	if (!room_of_path(r->path, room)) {
		web_error(c, r, 404, "bad_room", "There is no such room.",
			  NULL);
		return;
	}
	len = http_query(r, "limit", number, sizeof(number));
	if (len >= 0 && (!slice_number((struct slice){number, (size_t)len},
				       HISTORY_MAX, &limit) ||
			 limit == 0)) {
		web_error(c, r, 400, "bad_field",
			  "limit must be a number from 1 to 200.", NULL);
		return;
	}
	if (!id_of_query(r, "before", &q.id, &before) ||
	    (!before && !id_of_query(r, "after", &q.id, &after))) {
		web_error(c, r, 400, "bad_field",
			  "before and after must be ids of messages.", NULL);
		return;
	}
	q.room = slice_of(room);
	q.before = before || !after;
	q.limit = (unsigned)limit;
	c->web->wait = WEB_HISTORY;
	if (hub_read(conn_hub(c), &q, c->ticket, !hub_has_store(conn_hub(c))) ==
	    0)
		return;
	c->web->wait = WEB_NOTHING;
	web_maintenance(c, r);
}

void api_on_page(struct conn *c, const struct http_request *r,
		 const struct note *n)
{
	struct writer w = new_body();

	if (n->failed) {
		writer_free(&w);
		web_error(c, r, 503, "history_unavailable", HISTORY_UNAVAILABLE,
			  &(struct http_response){.retry_after_s =
							  HISTORY_AGAIN_S});
		return;
	}
	wsjson_put_history(&w, n->room, n->msgs, n->count, n->flag, !n->gap);
	send_json(c, r, 200, &w);
}

/* ------------------------------------------------------------ instances */

static void put_instance(struct writer *w, const struct bus_instance *i)
{
	writer_put_slice(w, SLICE("{\"id\":"));
	writer_put_json(w, slice_of(i->id));
	writer_put_slice(w, SLICE(",\"address\":"));
	writer_put_json(w, slice_of(i->address));
	writer_put_slice(w, SLICE(",\"version\":"));
	writer_put_json(w, slice_of(i->version));
	writer_printf(w,
		      ",\"clients\":%u,\"rooms\":%u,\"uptime_s\":%llu,"
		      "\"seen_ms\":%lld}",
		      i->clients, i->rooms, (unsigned long long)i->uptime_s,
		      (long long)i->seen_ms);
}

static void put_shards(struct writer *w, struct bus *bus)
{
	struct bus_shard *list = calloc(SHARDS_SHOWN, sizeof(*list));
	unsigned count = list ? bus->shards(bus, list, SHARDS_SHOWN) : 0;

	if (count > 0)
		writer_put_slice(w, SLICE(",\"shards\":["));
	for (unsigned i = 0; i < count; i++) {
		writer_printf(w, "%s{\"node\":", i ? "," : "");
		writer_put_json(w, slice_of(list[i].node));
		writer_printf(w, ",\"slots\":\"%u-%u\",\"rooms\":%u}",
			      list[i].first_slot, list[i].last_slot,
			      list[i].rooms);
	}
	if (count > 0)
		writer_put_slice(w, SLICE("]"));
	free(list);
}

static void instances(struct conn *c, const struct http_request *r)
{
	struct bus_instance *list = calloc(INSTANCES_SHOWN, sizeof(*list));
	struct bus *bus = conn_hub(c)->bus;
	const struct gauges g = gauges_of(c);
	struct bus_instance own = {
		.version = L4LB_VERSION,
		.clients = g.clients,
		.rooms = g.rooms,
		.uptime_s = g.uptime_s,
	};
	unsigned count = list ? bus->instances(bus, list, INSTANCES_SHOWN) : 0;
	struct writer w = new_body();

	snprintf(own.id, sizeof(own.id), "%s", g.instance);
	snprintf(own.address, sizeof(own.address), "%s",
		 conn_hub(c)->options.address);
	writer_put_slice(&w, SLICE("{\"instances\":["));
	put_instance(&w, &own);
	for (unsigned i = 0; i < count; i++) {
		writer_put_slice(&w, SLICE(","));
		put_instance(&w, &list[i]);
	}
	writer_put_slice(&w, SLICE("]"));
	put_shards(&w, bus);
	writer_put_slice(&w, SLICE("}"));
	free(list);
	send_json(c, r, 200, &w);
}

/* -------------------------------------------------------------- webhook */

static bool is_json_type(const struct http_request *r)
{
	struct slice type = http_header(r, "Content-Type");
	const char *end = type.len ? memchr(type.at, ';', type.len) : NULL;

	if (end)
		type.len = (size_t)(end - type.at);
	return slice_equal_case(slice_trim(type), SLICE("application/json"));
}

static bool is_signed(struct conn *c, const struct http_request *r)
{
	const struct slice secret = conn_hub(c)->options.webhook_secret;
	const struct auth_hook hook = {
		.authorization = http_header(r, "Authorization"),
		.signature = http_header(r, "X-Signature"),
		.timestamp = http_header(r, "X-Timestamp"),
		.hub_signature = http_header(r, "X-Hub-Signature-256"),
		.body = r->body,
	};

	return secret.len == 0 || auth_hook_ok(&hook, secret, wall_ms() / 1000);
}

/* Microseconds until the next webhook is taken. */
static int64_t hook_wait_us(struct conn *c)
{
	struct hub *h = conn_hub(c);
	const unsigned hooks = h->options.hooks;
	int64_t wait;

	if (!hooks)
		return 0;
	pthread_mutex_lock(&h->lock);
	wait = rate_take(&h->webhooks, RATE_WEBHOOKS(hooks), c->worker->now_us);
	pthread_mutex_unlock(&h->lock);
	return wait;
}

/*
 * A post that this connection waits for. One without an id of its own cannot
 * have been said before: it is not looked for.
 */
static void post_hook(struct conn *c, const struct http_request *r,
		      const struct hook *hook)
{
	const struct slice key = http_header(r, "Idempotency-Key");
	char room[ROOM_MAX_BYTES];
	struct msg_fields fields = {
		.mid = hook->id.len > 0 ? hook->id : key,
		.sender = hook->sender,
		.text = hook->text,
		.metadata = hook->metadata,
		.via = MSG_WEBHOOK,
		.type = hook->type,
	};
	const bool may_repeat = fields.mid.len > 0;
	struct msg *m;
	int error;

	if (may_repeat && !mid_is_valid(fields.mid)) {
		web_error(c, r, 400, "bad_field",
			  "Idempotency-Key must be 16 to 64 of A-Z a-z 0-9 _ "
			  "-.",
			  NULL);
		return;
	}
	name_key(hook->room, room);
	fields.room = slice_of(room);
	user_sign(c, &fields, c->web->mid);
	error = msg_new(&m, &fields);
	if (error == -EMSGSIZE) {
		web_error(c, r, 400, "bad_field", "The message is too long.",
			  NULL);
		return;
	}
	c->web->wait = WEB_POSTED;
	if (!error && conn_post(c, m, may_repeat) == POST_OK)
		return;
	c->web->wait = WEB_NOTHING;
	web_maintenance(c, r);
}

static void webhook(struct conn *c, const struct http_request *r)
{
	enum msg_type type;
	struct hook hook;
	enum hook_error error;
	int64_t wait;

	(void)hook_path(r->path, &type);
	if (!is_json_type(r)) {
		web_error(c, r, 415, "bad_type",
			  "Content-Type must be application/json.", NULL);
		return;
	}
	if (!is_signed(c, r)) {
		web_error(c, r, 401, "unauthorized",
			  "This webhook needs the right secret.",
			  &(struct http_response){.authenticate = true});
		return;
	}
	wait = hook_wait_us(c);
	if (wait > 0) {
		web_error(c, r, 429, "rate", "Too many webhooks at once.",
			  &(struct http_response){
				  .retry_after_s = (unsigned)((wait + 999999) /
							      1000000)});
		return;
	}
	error = hook_parse(&hook, type, r->body);
	if (error)
		web_error(c, r, 400, hook_error_code(error), hook.why, NULL);
	else
		post_hook(c, r, &hook);
	hook_free(&hook);
}

void api_on_posted(struct conn *c, const struct http_request *r,
		   const struct note *n)
{
	struct writer w = new_body();
	char id[MSGID_TEXT_MAX];

	if (posted_is_refused(n->posted)) {
		writer_free(&w);
		web_maintenance(c, r);
		return;
	}
	writer_put_slice(&w, SLICE("{\"success\":true,"));
	if (n->posted == POSTED_QUEUED) {
		writer_put_slice(&w, SLICE("\"queued\":true,"));
	} else {
		msgid_format(n->id, id);
		writer_printf(&w, "\"id\":\"%s\",", id);
	}
	writer_put_slice(&w, SLICE("\"roomId\":"));
	writer_put_json(&w, n->room);
	writer_put_slice(&w, SLICE("}"));
	send_json(c, r, n->posted == POSTED ? 200 : 202, &w);
}

/* ---------------------------------------------------------------- admin */

static void admin_done(struct conn *c, const struct http_request *r)
{
	struct writer w = new_body();

	writer_put_slice(&w, SLICE("{\"success\":true}"));
	send_json(c, r, 200, &w);
}

static void admin_signal(struct conn *c, const struct http_request *r,
			 enum signal_kind kind, const json_t *body)
{
	struct bus *bus = conn_hub(c)->bus;
	const struct slice nick = json_text(body, "nick", NULL);
	const struct slice text = json_text(body, "text", NULL);

	if ((kind == SIGNAL_KICK ? nick : text).len == 0 ||
	    text.len > BROADCAST_MAX ||
	    memchr(text.at ? text.at : "", '\n', text.len)) {
		web_error(c, r, 400, "missing_field",
			  kind == SIGNAL_KICK
				  ? "nick is missing."
				  : "text is missing, or is not one line of at "
				    "most 1000 bytes.",
			  NULL);
		return;
	}
	bus->signal(bus,
		    &(struct signal){.kind = kind, .nick = nick, .text = text});
	admin_done(c, r);
}

static void drain(struct conn *c, const struct http_request *r)
{
	struct hub *h = conn_hub(c);

	pthread_mutex_lock(&h->lock);
	h->draining = true;
	for (unsigned i = 0; i < h->worker_count; i++)
		worker_wake(h->workers[i]);
	pthread_mutex_unlock(&h->lock);
	admin_done(c, r);
}

static void admin(struct conn *c, const struct http_request *r)
{
	const struct slice token = conn_hub(c)->options.admin_token;
	const struct slice action =
		slice_from(r->path, sizeof("/api/admin/") - 1);
	char why[JSON_WHY_MAX];
	json_t *body;

	if (token.len == 0) {
		not_found(c, r);
		return;
	}
	if (!auth_bearer(http_header(r, "Authorization"), token)) {
		web_error(c, r, 401, "unauthorized",
			  "This needs the administrator's token.",
			  &(struct http_response){.authenticate = true});
		return;
	}
	if (slice_equal(action, SLICE("drain"))) {
		drain(c, r);
		return;
	}
	body = json_read(r->body, why);
	if (!body)
		web_error(c, r, 400, "bad_json", why, NULL);
	else if (slice_equal(action, SLICE("kick")))
		admin_signal(c, r, SIGNAL_KICK, body);
	else if (slice_equal(action, SLICE("broadcast")))
		admin_signal(c, r, SIGNAL_BROADCAST, body);
	else
		not_found(c, r);
	json_decref(body);
}

/* ------------------------------------------------------- page, websocket */

static void websocket(struct conn *c, const struct http_request *r)
{
	const struct hub_options *o = &conn_hub(c)->options;
	struct hub *h = conn_hub(c);
	bool draining;

	pthread_mutex_lock(&h->lock);
	draining = h->draining;
	pthread_mutex_unlock(&h->lock);
	if (r->verb != HTTP_VERB_GET || !r->upgrade || r->http_1_0 ||
	    !slice_equal(http_header(r, "Sec-WebSocket-Version"),
			 SLICE("13")) ||
	    !ws_key_is_valid(http_header(r, "Sec-WebSocket-Key")))
		web_error(c, r, 426, "upgrade_required",
			  "Open this address as a WebSocket.",
			  &(struct http_response){.websocket_version = true});
	else if (!origin_is_allowed(http_header(r, "Origin"), r->host,
				    o->origins, o->origin_count))
		web_error(c, r, 403, "bad_origin",
			  "Pages of other sites may not connect.", NULL);
	else if (draining)
		web_maintenance(c, r);
	else
		web_upgrade(c, r);
}

static void asset(struct conn *c, const struct http_request *r)
{
	struct asset a;
	struct http_response response = {0};

	if (!asset_find(r->path, &a)) {
		not_found(c, r);
		return;
	}
	response = (struct http_response){
		.status = http_is_unchanged(r, a.etag) ? 304 : 200,
		.type = a.type,
		.body = a.body,
		.etag = a.etag,
		.page = a.page,
		.cache = a.lasts ? "public, max-age=31536000, immutable"
				 : "no-cache",
	};
	web_respond(c, r, &response);
}

/* --------------------------------------------------------------- routes */

enum { GET = 1, POST = 2 };

static const struct route {
	const char *path;
	bool is_prefix;
	unsigned verbs;
	const char *allow;
	void (*answer)(struct conn *c, const struct http_request *r);
} routes[] = {
	{"/ws", false, GET, "GET", websocket},
	{"/health", false, GET, "GET, HEAD", health},
	{"/metrics", false, GET, "GET, HEAD", metrics},
	{"/metrics.json", false, GET, "GET, HEAD", metrics},
	{"/api/rooms", false, GET, "GET, HEAD", rooms},
	{"/api/rooms/", true, GET, "GET, HEAD", history},
	{"/api/instances", false, GET, "GET, HEAD", instances},
	{"/api/admin/", true, POST, "POST", admin},
};

static const struct route hooks = {"/webhook", true, POST, "POST", webhook};
static const struct route files = {"/", true, GET, "GET, HEAD", asset};

static bool ends_with(struct slice s, struct slice end)
{
	return s.len >= end.len &&
	       slice_equal(slice_from(s, s.len - end.len), end);
}

static bool is_at(const struct route *route, struct slice path)
{
	const struct slice own = slice_of(route->path);

	if (route->answer == history && !ends_with(path, SLICE("/history")))
		return false;
	if (!route->is_prefix)
		return slice_equal(path, own);
	return path.len > own.len &&
	       slice_equal((struct slice){path.at, own.len}, own);
}

static const struct route *route_of(struct slice path)
{
	enum msg_type type;

	if (hook_path(path, &type))
		return &hooks;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (is_at(&routes[i], path))
			return &routes[i];
	return &files;
}

bool api_is_for_operators(const struct http_request *r)
{
	const struct route *route = route_of(r->path);

	return route->answer == health || route->answer == metrics;
}

bool api_is_for_all(const struct http_request *r)
{
	return api_is_for_operators(r) ||
	       route_of(r->path)->answer == websocket;
}

static unsigned verb_of(const struct http_request *r)
{
	switch (r->verb) {
	case HTTP_VERB_GET:
	case HTTP_VERB_HEAD: return GET;
	case HTTP_VERB_POST: return POST;
	case HTTP_VERB_OTHER: break;
	}
	return 0;
}

void api_answer(struct conn *c, const struct http_request *r)
{
	const struct route *route = route_of(r->path);

	if (conn_hub(c)->options.cors_origin.len > 0 &&
	    slice_equal(r->verb_name, SLICE("OPTIONS")))
		web_respond(c, r, &(struct http_response){.status = 204});
	else if (route->verbs & verb_of(r))
		route->answer(c, r);
	else
		web_error(c, r, 405, "method_not_allowed",
			  "This address does not take this method.",
			  &(struct http_response){.allow = route->allow});
}
