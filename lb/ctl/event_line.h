/* SPDX-License-Identifier: MIT */
#ifndef L4LBCTL_EVENT_LINE_H
#define L4LBCTL_EVENT_LINE_H

#include <jansson.h>

#include "ctl/ctl.h"

/* Prints an event of the API as one line: when, which, what, why, by whom. */
void event_line(const struct ctl *c, const json_t *event);
/* The same of a backend that is known: when, what, why. */
void event_line_of_one(const struct ctl *c, const json_t *event);

#endif
