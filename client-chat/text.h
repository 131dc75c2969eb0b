/* SPDX-License-Identifier: MIT */
/*
 * What others say is shown on somebody's terminal, so it must be text and
 * nothing else: an escape sequence could retitle the window, move the cursor
 * or type for the user. Pure: no system call.
 */
#ifndef CHAT_TEXT_H
#define CHAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Room text_clean() may need for so many bytes. */
#define TEXT_CLEAN_MAX(len) ((len)*3)

/*
 * Copy UTF-8 text without control characters (C0 but tab, DEL, C1, and those
 * that reorder or break lines); bytes that are no UTF-8 become U+FFFD.
 * Returns the length of out, which is not terminated.
 */
size_t text_clean(const char *text, size_t len, char *out);

/* Would text_clean() leave it as it is? */
bool text_is_clean(const char *text, size_t len);

#endif
