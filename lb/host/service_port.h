/* SPDX-License-Identifier: MIT */
/*
 * service_port.h - VIP:port, bound so that nobody else takes it; for reserve.c
 */
#ifndef L4LB_SERVICE_PORT_H
#define L4LB_SERVICE_PORT_H

#include "host/instance.h"

/*
 * Returns a socket that is bound there, and does not listen; or -errno. An
 * address that this host does not have is no error: it may come.
 */
int service_port_bind(const struct endpoint *ep);

/* Says why not, for its @ret; names the one of @others that has it. */
int service_port_explain(struct err *err, int ret, const struct endpoint *ep,
			 const struct instance *others);

/* Sets @warning if the port is among the NAT ports of one of @others. */
void service_port_shared(struct err *warning, const struct endpoint *ep,
			 const struct instance *others);

#endif
