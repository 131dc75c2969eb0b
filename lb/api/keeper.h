/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the first process of l4lb-api: it has a worker, and another one
 * when that dies
 *
 * l4lb itself cannot start one again: it is not allowed to by then. The keeper
 * is called l4lb-keep, so that `pkill l4lb-api` means the worker.
 */
#ifndef L4LB_API_KEEPER_H
#define L4LB_API_KEEPER_H

#include "api/api_run.h"

/*
 * Returns once l4lb is gone and the worker has ended. @arg0: of main(), to
 * write the worker's name to. In the worker it does not return.
 */
void keeper_run(const struct api_setup *setup, char *arg0);

#endif
