/* SPDX-License-Identifier: MIT */
/* See signals.h. */
#include "io/signals.h"

#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(struct signals *s, void (*renew)(void *arg), void *arg)
{
	s->renew = renew;
	s->arg = arg;
	signal(SIGPIPE, SIG_IGN);
	if (renew) /* whoever started it may have ignored it: nohup(1) */
		signal(SIGHUP, SIG_DFL);
	sigemptyset(&s->set);
	sigaddset(&s->set, SIGINT);
	sigaddset(&s->set, SIGTERM);
	sigaddset(&s->set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &s->set, NULL);
	s->fd = signalfd(-1, &s->set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->fd == -1 ? -errno : 0;
}

bool signals_take(struct signals *s)
{
	struct signalfd_siginfo got;

	if (read(s->fd, &got, sizeof(got)) != sizeof(got))
		return false;
	if (got.ssi_signo != SIGHUP || !s->renew)
		return true;
	s->renew(s->arg);
	return false;
}

void signals_unblock(struct signals *s)
{
	/* Who wants a new log file does not want an end at once. */
	if (s->renew)
		signal(SIGHUP, SIG_IGN);
	pthread_sigmask(SIG_UNBLOCK, &s->set, NULL);
}

void signals_close(struct signals *s)
{
	if (s->fd != -1)
		close(s->fd);
}
