/* SPDX-License-Identifier: MIT */
/* notify.c - what a supervisor hears, on a socket of the test's own */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "notify.h"
#include "unit.h"

#define SECOND 1000000000ull

static char dir[] = "/tmp/l4lb-notify-XXXXXX", path[64];
static struct notify n;
static int supervisor = -1;

/* @name: as in NOTIFY_SOCKET. */
static void listen_at(const char *name)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const size_t len = strlen(name);

	memcpy(to.sun_path, name, len);
	if (*name == '@')
		to.sun_path[0] = '\0';
	supervisor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(
		bind(supervisor, (struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	listen_at(path);
}

static void end(void)
{
	notify_close(&n);
	close(supervisor);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
}

/* The next datagram; "" if there is none. */
static const char *heard(void)
{
	static char text[1024];
	ssize_t len = recv(supervisor, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

START_TEST(each_state_is_told_with_its_status)
{
	unsigned long long usec;
	char rest[64];
	struct timespec now;

	begin();
	ck_assert_int_eq(notify_open(&n), 0);
	notify_ready(&n, "3 of 3");
	ck_assert_str_eq(heard(), "READY=1\nSTATUS=3 of 3");
	notify_reloading(&n, "reads");
	clock_gettime(CLOCK_MONOTONIC, &now);
	ck_assert_int_eq(sscanf(heard(), "RELOADING=1 MONOTONIC_USEC=%llu %63s",
				&usec, rest),
			 2);
	ck_assert_str_eq(rest, "STATUS=reads");
	ck_assert_uint_le(usec, (unsigned long long)now.tv_sec * 1000000 +
					(unsigned long long)now.tv_nsec / 1000);
	ck_assert_uint_gt(usec + 60000000,
			  (unsigned long long)now.tv_sec * 1000000);
	notify_stopping(&n, "ends");
	ck_assert_str_eq(heard(), "STOPPING=1\nSTATUS=ends");
	end();
}
END_TEST

START_TEST(a_status_is_one_line_told_once)
{
	char text[1000];

	begin();
	ck_assert_int_eq(notify_open(&n), 0);
	notify_status(&n, "a\nREADY=1");
	ck_assert_str_eq(heard(), "STATUS=a?READY=1");
	notify_status(&n, "a\nREADY=1");
	ck_assert_str_eq(heard(), "");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	notify_ready(&n, text);
	ck_assert_uint_eq(strlen(heard()),
			  strlen("READY=1\nSTATUS=") + NOTIFY_STATUS_MAX - 1);
	end();
}
END_TEST

START_TEST(a_name_with_at_is_abstract)
{
	char name[64];

	begin();
	close(supervisor);
	snprintf(name, sizeof(name), "@l4lb-notify-%d", (int)getpid());
	listen_at(name);
	ck_assert_int_eq(notify_open(&n), 0);
	notify_status(&n, "here");
	ck_assert_str_eq(heard(), "STATUS=here");
	end();
}
END_TEST

START_TEST(a_child_finds_no_trace_of_it)
{
	begin();
	setenv("WATCHDOG_USEC", "2000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	ck_assert_int_eq(notify_open(&n), 0);
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
	end();
}
END_TEST

START_TEST(the_watchdog_is_fed_at_half_its_time)
{
	char pid[16];

	begin();
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_USEC", "2000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	ck_assert_int_eq(notify_open(&n), 0);
	ck_assert_uint_eq(notify_turn(&n, 10 * SECOND), 11 * SECOND);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	ck_assert_uint_eq(notify_turn(&n, 11 * SECOND - 1), 11 * SECOND);
	ck_assert_str_eq(heard(), "");
	ck_assert_uint_eq(notify_turn(&n, 11 * SECOND), 12 * SECOND);
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	end();
}
END_TEST

/* Of another process, or no number: nobody waits for us. */
START_TEST(no_watchdog_is_fed_that_is_not_ours)
{
	static const struct {
		const char *usec, *pid;
	} wrong[] = {
		{"2000000", "1"},  {"", NULL},	 {"2s", NULL},
		{"-5", NULL},	   {"0", NULL},	 {"99999999999999999999", NULL},
		{"2000000", "me"}, {NULL, NULL}, {"18446744073709551615", NULL},
	};

	begin();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		setenv("NOTIFY_SOCKET", path, 1);
		if (wrong[i].usec)
			setenv("WATCHDOG_USEC", wrong[i].usec, 1);
		if (wrong[i].pid)
			setenv("WATCHDOG_PID", wrong[i].pid, 1);
		ck_assert_int_eq(notify_open(&n), 0);
		ck_assert_uint_eq(notify_turn(&n, SECOND), UINT64_MAX);
		ck_assert_str_eq(heard(), "");
		notify_close(&n);
	}
	end();
}
END_TEST

static void fill_queue(void)
{
	while (send(n.fd, "full", 4, MSG_DONTWAIT) == 4)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void empty_queue(void)
{
	while (*heard())
		;
}

START_TEST(what_finds_no_room_is_told_later_in_its_order)
{
	begin();
	setenv("WATCHDOG_USEC", "2000000", 1);
	ck_assert_int_eq(notify_open(&n), 0);
	fill_queue();
	notify_reloading(&n, "reads");
	notify_ready(&n, "has read");
	/* It asks to be called soon. A life sign is not kept. */
	ck_assert_uint_lt(notify_turn(&n, SECOND), SECOND + SECOND / 2);
	empty_queue();
	notify_status(&n, "later");
	ck_assert_ptr_nonnull(strstr(heard(), "RELOADING=1\n"));
	ck_assert_str_eq(heard(), "READY=1\nSTATUS=has read");
	ck_assert_str_eq(heard(), "STATUS=later");
	ck_assert_str_eq(heard(), "");
	end();
}
END_TEST

START_TEST(of_too_much_the_oldest_is_given_up)
{
	char text[16];

	begin();
	ck_assert_int_eq(notify_open(&n), 0);
	fill_queue();
	for (int i = 0; i < 2 * NOTIFY_WAITING; i++) {
		snprintf(text, sizeof(text), "%d", i);
		notify_ready(&n, text);
	}
	empty_queue();
	ck_assert_uint_eq(notify_turn(&n, SECOND), UINT64_MAX);
	for (int i = NOTIFY_WAITING; i < 2 * NOTIFY_WAITING; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ck_assert_str_eq(heard() + strlen("READY=1\nSTATUS="), text);
	}
	ck_assert_str_eq(heard(), "");
	end();
}
END_TEST

START_TEST(a_supervisor_that_begins_anew_is_found)
{
	begin();
	ck_assert_int_eq(notify_open(&n), 0);
	close(supervisor);
	unlink(path);
	notify_status(&n, "nobody hears it");
	listen_at(path);
	notify_status(&n, "again");
	ck_assert_str_eq(heard(), "STATUS=again");
	end();
}
END_TEST

START_TEST(a_socket_that_cannot_be_is_refused)
{
	char name[PATH_MAX];

	begin();
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	ck_assert_int_eq(notify_open(&n), -ENAMETOOLONG);
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	ck_assert_int_eq(notify_open(&n), -EINVAL);
	setenv("NOTIFY_SOCKET", "/", 1);
	ck_assert_int_eq(notify_open(&n), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	ck_assert_int_eq(notify_open(&n), -ENOENT);
	/* All calls do nothing then, as without any. */
	notify_ready(&n, "x");
	ck_assert_uint_eq(notify_turn(&n, SECOND), UINT64_MAX);
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_open(&n), 0);
	notify_ready(&n, "x");
	ck_assert_str_eq(heard(), "");
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{each_state_is_told_with_its_status, 1},
		{a_status_is_one_line_told_once, 1},
		{a_name_with_at_is_abstract, 1},
		{a_child_finds_no_trace_of_it, 1},
		{the_watchdog_is_fed_at_half_its_time, 1},
		{no_watchdog_is_fed_that_is_not_ours, 1},
		{what_finds_no_room_is_told_later_in_its_order, 1},
		{of_too_much_the_oldest_is_given_up, 1},
		{a_supervisor_that_begins_anew_is_found, 1},
		{a_socket_that_cannot_be_is_refused, 1},
	};

	return unit_run("notify", tests, ARRAY_LEN(tests));
}
