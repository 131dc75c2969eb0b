/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "interfaces.h"
#include "io/nic.h"
#include "log.h"

bool interfaces_have(const struct interfaces *is, int ifindex)
{
	const unsigned n = is->config->n_interfaces;

	for (unsigned i = 0; i < n; i++)
		if (is->named[i].ifindex == ifindex)
			return true;
	return false;
}

bool interfaces_are_fed_by(const struct interfaces *is, int ifindex)
{
	const unsigned n = is->config->n_interfaces;

	for (unsigned i = 0; i < n; i++)
		if (netlink_carries(is->netlink, ifindex, is->named[i].ifindex))
			return true;
	return n == 0;
}

static void add_guarded(struct interfaces *is, const char *name)
{
	for (unsigned i = 0; i < is->n_guarded; i++)
		if (strcmp(is->guarded[i], name) == 0)
			return;
	memcpy(is->guarded[is->n_guarded++], name, IF_NAMESIZE);
}

/* Warns that a port's packets come in only by its master. */
static void tell_port(struct interfaces *is, struct named *named,
		      const struct link *link)
{
	const struct link *master = netlink_link(is->netlink, link->master);

	if (named->told_master == link->master)
		return;
	named->told_master = link->master;
	if (master)
		log_warn("-i %s: it is a port of %s, by which its packets come "
			 "in; add -i %s",
			 link->name, master->name, master->name);
}

/*
 * A named interface stays the same one as long as it lives, under any name.
 * After that, the name stands for whichever interface has it.
 */
static void follow_name(struct interfaces *is, unsigned i)
{
	const char *name = is->config->interfaces[i];
	struct named *named = &is->named[i];
	const struct link *link = netlink_link(is->netlink, named->ifindex);

	if (!link)
		link = netlink_link_by_name(is->netlink, name);
	named->ifindex = link ? link->ifindex : 0;
	memcpy(named->now, link ? link->name : name, IF_NAMESIZE);
	add_guarded(is, name);
	add_guarded(is, named->now);
	if (!link && !named->missing)
		log_warn("-i %s: there is no such interface now ('ip link' "
			 "lists them); it is captured on when it comes",
			 name);
	if (link && named->missing && nic_carries_ipv4(link))
		log_info("-i %s: the interface is there, it is captured on",
			 name);
	else if (link && named->missing)
		log_warn("-i %s: the interface is there, and of a kind that "
			 "never brings IPv4 packets",
			 name);
	named->missing = !link;
	if (!link)
		return;
	is->links.ifindex[is->links.n++] = link->ifindex;
	tell_port(is, named, link);
}

void interfaces_follow(struct interfaces *is)
{
	const struct config *c = is->config;

	is->n_guarded = 0;
	is->links = (struct tap_links){.only = c->n_interfaces > 0};
	for (unsigned i = 0; i < c->n_interfaces; i++)
		follow_name(is, i);
}

int interfaces_find(struct interfaces *is, const struct config *config,
		    const struct netlink *netlink, struct err *err)
{
	is->config = config;
	is->netlink = netlink;
	interfaces_follow(is);
	for (unsigned i = 0; i < config->n_interfaces; i++) {
		const char *name = config->interfaces[i];

		if (is->named[i].ifindex &&
		    !nic_carries_ipv4(
			    netlink_link(is->netlink, is->named[i].ifindex)))
			return err_set(err, -EOPNOTSUPP,
				       "%s: an interface of this kind never "
				       "brings IPv4 packets; name another one "
				       "with -i",
				       name);
	}
	return 0;
}

void interfaces_format(const struct interfaces *is, char *text, size_t size)
{
	size_t len = 0;

	snprintf(text, size, "all interfaces");
	for (unsigned i = 0; i < is->config->n_interfaces; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s",
					i ? "," : "", is->named[i].now);
}
