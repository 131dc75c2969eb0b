/* SPDX-License-Identifier: MIT */
/*
 * service_ports.h - the ports of services that come and go while l4lb runs
 *
 * A service that was removed and is added again has a new slot while the old
 * one keeps its last flows. The port belongs to both, and is held by one.
 */
#ifndef L4LB_SERVICE_PORTS_H
#define L4LB_SERVICE_PORTS_H

#include "core/err.h"

struct app;

/* -EAGAIN: not now; others as of reserve_add_service(). */
int service_port_take(struct app *app, unsigned service, struct err *err);

/*
 * Gives it back, or to another slot of the plan at this address. 0 or -EAGAIN:
 * not yet.
 */
int service_port_give_back(struct app *app, unsigned service);

#endif
