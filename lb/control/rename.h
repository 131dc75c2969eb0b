/* SPDX-License-Identifier: MIT */
/* rename.h - the commands that give services and backends their new names */
#ifndef L4LB_RENAME_H
#define L4LB_RENAME_H

#include "control/config.h"
#include "control/text.h"

/*
 * Adds them in an order in which each name is free when it is given. What goes
 * and is in the way is gone already. -ENOMEM.
 */
int rename_print(const struct config *from, const struct config *to,
		 struct text *out);

#endif
