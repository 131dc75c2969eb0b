/* SPDX-License-Identifier: MIT */
/*
 * command_socket.c - connections of the control channel that are one end of a
 * socket pair: served like others, one command a turn, and never given up
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/time.h"
#include "host/command_socket.h"

static char folder[] = "/tmp/l4lb-command_socket-XXXXXX", path[64];
static struct command_socket *s;
static uint64_t now_ns = 1;

static void set_up(void)
{
	struct err err;

	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/control", folder);
	ck_assert_msg(command_socket_open(&s, path, &err) == 0, "%s", err.text);
}

static void tear_down(void)
{
	command_socket_close(s);
	ck_assert_int_eq(rmdir(folder), 0);
}

/* Our end of a connection that was adopted. */
static int adopt(void)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	command_socket_adopt(s, ends[0]);
	return ends[1];
}

static int connect_one(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	strcpy(sa.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_DONTWAIT),
			 (ssize_t)strlen(text));
}

/* The next datagram; "": there is none; "(end)". */
static const char *hear(int fd)
{
	static char text[ANSWER_MAX + 1];
	const ssize_t n = recv(fd, text, ANSWER_MAX, MSG_DONTWAIT);

	if (n == -1)
		return "";
	text[n] = 0;
	return n ? text : "(end)";
}

/* A turn of the loop: true if it has a command. */
static bool turn(struct asker *who, char text[ASKED_MAX + 1])
{
	struct pollfd fds[COMMAND_FDS];

	command_socket_poll(s, fds);
	ck_assert_int_ge(poll(fds, COMMAND_FDS, 0), 0);
	return command_socket_take(s, fds, now_ns, who, text);
}

START_TEST(it_is_served_and_known)
{
	const int a = adopt(), b = adopt();
	char text[ASKED_MAX + 1];
	struct asker who;

	say(b, "status\n");
	ck_assert(turn(&who, text));
	ck_assert_str_eq(text, "status");
	ck_assert(command_socket_is_adopted(s, &who));
	ck_assert_uint_eq(command_socket_uid(s, &who), geteuid());
	command_socket_lines(s, &who, "one\ntwo\n", 8, now_ns);
	command_socket_end(s, &who, "ok %d", 1);
	ck_assert_str_eq(hear(b), "+one\ntwo\n");
	ck_assert_str_eq(hear(b), "ok 1");
	ck_assert_str_eq(hear(a), "");
	close(a);
	close(b);
}
END_TEST

START_TEST(another_one_is_not_adopted)
{
	char text[ASKED_MAX + 1];
	const int fd = connect_one();
	struct asker who;

	(void)turn(&who, text);
	say(fd, "status");
	ck_assert(turn(&who, text));
	ck_assert(!command_socket_is_adopted(s, &who));
	ck_assert_uint_eq(command_socket_uid(s, &who), geteuid());
	close(fd);
}
END_TEST

/* Those who connect push each other out, but never an adopted one. */
START_TEST(it_is_not_given_up_for_others)
{
	int fds[3 * COMMAND_PEERS];
	char text[ASKED_MAX + 1];
	const int a = adopt();
	struct asker who;

	for (int i = 0; i < 3 * COMMAND_PEERS; i++) {
		now_ns += NS_PER_S;
		fds[i] = connect_one();
		ck_assert(!turn(&who, text));
	}
	ck_assert_str_eq(hear(fds[0]), "(end)");
	say(a, "status");
	ck_assert(turn(&who, text));
	ck_assert(command_socket_is_adopted(s, &who));
	for (int i = 0; i < 3 * COMMAND_PEERS; i++)
		close(fds[i]);
	close(a);
}
END_TEST

/* Floods of two, and one who waits: each turn one command, all get theirs. */
START_TEST(a_flood_takes_one_a_turn)
{
	const int a = adopt(), b = adopt(), other = connect_one();
	unsigned from_a = 0, from_other = 0;
	char text[ASKED_MAX + 1];
	struct asker who;

	(void)turn(&who, text);
	for (int i = 0; i < 100; i++) {
		say(a, "a");
		say(b, "b");
	}
	say(other, "other");
	for (int i = 0; i < 30; i++) {
		if (!turn(&who, text))
			continue;
		from_a += *text == 'a';
		from_other += *text == 'o';
		command_socket_end(s, &who, "ok");
	}
	ck_assert_uint_eq(from_other, 1);
	ck_assert_uint_ge(from_a, 14);
	ck_assert_uint_le(from_a, 15);
	close(a);
	close(b);
	close(other);
}
END_TEST

/* What is no command is answered, and counts as the command of the turn. */
START_TEST(rubbish_is_answered)
{
	char text[ASKED_MAX + 1], big[ASKED_MAX + 100];
	const int a = adopt();
	struct asker who;

	memset(big, 'x', sizeof(big));
	ck_assert_int_gt(send(a, big, sizeof(big), 0), 0);
	ck_assert_int_gt(send(a, "a\0b", 3, 0), 0);
	ck_assert_int_gt(send(a, "\n", 1, 0), 0);
	ck_assert_int_eq(send(a, "", 0, 0), 0);
	ck_assert_int_gt(send(a, "status\r\n", 8, 0), 0);
	for (int i = 0; i < 5; i++)
		ck_assert(!turn(&who, text));
	ck_assert_ptr_nonnull(strstr(hear(a), "error too-long"));
	for (int i = 0; i < 4; i++)
		ck_assert_ptr_nonnull(strstr(hear(a), "error bad-command"));
	say(a, "status");
	ck_assert(turn(&who, text));
	close(a);
}
END_TEST

/*
 * Its process was killed between question and answer: what waits is forgotten
 * after COMMAND_PATIENCE_S, and the next process asks anew.
 */
START_TEST(one_that_does_not_read_may_ask_again)
{
	const size_t len = 4u << 20;
	char text[ASKED_MAX + 1], *lines = malloc(len);
	const int a = adopt();
	struct asker who, next;

	ck_assert_ptr_nonnull(lines);
	memset(lines, 'x', len);
	for (size_t i = 99; i < len; i += 100)
		lines[i] = '\n';
	say(a, "show");
	ck_assert(turn(&who, text));
	command_socket_lines(s, &who, lines, len, now_ns);
	ck_assert(command_socket_waits(s, &who));
	say(a, "sync 1");
	now_ns += COMMAND_PATIENCE_S * NS_PER_S;
	ck_assert(!turn(&next, text));
	ck_assert(command_socket_waits(s, &who));
	now_ns += NS_PER_S;
	for (int i = 0; i < 2; i++)
		if (turn(&next, text))
			break;
	ck_assert_str_eq(text, "sync 1");
	ck_assert(!command_socket_serves(s, &who));
	ck_assert(command_socket_is_adopted(s, &next));
	/* The old answer, as far as it went, then the new one. */
	while (*hear(a) == '+')
		continue;
	command_socket_end(s, &next, "ok sync=1");
	ck_assert_str_eq(hear(a), "ok sync=1");
	close(a);
	free(lines);
}
END_TEST

/* The reply finds no room: it is lost, the connection is not. */
START_TEST(a_reply_without_room_is_forgotten)
{
	char text[ASKED_MAX + 1];
	const int a = adopt();
	struct asker who, first = {0};
	unsigned asked = 0;

	/* Until one finds no room for its answer. */
	for (int i = 0; i < 10000; i++) {
		say(a, "generation");
		ck_assert(turn(&who, text));
		if (i == 0)
			first = who;
		asked++;
		command_socket_end(s, &who, "ok generation=%d", i);
		if (!command_socket_serves(s, &first))
			break;
	}
	ck_assert_uint_lt(asked, 10000);
	while (*hear(a) == 'o')
		continue;
	say(a, "sync 2");
	ck_assert(turn(&who, text));
	command_socket_end(s, &who, "ok sync=2");
	ck_assert_str_eq(hear(a), "ok sync=2");
	close(a);
}
END_TEST

START_TEST(it_ends_with_its_peer)
{
	char text[ASKED_MAX + 1];
	const int a = adopt();
	struct asker who;
	struct pollfd fds[COMMAND_FDS];

	say(a, "status");
	ck_assert(turn(&who, text));
	close(a);
	ck_assert(!turn(&who, text));
	ck_assert(!command_socket_serves(s, &who));
	command_socket_poll(s, fds);
	for (int i = 1; i < COMMAND_FDS; i++)
		ck_assert_int_eq(fds[i].fd, -1);
}
END_TEST

/* It says that it will ask no more, but stays: that is the end, too. */
START_TEST(half_an_end_is_one)
{
	char text[ASKED_MAX + 1];
	const int a = adopt();
	struct asker who;

	say(a, "status");
	ck_assert(turn(&who, text));
	command_socket_end(s, &who, "ok");
	ck_assert_int_eq(shutdown(a, SHUT_WR), 0);
	ck_assert(!turn(&who, text));
	ck_assert(!command_socket_serves(s, &who));
	close(a);
}
END_TEST

START_TEST(the_end_is_seen_by_the_peer)
{
	const int a = adopt();

	command_socket_close(s);
	s = NULL;
	ck_assert_str_eq(hear(a), "(end)");
	close(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command_socket");
	TCase *t = tcase_create("command_socket");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, it_is_served_and_known);
	tcase_add_test(t, another_one_is_not_adopted);
	tcase_add_test(t, it_is_not_given_up_for_others);
	tcase_add_test(t, a_flood_takes_one_a_turn);
	tcase_add_test(t, rubbish_is_answered);
	tcase_add_test(t, one_that_does_not_read_may_ask_again);
	tcase_add_test(t, a_reply_without_room_is_forgotten);
	tcase_add_test(t, it_ends_with_its_peer);
	tcase_add_test(t, half_an_end_is_one);
	tcase_add_test(t, the_end_is_seen_by_the_peer);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
