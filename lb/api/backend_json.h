/* SPDX-License-Identifier: MIT */
/* backend_json.h - a backend as JSON shows it */
#ifndef L4LB_API_BACKEND_JSON_H
#define L4LB_API_BACKEND_JSON_H

#include "api/json.h"
#include "board/board.h"

/* The time below which the share @part (0 to 1) of a histogram lies, in ms. */
double histogram_quantile_ms(const struct histogram *h, double part);

void json_put_backend(struct json_writer *w, const char *key,
		      const char *service, const struct board_backend *b,
		      uint64_t now_ns);

#endif
