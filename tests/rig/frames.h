/* SPDX-License-Identifier: MIT */
/*
 * frames.h - TCP/IPv4 packets, built and read without the code under test
 *
 * A struct frame says what a packet means; frame_build() makes the bytes of
 * it, byte by byte as RFC 791 and RFC 9293 draw them, and frame_read() goes
 * back. For the unit tests, the simulator and the fuzzers.
 */
#ifndef L4LB_FRAMES_H
#define L4LB_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"

#define FRAME_MAX     65535 /* bytes of an IP packet */
#define FRAME_HEADERS 40    /* IP and TCP, no options */
#define FRAME_TTL     64

enum frame_flag {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
	URG = 0x20,
	ECE = 0x40,
	CWR = 0x80,
};

enum frame_csum {
	FRAME_FULL,    /* right */
	FRAME_PARTIAL, /* the pseudo-header's sum, as a sender leaves it */
	FRAME_WRONG,   /* neither */
};

struct frame {
	struct endpoint src, dst;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	uint8_t ttl; /* 0 builds FRAME_TTL */
	uint8_t tos;
	uint16_t id;
	const uint8_t *options;
	uint32_t options_len;	/* a multiple of 4, at most 40 */
	const uint8_t *payload; /* NULL: bytes that depend on their sequence */
	uint32_t payload_len;
	enum frame_csum csum;
};

/* 198.18.0.1, 20000 (host byte order) */
struct endpoint frame_endpoint(const char *addr, uint16_t port);
struct ip_addr frame_addr(const char *addr);

/* Bytes written to @out, which has room for FRAME_MAX. */
uint32_t frame_build(const struct frame *f, uint8_t *out);

/*
 * False unless @ip holds exactly one well-formed packet with a right IP
 * checksum. Options and payload point into @ip.
 */
bool frame_read(struct frame *f, const uint8_t *ip, uint32_t len);

/* Full and partial can be the same by chance, once in 65536. */
bool frame_csum_is(enum frame_csum kind, const uint8_t *ip, uint32_t len);

/* True if the payload is what frame_build() makes of a NULL payload. */
bool frame_payload_kept(const struct frame *f);

/* Sequence numbers it takes: payload, SYN and FIN. */
uint32_t frame_seq_len(const struct frame *f);

/* Makes both checksums of a possibly malformed packet right, if it has any. */
void frame_fix_csums(uint8_t *ip, uint32_t len);

/* The plainest one's complement sum: 16 bits, not complemented. */
uint16_t frame_sum(const void *data, size_t len);

uint16_t frame_get16(const uint8_t *at);
uint32_t frame_get32(const uint8_t *at);
void frame_put16(uint8_t *at, uint32_t value);
void frame_put32(uint8_t *at, uint32_t value);

#endif
