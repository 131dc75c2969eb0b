/* SPDX-License-Identifier: MIT */
/*
 * ways.c - the link toward each backend, and when it was last heard
 *
 * The engine cannot ask the kernel for routes, so the program reports what it
 * knows. Each pair of our address and a backend is a way. A way leads by a
 * link, or is open, or there is none at present. cut_off.c judges silence by
 * that.
 *
 * Several ways share a link, usually all of them. A link has a place in the
 * table as long as a way leads by it.
 */
#include "core/health/ways.h"
#include "core/state.h"

unsigned engine_n_ways(const struct engine *e)
{
	return e->n_pools;
}

void engine_way(const struct engine *e, unsigned way, struct ip_addr *source,
		struct ip_addr *backend)
{
	const struct pool *p = &e->pools[way];

	*source = p->holders ? p->source : (struct ip_addr){{0}};
	*backend = p->backend.addr;
}

/* Returns the place of link @id, or a new one, or WAY_IS_OPEN if all are taken.
 */
static int place_of(struct engine *e, int id)
{
	int place = WAY_IS_OPEN;

	for (unsigned i = 0; i < e->n_links; i++) {
		if (e->links[i].ways && e->links[i].id == id)
			return (int)i;
		if (!e->links[i].ways)
			place = (int)i;
	}
	if (place < 0 && e->n_links < ENGINE_LINKS_MAX)
		place = (int)e->n_links++;
	if (place >= 0)
		e->links[place] = (struct way_link){.id = id};
	return place;
}

void engine_set_way(struct engine *e, unsigned way, int link)
{
	struct pool *p = &e->pools[way];
	int is = link == WAY_NONE ? WAY_IS_NONE : WAY_IS_OPEN;

	if (p->link >= 0) {
		if (e->links[p->link].id == link)
			return;
		e->links[p->link].ways--;
	}
	if (link > 0)
		is = place_of(e, link);
	if (is >= 0)
		e->links[is].ways++;
	p->link = (int16_t)is;
}

unsigned engine_n_links(const struct engine *e)
{
	return e->n_links;
}

int engine_link(const struct engine *e, unsigned i)
{
	return e->links[i].ways ? e->links[i].id : 0;
}

void engine_link_heard(struct engine *e, int link, uint64_t when_ns)
{
	/* Begin behind the last match: links are reported in turn. */
	for (unsigned n = 0; n < e->n_links; n++) {
		unsigned i = (e->link_hint + n) % e->n_links;

		if (e->links[i].id != link || !e->links[i].ways)
			continue;
		e->link_hint = i + 1;
		if (e->links[i].heard_ns < when_ns)
			e->links[i].heard_ns = when_ns;
		return;
	}
}

bool engine_next_ask(struct engine *e, int *link)
{
	for (unsigned i = 0; i < e->n_links; i++) {
		if (!e->links[i].ask)
			continue;
		e->links[i].ask = false;
		*link = e->links[i].id;
		return true;
	}
	return false;
}
