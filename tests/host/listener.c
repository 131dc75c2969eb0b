/* SPDX-License-Identifier: MIT */
/*
 * listener.c - the sockets of the API: what is left of another process is
 * replaced, or waited for
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/listener.h"

static char folder[] = "/tmp/l4lb-listener-XXXXXX", path[64];

static void set_up(void)
{
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
}

static void tear_down(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static int open_local(bool ours, struct err *err)
{
	const struct owner me = {geteuid(), getegid()};
	int fd;
	const int ret = listener_local(&fd, path, &me, ours, err);

	ck_assert(ret ? fd == -1 : fd >= 0);
	return ret ? ret : fd;
}

static bool connects(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool good;

	strcpy(sa.sun_path, path);
	good = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	close(fd);
	return good;
}

START_TEST(listens_for_its_owner_alone)
{
	struct stat st;
	struct err err;
	const int fd = open_local(false, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert(connects());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}
END_TEST

START_TEST(replaces_what_a_dead_process_left)
{
	struct err err;
	int fd = open_local(false, &err);

	close(fd); /* the name stays, as after kill -9 */
	fd = open_local(false, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert(connects());
	close(fd);
}
END_TEST

/* A child that lives may have shut its listener down: that is enough. */
START_TEST(replaces_one_that_was_shut_down)
{
	struct err err;
	const int old = open_local(false, &err);
	int fd;

	ck_assert_int_eq(shutdown(old, SHUT_RDWR), 0);
	fd = open_local(false, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	close(fd);
	close(old);
}
END_TEST

START_TEST(a_living_one_keeps_its_name)
{
	struct err err;
	const int old = open_local(false, &err);

	ck_assert_int_eq(open_local(false, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "another program listens "
					       "there; choose another path"));
	ck_assert(connects());
	close(old);
}
END_TEST

START_TEST(but_not_if_the_name_is_ours)
{
	struct err err;
	const int old = open_local(true, &err), fd = open_local(true, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(shutdown(old, SHUT_RDWR), 0);
	ck_assert(connects());
	close(old);
	close(fd);
}
END_TEST

START_TEST(leaves_other_things_alone)
{
	struct err err;
	const int file = open(path, O_WRONLY | O_CREAT, 0600);

	close(file);
	ck_assert_int_eq(open_local(true, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "something else of that name"));
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* ------------------------------------------------------------------------ TCP
 */

static struct endpoint loopback(uint16_t port)
{
	return (struct endpoint){addr_from_v4(htonl(INADDR_LOOPBACK)), port};
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return sa.sin_port;
}

START_TEST(tcp_is_waited_for)
{
	struct endpoint at = loopback(0);
	struct err err;
	int old, fd, status;
	pid_t pid;

	ck_assert_msg(listener_tcp(&old, &at, &err) == 0, "%s", err.text);
	at.port = port_of(old);
	/* It lets go a little later, as the old l4lb-api does. */
	pid = fork();
	if (pid == 0) {
		usleep(300 * 1000);
		shutdown(old, SHUT_RDWR);
		pause();
	}
	close(old);
	ck_assert_msg(listener_tcp(&fd, &at, &err) == 0, "%s", err.text);
	ck_assert_int_eq(port_of(fd), at.port);
	close(fd);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

START_TEST(tcp_not_for_ever)
{
	struct endpoint at = loopback(0);
	struct err err;
	int old, fd;

	ck_assert_int_eq(listener_tcp(&old, &at, &err), 0);
	at.port = port_of(old);
	ck_assert_int_eq(listener_tcp(&fd, &at, &err), -EADDRINUSE);
	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_nonnull(strstr(err.text, "choose another port"));
	close(old);
}
END_TEST

START_TEST(tcp_on_an_address_that_comes_later)
{
	/* RFC 5737: nobody has it. */
	struct endpoint at = {addr_from_v4(htonl(0xc0000209)), 0};
	struct err err;
	int fd;

	ck_assert_msg(listener_tcp(&fd, &at, &err) == 0, "%s", err.text);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *t = tcase_create("listener");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, listens_for_its_owner_alone);
	tcase_add_test(t, replaces_what_a_dead_process_left);
	tcase_add_test(t, replaces_one_that_was_shut_down);
	tcase_add_test(t, a_living_one_keeps_its_name);
	tcase_add_test(t, but_not_if_the_name_is_ours);
	tcase_add_test(t, leaves_other_things_alone);
	tcase_add_test(t, tcp_is_waited_for);
	tcase_add_test(t, tcp_not_for_ever);
	tcase_add_test(t, tcp_on_an_address_that_comes_later);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
