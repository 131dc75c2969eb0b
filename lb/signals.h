/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what users ask for by a signal: to stop, and a dump of the flows
 */
#ifndef L4LB_SIGNALS_H
#define L4LB_SIGNALS_H

#include <stdbool.h>

#include "control/dumper.h"

struct app;

struct signals {
	int fd;
	unsigned stops; /* signals to stop so far; the second one insists */
	bool keeps;	/* one of them: leave all to the next start */
	bool ends;	/* the command `stop`: leave nothing to it */
	struct dumper dumper;
};

void signals_read(struct app *app);

#endif
