/* SPDX-License-Identifier: MIT */
/*
 * rules.h - what holds for an engine after every step, whatever happened
 *
 * Found out by walking all flows, so only for small tables. For the soak
 * test, the simulator and the fuzzer.
 */
#ifndef L4LB_RULES_H
#define L4LB_RULES_H

#include "core/engine.h"

/* The rule that is broken, or NULL. */
const char *rules_broken(const struct engine *e);

/* What is left although no flow should be, or NULL. */
const char *rules_left(const struct engine *e);

#endif
