/* SPDX-License-Identifier: MIT */
/* command_socket.h with real sockets: whoever asks, whatever is sent. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/time.h"
#include "host/command_socket.h"
#include "unit.h"

#define PATH   "/run/test.control"
#define FOLDER "/run/test"

static struct command_socket *s;
static struct err err;
static uint64_t now_ns = NS_PER_S;
static char text[ASKED_MAX + 1], got[ANSWER_MAX + 1];
static struct asker who;

static void open_socket(void)
{
	ck_assert_msg(command_socket_open(&s, PATH, &err) == 0, "%s", err.text);
}

static int knock(void)
{
	const struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = PATH};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	ck_assert_int_ne(fd, -1);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One turn of the loop; true if there is a command. */
static bool turn(void)
{
	struct pollfd fds[COMMAND_FDS];

	command_socket_poll(s, fds);
	ck_assert_int_ne(poll(fds, COMMAND_FDS, 0), -1);
	return command_socket_take(s, fds, now_ns, &who, text);
}

static int join(void)
{
	const int fd = knock();

	ck_assert_int_ne(fd, -1);
	ck_assert(!turn());
	return fd;
}

static void say(int fd, const char *command)
{
	ck_assert_int_ne(send(fd, command, strlen(command), 0), -1);
}

/* The next datagram, in `got`; its length, 0: the end, -1: none yet. */
static ssize_t hear(int fd)
{
	const ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	return n;
}

static bool is_gone(int fd)
{
	return send(fd, "?", 1, MSG_NOSIGNAL) == -1;
}

START_TEST(one_datagram_is_one_command)
{
	struct stat st;
	int fd;

	open_socket();
	ck_assert_int_eq(stat(PATH, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	fd = join();
	say(fd, "first of all");
	say(fd, "second\n");
	ck_assert(turn());
	ck_assert_str_eq(text, "first of all");
	ck_assert(!turn()); /* the first is not answered yet */
	command_socket_end(s, &who, "ok %d", 1);
	ck_assert(turn());
	ck_assert_str_eq(text, "second");
	command_socket_end(s, &who, "error no \"%s\"", text);
	ck_assert_int_gt(hear(fd), 0);
	ck_assert_str_eq(got, "ok 1");
	ck_assert_int_gt(hear(fd), 0);
	ck_assert_str_eq(got, "error no \"second\"");
	close(fd);
	ck_assert(!turn());
	ck_assert(!command_socket_serves(s, &who));
	command_socket_end(s, &who, "ok"); /* to nobody */
	command_socket_close(s);
	ck_assert_int_eq(access(PATH, F_OK), -1);
}
END_TEST

static const struct {
	size_t len;
	const char *bytes; /* NULL: as many spaces */
	bool taken;
	const char *answer;
} datagrams[] = {
	{ASKED_MAX, NULL, true, NULL},
	{ASKED_MAX + 1, NULL, false, "error too-long "},
	{60000, NULL, false, "error too-long "},
	{1, "\n", false, "error bad-command "},
	{1, "\0", false, "error bad-command "},
	{4, "ab\0c", false, "error bad-command "},
	{3, "a\nb", false, "error bad-command "},
	{3, "a\x1b[", false, "error bad-command "},
	{3, "a\tb", true, NULL},
	{2, "\xc3\xa4", true, NULL},
};

START_TEST(only_a_line_of_text_is_a_command)
{
	static char spaces[60000];
	const size_t len = datagrams[_i].len;
	int fd;

	memset(spaces, ' ', sizeof(spaces));
	open_socket();
	fd = join();
	ck_assert_int_eq(
		send(fd, datagrams[_i].bytes ? datagrams[_i].bytes : spaces,
		     len, 0),
		(ssize_t)len);
	ck_assert_int_eq(turn(), datagrams[_i].taken);
	if (datagrams[_i].taken) {
		ck_assert_uint_eq(strlen(text), len);
	} else {
		ck_assert_int_gt(hear(fd), 0);
		ck_assert_msg(strncmp(got, datagrams[_i].answer,
				      strlen(datagrams[_i].answer)) == 0,
			      "%s", got);
		say(fd, "and on it goes");
		ck_assert(turn());
	}
	close(fd);
	command_socket_close(s);
}
END_TEST

START_TEST(in_a_flood_everybody_has_a_turn)
{
	unsigned of_quiet = 0, of_loud = 0;
	int loud, quiet;

	open_socket();
	loud = join();
	quiet = join();
	for (unsigned i = 0; i < 100; i++) {
		while (send(loud, "x", 1, MSG_DONTWAIT) == 1)
			;
		say(quiet, "y");
		for (int turns = 0; turns < 2; turns++) {
			ck_assert(turn()); /* one command a turn */
			of_loud += text[0] == 'x';
			of_quiet += text[0] == 'y';
			command_socket_end(s, &who, "ok");
		}
		while (hear(quiet) > 0 || hear(loud) > 0)
			;
	}
	ck_assert_uint_eq(of_quiet, 100);
	ck_assert_uint_eq(of_loud, 100);
	close(loud);
	close(quiet);
	command_socket_close(s);
}
END_TEST

START_TEST(who_asks_and_does_not_read_is_dropped)
{
	unsigned answered = 0;
	int fd;

	open_socket();
	fd = join();
	while (!is_gone(fd) && answered < 100000)
		if (turn()) {
			command_socket_end(s, &who, "ok %01000d", 0);
			answered++;
		}
	ck_assert_uint_gt(answered, 1);
	ck_assert_uint_lt(answered, 100000);
	close(fd);
	command_socket_close(s);
}
END_TEST

/* Lines for about @len bytes, numbered. */
static char *make_lines(size_t len, unsigned *n)
{
	char *lines = malloc(len + 64);
	size_t at = 0;

	ck_assert_ptr_nonnull(lines);
	for (*n = 0; at < len; ++*n)
		at += (size_t)sprintf(lines + at, "%0*u\n", 1 + (int)(*n % 50),
				      *n);
	return lines;
}

START_TEST(long_replies_come_whole_in_the_order_of_their_lines)
{
	char *lines, *line;
	unsigned all, seen = 0;
	int fd;

	open_socket();
	fd = join();
	say(fd, "show");
	say(fd, "next");
	ck_assert(turn());
	lines = make_lines(2000000, &all);
	command_socket_lines(s, &who, lines, strlen(lines), now_ns);
	ck_assert(command_socket_waits(s, &who));
	while (command_socket_waits(s, &who)) {
		ck_assert(!turn());
		while (hear(fd) > 0) {
			ck_assert_int_eq(got[0], '+');
			ck_assert_int_eq(got[strlen(got) - 1], '\n');
			line = strtok(got + 1, "\n");
			for (; line; line = strtok(NULL, "\n"))
				ck_assert_uint_eq(strtoul(line, NULL, 10),
						  seen++);
		}
	}
	command_socket_end(s, &who, "ok");
	while (hear(fd) > 0 && got[0] == '+')
		for (line = strtok(got + 1, "\n"); line;
		     line = strtok(NULL, "\n"))
			ck_assert_uint_eq(strtoul(line, NULL, 10), seen++);
	ck_assert_str_eq(got, "ok");
	ck_assert_uint_eq(seen, all);
	ck_assert(turn());
	ck_assert_str_eq(text, "next");
	free(lines);
	close(fd);
	command_socket_close(s);
}
END_TEST

START_TEST(who_does_not_read_a_long_reply_is_dropped_after_a_while)
{
	unsigned n;
	char *lines = make_lines(2000000, &n);
	int fd;

	open_socket();
	fd = join();
	say(fd, "show");
	ck_assert(turn());
	command_socket_lines(s, &who, lines, strlen(lines), now_ns);
	now_ns += COMMAND_PATIENCE_S * NS_PER_S;
	ck_assert(!turn());
	ck_assert(command_socket_serves(s, &who));
	now_ns++;
	ck_assert(!turn());
	ck_assert(!command_socket_serves(s, &who));
	free(lines);
	close(fd);
	command_socket_close(s);
}
END_TEST

START_TEST(a_newcomer_takes_the_place_of_who_was_silent_longest)
{
	int fds[COMMAND_PEERS], more;

	open_socket();
	for (unsigned i = 0; i < COMMAND_PEERS; i++) {
		now_ns++;
		fds[i] = join();
	}
	now_ns++;
	say(fds[0], "still here");
	ck_assert(turn());
	command_socket_end(s, &who, "ok");
	more = join();
	for (unsigned i = 0; i < COMMAND_PEERS; i++)
		ck_assert_int_eq(is_gone(fds[i]), i == 1);
	ck_assert(!is_gone(more));
	for (unsigned i = 0; i < COMMAND_PEERS; i++)
		close(fds[i]);
	close(more);
	for (int i = 0; i < 2 * COMMAND_PEERS; i++)
		if (turn())
			command_socket_end(s, &who, "ok");
	command_socket_close(s);
}
END_TEST

START_TEST(a_connection_that_ends_costs_no_processor)
{
	struct pollfd fds[COMMAND_FDS];
	int fd;

	open_socket();
	fd = join();
	say(fd, "slow");
	ck_assert(turn());
	close(fd); /* before the answer */
	turn();
	command_socket_poll(s, fds);
	ck_assert_int_eq(poll(fds, COMMAND_FDS, 0), 0);
	command_socket_close(s);
}
END_TEST

START_TEST(what_a_dead_process_left_is_replaced_and_nothing_else)
{
	struct command_socket *other;
	int fd;

	open_socket();
	ck_assert_int_eq(command_socket_open(&other, PATH, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "another program"));
	if (fork() == 0)
		_exit(0); /* without a word */
	wait(NULL);
	ck_assert_int_eq(access(PATH, F_OK), 0);
	command_socket_close(s);

	if (fork() == 0) {
		open_socket();
		_exit(0);
	}
	wait(NULL);
	ck_assert_int_eq(access(PATH, F_OK), 0);
	ck_assert_int_eq(knock(), -1);
	open_socket();
	close(join());
	command_socket_close(s);

	fd = open(PATH, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ne(fd, -1);
	close(fd);
	ck_assert_int_eq(command_socket_open(&s, PATH, &err), -EEXIST);
	ck_assert_int_eq(access(PATH, F_OK), 0);
	ck_assert_int_eq(unlink(PATH), 0);
	ck_assert_int_eq(command_socket_open(&s, "/run/no/such", &err),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/run/no/such"));
}
END_TEST

/* The mode keeps others out already; this is for a folder of somebody else. */
START_TEST(other_users_are_told_and_shut_out)
{
	int status;

	open_socket();
	ck_assert_int_eq(chmod(PATH, 0666), 0);
	if (fork() == 0) {
		int fd;

		if (setgid(60000) || setuid(60000))
			_exit(77); /* a user namespace with one user */
		fd = knock();
		_exit(fd == -1 || send(fd, "show", 4, 0) == -1);
	}
	ck_assert_int_gt(wait(&status), 0);
	if (WEXITSTATUS(status) != 77) {
		ck_assert_int_eq(WEXITSTATUS(status), 0);
		ck_assert(!turn());
		ck_assert(!turn());
	}
	command_socket_close(s);
}
END_TEST

/*
 * An earlier l4lb ran as root, say, and /run/l4lb has been given to us since.
 * In a folder of others it may be somebody's who lives.
 */
START_TEST(what_another_user_left_in_our_folder_is_replaced)
{
	int status;

	ck_assert_int_eq(system("rm -rf " FOLDER), 0);
	ck_assert_int_eq(mkdir(FOLDER, 0700), 0);
	ck_assert_int_eq(command_socket_open(&s, FOLDER "/socket", &err), 0);
	if (fork() == 0) {
		if (_i == 0 && chown(FOLDER, 60000, 60000))
			_exit(77);
		if (_i == 1 && chmod(FOLDER, 0755))
			_exit(77);
		if (setgid(60000) || setuid(60000))
			_exit(77); /* a user namespace with one user */
		_exit(command_socket_open(&s, FOLDER "/socket", &err) ? 1 : 0);
	}
	ck_assert_int_gt(wait(&status), 0);
	if (WEXITSTATUS(status) != 77)
		ck_assert_int_eq(WEXITSTATUS(status), _i);
	command_socket_close(s);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{one_datagram_is_one_command, 0},
		{only_a_line_of_text_is_a_command, ARRAY_LEN(datagrams)},
		{in_a_flood_everybody_has_a_turn, 0},
		{who_asks_and_does_not_read_is_dropped, 0},
		{long_replies_come_whole_in_the_order_of_their_lines, 0},
		{who_does_not_read_a_long_reply_is_dropped_after_a_while, 0},
		{a_newcomer_takes_the_place_of_who_was_silent_longest, 0},
		{a_connection_that_ends_costs_no_processor, 0},
		{what_a_dead_process_left_is_replaced_and_nothing_else, 0},
		{other_users_are_told_and_shut_out, 0},
		{what_another_user_left_in_our_folder_is_replaced, 2},
	};

	return unit_run("command_socket", tests, ARRAY_LEN(tests));
}
