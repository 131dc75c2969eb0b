/* SPDX-License-Identifier: MIT */
/*
 * sources.h - our addresses toward backends, taken from this host while it runs
 *
 * One is known to the guard, to other instances and to the captures before the
 * engine uses it, and as long as a backend may.
 */
#ifndef L4LB_SOURCES_H
#define L4LB_SOURCES_H

#include "core/addr.h"
#include "core/err.h"

struct app;

/*
 * Takes @source for a backend of the plan. -EAGAIN: another instance has the
 * folder of the records locked, ask again in a moment. Others: the host refuses
 * it; then nothing is taken.
 */
int sources_hold(struct app *app, unsigned service, unsigned backend,
		 const struct ip_addr *source, struct err *err);

/*
 * Gives back all that the backend holds, unless others hold it too. 0 or
 * -EAGAIN: not all of it yet, as above.
 */
int sources_release(struct app *app, unsigned service, unsigned backend);

#endif
