/* SPDX-License-Identifier: MIT */
/*
 * cmdline.h - where the configuration touches the world
 *
 * config_read() itself is declared in config.h.
 */
#ifndef L4LB_CMDLINE_H
#define L4LB_CMDLINE_H

#include "control/config.h"

/*
 * A config_resolve_fn: asks getaddrinfo(), so it may wait for a name server.
 * -EINVAL if there is no such name, -EIO if it could not be asked.
 */
int cmdline_resolve(const char *host, struct ip_addr *out, struct err *err);

/*
 * Reads a configuration file whole; *@text is then the caller's to free().
 * Refuses what is no text (a NUL byte) or larger than any configuration.
 */
int cmdline_load(const char *path, char **text, struct err *err);

#endif
