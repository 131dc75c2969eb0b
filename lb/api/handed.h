/* SPDX-License-Identifier: MIT */
/* handed.h - takes over what l4lb gives (board/handover.h) */
#ifndef L4LB_API_HANDED_H
#define L4LB_API_HANDED_H

#include "api/api_run.h"
#include "core/err.h"

/*
 * Reads what l4lb says, maps the memory and closes its descriptors: only
 * channels and listeners stay. *@told is filled in, and @setup refers to it.
 * -ENOTCONN: nothing was handed over, somebody else has started us. -EPROTO:
 * that l4lb is of another version.
 */
int handed_take(struct handover *told, struct api_setup *setup,
		struct err *err);

#endif
