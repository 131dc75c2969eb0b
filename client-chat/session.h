/* SPDX-License-Identifier: MIT */
/* The conversation: what is typed goes out, what arrives is shown. */
#ifndef CHAT_SESSION_H
#define CHAT_SESSION_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a nickname; the rest of a line is for the text. */
#define NICK_MAX 255

/*
 * Talk over the connected socket fd until input or connection ends. Returns
 * true for a proper goodbye, else false and one sentence in why. fd remains
 * the caller's.
 */
bool session_run(int fd, const char *nick, bool on_terminal, char *why,
		 size_t why_len);

#endif
