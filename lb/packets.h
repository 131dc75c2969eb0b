/* SPDX-License-Identifier: MIT */
/*
 * packets.h - what brings packets and what sends them
 */
#ifndef L4LB_PACKETS_H
#define L4LB_PACKETS_H

struct app;
struct err;
struct ip_addr;

/*
 * Call it after every change of links and once a second: guard and captures
 * follow the interfaces that the user named.
 */
void packets_links_changed(struct app *app);

/*
 * Extends guard and captures by a new source, which the plan has already. On an
 * error the guard has refused it, and it must not be used.
 */
int packets_add_source(struct app *app, const struct ip_addr *source,
		       struct err *err);

#endif
