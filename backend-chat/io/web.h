/* SPDX-License-Identifier: MIT */
/* HTTP of a connection: web.c feeds requests to api.c and sends its answers. */
#ifndef CHAT_WEB_H
#define CHAT_WEB_H

#include "core/http.h"
#include "core/logline.h"
#include "core/mid.h"
#include "io/conn.h"

/* What a request waits for; no other is looked at before. */
enum web_wait {
	WEB_NOTHING,
	WEB_POSTED,  /* the webhook's message */
	WEB_HISTORY, /* a page of the log */
	WEB_DRAINED, /* the client takes its answers first */
};

enum web_state { WEB_IDLE, WEB_HEAD, WEB_BODY, WEB_ANSWERING };

struct web {
	struct http http;
	bool known; /* that it is HTTP */
	enum web_wait wait;
	enum web_state state;	     /* which of the timeouts runs */
	struct writer rest;	     /* input behind the request that waits */
	char mid[MID_STORED_MAX];    /* WEB_POSTED */
	char id[LOGLINE_ID_MAX + 1]; /* of the request, for the log */
	int64_t whole_us;	     /* when its last byte came */
};

/* Answers the request; the connection goes on, waits, or changes its wire. */
void api_answer(struct conn *c, const struct http_request *r);
/* What balancers and monitors ask for. */
bool api_is_for_operators(const struct http_request *r);
/*
 * Answered also when there is no place for more clients: for operators, and
 * the WebSocket, which is closed with a code that says so.
 */
bool api_is_for_all(const struct http_request *r);
void api_on_posted(struct conn *c, const struct http_request *r,
		   const struct note *n);
void api_on_page(struct conn *c, const struct http_request *r,
		 const struct note *n);

void web_respond(struct conn *c, const struct http_request *r,
		 const struct http_response *response);
/* r: NULL if none could be read. */
void web_error(struct conn *c, const struct http_request *r, unsigned status,
	       const char *code, const char *message,
	       const struct http_response *extra);
void web_maintenance(struct conn *c, const struct http_request *r);
/* 101; the connection is a JSON client then. */
void web_upgrade(struct conn *c, const struct http_request *r);

#endif
