/* SPDX-License-Identifier: MIT */
/*
 * http.c - libcurl, by the Unix socket or to another host
 *
 * What arrives is bounded: a body, and each line of one that is read by lines.
 * Proxies of the environment are not for this.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "ctl/ctl.h"
#include "ctl/http.h"

#define CONNECT_S 5
#define REPLY_S	  15
#define CHANGE_S  60 /* a reload may have to ask a slow name server */
#define SILENCE_S 30 /* of a reply that comes by lines */
#define BODY_MAX  (64u << 20)
#define LINE_SIZE (64u << 10)

struct http {
	CURL *curl;
	char *base;  /* what stands before a path */
	char *where; /* for sentences */
	struct curl_slist *headers;
	char reason[CURL_ERROR_SIZE];
};

/* A reply while it comes. */
struct incoming {
	const struct http_request *request;
	CURL *curl;
	char *bytes; /* the body so far, or the line so far */
	size_t len, size;
	bool stopped, too_long, no_memory;
};

static bool grow(struct incoming *in, size_t more, size_t limit)
{
	char *bytes;
	size_t size;

	in->too_long = in->len + more > limit;
	if (in->too_long || in->len + more < in->size)
		return !in->too_long;
	size = 2 * (in->len + more) + 1;
	bytes = realloc(in->bytes, size);
	in->no_memory = !bytes;
	if (!bytes)
		return false;
	in->bytes = bytes;
	in->size = size;
	return true;
}

static bool keep(struct incoming *in, const char *bytes, size_t len,
		 size_t limit)
{
	if (!grow(in, len, limit))
		return false;
	memcpy(in->bytes + in->len, bytes, len);
	in->len += len;
	in->bytes[in->len] = 0;
	return true;
}

/* Gives the whole lines away and keeps the rest of a line. */
static bool take_lines(struct incoming *in, const char *bytes, size_t len)
{
	const char *end;

	while ((end = memchr(bytes, '\n', len))) {
		const size_t n = (size_t)(end - bytes);

		if (!keep(in, bytes, n, LINE_SIZE))
			return false;
		in->stopped = in->len > 0 &&
			      !in->request->on_line(in->request->arg, in->bytes,
						    in->len);
		in->len = 0;
		if (in->stopped)
			return false;
		bytes = end + 1;
		len -= n + 1;
	}
	return len == 0 || keep(in, bytes, len, LINE_SIZE);
}

static size_t on_bytes(char *bytes, size_t one, size_t len, void *arg)
{
	struct incoming *in = arg;
	long status = 0;
	bool taken;

	(void)one; /* always 1 */
	curl_easy_getinfo(in->curl, CURLINFO_RESPONSE_CODE, &status);
	if (in->request->on_line && status == 200)
		taken = take_lines(in, bytes, len);
	else
		taken = keep(in, bytes, len, BODY_MAX);
	return taken ? len : 0;
}

/* A bearer token goes to @url, never to the socket. */
static int add_token(struct http *h, const char *token, struct err *err)
{
	char *header;

	if (asprintf(&header, "Authorization: Bearer %s", token) < 0)
		return err_set(err, CTL_REFUSED, "no memory");
	h->headers = curl_slist_append(NULL, header);
	free(header);
	return h->headers ? CTL_OK : err_set(err, CTL_REFUSED, "no memory");
}

static int set_target(struct http *h, const struct http_target *target,
		      struct err *err)
{
	const char *base = target->socket ? "http://localhost" : target->url;
	size_t len = strlen(base);

	while (len && base[len - 1] == '/')
		len--;
	h->base = strndup(base, len);
	h->where = strdup(target->socket ? target->socket : target->url);
	if (!h->base || !h->where)
		return err_set(err, CTL_REFUSED, "no memory");
	if (target->socket)
		curl_easy_setopt(h->curl, CURLOPT_UNIX_SOCKET_PATH,
				 target->socket);
	else if (target->token)
		return add_token(h, target->token, err);
	return CTL_OK;
}

int http_open(struct http **out, const struct http_target *target,
	      struct err *err)
{
	struct http *h = calloc(1, sizeof(*h));
	int ret;

	*out = NULL;
	if (h)
		h->curl = curl_easy_init();
	if (!h || !h->curl) {
		free(h);
		return err_set(err, CTL_REFUSED, "no memory");
	}
	ret = set_target(h, target, err);
	if (ret) {
		http_close(h);
		return ret;
	}
	curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h->curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "l4lbctl/" L4LB_VERSION);
	curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->reason);
	*out = h;
	return CTL_OK;
}

static int no_connection(const struct http *h, struct err *err)
{
	long number = 0;

	curl_easy_getinfo(h->curl, CURLINFO_OS_ERRNO, &number);
	if (number == EACCES || number == EPERM)
		return err_set(err, CTL_REFUSED,
			       "%s: only root and l4lb's own user may ask "
			       "there; run it with sudo",
			       h->where);
	return err_set(err, CTL_NOBODY, "nobody answers at %s: %s", h->where,
		       number ? strerror((int)number) : h->reason);
}

static int explain(const struct http *h, CURLcode code,
		   const struct incoming *in, struct err *err)
{
	if (in->no_memory)
		return err_set(err, CTL_REFUSED, "no memory for the answer");
	if (in->too_long)
		return err_set(err, CTL_REFUSED,
			       "the answer of %s is longer than any of l4lb's",
			       h->where);
	/* Anything else is somebody who does not answer as l4lb-api does. */
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST: return no_connection(h, err);
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return err_set(err, CTL_USAGE,
			       "\"%s\" is not right: expected "
			       "http://ADDRESS:PORT",
			       h->where);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(err, CTL_NOBODY,
			       "%s does not answer in time: %s", h->where,
			       h->reason);
	default:
		return err_set(err, CTL_NOBODY,
			       "%s broke the connection before its answer was "
			       "whole: %s",
			       h->where,
			       h->reason[0] ? h->reason
					    : curl_easy_strerror(code));
	}
}

static struct curl_slist *all_headers(const struct http *h,
				      const struct http_request *r)
{
	struct curl_slist *all = NULL;
	char type[128];

	if (h->headers)
		all = curl_slist_append(all, h->headers->data);
	if (r->body) {
		snprintf(type, sizeof(type), "Content-Type: %s", r->type);
		all = curl_slist_append(all, type);
		/* The body is small: it need not ask before. */
		all = curl_slist_append(all, "Expect:");
	}
	return all;
}

static void prepare(struct http *h, const struct http_request *r,
		    struct incoming *in)
{
	CURL *curl = h->curl;

	curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	if (r->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE,
				 (long)strlen(r->body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT,
			 r->on_line			 ? 0L
			 : strcmp(r->method, "GET") == 0 ? REPLY_S
							 : CHANGE_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, r->on_line ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, in);
	h->reason[0] = 0;
}

int http_ask(struct http *h, const struct http_request *request,
	     struct http_reply *reply, struct err *err)
{
	struct incoming in = {.request = request, .curl = h->curl};
	struct curl_slist *headers = all_headers(h, request);
	CURLcode code;
	char *url;
	int ret;

	memset(reply, 0, sizeof(*reply));
	if (asprintf(&url, "%s%s", h->base, request->path) < 0 ||
	    !grow(&in, 1, BODY_MAX)) {
		curl_slist_free_all(headers);
		return err_set(err, CTL_REFUSED, "no memory");
	}
	in.bytes[0] = 0;
	prepare(h, request, &in);
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &reply->status);
	ret = code == CURLE_OK || in.stopped ? CTL_OK
					     : explain(h, code, &in, err);
	/* A last line may come without a newline. */
	if (code == CURLE_OK && request->on_line && reply->status == 200 &&
	    in.len) {
		request->on_line(request->arg, in.bytes, in.len);
		in.len = 0;
		in.bytes[0] = 0;
	}
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	free(url);
	reply->body = in.bytes;
	reply->len = in.len;
	if (ret)
		http_reply_free(reply);
	return ret;
}

void http_reply_free(struct http_reply *reply)
{
	free(reply->body);
	reply->body = NULL;
	reply->len = 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	curl_slist_free_all(h->headers);
	curl_easy_cleanup(h->curl);
	free(h->base);
	free(h->where);
	free(h);
}
