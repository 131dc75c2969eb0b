/* SPDX-License-Identifier: MIT */
/* The listening socket and the names of addresses. */
#ifndef CHAT_LISTENER_H
#define CHAT_LISTENER_H

#include <stddef.h>
#include <sys/socket.h>

/* "[" IPv6 "]:" port */
#define PEER_NAME_MAX 64

/*
 * Listen on address (a name or number; NULL: every address, IPv4 and IPv6)
 * and *port; port 0 lets the kernel choose, *port is what it chose. Returns
 * the non-blocking socket, or -1 with one sentence in why.
 */
int listener_open(const char *address, unsigned *port, char *why,
		  size_t why_len);

/* "192.0.2.1:4711", also for an IPv4 peer of an IPv6 socket. */
void peer_name(const struct sockaddr_storage *peer, char name[PEER_NAME_MAX]);

#endif
