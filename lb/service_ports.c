/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "app.h"
#include "log.h"
#include "service_ports.h"

/* Another slot of the plan at the address; -1: there is none. */
static int find_other(const struct app *app, unsigned service, bool with_port)
{
	const struct reserved_service *r = app->reservation->services;
	const struct plan *p = app->plan;
	const struct endpoint *listen = &p->services[service].listen;

	for (unsigned i = 0; i < p->n_services; i++)
		if (i != service && !p->services[i].unused &&
		    endpoint_equal(&p->services[i].listen, listen) &&
		    (!with_port || r[i].fd != -1))
			return (int)i;
	return -1;
}

static void spare_strays(struct app *app, unsigned service, bool told)
{
	const char *why = app->reservation->services[service].shared.text;

	if (!*why)
		return;
	if (!told)
		log_warn("%s", why);
	plan_spare_strays(app->plan, service);
}

int service_port_take(struct app *app, unsigned service, struct err *err)
{
	const int holder = find_other(app, service, true);
	int ret = 0;

	if (holder >= 0)
		reserve_move_service(app->reservation, (unsigned)holder,
				     service);
	else
		ret = reserve_add_service(app->reservation, service,
					  &app->plan->services[service].listen,
					  err);
	if (!ret)
		spare_strays(app, service, holder >= 0);
	return ret;
}

int service_port_give_back(struct app *app, unsigned service)
{
	const int heir = find_other(app, service, false);
	struct err err;
	int ret;

	if (app->reservation->services[service].fd == -1)
		return 0;
	if (heir >= 0) {
		reserve_move_service(app->reservation, service, (unsigned)heir);
		return 0;
	}
	ret = reserve_del_service(app->reservation, service, &err);
	if (ret && ret != -EAGAIN)
		log_warn("%s", err.text);
	return ret == -EAGAIN ? ret : 0;
}
