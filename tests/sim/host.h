/* SPDX-License-Identifier: MIT */
/* host.h - hosts of clients and backends: who gets a packet, what breaks */
#ifndef L4LB_SIM_HOST_H
#define L4LB_SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "frames.h"

#define HOSTS_MAX 16

enum health_of_host {
	HOST_UP,
	HOST_REFUSING, /* the process is away: RST */
	HOST_SILENT,   /* the host is away */
	HOST_HUNG,     /* the backlog is full: SYNs vanish, the rest works */
	HOST_FROZEN,   /* the kernel answers, nobody reads or writes */
};

struct host {
	struct ip_addr addr;
	bool client;
	enum health_of_host health;
	uint64_t well_from; /* UP since then */
	uint32_t secret;    /* of its initial sequence numbers */
	unsigned next_port;
};

struct world;
struct pkt;
struct origin;
struct tcp_end;

/* A new end on that host; NULL: no room in this world. */
struct tcp_end *host_end(struct world *w, unsigned host,
			 const struct endpoint *local,
			 const struct endpoint *remote);
void host_forget(struct world *w, struct tcp_end *e);

struct tcp_end *host_find(struct world *w, const struct endpoint *local,
			  const struct endpoint *remote);

/* A packet arrives at the host that has its destination address. */
void host_receive(struct world *w, struct pkt *p);

/* An initial sequence number that no connection of this world has. */
uint32_t host_iss(struct world *w, unsigned host, const struct endpoint *local,
		  const struct endpoint *remote);

/* @e NULL: sent by the host's stack in nobody's name. */
void host_send(struct world *w, unsigned host, const struct tcp_end *e,
	       struct frame *f);

/* Something breaks, or comes back. */
void host_fault(struct world *w);
void host_break(struct world *w, unsigned host);
void host_restore(struct world *w, unsigned host);

#endif
