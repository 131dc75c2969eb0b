/* SPDX-License-Identifier: MIT */
/* fields.h - the keys of a JSON body, against what its route takes; pure */
#ifndef L4LB_API_FIELDS_H
#define L4LB_API_FIELDS_H

#include <jansson.h>

#include "api/http.h"
#include "core/err.h"

/*
 * Parses an object whose keys are all of @fields and have the right kinds.
 * @out: the caller's, for json_decref(). -EINVAL: @err says where and why.
 */
int fields_parse(const struct route_value *fields, const char *body, size_t len,
		 json_t **out, struct err *err);

/* The value of a key; NULL, false: it was not given (or is null). */
const char *field_text(const struct request *r, const char *name);
bool field_number(const struct request *r, const char *name, uint64_t *out);
bool field_flag(const struct request *r, const char *name, bool *out);

#endif
