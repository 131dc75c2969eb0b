/* SPDX-License-Identifier: MIT */
/*
 * Accepts connections for the hub. One thread accepts for all workers, because
 * only it can share connections out evenly: with a listener in every worker's
 * epoll, an idle server gives nearly all of them to one worker.
 */
#ifndef CHAT_ACCEPT_H
#define CHAT_ACCEPT_H

#include "core/sniff.h"

struct hub;
struct report;
struct signals;

#define LISTENERS_MAX 16

struct listener {
	int fd;
	enum sniff_port port; /* what may be spoken there */
};

/* Serves until a signal ends the server. Borrows everything. */
void accept_until(struct signals *signals, const struct listener *listeners,
		  unsigned count, struct hub *hub, struct report *report);

#endif
