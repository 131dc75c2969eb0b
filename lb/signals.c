/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app.h"
#include "log.h"
#include "steps.h"

static void request_dump(struct app *app)
{
	struct dumper *d = &app->signals.dumper;

	d->children = &app->children;
	d->engine = app->engine;
	d->started_ns = app->started_ns;
	dumper_request(d);
}

void signals_read(struct app *app)
{
	struct signals *s = &app->signals;
	struct signalfd_siginfo info;

	while (read(s->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT: s->stops++; break;
		case SIGUSR2:
			s->keeps = true;
			s->stops++;
			break;
		case SIGHUP:
			log_info("SIGHUP: the configuration file is read "
				 "again");
			publish_hup(app);
			reload_by_signal(app);
			break;
		case SIGUSR1:
			request_dump(app);
			watch_log_counters(app);
			break;
		case SIGCHLD: children_reap(&app->children); break;
		default: break;
		}
	}
}

static int start(struct app *app, struct err *err)
{
	sigset_t set;

	signal(SIGCHLD, SIG_DFL); /* else a child could not be reaped */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	app->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (app->signals.fd == -1)
		return err_set(err, -errno, "signalfd: %s", strerror(errno));
	return 0;
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	close(app->signals.fd);
}

const struct step step_signals = {"signals", start, stop};
