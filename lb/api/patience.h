/* SPDX-License-Identifier: MIT */
/*
 * patience.h - who takes too long to say what he wants
 *
 * libmicrohttpd closes a connection on which nothing happens; one that brings a
 * byte now and then it would keep for ever, and there are few. So each
 * descriptor that has not said all of its request is noted with the time.
 */
#ifndef L4LB_API_PATIENCE_H
#define L4LB_API_PATIENCE_H

#include <stdint.h>
#include <threads.h>

#define PATIENCE_MAX 256 /* connections at a time: more than there can be */

struct patience {
	mtx_t lock;
	struct {
		int fd;		   /* 0: free */
		uint64_t since_ns; /* the request began */
	} waits[PATIENCE_MAX];
};

void patience_init(struct patience *p);
void patience_free(struct patience *p);

/* A request begins, or goes on to begin, on that connection. */
void patience_begin(struct patience *p, int fd, uint64_t now_ns);
/* It is there, or the connection ends. */
void patience_end(struct patience *p, int fd);
/* Shuts those down that have not come to an end within @limit_s. */
void patience_tick(struct patience *p, unsigned limit_s, uint64_t now_ns);

#endif
