/* SPDX-License-Identifier: MIT */
/*
 * reserve_ports.h - sets of TCP ports, and two such sets of the kernel
 *
 * The ports that the kernel does not give to outgoing connections
 * (net.ipv4.ip_local_reserved_ports, one list per network namespace), and the
 * ports in use (/proc/net/tcp). Private to lb/host/reserve*.c. Ports are in
 * host byte order.
 */
#ifndef L4LB_RESERVE_PORTS_H
#define L4LB_RESERVE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/addr.h"

#define PORT_MAX       65535u
#define PORT_SET_WORDS ((PORT_MAX + 1) / 64)

#define RESERVED_PORTS_PATH "/proc/sys/net/ipv4/ip_local_reserved_ports"

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

/* True for 0.0.0.0 and ::, which by default takes IPv4 connections too. */
bool port_addr_is_any(const struct ip_addr *a);

/* Reads one number at @text and sets *end behind it; false if it is no port. */
bool port_parse(const char *text, char **end, unsigned *port);
/*
 * The kernel's notation: "10240-32767,40000". Parsing adds to the set; returns
 * -EINVAL on an error.
 */
int port_set_parse(struct port_set *s, const char *text);
void port_set_print(const struct port_set *s, FILE *file);

/* @fd: RESERVED_PORTS_PATH. Both return 0 or -errno. */
int reserved_ports_read(int fd, struct port_set *out);
int reserved_ports_write(int fd, const struct port_set *ports);

/* Adds the ports of TCP sockets bound to one of @addrs or to any address. */
int bound_ports_read(struct port_set *out, const struct ip_addr *addrs,
		     size_t n_addrs);

/*
 * True if @ep holds at least one socket, and only closing connections
 * (TIME_WAIT or a state before it) of a server that is gone.
 */
bool bound_only_closing(const struct endpoint *ep);

/* Reads the whole file into a string, to be freed; NULL with errno. */
char *read_whole(int fd);

#endif
