/* SPDX-License-Identifier: MIT */
/*
 * The server behind all others (chat_serv --sorry): it tells everybody that the
 * chat is down and will be back. A load balancer sends clients here when no
 * other server is left. It has no room, no log and one thread, so it needs
 * nothing that may be broken.
 *
 * A browser gets a page that reloads itself, any other HTTP client JSON, both
 * with 503 and Retry-After; a line client a sentence, and a close two seconds
 * later, so that its user reads it before the program ends. Health checks are
 * answered well, by line and as GET /health, else a balancer would not send
 * anybody here.
 */
#ifndef CHAT_SORRY_H
#define CHAT_SORRY_H

struct listener;
struct report;
struct signals;

/* Descriptors that it may use at the same time. */
unsigned sorry_descriptors(unsigned clients);

/*
 * Serves at most so many clients at a time, further ones are closed, until a
 * signal ends the server. Borrows everything. Returns 0 or -errno: it could not
 * begin.
 */
int sorry_until(struct signals *signals, const struct listener *listeners,
		unsigned count, unsigned clients, struct report *report);

#endif
