/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Returns the pid of the child, or 0 with errno set. */
static pid_t start(struct engine *e, uint64_t now_ns, uint64_t started_ns)
{
	pid_t pid = fork();

	if (pid == -1)
		return 0;
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A child must not keep our locks after we end. */
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	freeze(e);
	/* The exit status has a byte, and every errno of a write fits. */
	_exit(dump_flows(stdout, e, now_ns, started_ns) ? errno : 0);
}

void dumper_request(struct dumper *d, struct engine *e, uint64_t started_ns)
{
	const uint64_t now_ns = clock_now_ns();

	d->again = d->pid != 0;
	if (d->pid) {
		if (now_ns - d->begun_ns > NS_PER_S)
			log_warn("the previous dump is still being written, "
				 "another one follows: is stdout read by "
				 "anyone?");
		return;
	}
	d->begun_ns = now_ns;
	d->pid = start(e, now_ns, started_ns);
	if (!d->pid)
		log_warn("cannot dump the flows: fork: %s", strerror(errno));
}

void dumper_reap(struct dumper *d, struct engine *e, uint64_t started_ns)
{
	int status;

	while (waitpid(-1, &status, WNOHANG) > 0) {
		d->pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status))
			log_warn("the dump could not be written to stdout: %s",
				 strerror(WEXITSTATUS(status)));
	}
	if (!d->pid && d->again)
		dumper_request(d, e, started_ns);
}
