/* SPDX-License-Identifier: MIT */
/*
 * http.h - a request, its reply, and the routes between them
 *
 * server.c takes requests from libmicrohttpd, checks who asks and what for
 * (auth.h, router.h) and calls the handler of the route. A handler reads the
 * request and fills in the reply; it knows nothing of the HTTP library. Several
 * threads call handlers at a time, so a handler changes nothing but its reply.
 *
 * Handlers stand in tables, one for each subject, in the file of the subject.
 * routes.c lists the tables. /openapi.json is printed from them.
 */
#ifndef L4LB_HTTP_H
#define L4LB_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/uri.h"
#include "control/text.h"

struct api;
struct json_t;

#define HTTP_BODY_MAX 65536 /* bytes of a request */
#define WHO_MAX	      64    /* bytes with the final 0 */

enum method { METHOD_GET, METHOD_POST, METHOD_DELETE, METHODS };

struct request {
	const struct route *route;
	enum method method;    /* HEAD is METHOD_GET */
	const struct uri *uri; /* the path as it was sent, and the query */
	const char *id;	       /* what stands for {id} in the path; else "" */
	const char *body;      /* with a final 0; "" if there is none */
	size_t body_len;
	const struct json_t *json; /* the body of a route with .fields, an
				    * object; NULL: no body was sent */
	const char *accept;	   /* header, "" if there is none */
	char who[WHO_MAX];	   /* "uid:0", "token@198.51.100.7": for `by` */
	bool has_if_match;	   /* do it only if the generation is this */
	uint64_t if_match;
	bool dry_run; /* check it, and change nothing */
};

/*
 * The value of a parameter, decoded; NULL if it was not given, "" if it has
 * none. Parameters that the route does not name were refused before.
 */
const char *request_query(const struct request *r, const char *name);

/*
 * Adds the next part of a body to @out, some 16 KiB; false: that was the last.
 * @out is empty before. It need not add anything, but then should not return at
 * once, because it is called again at once.
 */
typedef bool reply_more_fn(void *state, struct text *out);

/* Zeroed: 200, without a body, as JSON. */
struct reply {
	unsigned status;     /* 0: 200 */
	const char *type;    /* Content-Type; NULL: application/json */
	struct text body;    /* owned: freed by whoever called the handler */
	reply_more_fn *more; /* if set, the body comes from it */
	void *state;	     /* for .more */
	void (*done)(void *state); /* called once when .more is not needed any
				    * more, also if the client has gone */
	/*
	 * Of the configuration that it tells of, for the ETag. Handlers get it
	 * as the board has it, and set it after a change.
	 */
	uint64_t generation;
	const char *allow;     /* header of 405; NULL: none */
	const char *challenge; /* WWW-Authenticate; NULL: none */
	bool cached;	       /* may be kept by the client: no no-store */
};

/*
 * Makes @reply an error: {"error":{"code":..,"message":..,"generation":..}}.
 * What was in its body before is dropped. @code: short and stable, with dashes.
 */
__attribute__((format(printf, 4, 5))) void reply_error(struct reply *reply,
						       unsigned status,
						       const char *code,
						       const char *format, ...);

/* The kind of a value in a query or in a JSON body. */
enum value_kind {
	VALUE_TEXT,
	VALUE_NUMBER, /* not negative, whole */
	VALUE_FLAG,   /* JSON: true, false; a query: 1, 0, yes, no, true, false
		       */
};

struct route_value {
	const char *name; /* NULL: the end of the table */
	enum value_kind kind;
	const char *what; /* for people: a short sentence without its end */
};

/* Flags of a route. */
#define ROUTE_WRITES 1u /* changes something: needs the right to */
#define ROUTE_FILTER 2u /* its query may have terms of filter.h */
#define ROUTE_TEXT   4u /* the body is lines of text */
#define ROUTE_OPEN   8u /* no token is needed, also with api_read = token */

struct route {
	enum method method;
	const char *pattern; /* "/lb/backends/{id}/weight" */
	void (*handle)(struct api *api, const struct request *request,
		       struct reply *reply); /* NULL: the end of the table */
	const struct route_value *query;     /* parameters; NULL: none */
	const struct route_value *fields;    /* keys of the JSON body; NULL: no
					      * body is taken */
	unsigned flags;
	const char *summary; /* for people: one sentence without its end */
};

/* All tables, as listed in routes.c; NULL ends the list. */
extern const struct route *const route_tables[];

#endif
