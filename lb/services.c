/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "clock.h"
#include "control/old_flows.h"
#include "core/sched.h"
#include "host/needs.h"
#include "log.h"
#include "services.h"
#include "steps.h"

static int start(struct app *app, struct err *err)
{
	struct needs needs;
	int ret;

	if (needs_read(&needs, app->state))
		return err_set(err, -ENOMEM, "out of memory");
	ret = plan_new(&app->plan, &app->config, app->netlink, err);
	if (!ret) {
		old_flows_add(app->plan, &app->config, &needs);
		overlay_leave_as_before(app);
	}
	free(needs.list);
	return ret;
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	plan_free(app->plan);
}

const struct step step_plan = {"plan", start, stop};

static bool is_captured(const struct config *c, const char *ifname)
{
	for (unsigned i = 0; i < c->n_interfaces; i++)
		if (strcmp(c->interfaces[i], ifname) == 0)
			return true;
	return c->n_interfaces == 0;
}

void services_tell_backend(struct app *app, const struct backend_spec *b)
{
	char text[ENDPOINT_TEXT_MAX], source[ADDR_TEXT_MAX];
	const struct link *link;
	struct hop hop;

	netlink_hop(app->netlink, &b->sources[0], &b->addr.addr, clock_now_ns(),
		    &hop);
	link = netlink_link(app->netlink, hop.ifindex);
	endpoint_format(&b->addr, text);
	log_info("backend %s weight=%u%s source=%s%s via=%s inject=%s", text,
		 b->params.weight,
		 b->gone	    ? " gone"
		 : b->params.backup ? " backup"
				    : "",
		 addr_format(&b->sources[0], source),
		 b->n_sources > 1 ? ",..." : "", link ? link->name : "route",
		 hop.link ? "link-layer"
		 : link && link->loopback
			 ? "raw IP (this host)"
			 : "raw IP until its neighbour is known");
	if (link && !is_captured(&app->config, link->name))
		log_warn("backend %s is reached via %s, which -i does not "
			 "name: its answers are not captured, add -i %s",
			 text, link->name, link->name);
}

static unsigned count_backends(const struct service_spec *s)
{
	unsigned n = 0;

	for (unsigned k = 0; k < s->n_backends; k++)
		n += !s->backends[k].unused;
	return n;
}

/* Logs one line per service and backend: its address and its settings. */
static void tell_services(struct app *app)
{
	const struct config *c = &app->config;

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_spec *s = &app->plan->services[i];
		char text[ENDPOINT_TEXT_MAX];

		if (s->unused)
			continue;
		log_info("service %s listen=%s scheduler=%s backends=%u "
			 "flows=%u",
			 c->services[i].name, endpoint_format(&s->listen, text),
			 sched_name(s->params.scheduler), count_backends(s),
			 c->flows);
		for (unsigned k = 0; k < s->n_backends; k++)
			if (!s->backends[k].unused && !s->backends[k].waits)
				services_tell_backend(app, &s->backends[k]);
	}
}

static int serve(struct app *app, struct err *err)
{
	(void)err;
	presence_refresh(app);
	reach_changed(app);
	tell_services(app);
	app->overlay.ours = true;
	return 0;
}

const struct step step_services = {"services", serve, NULL};
