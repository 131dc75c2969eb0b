/* SPDX-License-Identifier: MIT */
/* A time as text: 2026-11-29T07:02:40.123Z (RFC 3339, UTC). Pure. */
#ifndef CHAT_STAMP_H
#define CHAT_STAMP_H

#include "core/writer.h"

#include <stdint.h>

/* Milliseconds since 1970; without quotes. */
void stamp_put(struct writer *w, int64_t ms);

#endif
