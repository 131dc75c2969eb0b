/* SPDX-License-Identifier: MIT */
/*
 * port_set.h - sets of TCP ports, and those that the kernel keeps
 *
 * Ports are in host byte order. The kernel's lists are those of this network
 * namespace.
 */
#ifndef L4LB_PORT_SET_H
#define L4LB_PORT_SET_H

#include <stdbool.h>
#include <stdio.h>

#include "core/addr.h"

#define PORT_MAX 65535u

/* Inclusive; none if lo > hi. */
struct port_range {
	unsigned lo, hi;
};

struct port_set {
	bool has[PORT_MAX + 1];
};

void port_set_add(struct port_set *s, struct port_range range);
void port_set_remove(struct port_set *s, const struct port_set *others);
/* The number of ports of the range that are in the set. */
unsigned port_set_count(const struct port_set *s, struct port_range range);

/*
 * The kernel's notation, "10240-32767,40000", up to the end of the line.
 * Parsing adds to the set; -EINVAL on an error.
 */
int port_set_parse(struct port_set *s, const char *text);
void port_set_print(const struct port_set *s, FILE *file);

/* Reads the whole file into a string, to be freed; NULL with errno. */
char *port_set_text(int fd);

/*
 * The ports that the kernel gives to nobody who does not name them,
 * net.ipv4.ip_local_reserved_ports. 0 or -errno; after an error of reading,
 * *out is empty. They are written only if @after is not @now.
 */
#define RESERVED_PORTS "net.ipv4.ip_local_reserved_ports"
int reserved_ports_read(struct port_set *out);
int reserved_ports_change(const struct port_set *now,
			  const struct port_set *after);

/* Where the host takes the ports of its own connections from. */
struct port_range host_ports(void);

/*
 * Adds the local port of every TCP socket of this host. With @at, an IPv4
 * address, only of those that have it, or any, and are not closing (TIME_WAIT
 * or a state before it). 0 or -errno.
 */
int used_ports_read(struct port_set *used, const struct ip_addr *at);

#endif
