/* SPDX-License-Identifier: MIT */
/* The listening socket, and addresses as text. */
#ifndef CHAT_LISTENER_H
#define CHAT_LISTENER_H

#include <stddef.h>
#include <sys/socket.h>

/* "[" IPv6 "]:" port */
#define PEER_NAME_MAX 64

/*
 * Listens on address (a name or a number; NULL: every address, IPv4 and IPv6)
 * and *port. If the port is 0, the kernel chooses one, and *port is set to it.
 * Returns the non-blocking socket, or -1 with one sentence in why.
 */
int listener_open(const char *address, unsigned *port, char *why,
		  size_t why_len);

/* Writes "192.0.2.1:4711", also for an IPv4 peer of an IPv6 socket. */
void peer_name(const struct sockaddr_storage *peer, char name[PEER_NAME_MAX]);

#endif
