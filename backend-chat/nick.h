/* SPDX-License-Identifier: MIT */
/*
 * Recognises the server's own name at the start of a line: no client may use
 * it. Pure; the client checks its NICK with it too.
 */
#ifndef CHAT_NICK_H
#define CHAT_NICK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True if people would take the line for one of the server's. That is so if it
 * begins with [chat_serv], in letters of any case or width, and with any
 * blanks, dashes, underscores and invisible characters in between.
 */
bool nick_is_servers(const char *line, size_t len);

#endif
