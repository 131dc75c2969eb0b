/* SPDX-License-Identifier: MIT */
/* config_backend.h - what stands behind the address of a backend */
#ifndef L4LB_CONFIG_BACKEND_H
#define L4LB_CONFIG_BACKEND_H

#include "control/config.h"

/*
 * One of weight=N, backup and id=NAME. @given: those that were given before, 0
 * at first. @file: what the file has said so far; NULL: it is a command, which
 * may name ids that l4lb has assigned.
 */
int backend_option(const struct config *file, struct backend_config *b,
		   unsigned *given, const char *option, struct err *err);

int backend_set_weight(struct backend_config *b, const char *weight,
		       struct err *err);

#endif
