/* SPDX-License-Identifier: MIT */
/*
 * See redis.h. A request is in one place at a time: in the queue of the node it
 * was written to (replies come in that order), or in the list of those that
 * wait for a better time. An error moves it as resp_err.h says.
 */
#include "io/redis_inside.h"
#include "core/digest.h"
#include "core/resp_err.h"
#include "io/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER INT64_MAX

static uint32_t draw(struct redis *r)
{
	r->random = r->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(r->random >> 32);
}

/* --------------------------------------------------------------- nodes */

bool redis_is_stalled(const struct redis_node *n, int64_t now_ms)
{
	return n->first && now_ms - n->first->sent_ms > REDIS_STALL_MS;
}

bool redis_node_is_up(const struct redis_node *n)
{
	return n->is_well && !redis_is_stalled(n, clock_us() / 1000);
}

void redis_why(const struct redis *r, char *out, size_t len)
{
	out[0] = '\0';
	for (const struct redis_node *n = r->nodes; n; n = n->next) {
		if (redis_node_is_up(n) || !n->commands.why[0])
			continue;
		snprintf(out, len, "%s:%u: %s", n->host, n->port,
			 n->commands.why);
		return;
	}
}

bool redis_is_up(const struct redis *r)
{
	if (!r->options->cluster)
		return redis_node_is_up(r->nodes);
	if (!r->has_map || !slotmap_is_complete(&r->map))
		return false;
	for (unsigned i = 0; i < r->map.count; i++)
		if (!redis_node_is_up(r->by_index[i]))
			return false;
	return true;
}

bool redis_is_busy(const struct redis *r)
{
	for (const struct redis_node *n = r->nodes; n; n = n->next)
		if (n->first)
			return true;
	return false;
}

/* ------------------------------------------------------------ requests */

static void request_free(struct request *q)
{
	if (q->bytes)
		redisFreeCommand(q->bytes);
	free(q);
}

static void finish(struct request *q, const redisReply *reply)
{
	if (q->done)
		q->done(q->arg, reply);
	request_free(q);
}

/* Another time is better. */
static void wait_more(struct redis *r, struct request *q)
{
	q->at = NULL;
	q->due_ms = r->now_ms + resp_err_wait_ms(q->attempt++, draw(r));
	q->next = r->waiting;
	r->waiting = q;
}

static void enqueue(struct redis_node *n, struct request *q)
{
	q->next = NULL;
	q->sent_ms = n->redis->now_ms;
	*n->end = q;
	n->end = &q->next;
}

/* Writes a command of our own. */
bool redis_put_own(struct redis_node *n, enum request_kind kind, unsigned argc,
		   const struct slice *argv)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q || !redis_conn_command(&n->commands, argc, argv)) {
		free(q);
		return false;
	}
	q->kind = kind;
	enqueue(n, q);
	return true;
}

static void dispatch(struct redis *r, struct request *q)
{
	static const struct slice asking = {"ASKING", 6};
	struct redis_node *n = q->at;

	if (!n && r->options->cluster && r->has_map &&
	    r->map.node_of[q->slot] != SLOT_UNKNOWN)
		n = r->by_index[r->map.node_of[q->slot]];
	if (!n && !r->options->cluster)
		n = r->nodes;
	if (!n || !n->commands.context ||
	    (q->at && !redis_put_own(n, IGNORED, 1, &asking)) ||
	    !redis_conn_put(&n->commands, q->bytes, q->len)) {
		redis_doubt_map(r);
		wait_more(r, q);
		return;
	}
	enqueue(n, q);
}

static bool format(struct request *q, const struct redis_command *c)
{
	const char **words = calloc(c->argc, sizeof(char *));
	size_t *lens = calloc(c->argc, sizeof(size_t));
	int len = -1;

	for (unsigned i = 0; words && lens && i < c->argc; i++) {
		words[i] = c->argv[i].at ? c->argv[i].at : "";
		lens[i] = c->argv[i].len;
	}
	if (words && lens)
		len = redisFormatCommandArgv(&q->bytes, (int)c->argc, words,
					     lens);
	free(words);
	free(lens);
	q->len = len > 0 ? (size_t)len : 0;
	return len > 0;
}

int redis_send(struct redis *r, const struct redis_command *c)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	if (!format(q, c)) {
		request_free(q);
		return -ENOMEM;
	}
	q->slot = slot_of(c->key);
	q->done = c->done;
	q->arg = c->arg;
	q->once = c->once;
	r->now_ms = clock_us() / 1000;
	q->end_ms = c->patience_ms ? r->now_ms + c->patience_ms : NEVER;
	dispatch(r, q);
	return 0;
}

/* ---------------------------------------------------------- connections */

void redis_lose_commands(struct redis_node *n)
{
	struct redis *r = n->redis;
	struct request *q = n->first;

	n->first = NULL;
	n->end = &n->first;
	n->is_well = false;
	redis_conn_close(&n->commands, r->now_ms, draw(r));
	redis_doubt_map(r);
	while (q) {
		struct request *next = q->next;

		if (q->kind == MAP)
			r->map_asked = false;
		if (q->kind == CALLERS && q->bytes && !q->once)
			wait_more(r, q);
		else
			finish(q, NULL);
		q = next;
	}
}

void redis_lose_channels(struct redis_node *n)
{
	struct redis *r = n->redis;

	redis_conn_close(&n->channels, r->now_ms, draw(r));
	if (n->channels_told)
		r->events->on_subscriber_lost(r->events->arg, n);
	n->channels_told = false;
}

static void load_scripts(struct redis_node *n)
{
	const struct redis_options *o = n->redis->options;

	for (unsigned i = 0; i < o->script_count; i++) {
		const struct slice load[] = {SLICE("SCRIPT"), SLICE("LOAD"),
					     slice_of(o->scripts[i].text)};

		redis_put_own(n, IGNORED, 3, load);
	}
}

static void open_commands(struct redis_node *n)
{
	struct redis *r = n->redis;
	const struct slice login[] = {SLICE("AUTH"),
				      slice_of(r->options->password)};

	if (!redis_conn_open(&n->commands, n->host, n->port, r->now_ms,
			     draw(r)))
		return;
	if (r->options->password)
		redis_put_own(n, LOGIN, 2, login);
	load_scripts(n);
}

static void open_channels(struct redis_node *n)
{
	struct redis *r = n->redis;
	const struct slice login[] = {SLICE("AUTH"),
				      slice_of(r->options->password)};

	if (!redis_conn_open(&n->channels, n->host, n->port, r->now_ms,
			     draw(r)))
		return;
	if (r->options->password)
		redis_conn_command(&n->channels, 2, login);
	n->channels_told = true;
	r->events->on_subscriber(r->events->arg, n);
}

bool redis_follow(struct redis_node *n, unsigned argc, const struct slice *argv)
{
	return n->channels.context &&
	       redis_conn_command(&n->channels, argc, argv);
}

/* Seeds are there to learn the map from, the map's nodes to be used. */
static bool is_wanted(const struct redis_node *n)
{
	const struct redis *r = n->redis;

	return !r->options->cluster || n->in_map || (n->is_seed && !r->has_map);
}

static bool has_channels(const struct redis_node *n)
{
	return !n->redis->options->cluster || n->in_map;
}

static void ping(struct redis_node *n)
{
	static const struct slice word = {"PING", 4};
	struct redis *r = n->redis;

	if (n->commands.context && r->now_ms >= n->commands.ping_ms) {
		redis_put_own(n, PING, 1, &word);
		n->commands.ping_ms = r->now_ms + REDIS_PING_MS;
	}
	if (n->channels.context && r->now_ms >= n->channels.ping_ms) {
		redis_conn_command(&n->channels, 1, &word);
		n->channels.ping_ms = r->now_ms + REDIS_PING_MS;
	}
}

static void attend_node(struct redis_node *n)
{
	struct redis *r = n->redis;

	if (redis_conn_is_dead(&n->commands, r->now_ms)) {
		redis_conn_blame(&n->commands, SLICE("no answer"));
		redis_lose_commands(n);
	}
	if (redis_conn_is_dead(&n->channels, r->now_ms))
		redis_lose_channels(n);
	if (!is_wanted(n))
		return;
	if (!n->commands.context && r->now_ms >= n->commands.retry_ms)
		open_commands(n);
	if (!n->channels.context && r->now_ms >= n->channels.retry_ms &&
	    has_channels(n))
		open_channels(n);
	ping(n);
}

/* -------------------------------------------------------------- replies */

struct slice redis_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING ||
			       reply->type == REDIS_REPLY_STATUS ||
			       reply->type == REDIS_REPLY_ERROR
		       ? (struct slice){reply->str, reply->len}
		       : SLICE("");
}

static void go_on(struct redis *r, struct request *q, struct redis_node *n,
		  enum resp_err error, const struct resp_redirect *to)
{
	const struct slice host = to->host.len ? to->host : slice_of(n->host);

	q->at = NULL;
	if (error == RESP_ERR_MOVED)
		redis_slot_moved(r, to->slot, to->host, to->port, n);
	if (error == RESP_ERR_ASK) {
		q->at = redis_get_node(r, host, to->port);
		if (q->at && !q->at->commands.context)
			open_commands(q->at);
	}
	if (error == RESP_ERR_NOSCRIPT)
		load_scripts(n);
	/* Two nodes that point at each other do not make us spin. */
	if (q->attempt++ < 4) {
		dispatch(r, q);
		return;
	}
	wait_more(r, q);
}

static void take_callers(struct redis_node *n, struct request *q,
			 const redisReply *reply)
{
	struct redis *r = n->redis;
	struct resp_redirect to;
	enum resp_err error;

	if (reply->type != REDIS_REPLY_ERROR) {
		finish(q, reply);
		return;
	}
	error = resp_err_parse(redis_text(reply), &to);
	switch (error) {
	case RESP_ERR_MOVED:
	case RESP_ERR_ASK:
	case RESP_ERR_NOSCRIPT: go_on(r, q, n, error, &to); break;
	case RESP_ERR_WAIT:
	case RESP_ERR_AUTH:
	case RESP_ERR_FULL:
		redis_doubt_map(r);
		wait_more(r, q);
		break;
	case RESP_ERR_OTHER:
	case RESP_ERR_UNKNOWN:
	case RESP_ERR_CROSS: finish(q, reply); break;
	}
}

static void take_login(struct redis *r, const redisReply *reply)
{
	char text[320];

	if (reply->type != REDIS_REPLY_ERROR)
		r->login_failed = false;
	if (reply->type != REDIS_REPLY_ERROR || r->login_failed)
		return;
	r->login_failed = true;
	snprintf(text, sizeof(text), "redis: the password is refused: %.*s",
		 SLICE_ARG(redis_text(reply)));
	r->events->on_trouble(r->events->arg, text);
}

static void take_pong(struct redis_node *n, const redisReply *reply)
{
	n->is_well = reply->type != REDIS_REPLY_ERROR;
	redis_conn_blame(&n->commands,
			 n->is_well ? SLICE("") : redis_text(reply));
	if (n->is_well)
		n->commands.attempts = 0;
	else
		n->commands.ping_ms = n->redis->now_ms + REDIS_UNWELL_MS;
}

static void take_reply(struct redis_node *n, const redisReply *reply)
{
	struct redis *r = n->redis;
	struct request *q = n->first;

	n->first = q->next;
	if (!n->first)
		n->end = &n->first;
	switch (q->kind) {
	case CALLERS: take_callers(n, q, reply); return;
	case LOGIN: take_login(r, reply); break;
	case PING: take_pong(n, reply); break;
	case MAP:
		r->map_asked = false;
		redis_take_map(r, n, reply);
		break;
	case IGNORED: break;
	}
	request_free(q);
}

static void read_commands(struct redis_node *n)
{
	bool broken = false;
	redisReply *reply;

	while (n->commands.context &&
	       (reply = redis_conn_reply(&n->commands, &broken))) {
		if (n->first)
			take_reply(n, reply);
		else
			broken = true; /* an answer that nobody asked for */
		freeReplyObject(reply);
		if (broken)
			break;
	}
	if (broken)
		redis_lose_commands(n);
}

static void read_channels(struct redis_node *n)
{
	struct redis *r = n->redis;
	bool broken = false;
	redisReply *reply;

	while (n->channels.context &&
	       (reply = redis_conn_reply(&n->channels, &broken))) {
		n->channels.attempts = 0;
		r->events->on_push(r->events->arg, n, reply);
		freeReplyObject(reply);
	}
	if (broken)
		redis_lose_channels(n);
}

/* ----------------------------------------------------------------- loop */

unsigned redis_poll(struct redis *r, struct pollfd *fds)
{
	unsigned count = 0;

	for (struct redis_node *n = r->nodes; n; n = n->next) {
		const struct redis_conn *both[] = {&n->commands, &n->channels};

		for (unsigned i = 0; i < 2; i++) {
			if (!both[i]->context || count == REDIS_FDS_MAX)
				continue;
			fds[count].fd = redis_conn_fd(both[i]);
			fds[count].events = redis_conn_events(both[i]);
			fds[count++].revents = 0;
		}
	}
	return count;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t conn_deadline(const struct redis_conn *c)
{
	if (!c->context)
		return c->retry_ms;
	return c->connected
		       ? earlier(c->ping_ms, c->heard_ms + REDIS_SILENT_MS + 1)
		       : c->began_ms + REDIS_CONNECT_MS + 1;
}

int64_t redis_deadline(const struct redis *r)
{
	int64_t due = r->options->cluster && !r->map_asked ? r->map_ms : NEVER;

	for (const struct request *q = r->waiting; q; q = q->next)
		due = earlier(due, q->due_ms);
	for (const struct redis_node *n = r->nodes; n; n = n->next) {
		if (n->first)
			due = earlier(due, r->now_ms + REDIS_TICK_MS);
		if (is_wanted(n))
			due = earlier(due, conn_deadline(&n->commands));
		if (has_channels(n))
			due = earlier(due, conn_deadline(&n->channels));
	}
	return due;
}

static short events_of(const struct redis_conn *c, const struct pollfd *fds,
		       unsigned count)
{
	for (unsigned i = 0; c->context && i < count; i++)
		if (fds[i].fd == c->context->fd)
			return fds[i].revents;
	return 0;
}

static void read_node(struct redis_node *n, const struct pollfd *fds,
		      unsigned count)
{
	const short commands = events_of(&n->commands, fds, count);
	const short channels = events_of(&n->channels, fds, count);

	if (commands &&
	    !redis_conn_on_events(&n->commands, commands, n->redis->now_ms))
		redis_lose_commands(n);
	else if (commands)
		read_commands(n);
	if (channels &&
	    !redis_conn_on_events(&n->channels, channels, n->redis->now_ms))
		redis_lose_channels(n);
	else if (channels)
		read_channels(n);
}

static void send_waiting(struct redis *r)
{
	struct request *list = r->waiting;

	r->waiting = NULL;
	while (list) {
		struct request *q = list;

		list = q->next;
		if (q->end_ms <= r->now_ms) {
			finish(q, NULL);
		} else if (q->due_ms <= r->now_ms) {
			dispatch(r, q);
		} else {
			q->next = r->waiting;
			r->waiting = q;
		}
	}
}

/* Whoever has waited too long for an answer is told; the answer is ignored. */
static void end_patience(struct redis_node *n)
{
	for (struct request *q = n->first; q; q = q->next) {
		redis_done *done = q->done;

		if (q->kind != CALLERS || q->end_ms > n->redis->now_ms)
			continue;
		q->done = NULL;
		q->kind = IGNORED;
		if (done)
			done(q->arg, NULL);
	}
}

/* Nodes that a callback drops or adds do not stop the round. */
static struct redis_node *next_of(struct redis *r, struct redis_node *n)
{
	struct redis_node *at = r->nodes;

	while (at && at != n)
		at = at->next;
	return at ? at->next : NULL;
}

void redis_turn(struct redis *r, const struct pollfd *fds, unsigned count,
		int64_t now_ms)
{
	r->now_ms = now_ms;
	for (struct redis_node *n = r->nodes; n; n = next_of(r, n))
		read_node(n, fds, count);
	send_waiting(r);
	if (r->map_is_new)
		redis_leave_others(r);
	r->map_is_new = false;
	for (struct redis_node *n = r->nodes; n; n = next_of(r, n)) {
		attend_node(n);
		end_patience(n);
	}
	if (r->options->cluster && r->has_map)
		redis_fall_back_on_seeds(r);
	redis_ask_map(r);
}

/* ---------------------------------------------------------- life and end */

static bool hash_scripts(const struct redis_options *o)
{
	uint8_t sum[DIGEST_SHA1];

	for (unsigned i = 0; i < o->script_count; i++) {
		if (!digest_sha1(slice_of(o->scripts[i].text), sum))
			return false;
		digest_hex(sum, sizeof(sum), o->scripts[i].sha);
	}
	return true;
}

int redis_new(struct redis **out, const struct redis_options *options,
	      const struct redis_events *events)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->options = options;
	r->events = events;
	r->map_asked_ms = -REDIS_MAP_DOUBT_MS;
	random_bytes(&r->random, sizeof(r->random));
	slotmap_init(&r->map);
	if (!hash_scripts(options)) {
		free(r);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < options->seed_count; i++) {
		struct redis_node *n =
			redis_get_node(r, slice_of(options->seeds[i].host),
				       options->seeds[i].port);

		if (!n) {
			redis_free(r);
			return -ENOMEM;
		}
		n->is_seed = true;
	}
	*out = r;
	return 0;
}

static void free_requests(struct request *q)
{
	while (q) {
		struct request *next = q->next;

		finish(q, NULL);
		q = next;
	}
}

void redis_free(struct redis *r)
{
	if (!r)
		return;
	while (r->nodes) {
		struct redis_node *n = r->nodes;

		r->nodes = n->next;
		free_requests(n->first);
		redis_conn_close(&n->commands, 0, 0);
		redis_conn_close(&n->channels, 0, 0);
		free(n);
	}
	free_requests(r->waiting);
	free(r);
}
