/* SPDX-License-Identifier: MIT */
/*
 * host_name.h - host names of the configuration
 *
 * What was found is remembered, in memory that is shared with children: a
 * reload, which happens in a child, knows what an earlier one has found.
 */
#ifndef L4LB_HOST_NAME_H
#define L4LB_HOST_NAME_H

#include "core/addr.h"
#include "core/err.h"

/*
 * A config_resolve_fn. Calls getaddrinfo(), so it may wait for a name server.
 * -EINVAL: nobody will ever know the name; -ENODATA: nobody knows it now, or
 * only without an IPv4 address; -EAGAIN: no name server could be asked.
 */
int host_name_lookup(const char *host, struct ip_addr *out, struct err *err);

/* The same, and nothing is remembered: any thread may call it. */
int host_name_ask(const char *host, struct ip_addr *out, struct err *err);

/* Before fork(): the child's memory is ours, also if it is empty so far. */
void host_name_share(void);

/*
 * host_name_lookup() for a reload: a process asks for each name once. If the
 * name cannot be found, or asking has taken HOST_NAME_WAIT_S in all, it keeps
 * the address that was found last, and host_name_warnings() has a line more.
 */
#define HOST_NAME_WAIT_S 30
int host_name_lookup_again(const char *host, struct ip_addr *out,
			   struct err *err);
const char *host_name_warnings(void);

#endif
