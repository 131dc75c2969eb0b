/* SPDX-License-Identifier: MIT */
/*
 * running.c - the configuration of another process: from its overlay, or by
 * its control channel, here a process of the test
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command.h"
#include "control/diff.h"
#include "control/running.h"
#include "unit.h"

#define CHANGES "/run/l4lb/demo.changes"
#define CHANNEL "/run/l4lb/demo.control"

#define SERVICE                  \
	"[service chat]\n"       \
	"listen = 10.0.0.1:80\n" \
	"backend = 10.0.0.2:80\n"
#define LINES                                   \
	"service add chat listen=10.0.0.1:80\n" \
	"backend add chat 10.0.0.2:80 id=backend1\n"

static struct config parsed(const char *text)
{
	struct config c;
	struct err err;
	char whole[1024];

	snprintf(whole, sizeof(whole),
		 "[global]\nname = demo\ncontrol = " CHANNEL "\n%s", text);
	if (config_parse(&c, "t", whole, &err))
		ck_abort_msg("%s", err.text);
	return c;
}

static void set_up(void)
{
	(void)mkdir("/run/l4lb", 0755);
	(void)unlink(CHANGES);
	(void)unlink(CHANNEL);
}

static void write_changes(const char *text)
{
	FILE *file = fopen(CHANGES, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* A process that answers one command with these datagrams. */
static pid_t answer_with(const char *const *datagrams)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = CHANNEL};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char bytes[64];
	pid_t pid;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int conn = accept(fd, NULL, NULL);
		ssize_t n = recv(conn, bytes, sizeof(bytes), 0);

		if (n != 4 || memcmp(bytes, "show", 4) != 0)
			_exit(1);
		for (; *datagrams; datagrams++)
			if (send(conn, *datagrams, strlen(*datagrams), 0) < 0)
				_exit(2);
		_exit(0);
	}
	close(fd);
	return pid;
}

static void expect_end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void expect_lines(const struct config *from, const struct config *to,
			 const char *lines)
{
	struct text text = {0};

	ck_assert_int_eq(diff_print(from, to, &text), 0);
	ck_assert_str_eq(text_get(&text), lines);
	text_free(&text);
}

START_TEST(what_was_never_changed_is_asked_by_the_channel)
{
	static const char *const reply[] = {
		"+set idle_timeout=1h\n",
		"+service add chat listen=10.0.0.1:80\n"
		"backend add chat 10.0.0.2:80 id=backend1\n",
		"ok generation=3", NULL};
	struct config c = parsed(SERVICE "fall = 7\n"), base, running;
	struct err err;
	pid_t pid;

	set_up();
	pid = answer_with(reply);
	if (running_read(&c, &base, &running, &err))
		ck_abort_msg("%s", err.text);
	expect_end(pid);
	expect_lines(&running, &c,
		     "set idle_timeout=124m\nservice set chat fall=7\n");
	expect_lines(&base, &running, "");
	config_free(&c);
	config_free(&base);
	config_free(&running);
}
END_TEST

START_TEST(what_was_changed_is_in_the_overlay)
{
	struct config c = parsed(SERVICE), base, running;
	struct err err;

	set_up();
	write_changes("l4lb-changes 1\n"
		      "base service add chat listen=10.0.0.1:80\n"
		      "base backend add chat 10.0.0.2:80 id=backend1\n"
		      "backend add chat 10.0.0.3:80 weight=2\n"
		      "leaving 10.0.0.1:80 10.0.0.9:80 drain\n");
	if (running_read(&c, &base, &running, &err))
		ck_abort_msg("%s", err.text);
	expect_lines(&base, &c, "");
	expect_lines(&c, &running,
		     "backend add chat 10.0.0.3:80 weight=2 id=backend2\n");
	config_free(&c);
	config_free(&base);
	config_free(&running);
}
END_TEST

START_TEST(what_cannot_be_read_is_said)
{
	static const char *const garbled[] = {"+nonsense\n", "ok", NULL};
	static const char *const refused[] = {"error busy not now", NULL};
	static const char *const broken[] = {"+" LINES, NULL};
	const struct {
		const char *const *reply;
		const char *part;
	} cases[] = {
		{garbled, CHANNEL ": unknown command \"nonsense\""},
		{refused, "answered: error busy not now"},
		{broken, "no answer from " CHANNEL},
	};
	struct config c = parsed(SERVICE), base, running;
	struct err err;

	set_up();
	ck_assert_int_eq(running_read(&c, &base, &running, &err), -ESRCH);
	ck_assert_ptr_nonnull(strstr(err.text, "is the instance running?"));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		pid_t pid;

		set_up();
		pid = answer_with(cases[i].reply);
		ck_assert_int_eq(running_read(&c, &base, &running, &err), -EIO);
		ck_assert_msg(strstr(err.text, cases[i].part), "%s", err.text);
		expect_end(pid);
	}
	write_changes("l4lb-changes 1\nbase nonsense\n");
	ck_assert_int_eq(running_read(&c, &base, &running, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, CHANGES ": line 2: unknown"));
	config_free(&c);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{what_was_never_changed_is_asked_by_the_channel, 0},
		{what_was_changed_is_in_the_overlay, 0},
		{what_cannot_be_read_is_said, 0},
	};

	return unit_run("running", tests, ARRAY_LEN(tests));
}
