/* SPDX-License-Identifier: MIT */
/*
 * host_name.h - host names of the configuration
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

#endif
