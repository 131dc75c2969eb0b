/* SPDX-License-Identifier: MIT */
/*
 * traffic_conn.h - the life of one connection of traffic.c
 */
#ifndef L4LB_LAB_TRAFFIC_CONN_H
#define L4LB_LAB_TRAFFIC_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traffic.h"

#define NS	 1000000000ull
#define HELD_MAX 4096
#define SERVERS	 32

enum kind { NEW, HELD, BURST };
enum stage { CONNECTING, WAITING /* for an answer */, RESTING, CLOSING };

struct conn {
	struct conn *before, *after;
	enum kind kind;
	enum stage stage;
	int fd, server;	   /* -1: not known yet */
	unsigned number;   /* its place in held[], or in a sweep */
	bool fresh;	   /* has answered since the `check` */
	uint64_t since_ns; /* of its stage */
	size_t got;
	char message[MESSAGE], answer[ANSWER];
};

/* All of them, and what has become of those that are no more. */
struct traffic {
	int epoll;
	struct sockaddr_in to;
	struct conn all; /* the head of a ring */
	struct conn *held[HELD_MAX];
	unsigned n_held, n_burst; /* open now */
	char servers[SERVERS][NAME];
	unsigned n_servers;
	unsigned since[SERVERS], burst_by[SERVERS]; /* answered by whom */
	unsigned burst_lost;
	int *swept; /* the server of each of a sweep, -1: none */
	uint64_t opened, answered, failed, broken, wrong, exchanges, lost;
	uint64_t slowest_ns;
};

extern struct traffic t;

uint64_t now_ns(void);

/* Opens one, from that address if there is one. */
void conn_open(enum kind kind, const struct in_addr *from, unsigned number);

/* What epoll said of it. Any of these may end it. */
void conn_event(struct conn *c);
void conn_ask(struct conn *c);
void conn_close(
	struct conn *c); /* in order: our end first, then the server's */
void conn_mishap(struct conn *c, const char *what, int error);

#endif
