/* SPDX-License-Identifier: MIT */
/*
 * packets.h - what brings packets and what sends them
 */
#ifndef L4LB_PACKETS_H
#define L4LB_PACKETS_H

struct app;
struct err;

/*
 * Call it after every change of links and once a second: guard and captures
 * follow the interfaces that the user named.
 */
void packets_links_changed(struct app *app);

/*
 * Call it after a change of the plan's services or sources: the captures take
 * what is for them, at once. On an error (-ENOMEM) they take what they took
 * before.
 */
int packets_filter_changed(struct app *app, struct err *err);

/*
 * The same where nothing can be undone: an error is logged, and
 * packets_links_changed() tries again.
 */
void packets_follow_plan(struct app *app);

#endif
