/* SPDX-License-Identifier: MIT */
/*
 * exchange.h - one request and its reply, without the HTTP library
 *
 * server.c fills in what was asked; what it means is decided here: first the
 * head (address, route, right), then, when the body is there, the rest and the
 * handler's call.
 */
#ifndef L4LB_API_EXCHANGE_H
#define L4LB_API_EXCHANGE_H

#include "api/auth.h"
#include "api/http.h"
#include "api/router.h"

/* The head of a request. Texts are NULL if they were not sent. */
struct asked {
	const char *method;
	const char *uri;
	struct caller caller;
	const char *content_type, *content_encoding, *if_match, *accept;
	uint64_t length; /* of the body, as announced; 0: none or unknown */
};

struct exchange {
	struct uri uri;
	struct request request;
	struct text body;
	struct reply reply;
	char allow[ALLOW_MAX];
	char accept[256];
	bool decided; /* the reply is there: the body does not matter */
};

/* Zeroes @x. After it, .decided may be set. */
void exchange_begin(struct exchange *x, struct api *api, struct auth *auth,
		    const struct asked *asked);

/* Takes a part of the body. */
void exchange_take(struct exchange *x, const char *bytes, size_t len);

/* The whole body is there. After it, .reply is set. */
void exchange_finish(struct exchange *x, struct api *api);

/* Frees what is still owned, also by .reply. */
void exchange_free(struct exchange *x);

#endif
