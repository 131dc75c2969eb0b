/* SPDX-License-Identifier: MIT */
/* powerless.h - l4lb-api gives up whatever its start was allowed */
#ifndef L4LB_API_POWERLESS_H
#define L4LB_API_POWERLESS_H

#include "board/handover.h"
#include "core/err.h"

/*
 * Cannot be undone: becomes the user that l4lb names, without any capability
 * and without a way to gain one. What only a break-in would ask of the kernel
 * ends the process (host/syscall_filter.h), if there can be such a filter.
 */
int powerless_become(const struct handover *told, struct err *err);

#endif
