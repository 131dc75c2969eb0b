/* SPDX-License-Identifier: MIT */
/*
 * blocking.h - what must go before something new can come
 *
 * A name, an id and an address belong to one service or backend at a time. If
 * something that goes has one that the new configuration gives to another, it
 * is removed first.
 */
#ifndef L4LB_BLOCKING_H
#define L4LB_BLOCKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/config.h"

/* What the new configuration uses. */
struct blocking {
	const struct config *to;
	uint32_t *numbers; /* of its automatic ids, in order */
	size_t n;
};

/* @to stays the caller's, and must not change until blocking_free(). -ENOMEM.
 */
int blocking_init(struct blocking *b, const struct config *to);
void blocking_free(struct blocking *b);

/*
 * True if @backend, which goes, is in the way. @service: the one of @to that it
 * was in; NULL: the service goes, too.
 */
bool blocking_backend(const struct blocking *b,
		      const struct service_config *service,
		      const struct backend_config *backend);

/* True if @s, which goes with all its backends, is in the way. */
bool blocking_service(const struct blocking *b, const struct service_config *s);

#endif
