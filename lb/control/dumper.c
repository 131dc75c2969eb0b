/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "control/dump.h"
#include "control/dumper.h"

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

pid_t dumper_start(struct engine *e, uint64_t now_ns, uint64_t started_ns)
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
