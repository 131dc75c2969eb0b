/* SPDX-License-Identifier: MIT */
/* find.h - the backend that a request names, by its id or its address */
#ifndef L4LB_API_FIND_H
#define L4LB_API_FIND_H

#include "api/api.h"
#include "api/http.h"

struct found {
	unsigned service, backend; /* slots */
	struct board_service s;
	struct board_backend b;
};

/*
 * Finds the LIVE backend @id (or ADDRESS:PORT) of the service named @service,
 * or of any if that is NULL. False: @reply says why: 404, and which there are;
 * 409, and in which services it is.
 */
bool find_backend(const struct api *api, const char *id, const char *service,
		  struct found *out, struct reply *reply);

/*
 * Finds the service named @name; NULL: the only one. False: @reply has 404, or
 * 400 if one of several must be named.
 */
bool find_service(const struct api *api, const char *name, unsigned *out,
		  struct board_service *row, struct reply *reply);

#endif
