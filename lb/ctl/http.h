/* SPDX-License-Identifier: MIT */
/*
 * http.h - one request after another to one balancer
 */
#ifndef L4LBCTL_HTTP_H
#define L4LBCTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct http;

/* The texts are copied. */
struct http_target {
	const char *socket; /* the path of a Unix socket, or NULL and: */
	const char *url;    /* http://ADDRESS:PORT */
	const char *token;  /* sent to @url only; NULL: none */
};

struct http_request {
	const char *method; /* "GET" */
	const char *path;   /* "/lb/flows?limit=5" */
	const char *type;   /* of the body: "application/json" */
	const char *body;   /* NULL: none */
	/*
	 * If set, the lines of a 200 are given to it as they come, without
	 * their newlines. False: no more is wanted; that is no failure.
	 */
	bool (*on_line)(void *arg, const char *line, size_t len);
	void *arg;
};

struct http_reply {
	long status;
	char *body; /* never NULL after a success; what on_line got is not in it
		     */
	size_t len;
};

int http_open(struct http **out, const struct http_target *target,
	      struct err *err);
/* CTL_OK: a reply came, with any status; free it by http_reply_free(). */
int http_ask(struct http *h, const struct http_request *request,
	     struct http_reply *reply, struct err *err);
void http_reply_free(struct http_reply *reply);
void http_close(struct http *h);

#endif
