/* SPDX-License-Identifier: MIT */
/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms. Pure. */
#ifndef CHAT_UTF8_H
#define CHAT_UTF8_H

#include "core/slice.h"

#include <stdint.h>

bool utf8_is_valid(struct slice s);

/*
 * Takes the next character off *s, which must not be empty. Returns 0 and takes
 * one byte if it is no UTF-8.
 */
uint32_t utf8_next(struct slice *s);

/*
 * Makes text that is fit for JSON and logs: a byte that is no UTF-8 becomes
 * U+FFFD; control characters (but tab and newline) and characters that change
 * the direction of writing are left out. out has room for UTF8_CLEAN_MAX(s.len)
 * bytes; returns the length written. Text that is clean already is copied.
 */
#define UTF8_CLEAN_MAX(len) ((len)*3)
size_t utf8_clean(struct slice s, char *out);

#endif
