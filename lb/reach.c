/* SPDX-License-Identifier: MIT */
#include "app.h"
#include "clock.h"
#include "reach.h"

#define LOOKS_A_TURN 64
#define RETRY_NS     NS_PER_MS /* when no more may be asked now */

/* The link that packets leave by, or WAY_...; false: it cannot be told now. */
static bool find_link(const struct app *app, const struct ip_addr *source,
		      const struct ip_addr *backend, int *way)
{
	const struct link *link;
	int ifindex = netlink_leaves_by(app->netlink, source, backend,
					clock_now_ns());

	if (ifindex == HOP_UNKNOWN)
		return false;
	link = netlink_link(app->netlink, ifindex);
	if (!link || !link->up)
		*way = WAY_NONE;
	else
		*way = link->loopback ? WAY_OPEN : ifindex;
	return true;
}

static bool look_up(const struct app *app, unsigned way)
{
	struct ip_addr source, backend;
	int link = WAY_OPEN;

	engine_way(app->engine, way, &source, &backend);
	if (addr_is_set(&source) && !find_link(app, &source, &backend, &link))
		return false;
	engine_set_way(app->engine, way, link);
	return true;
}

/* Until it is known again, a way stays what it was. */
static uint64_t look_at_some(struct app *app)
{
	struct reach *r = &app->reach;

	for (unsigned n = 0; n < LOOKS_A_TURN && r->left; n++) {
		if (!look_up(app, r->next))
			return clock_now_ns() + RETRY_NS;
		r->next = (r->next + 1) % engine_n_ways(app->engine);
		r->left--;
	}
	return r->left ? 0 : UINT64_MAX;
}

/* A captured frame for us, or a neighbour that the kernel has verified. */
static uint64_t heard_ns(const struct app *app, int ifindex)
{
	const uint64_t frame_ns = taps_heard_ns(&app->taps, ifindex);
	const uint64_t neigh_ns = netlink_heard_ns(app->netlink, ifindex);

	return frame_ns > neigh_ns ? frame_ns : neigh_ns;
}

void reach_changed(struct app *app)
{
	app->reach.left = engine_n_ways(app->engine);
}

uint64_t reach_report(struct app *app)
{
	const uint64_t next_ns = look_at_some(app);

	for (unsigned i = 0; i < engine_n_links(app->engine); i++) {
		const int link = engine_link(app->engine, i);

		if (link)
			engine_link_heard(app->engine, link,
					  heard_ns(app, link));
	}
	return next_ns;
}

void reach_ask(struct app *app)
{
	int link;

	while (engine_next_ask(app->engine, &link))
		netlink_ask_link(app->netlink, link, clock_now_ns());
}
