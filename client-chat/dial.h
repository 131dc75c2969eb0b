/* SPDX-License-Identifier: MIT */
/* Turns a name and a port into a connected socket, or into a reason why not. */
#ifndef CHAT_DIAL_H
#define CHAT_DIAL_H

#include <stddef.h>

/*
 * Tries every address of the name, ten seconds each. Returns a connected
 * non-blocking socket, or -1 with one sentence in why.
 */
int dial(const char *host, const char *port, char *why, size_t why_len);

#endif
