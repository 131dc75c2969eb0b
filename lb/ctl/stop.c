/* SPDX-License-Identifier: MIT */
/*
 * stop.c - the balancer ends; this waits until it has
 */
#include <time.h>

#include "ctl/ask.h"
#include "ctl/subcommand.h"

#define LOOK_MS	    100
#define PATIENCE_MS 20000

int stop_run(struct ctl *c, struct err *err)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	json_t *answer;
	struct url u;
	int ret;

	url_start(&u, "/lb/stop");
	ret = ask(c, "POST", &u, NULL, &answer, err);
	if (ret)
		return ret;
	json_decref(answer);
	for (long ms = 0; ms < PATIENCE_MS; ms += LOOK_MS) {
		if (!ask_is_there(c)) {
			if (!c->json)
				fputs("l4lb has ended\n", c->out);
			return CTL_OK;
		}
		nanosleep(&pause, NULL);
	}
	return err_set(err, CTL_REFUSED,
		       "l4lb was told to end, but still answers after %d s",
		       PATIENCE_MS / 1000);
}
