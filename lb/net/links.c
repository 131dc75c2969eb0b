/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/links.h"

struct link_table {
	uint32_t sweep;
	unsigned n_links;
	unsigned n_addrs;
	struct link_slot {
		struct link link;
		uint32_t seen; /* number of the sweep that last saw it */
		struct link_life life;
	} links[IFACE_LINKS_MAX];
	struct addr_slot {
		struct link_addr addr;
		uint32_t seen;
	} addrs[IFACE_ADDRS_MAX];
};

int link_table_new(struct link_table **out)
{
	struct link_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*out = t;
	return 0;
}

void link_table_free(struct link_table *t)
{
	free(t);
}

/* Both return the number of entries if there is no match. */
static unsigned find_link(const struct link_table *t, int ifindex)
{
	unsigned i = 0;

	while (i < t->n_links && t->links[i].link.ifindex != ifindex)
		i++;
	return i;
}

static unsigned find_addr(const struct link_table *t,
			  const struct link_addr *addr)
{
	unsigned i;

	for (i = 0; i < t->n_addrs; i++) {
		const struct link_addr *a = &t->addrs[i].addr;

		if (a->ifindex == addr->ifindex &&
		    a->prefix_len == addr->prefix_len &&
		    addr_equal(&a->addr, &addr->addr) &&
		    addr_equal(&a->peer, &addr->peer))
			break;
	}
	return i;
}

const struct link *links_link_at(const struct link_table *t, unsigned i)
{
	return i < t->n_links ? &t->links[i].link : NULL;
}

const struct link_addr *links_addr_at(const struct link_table *t, unsigned i)
{
	return i < t->n_addrs ? &t->addrs[i].addr : NULL;
}

const struct link *links_link(const struct link_table *t, int ifindex)
{
	return links_link_at(t, find_link(t, ifindex));
}

struct link_life *links_life(struct link_table *t, int ifindex)
{
	unsigned i = find_link(t, ifindex);

	return i < t->n_links ? &t->links[i].life : NULL;
}

const struct link *links_link_by_name(const struct link_table *t,
				      const char *name)
{
	unsigned i;

	for (i = 0; i < t->n_links; i++)
		if (strcmp(t->links[i].link.name, name) == 0)
			return &t->links[i].link;
	return NULL;
}

uint32_t links_largest_mtu(const struct link_table *t)
{
	uint32_t mtu = 0;
	unsigned i;

	for (i = 0; i < t->n_links; i++) {
		const struct link *l = &t->links[i].link;

		if (l->up && !l->loopback && l->mtu > mtu)
			mtu = l->mtu;
	}
	return mtu ? mtu : UINT16_MAX;
}

/* The links above one link, each once, as far as there is room. */
struct above {
	unsigned n;
	int ifindex[IFACE_ABOVE_MAX];
};

static void add_above(struct above *a, int ifindex)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->ifindex[i] == ifindex)
			return;
	if (ifindex && a->n < IFACE_ABOVE_MAX)
		a->ifindex[a->n++] = ifindex;
}

bool links_carries(const struct link_table *t, int lower, int ifindex)
{
	struct above above = {1, {lower}};

	if (!links_link(t, lower))
		return false;
	/* The loop itself appends to the list. */
	for (unsigned i = 0; i < above.n; i++) {
		const struct link *l = links_link(t, above.ifindex[i]);

		if (above.ifindex[i] == ifindex)
			return true;
		add_above(&above, l ? l->master : 0);
		for (unsigned k = 0; k < t->n_links; k++)
			if (t->links[k].link.parent == above.ifindex[i])
				add_above(&above, t->links[k].link.ifindex);
	}
	return false;
}

uint32_t links_smallest_mtu(const struct link_table *t)
{
	uint32_t mtu = UINT16_MAX;
	unsigned i;

	for (i = 0; i < t->n_links; i++) {
		const struct link *l = &t->links[i].link;

		if (l->up && !l->loopback && l->mtu && l->mtu < mtu)
			mtu = l->mtu;
	}
	return mtu;
}

bool links_link_equal(const struct link *a, const struct link *b)
{
	return a->ifindex == b->ifindex && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
	       a->type == b->type && a->mtu == b->mtu && a->up == b->up &&
	       a->loopback == b->loopback && a->noarp == b->noarp &&
	       a->master == b->master && a->parent == b->parent;
}

int links_set_link(struct link_table *t, const struct link *link)
{
	unsigned i = find_link(t, link->ifindex);

	if (i == IFACE_LINKS_MAX)
		return -ENOSPC;
	if (i == t->n_links)
		t->links[t->n_links++].life = (struct link_life){0};
	t->links[i].link = *link;
	t->links[i].seen = t->sweep;
	return 0;
}

static struct link take_link(struct link_table *t, unsigned i)
{
	const struct link gone = t->links[i].link;

	t->links[i] = t->links[--t->n_links];
	return gone;
}

bool links_remove_link(struct link_table *t, int ifindex, struct link *gone)
{
	unsigned i = find_link(t, ifindex);

	if (i == t->n_links)
		return false;
	*gone = take_link(t, i);
	return true;
}

const struct link_addr *links_holder(const struct link_table *t, int ifindex,
				     const struct ip_addr *addr)
{
	unsigned i;

	for (i = 0; i < t->n_addrs; i++) {
		const struct link_addr *a = &t->addrs[i].addr;

		if ((!ifindex || a->ifindex == ifindex) &&
		    addr_equal(&a->addr, addr))
			return a;
	}
	return NULL;
}

int links_add_addr(struct link_table *t, const struct link_addr *addr)
{
	unsigned i = find_addr(t, addr);

	if (i == IFACE_ADDRS_MAX)
		return -ENOSPC;
	if (i == t->n_addrs)
		t->n_addrs++;
	t->addrs[i] = (struct addr_slot){*addr, t->sweep};
	return 0;
}

static struct link_addr take_addr(struct link_table *t, unsigned i)
{
	const struct link_addr gone = t->addrs[i].addr;

	t->addrs[i] = t->addrs[--t->n_addrs];
	return gone;
}

bool links_remove_addr(struct link_table *t, const struct link_addr *addr)
{
	unsigned i = find_addr(t, addr);

	if (i == t->n_addrs)
		return false;
	take_addr(t, i);
	return true;
}

void links_sweep_begin(struct link_table *t)
{
	t->sweep++;
}

bool links_sweep_link(struct link_table *t, struct link *gone)
{
	unsigned i;

	for (i = 0; i < t->n_links; i++) {
		if (t->links[i].seen != t->sweep) {
			*gone = take_link(t, i);
			return true;
		}
	}
	return false;
}

bool links_sweep_addr(struct link_table *t, struct link_addr *gone)
{
	unsigned i;

	for (i = 0; i < t->n_addrs; i++) {
		if (t->addrs[i].seen != t->sweep) {
			*gone = take_addr(t, i);
			return true;
		}
	}
	return false;
}
