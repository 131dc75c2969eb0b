/* SPDX-License-Identifier: MIT */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/config_file.h"
#include "control/host_name.h"
#include "control/reload.h"
#include "control/reload_keeper.h"

#define SOCKET	  3  /* the only descriptor beside the standard ones */
#define NICENESS  10 /* packets come first */
#define EXIT_GONE 3  /* l4lb is gone */

/* ------------------------------------------------------- the child's work */

/* The user of l4lb, or at least a root that has no capability. */
static int become_nobody(const struct user *user, struct err *err)
{
	int ret = 0;

	capng_clear(CAPNG_SELECT_BOTH);
	if (user->change)
		ret = capng_change_id(
			(int)user->owner.uid, (int)user->owner.gid,
			CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	else
		/* The bounding set needs a capability that we may lack. */
		ret = capng_apply(CAPNG_SELECT_CAPS);
	if (ret < 0)
		return err_set(err, -EPERM,
			       "the planner cannot become uid %u: %s (%d)",
			       (unsigned)user->owner.uid, strerror(errno), ret);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_set(err, -errno, "no_new_privs: %s",
			       strerror(errno));
	/* The change of user has cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

/* Without its newline; false: l4lb is gone, or the line is too long. */
static bool next_line(FILE *in, char line[RELOAD_LINE_MAX + 2])
{
	size_t len;

	if (!fgets(line, RELOAD_LINE_MAX + 2, in))
		return false;
	len = strlen(line);
	if (len == 0 || line[len - 1] != '\n')
		return false;
	line[len - 1] = 0;
	return true;
}

/* The first line of a request. */
static bool is_first(const char *line, uint64_t *number, bool *reset)
{
	int end = 0;

	if (sscanf(line, "plan %" SCNu64 "%n", number, &end) != 1 || !end)
		return false;
	*reset = strcmp(line + end, " reset") == 0;
	return *reset || !line[end];
}

/* Skips what a child before us may have left of a request. */
static void find_request(FILE *in, uint64_t *number, bool *reset)
{
	char line[RELOAD_LINE_MAX + 2];

	do {
		if (!next_line(in, line))
			_exit(EXIT_GONE);
	} while (!is_first(line, number, reset));
}

static int read_request(FILE *in, struct reload *r, struct err *err)
{
	char line[RELOAD_LINE_MAX + 2];
	int ret = 0;

	for (;;) {
		if (!next_line(in, line))
			_exit(EXIT_GONE);
		if (strcmp(line, "go") == 0)
			return ret;
		if (!ret)
			ret = reload_take(r, line, err);
	}
}

static void add_warnings(struct text *out)
{
	const char *rest = host_name_warnings();
	char line[RELOAD_LINE_MAX];

	while (text_next_line(&rest, line, sizeof(line)))
		text_add(out, "warn %s\n", line);
}

static int make_plan(const struct keeper_spec *spec, FILE *in, uint64_t *number,
		     struct text *out, struct err *err)
{
	struct config theirs;
	struct reload r;
	struct err file_err;
	int ret, file_ret;
	bool reset;

	/* The one thing for which we are still root. */
	file_ret = config_file_keep(spec->path, &file_err);
	ret = become_nobody(spec->user, err);
	find_request(in, number, &reset);
	text_add(out, "answer %" PRIu64 "\n", *number);
	if (!ret)
		ret = reload_init(&r, spec->name, err);
	if (ret)
		return ret;
	r.reset = reset;
	ret = read_request(in, &r, err);
	if (!ret && file_ret) {
		*err = file_err;
		ret = file_ret;
	}
	if (!ret)
		ret = config_read_again(&theirs, spec->argc, spec->argv,
					host_name_lookup_again, err);
	if (!ret) {
		add_warnings(out);
		ret = reload_answer(&r, &theirs, out, err);
		config_free(&theirs);
	}
	reload_free(&r);
	return ret;
}

static bool send_all(const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(SOCKET, bytes, len, MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* @number: where the keeper finds which request this is about. */
__attribute__((noreturn)) static void plan(const struct keeper_spec *spec,
					   uint64_t *number)
{
	FILE *in = fdopen(SOCKET, "r");
	struct text out = {0};
	struct err err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!in)
		_exit(1);
	if (make_plan(spec, in, number, &out, &err)) {
		text_cut(&out, 0);
		text_add(&out, "answer %" PRIu64 "\nerror %s\n", *number,
			 err.text);
	} else {
		text_add(&out, "end\n");
	}
	/* No memory for the answer: exiting so is reported. */
	_exit(out.failed || !send_all(out.bytes, out.len));
}

/* ------------------------------------------------------------- the keeper */

static void ignore_signals(void)
{
	static const int ignored[] = {SIGHUP,  SIGINT,	SIGTERM, SIGUSR1,
				      SIGUSR2, SIGPIPE, SIGQUIT};
	sigset_t set;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* Nothing of l4lb may stay open because of us. */
static int keep_only(int fd)
{
	int null = open("/dev/null", O_RDWR);

	/* Each dup2() may overwrite the other one: first out of the way. */
	fd = fcntl(fd, F_DUPFD, SOCKET + 1);
	if (fd == -1 || null == -1)
		return -1;
	for (int i = 0; i <= STDERR_FILENO; i++)
		if (dup2(null, i) == -1)
			return -1;
	if (dup2(fd, SOCKET) == -1)
		return -1;
	return close_range(SOCKET + 1, UINT_MAX, 0);
}

/*
 * To read any file, and if @changes to become another user, and to end a child
 * that has become one; none that it has not now.
 */
static int keep_capabilities(bool changes)
{
	static const unsigned wanted[] = {CAP_DAC_READ_SEARCH, CAP_SETUID,
					  CAP_SETGID, CAP_SETPCAP, CAP_KILL};
	bool has[sizeof(wanted) / sizeof(*wanted)];

	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(has) / sizeof(*has); i++)
		has[i] = (changes || wanted[i] == CAP_DAC_READ_SEARCH) &&
			 capng_have_capability(CAPNG_PERMITTED, wanted[i]);
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < sizeof(has) / sizeof(*has); i++)
		if (has[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				     wanted[i]);
	return capng_apply(CAPNG_SELECT_CAPS);
}

/* Waits for the child; l4lb may end before it does. */
static int wait_for(pid_t child, int children)
{
	struct pollfd fds[] = {{.fd = SOCKET, .events = POLLRDHUP},
			       {.fd = children, .events = POLLIN}};
	struct signalfd_siginfo info;
	int status;

	for (;;) {
		if (poll(fds, 2, -1) == -1 && errno != EINTR)
			_exit(1);
		while (read(children, &info, sizeof(info)) == sizeof(info))
			continue;
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		if (fds[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) {
			kill(child, SIGKILL);
			_exit(0);
		}
	}
}

static void report_death(int status, const uint64_t *number)
{
	char lines[160];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_GONE)
		return;
	/* A line may have been begun. */
	snprintf(lines, sizeof(lines),
		 "\nanswer %" PRIu64
		 "\nerror the planner failed (%s %d): nothing is changed\n",
		 *number, WIFSIGNALED(status) ? "signal" : "exit",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	(void)send_all(lines, strlen(lines));
}

/*
 * @number: in memory that the child shares, so that we need not read what is
 * asked.
 */
static void serve(const struct keeper_spec *spec, int children,
		  uint64_t *number)
{
	sigset_t none;
	pid_t child;

	*number = 0;
	child = fork();
	if (child == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		close(children);
		plan(spec, number);
	}
	/* The request stays until there is a process for it. */
	if (child == -1)
		(void)poll(NULL, 0, 1000);
	else
		report_death(wait_for(child, children), number);
}

__attribute__((noreturn)) static void keep(const struct keeper_spec *spec,
					   int fd)
{
	struct pollfd wait = {.fd = SOCKET, .events = POLLIN};
	uint64_t *number = mmap(NULL, sizeof(*number), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigset_t set;
	int children;

	prctl(PR_SET_NAME, "l4lb-plan");
	ignore_signals();
	if (keep_only(fd) || keep_capabilities(spec->user->change) < 0)
		_exit(1);
	(void)!nice(NICENESS);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	children = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (children == -1 || number == MAP_FAILED)
		_exit(1);
	for (;;) {
		char byte;

		if (poll(&wait, 1, -1) == -1 && errno != EINTR)
			_exit(1);
		if (recv(SOCKET, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
			_exit(0);
		if (wait.revents & (POLLHUP | POLLERR))
			_exit(0);
		if (wait.revents & POLLIN)
			serve(spec, children, number);
	}
}

int keeper_start(const struct keeper_spec *spec, pid_t *pid, int *fd,
		 struct err *err)
{
	int ends[2];

	host_name_share();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
		return err_set(err, -errno, "socketpair: %s", strerror(errno));
	*pid = fork();
	if (*pid == 0) {
		close(ends[0]);
		keep(spec, ends[1]);
	}
	close(ends[1]);
	if (*pid == -1 || fcntl(ends[0], F_SETFL, O_NONBLOCK) == -1) {
		const int ret = -errno;

		close(ends[0]);
		return err_set(err, ret, "no process for the planner: %s",
			       strerror(-ret));
	}
	*fd = ends[0];
	return 0;
}
