/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"

static struct child *find(struct children *c, pid_t pid)
{
	for (unsigned i = 0; i < CHILDREN_MAX; i++)
		if (c->list[i].pid == pid)
			return &c->list[i];
	return NULL;
}

/*
 * We block what we read from a signalfd, and ignore what write() tells us
 * anyway. A child would inherit both, and whatever it runs.
 */
static void clean_signals(void)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&none);
	(void)sigaction(SIGPIPE, &by_default, NULL);
	(void)sigaction(SIGXFSZ, &by_default, NULL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t children_fork(struct children *c, child_ended_fn *ended, void *arg)
{
	pid_t pid;

	if (!find(c, 0))
		return -EAGAIN;
	pid = fork();
	if (pid == -1)
		return -errno;
	if (pid) {
		(void)children_add(c, pid, ended, arg);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	clean_signals();
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	return 0;
}

bool children_add(struct children *c, pid_t pid, child_ended_fn *ended,
		  void *arg)
{
	struct child *child = find(c, 0);

	if (child)
		*child = (struct child){pid, ended, arg};
	return child != NULL;
}

void children_reap(struct children *c)
{
	struct child *child, was;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		child = find(c, pid);
		if (!child)
			continue;
		was = *child;
		*child = (struct child){0}; /* free for what ended() starts */
		was.ended(was.arg, status);
	}
}

const char *child_failure(int status)
{
	if (WIFSIGNALED(status))
		return strsignal(WTERMSIG(status));
	return WEXITSTATUS(status) ? strerror(WEXITSTATUS(status)) : NULL;
}
