/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/exchange.h"
#include "api/patience.h"
#include "api/server.h"
#include "clock.h"

#define HEAD_MAX    32768      /* bytes of memory of a connection */
#define STACK_BYTES (1u << 20) /* name look-ups need some */
#define PART_BYTES  32768      /* of a streamed body */
/* More is not read before the connection is closed. */
#define IGNORED_MAX (1u << 20)

/* Replies up to this do not count: what a change did is always said. */
#define SMALL_BYTES 65536

struct server {
	struct MHD_Daemon *daemon;
	_Atomic size_t waiting; /* bytes of replies, see server_set_room() */
	size_t room;
	struct api *api;
	struct auth *auth;
	bool local;
	struct patience patience;
};

/* From the first line of a request to the end of its reply. */
struct visit {
	char uri[URI_MAX + 2]; /* cut so that it is still too long */
	bool begun;
	uint64_t taken; /* bytes of the body */
	struct exchange exchange;
};

/* -------------------------------------------------------------- who is asking
 */

static int descriptor(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static void find_uid(struct MHD_Connection *c, struct caller *caller)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	caller->local = true;
	caller->has_uid = getsockopt(descriptor(c), SOL_SOCKET, SO_PEERCRED,
				     &peer, &len) == 0;
	caller->uid = caller->has_uid ? peer.uid : 0;
}

static void find_address(struct MHD_Connection *c, struct caller *caller)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *from = info ? info->client_addr : NULL;

	if (from && from->sa_family == AF_INET)
		caller->from = addr_from_v4(
			((const struct sockaddr_in *)from)->sin_addr.s_addr);
	else if (from && from->sa_family == AF_INET6)
		memcpy(caller->from.b,
		       &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
}

static const char *header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static struct asked read_head(struct server *s, struct MHD_Connection *c,
			      const char *method, const struct visit *visit)
{
	const char *length = header(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
	struct asked asked = {
		.method = method,
		.uri = visit->uri,
		.content_type = header(c, MHD_HTTP_HEADER_CONTENT_TYPE),
		.content_encoding = header(c, MHD_HTTP_HEADER_CONTENT_ENCODING),
		.if_match = header(c, MHD_HTTP_HEADER_IF_MATCH),
		.accept = header(c, MHD_HTTP_HEADER_ACCEPT),
		.length = length ? strtoull(length, NULL, 10) : 0,
		.caller.host = header(c, MHD_HTTP_HEADER_HOST),
		.caller.origin = header(c, MHD_HTTP_HEADER_ORIGIN),
		.caller.authorization =
			header(c, MHD_HTTP_HEADER_AUTHORIZATION),
	};

	if (s->local)
		find_uid(c, &asked.caller);
	else
		find_address(c, &asked.caller);
	return asked;
}

/* ------------------------------------------------------------------ the reply
 */

struct stream {
	reply_more_fn *more;
	void *state;
	void (*done)(void *state);
	struct text part;
	size_t sent; /* of .part */
	bool ended;
};

static ssize_t stream_read(void *arg, uint64_t pos, char *to, size_t max)
{
	struct stream *s = arg;
	size_t n;

	(void)pos;
	while (s->sent == s->part.len) {
		if (s->ended)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (s->part.len)
			text_cut(&s->part, 0);
		s->sent = 0;
		s->ended = !s->more(s->state, &s->part);
		if (s->part.failed)
			return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	n = s->part.len - s->sent;
	n = n > max ? max : n;
	memcpy(to, s->part.bytes + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void stream_free(void *arg)
{
	struct stream *s = arg;

	if (s->done)
		s->done(s->state);
	text_free(&s->part);
	free(s);
}

/* Takes over what @reply owns. */
static struct MHD_Response *streamed(struct reply *reply)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct MHD_Response *response;

	if (!s)
		return NULL;
	s->more = reply->more;
	s->state = reply->state;
	s->done = reply->done;
	reply->done = NULL;
	response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, PART_BYTES, stream_read, s, stream_free);
	if (!response)
		stream_free(s);
	return response;
}

/* A big body, until it is sent or its client has gone. */
struct waiting {
	struct server *server;
	struct text body;
};

static ssize_t waiting_read(void *arg, uint64_t pos, char *to, size_t max)
{
	const struct waiting *w = arg;
	size_t n;

	if (pos >= w->body.len)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = w->body.len - (size_t)pos;
	n = n > max ? max : n;
	memcpy(to, w->body.bytes + pos, n);
	return (ssize_t)n;
}

static void waiting_free(void *arg)
{
	struct waiting *w = arg;

	w->server->waiting -= w->body.len;
	text_free(&w->body);
	free(w);
}

/* Whoever reads slowly has memory for as long as he likes: not all of it. */
static void refuse_if_full(struct server *s, struct reply *reply)
{
	const size_t len = reply->body.len;
	size_t waiting;

	if (reply->more || len <= SMALL_BYTES)
		return;
	waiting = atomic_fetch_add(&s->waiting, len);
	if (!waiting || waiting + len <= s->room)
		return;
	s->waiting -= len;
	atomic_fetch_sub(&s->api->replies[reply->status], 1);
	atomic_fetch_add(&s->api->replies[503], 1);
	text_free(&reply->body);
	reply_error(reply, 503, "busy",
		    "others have not read what they asked for yet, and there "
		    "is no room for %zu bytes more; ask again later, or for "
		    "less",
		    len);
	reply->type = "application/json";
}

/* Counted in refuse_if_full(). Takes over the body of @reply. */
static struct MHD_Response *big(struct server *s, struct reply *reply)
{
	struct waiting *w = malloc(sizeof(*w));
	struct MHD_Response *response;

	if (!w) {
		s->waiting -= reply->body.len;
		return NULL;
	}
	*w = (struct waiting){.server = s, .body = reply->body};
	reply->body = (struct text){0};
	response = MHD_create_response_from_callback(
		w->body.len, PART_BYTES, waiting_read, w, waiting_free);
	if (!response)
		waiting_free(w);
	return response;
}

static struct MHD_Response *whole(struct server *s, struct reply *reply)
{
	struct text *body = &reply->body;
	struct MHD_Response *response;

	if (body->len > SMALL_BYTES)
		return big(s, reply);
	if (!body->len)
		return MHD_create_response_from_buffer(0, (void *)"",
						       MHD_RESPMEM_PERSISTENT);
	response = MHD_create_response_from_buffer(body->len, body->bytes,
						   MHD_RESPMEM_MUST_FREE);
	if (response)
		*body = (struct text){0};
	return response;
}

static void add(struct MHD_Response *response, const char *name,
		const char *value)
{
	if (value)
		(void)MHD_add_response_header(response, name, value);
}

static enum MHD_Result send_reply(struct server *s, struct MHD_Connection *c,
				  struct reply *reply)
{
	struct MHD_Response *response;
	enum MHD_Result ret;
	char etag[32];

	refuse_if_full(s, reply);
	response = reply->more ? streamed(reply) : whole(s, reply);
	if (!response)
		return MHD_NO;
	snprintf(etag, sizeof(etag), "\"%llu\"",
		 (unsigned long long)reply->generation);
	add(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
	add(response, MHD_HTTP_HEADER_ETAG, etag);
	if (!reply->cached)
		add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	add(response, "X-Content-Type-Options", "nosniff");
	add(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
	add(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, reply->challenge);
	ret = MHD_queue_response(c, reply->status, response);
	MHD_destroy_response(response);
	return ret;
}

/* ---------------------------------------------------------------- the request
 */

static void *on_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
	struct server *s = arg;
	struct visit *visit = malloc(sizeof(*visit));

	patience_begin(&s->patience, descriptor(c), clock_now_ns());
	if (!visit)
		return NULL;
	visit->begun = false;
	visit->taken = 0;
	memset(&visit->exchange.reply, 0, sizeof(visit->exchange.reply));
	snprintf(visit->uri, sizeof(visit->uri), "%s", uri);
	return visit;
}

static bool is_not_sent_yet(struct MHD_Connection *c, const struct asked *asked)
{
	return asked->length > IGNORED_MAX ||
	       header(c, MHD_HTTP_HEADER_EXPECT) != NULL;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *body,
				  size_t *len, void **own)
{
	struct server *s = arg;
	struct visit *visit = *own;
	struct exchange *x;

	(void)url;
	(void)version;
	if (!visit)
		return MHD_NO; /* there is no memory */
	x = &visit->exchange;
	if (!visit->begun) {
		const struct asked asked = read_head(s, c, method, visit);

		visit->begun = true;
		exchange_begin(x, s->api, s->auth, &asked);
		/* Else the body is read first: a reply to somebody who still
		 * sends may get lost.
		 */
		if (!x->decided || !is_not_sent_yet(c, &asked))
			return MHD_YES;
	} else if (*len) {
		exchange_take(x, body, *len);
		visit->taken += *len;
		*len = 0;
		return visit->taken > IGNORED_MAX ? MHD_NO : MHD_YES;
	}
	patience_end(&s->patience, descriptor(c));
	exchange_finish(x, s->api);
	return send_reply(s, c, &x->reply);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **own,
			 enum MHD_RequestTerminationCode how)
{
	struct server *s = arg;
	struct visit *visit = *own;

	(void)how;
	patience_end(&s->patience, descriptor(c));
	*own = NULL;
	if (!visit)
		return;
	if (visit->begun)
		exchange_free(&visit->exchange);
	free(visit);
}

/* A connection that sends nothing, too, has begun something. */
static void on_connection(void *arg, struct MHD_Connection *c, void **own,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *s = arg;

	(void)own;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		patience_begin(&s->patience, descriptor(c), clock_now_ns());
	else
		patience_end(&s->patience, descriptor(c));
}

static void on_log(void *arg, const char *format, va_list args)
{
	/* What clients do wrong is theirs to know. */
	(void)arg;
	(void)format;
	(void)args;
}

/* -------------------------------------------------------------- start and end
 */

int server_start(struct server **out, struct api *api, struct auth *auth,
		 int listener, bool local, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));
	/* libmicrohttpd closes it. */
	const int fd = fcntl(listener, F_DUPFD_CLOEXEC, 0);

	if (!s || fd == -1) {
		free(s);
		return err_set(err, -EIO, "the HTTP server cannot start: %s",
			       strerror(s ? errno : ENOMEM));
	}
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	s->api = api;
	s->auth = auth;
	s->local = local;
	s->room = SERVER_ROOM;
	patience_init(&s->patience);
	s->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
		(unsigned)SERVER_THREADS, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)SERVER_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)SERVER_PATIENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HEAD_MAX, MHD_OPTION_THREAD_STACK_SIZE,
		(size_t)STACK_BYTES, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
	if (!s->daemon) {
		close(fd);
		patience_free(&s->patience);
		free(s);
		return err_set(err, -EIO, "the HTTP server cannot start: %s",
			       strerror(errno));
	}
	*out = s;
	return 0;
}

void server_tick(struct server *s)
{
	patience_tick(&s->patience, SERVER_REQUEST_S, clock_now_ns());
}

void server_set_room(struct server *s, size_t bytes)
{
	s->room = bytes;
}

void server_stop(struct server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->daemon);
	patience_free(&s->patience);
	free(s);
}
