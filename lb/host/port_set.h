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
#include <stdint.h>
#include <stdio.h>

#include "core/addr.h"

#define PORT_MAX       65535u
#define PORT_SET_WORDS ((PORT_MAX + 1) / 64)

struct port_set {
	uint64_t words[PORT_SET_WORDS];
};

static inline bool port_set_has(const struct port_set *s, unsigned port)
{
	return s->words[port / 64] >> (port % 64) & 1;
}

static inline void port_set_add(struct port_set *s, unsigned port)
{
	s->words[port / 64] |= UINT64_C(1) << (port % 64);
}

void port_set_add_range(struct port_set *s, unsigned lo, unsigned hi);
void port_set_add_all(struct port_set *s, const struct port_set *other);
void port_set_remove_all(struct port_set *s, const struct port_set *other);
bool port_set_equal(const struct port_set *a, const struct port_set *b);
/* The number of ports from @lo to @hi that are in the set. */
unsigned port_set_count(const struct port_set *s, unsigned lo, unsigned hi);

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
 * net.ipv4.ip_local_reserved_ports. Both return 0 or -errno.
 */
#define RESERVED_PORTS "net.ipv4.ip_local_reserved_ports"
int reserved_ports_read(struct port_set *out);
int reserved_ports_write(const struct port_set *ports);

/* Where the host takes the ports of its own connections from. */
void host_ports_range(unsigned *lo, unsigned *hi);

/*
 * Adds the local port of every TCP socket of this host. If @ep is not NULL,
 * *closing is true if it holds closing connections at most (TIME_WAIT or a
 * state before it), of a server that is gone. 0 or -errno.
 */
int used_ports_read(struct port_set *used, const struct endpoint *ep,
		    bool *closing);

#endif
