/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "control/config_value.h"
#include "control/host_name.h"

/* RFC 6761 section 6.4: no name server will ever know the name. */
static bool is_never(const char *host)
{
	const char *dot = strrchr(host, '.');

	return strcasecmp(dot ? dot + 1 : host, "invalid") == 0;
}

int host_name_lookup(const char *host, struct ip_addr *out, struct err *err)
{
	const struct addrinfo hints = {.ai_family = AF_INET,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct sockaddr_in sin;
	char quoted[QUOTED_MAX];
	int status = getaddrinfo(host, NULL, &hints, &found);

	if (status == EAI_NONAME || status == EAI_NODATA ||
	    status == EAI_ADDRFAMILY)
		return err_set(err, is_never(host) ? -EINVAL : -ENODATA,
			       "host \"%s\" is not known, or has no IPv4 "
			       "address; expected for example 192.168.0.11",
			       value_quote(host, quoted));
	if (status)
		return err_set(err, -EAGAIN,
			       "host \"%s\" could not be looked up (%s); write "
			       "its IPv4 address instead",
			       value_quote(host, quoted),
			       status == EAI_SYSTEM ? strerror(errno)
						    : gai_strerror(status));
	memcpy(&sin, found->ai_addr, sizeof(sin));
	freeaddrinfo(found);
	*out = addr_from_v4(sin.sin_addr.s_addr);
	return 0;
}
