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
#include "log.h"

/*
 * The parent shares the table with the child that dumps it, and changes it
 * meanwhile. The child copies each flow, skips those that changed during the
 * copy, and counts again what it has.
 */
static void freeze_flows(struct engine *e)
{
	struct flow_table *t = &e->table;
	struct flow *copy;

	copy = mmap(NULL, t->size * sizeof(*copy), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (copy == MAP_FAILED)
		return;
	for (unsigned s = 0; s < e->n_services; s++)
		for (unsigned i = 0; i < e->services[s].n_backends; i++)
			e->services[s].backends[i].flows = 0;
	t->used = 0;
	for (uint32_t i = 0; i < t->size; i++) {
		const struct flow *f = &t->flows[i];

		if (!__atomic_load_n(&f->open, __ATOMIC_ACQUIRE))
			continue;
		copy[i] = *f;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		copy[i].open = f->open && copy[i].generation == f->generation;
		if (!copy[i].open)
			continue;
		t->used++;
		if (!tcp_is_closed(copy[i].tcp.state))
			engine_backend(e, &copy[i])->flows++;
	}
	t->flows = copy;
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
	freeze_flows(e);
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
