/* SPDX-License-Identifier: MIT */
/* The conversation: sends what is typed, shows what arrives. */
#ifndef CHAT_SESSION_H
#define CHAT_SESSION_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a nickname; the rest of a line is for the text. */
#define NICK_MAX 255

/*
 * Talks over the connected socket fd until input or connection ends. Returns
 * true for a proper goodbye, else false with one sentence in why. The caller
 * closes fd.
 */
bool session_run(int fd, const char *nick, bool on_terminal, char *why,
		 size_t why_len);

#endif
