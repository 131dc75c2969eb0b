/* SPDX-License-Identifier: MIT */
/*
 * The signals of the server, readable from a descriptor by its main thread.
 * SIGTERM and SIGINT end it, and so does SIGHUP, unless the server has
 * something to begin anew.
 */
#ifndef CHAT_SIGNALS_H
#define CHAT_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct signals {
	int fd;
	sigset_t set;
	void (*renew)(void *arg); /* at SIGHUP; NULL: it ends the server */
	void *arg;
};

/*
 * For the whole process, before its first thread. Returns 0 or -errno. renew
 * may be NULL.
 */
int signals_open(struct signals *s, void (*renew)(void *arg), void *arg);

/*
 * .fd is readable. Returns true if the server shall end. What was to be begun
 * anew has been then.
 */
bool signals_take(struct signals *s);

/* Of a server that ends: the next signal ends the process at once. */
void signals_unblock(struct signals *s);
void signals_close(struct signals *s);

#endif
