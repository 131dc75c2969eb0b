/* SPDX-License-Identifier: MIT */
/* utf8.h - whether bytes are text that may be shown and logged */
#ifndef L4LB_API_UTF8_H
#define L4LB_API_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The length of the character at @bytes, of which there are @len: 1 to 4. 0: it
 * is no UTF-8 (RFC 3629).
 */
size_t utf8_length(const char *bytes, size_t len);

/* UTF-8 without control characters (C0, DEL, C1). */
bool utf8_is_plain(const char *bytes, size_t len);

#endif
