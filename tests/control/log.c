/* SPDX-License-Identifier: MIT */
/*
 * log.c - lines come out whole, and a blocked stderr stops nobody
 *
 * The log looks at stderr once per process, so each case logs from a child
 * that has one of its own.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "log.h"

#define HANG_S 20 /* a child that takes longer was blocked */

typedef void child_fn(int fd);

/* Runs @fn with stderr at @fd; fails if it does not come to its end. */
static void in_child(int fd, child_fn *fn)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		alarm(HANG_S);
		dup2(fd, STDERR_FILENO);
		fn(fd);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "child: status 0x%x (0xe: it hung)", status);
}

/* What can be read from @fd now. */
static size_t drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	return len;
}

static void make_pipe(int fds[2])
{
	ck_assert_int_eq(pipe(fds), 0);
}

static void log_each_kind(int fd)
{
	(void)fd;
	log_set_level(1);
	log_warn("one %d", 1);
	log_info("two");
	log_flow("three\n\x1b[2J");
	log_debug("four");
}

START_TEST(a_line_has_a_time_and_a_level_is_kept)
{
	char text[1024], warn[64] = "", info[64] = "", flow[64] = "";
	int fds[2], n = 0;

	make_pipe(fds);
	unsetenv("JOURNAL_STREAM");
	in_child(fds[1], log_each_kind);
	drain(fds[0], text, sizeof(text));
	/* 2026-01-31T12:34:56.789+0100 l4lb: ... */
	n = sscanf(text,
		   "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*3d%*5s l4lb: %63[^\n]\n"
		   "%*s l4lb: %63[^\n]\n%*s l4lb: %63[^\n]\n",
		   warn, info, flow);
	ck_assert_msg(n == 3, "%s", text);
	ck_assert_str_eq(warn, "warning: one 1");
	ck_assert_str_eq(info, "two");
	ck_assert_str_eq(flow, "three??[2J");
	ck_assert_ptr_null(strstr(text, "four"));
}
END_TEST

static void log_quietly(int fd)
{
	(void)fd;
	log_set_level(-1);
	log_info("no");
	log_warn("yes");
	if (!log_wants(-1) || log_wants(0))
		_exit(1);
}

START_TEST(quiet_leaves_the_warnings)
{
	char text[1024];
	int fds[2];

	make_pipe(fds);
	in_child(fds[1], log_quietly);
	drain(fds[0], text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "warning: yes\n"));
	ck_assert_ptr_null(strstr(text, "no\n"));
}
END_TEST

/* As systemd does: JOURNAL_STREAM names the socket that stderr is. */
static void set_journal(int fd)
{
	struct stat st;
	char value[64];

	ck_assert_int_eq(fstat(fd, &st), 0);
	snprintf(value, sizeof(value), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", value, 1);
}

START_TEST(the_journal_gets_priorities_and_no_time)
{
	char text[1024];
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	set_journal(fds[1]);
	in_child(fds[1], log_each_kind);
	unsetenv("JOURNAL_STREAM");
	drain(fds[0], text, sizeof(text));
	ck_assert_str_eq(text, "<4>warning: one 1\n<6>two\n<6>three??[2J\n");
}
END_TEST

START_TEST(a_redirected_child_of_a_service_is_not_the_journal)
{
	char text[1024];
	int fds[2];

	make_pipe(fds);
	setenv("JOURNAL_STREAM", "1:1", 1);
	in_child(fds[1], log_each_kind);
	unsetenv("JOURNAL_STREAM");
	drain(fds[0], text, sizeof(text));
	ck_assert_int_ne(text[0], '<');
}
END_TEST

static void log_ten_thousand(int fd)
{
	(void)fd;
	log_set_level(0);
	for (int i = 0; i < 10000; i++)
		log_info("line %d of very many that nobody reads", i);
}

static void expect_whole_lines(const char *text)
{
	while (*text) {
		const char *end = strchr(text, '\n');

		ck_assert_ptr_nonnull(end);
		ck_assert_ptr_nonnull(strstr(text, "l4lb: line "));
		ck_assert_int_eq(memcmp(end - 5, "reads", 5), 0);
		text = end + 1;
	}
}

START_TEST(a_full_pipe_drops_whole_lines)
{
	static char text[1 << 20];
	int fds[2];

	make_pipe(fds);
	in_child(fds[1], log_ten_thousand);
	ck_assert_uint_gt(drain(fds[0], text, sizeof(text)), 4096);
	ck_assert_ptr_nonnull(strstr(text, "line 0 of"));
	ck_assert_ptr_null(strstr(text, "line 9999 of"));
	expect_whole_lines(text);
	/* Whoever shares the pipe finds it blocking, as it was. */
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

static void log_as_somebody_else(int fd)
{
	/* May not open what belongs to root: poll() must do. */
	if (setuid(65534) == -1)
		_exit(0);
	log_ten_thousand(fd);
}

START_TEST(a_full_pipe_of_another_user_stops_nobody)
{
	static char text[1 << 20];
	int fds[2];

	if (geteuid() != 0)
		return;
	make_pipe(fds);
	in_child(fds[1], log_as_somebody_else);
	if (drain(fds[0], text, sizeof(text)) == 0)
		return; /* a user namespace without user 65534 */
	ck_assert_ptr_nonnull(strstr(text, "line 0 of"));
	ck_assert_ptr_null(strstr(text, "line 9999 of"));
	expect_whole_lines(text);
}
END_TEST

START_TEST(a_full_socket_drops_lines)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	in_child(fds[1], log_ten_thousand);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

static int reader; /* the other end, for the child to make room */

static void log_until_full_then_drain(int fd)
{
	static char text[1 << 20];

	log_ten_thousand(fd);
	drain(reader, text, sizeof(text));
	log_info("room again");
}

START_TEST(the_loss_is_reported_when_there_is_room)
{
	char text[1024];
	unsigned long lost;
	const char *report;
	int fds[2];

	make_pipe(fds);
	reader = fds[0];
	in_child(fds[1], log_until_full_then_drain);
	drain(fds[0], text, sizeof(text));
	report = strstr(text, "l4lb: warning: ");
	ck_assert_ptr_nonnull(report);
	ck_assert_int_eq(sscanf(report,
				"l4lb: warning: %lu log lines were "
				"dropped",
				&lost),
			 1);
	ck_assert_uint_gt(lost, 1000);
	ck_assert_uint_lt(lost, 10000);
	ck_assert_ptr_nonnull(strstr(report, "l4lb: room again\n"));
}
END_TEST

START_TEST(a_stopped_terminal_stops_nobody)
{
	int terminal = posix_openpt(O_RDWR | O_NOCTTY), fd;

	if (terminal == -1 || grantpt(terminal) || unlockpt(terminal) ||
	    (fd = open(ptsname(terminal), O_RDWR | O_NOCTTY)) == -1) {
		fprintf(stderr, "skipped: no pseudo-terminals here\n");
		return;
	}
	ck_assert_int_eq(tcflow(fd, TCOOFF), 0); /* as Ctrl-S */
	in_child(fd, log_ten_thousand);
	ck_assert_int_eq(tcflow(fd, TCOON), 0);
	/* and one that is not stopped, but that nobody reads */
	in_child(fd, log_ten_thousand);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
	close(terminal);
}
END_TEST

static void log_long(int fd)
{
	char text[3000];

	(void)fd;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	log_warn("%s", text);
	errno = EDOM;
	log_info("next");
	if (errno != EDOM)
		_exit(1);
}

START_TEST(a_long_line_is_cut_and_stays_one_line)
{
	char text[4096];
	const char *end;
	int fds[2];

	make_pipe(fds);
	in_child(fds[1], log_long);
	drain(fds[0], text, sizeof(text));
	end = strchr(text, '\n');
	ck_assert_ptr_nonnull(end);
	ck_assert_int_eq(end - text, 1023);
	ck_assert_int_eq(memcmp(end - 4, "x...", 4), 0);
	ck_assert_ptr_nonnull(strstr(end, "l4lb: next\n"));
}
END_TEST

static void log_to_the_end(int fd)
{
	(void)fd;
	log_info("one");
	log_info("two");
}

START_TEST(a_file_keeps_what_others_wrote)
{
	FILE *file = tmpfile();
	char text[1024];

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(write(fileno(file), "before\n", 7), 7);
	in_child(fileno(file), log_to_the_end);
	ck_assert_int_eq(write(fileno(file), "after\n", 6), 6);
	rewind(file);
	drain(fileno(file), text, sizeof(text));
	ck_assert_int_eq(memcmp(text, "before\n", 7), 0);
	ck_assert_ptr_nonnull(strstr(text, "l4lb: two\nafter\n"));
	fclose(file);
}
END_TEST

static void log_without_stderr(int fd)
{
	int fds[2];

	(void)fd;
	close(STDERR_FILENO);
	log_set_level(0);
	/* Descriptor 2 is somebody else's from now on. */
	if (pipe(fds) || (fds[0] != STDERR_FILENO && fds[1] != STDERR_FILENO))
		_exit(1);
	log_info("into the void");
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	if (read(fds[0], &(char){0}, 1) != -1)
		_exit(2);
}

START_TEST(a_closed_stderr_is_not_written_to)
{
	int fds[2];

	make_pipe(fds);
	in_child(fds[1], log_without_stderr);
}
END_TEST

static void log_to_nobody(int fd)
{
	(void)fd;
	signal(SIGPIPE, SIG_IGN); /* as main() does */
	log_info("one");
	log_info("two");
}

START_TEST(a_pipe_without_reader_ends_nobody)
{
	int fds[2];

	make_pipe(fds);
	close(fds[0]);
	in_child(fds[1], log_to_nobody);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *t = tcase_create("stderr");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, t);
	tcase_set_timeout(t, 3 * HANG_S);
	tcase_add_test(t, a_line_has_a_time_and_a_level_is_kept);
	tcase_add_test(t, quiet_leaves_the_warnings);
	tcase_add_test(t, the_journal_gets_priorities_and_no_time);
	tcase_add_test(t, a_redirected_child_of_a_service_is_not_the_journal);
	tcase_add_test(t, a_full_pipe_drops_whole_lines);
	tcase_add_test(t, a_full_pipe_of_another_user_stops_nobody);
	tcase_add_test(t, a_full_socket_drops_lines);
	tcase_add_test(t, the_loss_is_reported_when_there_is_room);
	tcase_add_test(t, a_stopped_terminal_stops_nobody);
	tcase_add_test(t, a_long_line_is_cut_and_stays_one_line);
	tcase_add_test(t, a_file_keeps_what_others_wrote);
	tcase_add_test(t, a_closed_stderr_is_not_written_to);
	tcase_add_test(t, a_pipe_without_reader_ends_nobody);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
