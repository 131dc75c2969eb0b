/* SPDX-License-Identifier: MIT */
/* Which pages may open /ws (section 10 of the design). Pure. */
#ifndef CHAT_ORIGIN_H
#define CHAT_ORIGIN_H

#include "core/slice.h"

#include <stddef.h>

/*
 * True if the origin is absent (no browser), if its host and port are those of
 * Host (the default port of its scheme written or not), or if it is one of
 * allowed ("https://chat.example"; a scheme, a host, a port or none).
 * "null" and what is no origin are refused.
 */
bool origin_is_allowed(struct slice origin, struct slice host,
		       const struct slice *allowed, size_t count);

#endif
