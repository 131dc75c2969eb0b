/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>

#include "core/addr.h"

static_assert(ADDR_TEXT_MAX == INET6_ADDRSTRLEN, "room for any address");

const char *addr_format(const struct ip_addr *a, char text[ADDR_TEXT_MAX])
{
	if (addr_is_v4(a))
		inet_ntop(AF_INET, a->b + 12, text, ADDR_TEXT_MAX);
	else
		inet_ntop(AF_INET6, a->b, text, ADDR_TEXT_MAX);
	return text;
}

const char *endpoint_format(const struct endpoint *e,
			    char text[ENDPOINT_TEXT_MAX])
{
	bool v4 = addr_is_v4(&e->addr);
	char addr[ADDR_TEXT_MAX];

	snprintf(text, ENDPOINT_TEXT_MAX, "%s%s%s:%u", v4 ? "" : "[",
		 addr_format(&e->addr, addr), v4 ? "" : "]", ntohs(e->port));
	return text;
}
