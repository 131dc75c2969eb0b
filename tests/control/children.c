/* SPDX-License-Identifier: MIT */
/* children.c - whose end is whose, and what a child inherits */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "unit.h"

static struct children children;

struct seen {
	unsigned times;
	int status;
};

static void on_ended(void *arg, int status)
{
	struct seen *s = arg;

	s->times++;
	s->status = status;
}

static void start_exiting(struct seen *s, int code)
{
	const pid_t pid = children_fork(&children, on_ended, s);

	if (pid == 0)
		_exit(code);
	ck_assert_int_gt(pid, 0);
}

/* Blocked as in l4lb, so that one comes per reap. */
static void wait_for_end(void)
{
	siginfo_t info;

	ck_assert_int_eq(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
	children_reap(&children);
}

static void set_up(void)
{
	children = (struct children){0};
}

START_TEST(each_end_is_told_to_whom_it_concerns)
{
	struct seen seen[CHILDREN_MAX] = {{0, 0}};
	unsigned ended;

	set_up();
	for (int i = 0; i < CHILDREN_MAX; i++)
		start_exiting(&seen[i], 10 + i);
	ck_assert_int_eq(children_fork(&children, on_ended, NULL), -EAGAIN);
	do {
		wait_for_end();
		ended = 0;
		for (int i = 0; i < CHILDREN_MAX; i++)
			ended += seen[i].times;
	} while (ended < CHILDREN_MAX);
	for (int i = 0; i < CHILDREN_MAX; i++) {
		ck_assert_uint_eq(seen[i].times, 1);
		ck_assert_int_eq(WEXITSTATUS(seen[i].status), 10 + i);
	}
	start_exiting(&seen[0], 0); /* there is room again */
	wait_for_end();
	ck_assert_uint_eq(seen[0].times, 2);
}
END_TEST

/* Of the shell that became l4lb by exec, say. */
START_TEST(the_end_of_a_strange_child_is_nobodys)
{
	struct seen seen = {0, 0};
	int hold[2];
	char byte;
	pid_t pid;

	set_up();
	ck_assert_int_eq(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 3 : 4);
	}
	ck_assert(children_add(&children, pid, on_ended, &seen));
	if (fork() == 0)
		_exit(5);
	wait_for_end();
	ck_assert_uint_eq(seen.times, 0);
	close(hold[1]);
	wait_for_end();
	ck_assert_uint_eq(seen.times, 1);
	ck_assert_int_eq(WEXITSTATUS(seen.status), 3);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* none is left */
}
END_TEST

static struct seen second;

static void start_second(void *arg, int status)
{
	(void)arg, (void)status;
	start_exiting(&second, 7);
}

START_TEST(an_end_may_start_the_next_one)
{
	pid_t pid;

	set_up();
	pid = children_fork(&children, start_second, NULL);
	if (pid == 0)
		_exit(0);
	while (second.times == 0)
		wait_for_end();
	ck_assert_int_eq(WEXITSTATUS(second.status), 7);
}
END_TEST

/* The number of the first thing that is not as a new program wants it. */
static int what_is_wrong(void)
{
	struct sigaction action;
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int i = 1; i < NSIG; i++)
		if (sigismember(&blocked, i) == 1)
			return 1;
	sigaction(SIGPIPE, NULL, &action);
	if (action.sa_handler != SIG_DFL)
		return 2;
	sigaction(SIGXFSZ, NULL, &action);
	if (action.sa_handler != SIG_DFL)
		return 3;
	for (int fd = 3; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			return 4;
	return fcntl(STDERR_FILENO, F_GETFD) == -1 ? 5 : 0;
}

START_TEST(a_child_has_clean_signals_and_none_of_our_descriptors)
{
	struct seen seen = {0, 0};
	sigset_t set;
	pid_t pid;

	set_up();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_ge(open("/dev/null", O_RDONLY), 3);
	pid = children_fork(&children, on_ended, &seen);
	if (pid == 0)
		_exit(what_is_wrong());
	wait_for_end();
	ck_assert_uint_eq(seen.times, 1);
	ck_assert_ptr_null(child_failure(seen.status));
	ck_assert_int_eq(WEXITSTATUS(seen.status), 0);
}
END_TEST

START_TEST(a_failure_is_told_in_words)
{
	struct seen seen = {0, 0};
	pid_t pid;

	set_up();
	start_exiting(&seen, ENOSPC);
	wait_for_end();
	ck_assert_str_eq(child_failure(seen.status), strerror(ENOSPC));
	pid = children_fork(&children, on_ended, &seen);
	if (pid == 0) {
		raise(SIGPIPE);
		_exit(0);
	}
	wait_for_end();
	ck_assert_str_eq(child_failure(seen.status), "Broken pipe");
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{each_end_is_told_to_whom_it_concerns, 1},
		{the_end_of_a_strange_child_is_nobodys, 1},
		{an_end_may_start_the_next_one, 1},
		{a_child_has_clean_signals_and_none_of_our_descriptors, 1},
		{a_failure_is_told_in_words, 1},
	};

	return unit_run("children", tests, ARRAY_LEN(tests));
}
