/* SPDX-License-Identifier: MIT */
/*
 * Accepts connections for the hub. One thread accepts for all workers, because
 * only it can share connections out evenly: with a listener in every worker's
 * epoll, an idle server gives nearly all of them to one worker.
 */
#ifndef CHAT_ACCEPT_H
#define CHAT_ACCEPT_H

struct hub;
struct report;

/* Serves until the descriptor stop_fd is readable. Borrows everything. */
void accept_until(int stop_fd, int listener, struct hub *hub,
		  struct report *report);

#endif
