/* SPDX-License-Identifier: MIT */
/*
 * host.h - a host with a neighbour, for tests that need real packets
 *
 *   namespace of the test             namespace "peer"
 *     lo 127.0.0.1                      198.18.0.11/24
 *     198.18.0.1/24 --- veth --------- 198.18.0.12/24
 *
 * Run by in_namespace.sh: nothing of the machine's own network is seen.
 */
#ifndef L4LB_TEST_HOST_H
#define L4LB_TEST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

#define VIP   "198.18.0.1"
#define PEER  "198.18.0.11"
#define PEER2 "198.18.0.12"

enum where { HERE, PEER_HOST };

/*
 * Once per process. Exits with 77 and a reason where it cannot be built; and
 * unless in_namespace.sh started us: it would be the machine's own network.
 */
void host_build(void);

/* printf()-like. The exit status of the shell command, output and all. */
__attribute__((format(printf, 1, 2))) int run(const char *fmt, ...);
/* What it prints, to be freed. */
__attribute__((format(printf, 1, 2))) char *output_of(const char *fmt, ...);
char *contents_of(const char *path);

/* What is left after the start of l4lb (design rule 14). */
void keep_net_capabilities(void);
void drop_capabilities(void);

struct ip_addr ip(const char *text);
struct endpoint at(const char *addr, unsigned port);

/* A stream socket, bound to @local if that is not NULL, with SO_REUSEADDR. */
int tcp_socket(enum where where, const struct endpoint *local);
int tcp_listen(enum where where, struct endpoint local);
/* Starts to connect, does not wait. */
int tcp_connect(enum where where, const struct endpoint *local,
		struct endpoint to);
/* Waits until connected, refused (both end the wait) or @wait_ms are over:
 * 0, -errno, or -EINPROGRESS.
 */
int tcp_outcome(int fd, int wait_ms);
/* True when something to read has come. */
bool tcp_readable(int fd, int wait_ms);
/* Closes by RST: nothing of it is left, and its address free at once. */
void tcp_abort(int fd);
/* All of a connection: outcome with long patience. */
int tcp_try(enum where where, const struct endpoint *local, struct endpoint to);

/* Segments by raw IP, as l4lb injects them */
enum { FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };
struct segment {
	struct endpoint from, to;
	uint32_t seq, ack; /* host byte order */
	uint8_t flags;
};
int raw_socket(enum where where);
void raw_send(int fd, const struct segment *s);
void raw_send_in_fragments(int fd, const struct segment *s);

/* Sees every frame of an interface here. */
int sniffer_open(const char *interface);
/* Waits for a segment to @to with all of @flags. */
bool sniffer_wait(int fd, const struct endpoint *to, uint8_t flags,
		  struct segment *out);

/* The kernel's count of RSTs sent by this host. */
unsigned long out_rsts(void);

#endif
