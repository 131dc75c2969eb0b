/* SPDX-License-Identifier: MIT */
/* config_ini.h - a configuration as a file of l4lb.conf(5) */
#ifndef L4LB_API_CONFIG_INI_H
#define L4LB_API_CONFIG_INI_H

#include "control/config.h"
#include "control/text.h"

/* Adds what differs from @initial, a configuration in which nothing is set. */
void config_print_ini(const struct config *c, const struct config *initial,
		      struct text *out);

#endif
