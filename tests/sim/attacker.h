/* SPDX-License-Identifier: MIT */
/*
 * attacker.h - somebody who sees no packet and can send any
 *
 * Knows who talks to whom, guesses sequence numbers, and always guesses wrong:
 * a right guess is no defect of anybody's.
 */
#ifndef L4LB_SIM_ATTACKER_H
#define L4LB_SIM_ATTACKER_H

#include "world.h"

void attacker_step(struct world *w);

#endif
