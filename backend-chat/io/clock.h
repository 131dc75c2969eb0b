/* SPDX-License-Identifier: MIT */
/* The clocks, and random bytes: what core/ is given and does not ask for. */
#ifndef CHAT_CLOCK_H
#define CHAT_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970. */
int64_t wall_ms(void);
/* Of a clock that never goes back. */
int64_t clock_us(void);

/* Random bytes for tokens, names and the keys of hashes. */
void random_bytes(void *out, size_t len);

#endif
