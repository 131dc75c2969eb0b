/* SPDX-License-Identifier: MIT */
/*
 * cmdline.h - the part of the configuration that makes system calls
 *
 * config.h declares config_read().
 */
#ifndef L4LB_CMDLINE_H
#define L4LB_CMDLINE_H

#include "control/config.h"

/*
 * A config_resolve_fn. Calls getaddrinfo(), so it may wait for a name server.
 * -EINVAL: there is no such name; -EIO: no name server could be asked.
 */
int cmdline_resolve(const char *host, struct ip_addr *out, struct err *err);

/*
 * Reads a whole configuration file; the caller frees *@text. Refuses a file
 * with a NUL byte, and one that is larger than any configuration.
 */
int cmdline_load(const char *path, char **text, struct err *err);

#endif
