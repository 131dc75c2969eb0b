/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one connection as both its ends know it, and the bytes it carries
 *
 * The balancer does not touch sequence numbers. So an end that has seen the
 * other's SYN names its partner by the initial sequence number, whatever the
 * addresses have become; all of them are different. The stream an end sends
 * is a function of it, too: one wrong byte shows.
 */
#ifndef L4LB_SIM_CONN_H
#define L4LB_SIM_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

enum result {
	RES_NONE, /* not yet a connection */
	RES_OPEN,
	RES_DONE, /* both streams complete */
	RES_RESET,
	RES_TIMEOUT, /* gave up repeating */
	RES_GONE,    /* its application or host gave it up */
};

/* Why a connection may end otherwise than by two FINs. */
enum excuse {
	EXC_APP = 1,	   /* an end gave it up */
	EXC_TIMEOUT = 2,   /* an end repeated something too often */
	EXC_FAULT = 4,	   /* its backend broke, or its host */
	EXC_SWEPT = 8,	   /* its backend was found down, or drained */
	EXC_EXPIRED = 16,  /* idle for too long */
	EXC_PRESSURE = 32, /* not established, and its place was wanted */
	EXC_JUMP = 64,	   /* the balancer's clock jumped */
	EXC_EXIT = 256,	   /* the balancer was told to go */
	EXC_REUSE = 128,   /* its client's ports are in use again */
};

struct conn {
	struct endpoint client, vip;
	uint32_t client_iss;
	uint32_t client_uid;
	uint16_t mss;		     /* as its SYN says */
	uint64_t opened;	     /* time */
	uint64_t established;	     /* client's; 0: not yet */
	struct endpoint server, nat; /* once the client saw a SYN-ACK */
	uint32_t server_uid, server_iss;
	unsigned service;
	bool fair; /* must be answered: see judge.c */
	uint32_t excuse;
	enum result result[2]; /* of the client, of the server */
	uint32_t sent[2];      /* length of each stream, once it is known */
	uint32_t got[2];       /* bytes each side received, in order */
	bool got_fin[2], closed[2];
	uint32_t refused_uid; /* a server reset before it was connected */
};

struct world;
struct tcp_end;

/* A client opens one. False: no room in this world. */
bool conn_open(struct world *w);

/* By the client's initial sequence number; -1: none of ours. */
int conn_by_iss(const struct world *w, uint32_t iss);

/* Its client has ended it, and knows nothing of it any more. */
bool conn_is_forgotten(const struct world *w, const struct conn *c);

uint8_t stream_byte(uint32_t iss, uint32_t offset);

/* Of everybody so far. */
void conn_excuse_all(struct world *w, uint32_t why);

/* What becomes of an end. */
struct origin;
struct frame;
void conn_accepted(struct world *w, struct tcp_end *e, const struct frame *syn);
void conn_client_synced(struct world *w, struct tcp_end *e,
			const struct origin *by);
void conn_received(struct world *w, struct tcp_end *e, uint32_t offset,
		   const uint8_t *bytes, uint32_t len);
void conn_received_fin(struct world *w, struct tcp_end *e);
void conn_over(struct world *w, struct tcp_end *e, enum result how);

/* The application of an end: writes, reads, pauses, closes. */
void app_start(struct world *w, struct tcp_end *e);
void app_step(struct world *w, struct tcp_end *e);

#endif
