/* SPDX-License-Identifier: MIT */
/*
 * Other people's text is shown on the user's terminal, so it must be nothing
 * but text: an escape sequence could change the window's title, move the cursor
 * or type for the user. Pure: no system calls.
 */
#ifndef CHAT_TEXT_H
#define CHAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Largest result of text_clean() for len bytes. */
#define TEXT_CLEAN_MAX(len) ((len)*3)

/*
 * Copies UTF-8 text without control characters (C0 except tab, DEL, C1, and
 * those that reorder or break lines). Bytes that are no UTF-8 become U+FFFD.
 * Returns the length of out, which is not terminated.
 */
size_t text_clean(const char *text, size_t len, char *out);

/* True if text_clean() would change nothing. */
bool text_is_clean(const char *text, size_t len);

#endif
