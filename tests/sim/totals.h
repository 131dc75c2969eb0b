/* SPDX-License-Identifier: MIT */
/* totals.h - what happened in many histories, added up */
#ifndef L4LB_SIM_TOTALS_H
#define L4LB_SIM_TOTALS_H

#include "world.h"

void totals_add(struct stats *sum, const struct stats *one);
void totals_print(const struct stats *s);

#endif
