/* SPDX-License-Identifier: MIT */
/*
 * The server's own name at the start of a line: nobody else may speak in it.
 * Pure; the client asks the same of its NICK.
 */
#ifndef CHAT_NICK_H
#define CHAT_NICK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Would people take this line for one of the server's? Yes if it begins with
 * [chat_serv] in letters of any case or width, whatever stands between them of
 * blanks, dashes, underscores, and of what no terminal shows.
 */
bool nick_is_servers(const char *line, size_t len);

#endif
