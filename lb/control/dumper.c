/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "children.h"
#include "clock.h"
#include "control/dump.h"
#include "control/dumper.h"
#include "core/time.h"
#include "core/view.h"
#include "log.h"

/* If there is no memory the dump shows flows while they change. */
static void freeze(struct engine *e)
{
	struct flow *copy;

	copy = mmap(NULL, engine_flows(e)->size * sizeof(*copy),
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (copy != MAP_FAILED)
		engine_freeze(e, copy);
}

static void on_ended(void *arg, int status)
{
	struct dumper *d = arg;
	const char *why = child_failure(status);

	d->writing = false;
	if (why)
		log_warn("the dump could not be written to stdout: %s", why);
	if (d->again)
		dumper_request(d);
}

void dumper_request(struct dumper *d)
{
	const uint64_t now_ns = clock_now_ns();
	pid_t pid;

	d->again = d->writing;
	if (d->writing) {
		if (now_ns - d->begun_ns > NS_PER_S)
			log_warn("the previous dump is still being written, "
				 "another one follows: is stdout read by "
				 "anyone?");
		return;
	}
	pid = children_fork(d->children, on_ended, d);
	if (pid == 0) {
		freeze(d->engine);
		/* The status has a byte, and every errno of a write fits. */
		_exit(dump_flows(stdout, d->engine, now_ns, d->started_ns)
			      ? errno
			      : 0);
	}
	d->begun_ns = now_ns;
	d->writing = pid > 0;
	if (!d->writing)
		log_warn("cannot dump the flows: fork: %s", strerror(-pid));
}
