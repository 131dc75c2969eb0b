/* SPDX-License-Identifier: MIT */
/* flow_json.h - a flow as JSON shows it */
#ifndef L4LB_API_FLOW_JSON_H
#define L4LB_API_FLOW_JSON_H

#include "api/json.h"
#include "core/flow.h"
#include "core/note.h"

/* The members of an object that the caller has begun. */
void json_put_flow(struct json_writer *w, const char *service,
		   const char *backend, uint32_t index, const struct flow *flow,
		   const struct flow_note *note, uint64_t now_ns);

/* A time of a note in ms; unknown: null. */
void json_put_us(struct json_writer *w, const char *key, uint32_t us);

/* How a backend was chosen: the scheduler; NULL: not known. */
const char *note_why_name(uint8_t why);

#endif
