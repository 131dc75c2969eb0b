/* SPDX-License-Identifier: MIT */
/*
 * addr.h - addresses and endpoints as the whole program holds them
 *
 * Always 128 bits in network byte order; IPv4 is mapped (::ffff:a.b.c.d, RFC
 * 4291 section 2.5.5.2), so that IPv6 needs no second set of tables. Values
 * are compared and hashed as bytes, never computed with.
 */
#ifndef L4LB_ADDR_H
#define L4LB_ADDR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
	uint8_t b[16];
};

struct endpoint {
	struct ip_addr addr;
	uint16_t port; /* network byte order */
};
static_assert(sizeof(struct endpoint) == 18, "compared as bytes: no padding");

#define ADDR_TEXT_MAX	  46			  /* INET6_ADDRSTRLEN */
#define ENDPOINT_TEXT_MAX (ADDR_TEXT_MAX + 2 + 6) /* [addr]:65535 */

/* @v4: IPv4 address in network byte order, as in struct in_addr */
static inline struct ip_addr addr_from_v4(uint32_t v4)
{
	struct ip_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	memcpy(a.b + 12, &v4, sizeof(v4));
	return a;
}

static inline bool addr_is_v4(const struct ip_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

/* The IPv4 address in network byte order; only where addr_is_v4(). */
static inline uint32_t addr_to_v4(const struct ip_addr *a)
{
	uint32_t v4;

	memcpy(&v4, a->b + 12, sizeof(v4));
	return v4;
}

/* An address that is not known yet is all zero. */
static inline bool addr_is_set(const struct ip_addr *a)
{
	static const struct ip_addr unset;

	return memcmp(a, &unset, sizeof(*a)) != 0;
}

static inline bool addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool endpoint_equal(const struct endpoint *a,
				  const struct endpoint *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* 127.0.0.0/8 (RFC 1122 section 3.2.1.3) */
static inline bool addr_is_loopback(const struct ip_addr *a)
{
	return addr_is_v4(a) && a->b[12] == 127;
}

/* A unicast IPv4 address (RFC 1122 section 3.2.1.3) and a nonzero port. */
static inline bool endpoint_is_host(const struct endpoint *e)
{
	return addr_is_v4(&e->addr) && e->port && e->addr.b[12] > 0 &&
	       e->addr.b[12] < 224;
}

/* Both write a terminated string into @text and return it. */
const char *addr_format(const struct ip_addr *a, char text[ADDR_TEXT_MAX]);
const char *endpoint_format(const struct endpoint *e,
			    char text[ENDPOINT_TEXT_MAX]);

#endif
