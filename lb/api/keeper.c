/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/keeper.h"
#include "clock.h"
#include "core/time.h"
#include "log.h"

#define KEEPER_NAME "l4lb-keep"
#define WORKER_NAME "l4lb-api"
/*
 * A worker that ends is started again after so long, later each 4 s at least.
 * Not later: under load the journal goes round in some seconds, and what the
 * flow log has not read by then is lost.
 */
#define FIRST_DELAY_MS 200
#define DELAY_MAX_MS   4000
/* One that lived so long was not broken from its start. */
#define GOOD_LIFE_NS (10 * NS_PER_S)
/* To write out the flow log, on a disk that is slow. */
#define LAST_WORDS_NS (10 * NS_PER_S)

struct keeper {
	const struct api_setup *setup;
	int signals;
	pid_t worker; /* 0: there is none now */
	uint64_t born_ns;
	unsigned delay_ms; /* before the next start */
	uint64_t next_ns;  /* when that is */
	uint64_t gone_ns;  /* when l4lb was seen to be gone; 0: it is there */
	bool done;	   /* the worker has ended, as it should */
};

/*
 * Whoever ends the process group, or all that are called l4lb..., means l4lb;
 * we end when it has, and say then what happened to the last flows.
 */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGINT,  SIGTERM, SIGQUIT,
				      SIGUSR1, SIGUSR2, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static void set_name(char *arg0, const char *name)
{
	const size_t room = strlen(arg0);

	(void)prctl(PR_SET_NAME, name);
	/* As long as the name it had, or ps shows what is behind it. */
	memset(arg0, 0, room);
	memcpy(arg0, name, strlen(name) < room ? strlen(name) : room);
}

__attribute__((noreturn)) static void work(struct keeper *k, char *arg0)
{
	sigset_t none;

	set_name(arg0, WORKER_NAME);
	close(k->signals);
	/* Until it has a handler of its own: logrotate may be quick. */
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	exit(api_run(k->setup) ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void plan_start(struct keeper *k)
{
	k->next_ns = clock_now_ns() + k->delay_ms * NS_PER_MS;
	k->delay_ms = k->delay_ms < 1000 ? 1000 : k->delay_ms * 2;
	if (k->delay_ms > DELAY_MAX_MS)
		k->delay_ms = DELAY_MAX_MS;
}

static void start(struct keeper *k, char *arg0)
{
	pid_t pid = fork();

	if (pid == 0)
		work(k, arg0);
	k->born_ns = clock_now_ns();
	if (pid == -1) {
		log_warn("l4lb-api: cannot fork: %s; tried again in %.1f s",
			 strerror(errno), k->delay_ms / 1000.0);
		plan_start(k);
		return;
	}
	k->worker = pid;
	k->setup->shared->workers++;
}

/* What happened to the worker, for the log. */
static const char *death_of(int status)
{
	if (WIFSIGNALED(status))
		return strsignal(WTERMSIG(status));
	return WEXITSTATUS(status) ? "it failed" : "it ended";
}

static void reap(struct keeper *k)
{
	int status;

	if (!k->worker || waitpid(k->worker, &status, WNOHANG) != k->worker)
		return;
	k->worker = 0;
	if (k->gone_ns) {
		k->done = true;
		return;
	}
	if (clock_now_ns() - k->born_ns >= GOOD_LIFE_NS)
		k->delay_ms = FIRST_DELAY_MS;
	log_warn("l4lb-api has ended (%s) and starts again in %.1f s; "
		 "balancing goes on",
		 death_of(status), k->delay_ms / 1000.0);
	plan_start(k);
}

static void read_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) == sizeof(info)) {
		/* Log files were moved away, says who sends this to all. */
		if (info.ssi_signo == SIGHUP && k->worker)
			(void)kill(k->worker, SIGHUP);
	}
}

/*
 * The next l4lb wants these addresses at once, while a worker may still have
 * something to write.
 */
static void give_up_listeners(const struct api_setup *setup)
{
	if (setup->tcp_listener != -1)
		(void)shutdown(setup->tcp_listener, SHUT_RDWR);
	if (setup->local_listener != -1)
		(void)shutdown(setup->local_listener, SHUT_RDWR);
}

static void look_for_l4lb(struct keeper *k, const struct pollfd *channel)
{
	if (k->gone_ns || !(channel->revents & (POLLHUP | POLLERR)))
		return;
	k->gone_ns = clock_now_ns();
	give_up_listeners(k->setup);
	k->done = k->worker == 0;
}

static int timeout_ms(const struct keeper *k)
{
	const uint64_t now_ns = clock_now_ns();
	uint64_t until_ns;

	if (k->gone_ns)
		until_ns = k->gone_ns + LAST_WORDS_NS;
	else if (!k->worker)
		until_ns = k->next_ns;
	else
		return -1;
	return until_ns <= now_ns
		       ? 0
		       : (int)((until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void turn(struct keeper *k)
{
	struct pollfd fds[] = {
		{.fd = k->signals, .events = POLLIN},
		/* A channel that is closed would wake us all the time. */
		{.fd = k->gone_ns ? -1 : k->setup->asks},
	};

	if (poll(fds, 2, timeout_ms(k)) == -1 && errno != EINTR)
		exit(EXIT_FAILURE);
	read_signals(k);
	look_for_l4lb(k, &fds[1]);
	reap(k);
	if (k->gone_ns && k->worker &&
	    clock_now_ns() >= k->gone_ns + LAST_WORDS_NS)
		(void)kill(k->worker, SIGKILL);
}

void keeper_run(const struct api_setup *setup, char *arg0)
{
	struct keeper k = {.setup = setup, .delay_ms = FIRST_DELAY_MS};
	sigset_t set;

	set_name(arg0, KEEPER_NAME);
	/* Away from the terminal of who started l4lb: whoever breaks in here
	 * could type into it (TIOCSTI).
	 */
	(void)setsid();
	ignore_signals();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_SETMASK, &set, NULL);
	k.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (k.signals == -1) {
		log_warn("l4lb-api: signalfd: %s", strerror(errno));
		return;
	}
	while (!k.done) {
		if (!k.worker && !k.gone_ns && clock_now_ns() >= k.next_ns)
			start(&k, arg0);
		turn(&k);
	}
}
