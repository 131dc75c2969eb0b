/* SPDX-License-Identifier: MIT */
#include "app.h"
#include "log.h"
#include "network.h"
#include "packets.h"
#include "steps.h"

static void log_network(const struct netlink_event *event)
{
	static const char *const what[] = {
		[NETLINK_LINK_UP] = "is up",
		[NETLINK_LINK_DOWN] = "is down",
		[NETLINK_LINK_CHANGED] = "has another name, MAC, MTU or master",
		[NETLINK_ADDR_NEW] = "has a new address",
		[NETLINK_ADDR_GONE] = "has lost an address",
	};
	char text[ADDR_TEXT_MAX] = "";

	if (event->kind == NETLINK_ROUTE_CHANGED) {
		log_debug("network: routes changed");
		return;
	}
	if (event->kind == NETLINK_ADDR_NEW || event->kind == NETLINK_ADDR_GONE)
		addr_format(&event->addr, text);
	log_debug("network: %s %s%s%s", event->link ? event->link->name : "?",
		  what[event->kind], text[0] ? ": " : "", text);
}

struct reading {
	struct app *app;
	bool changed;
};

static void on_event(void *arg, const struct netlink_event *event)
{
	struct reading *r = arg;

	r->changed = true;
	log_network(event);
	switch (event->kind) {
	case NETLINK_LINK_UP:
	case NETLINK_LINK_DOWN:
		taps_link_changed(&r->app->taps, event->link,
				  event->kind == NETLINK_LINK_UP);
		break;
	case NETLINK_ADDR_NEW:
	case NETLINK_ADDR_GONE:
	case NETLINK_LINK_CHANGED:
	case NETLINK_ROUTE_CHANGED: break;
	}
}

void network_read(struct app *app)
{
	struct reading r = {app, false};

	netlink_read(app->netlink, on_event, &r);
	if (!r.changed)
		return;
	presence_changed(app);
	reach_changed(app);
	packets_links_changed(app);
}

static int start(struct app *app, struct err *err)
{
	return netlink_open(&app->netlink, err);
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	netlink_close(app->netlink);
}

const struct step step_network = {"network", start, stop};
