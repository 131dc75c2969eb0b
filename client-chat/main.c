/* SPDX-License-Identifier: MIT */
/* chat_clnt: arguments, connection, conversation. The only file that exits. */
#include "badoption.h"
#include "dial.h"
#include "nick.h"
#include "session.h"
#include "stdfds.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_HOST = 1, EXIT_USAGE = 2 };

#define WHAT_MAX 512 /* bytes of a message on the arguments */

static const char usage[] =
	"usage: chat_clnt [OPTIONS] ADDRESS PORT NICK\n"
	"  -h, --help     show this and exit\n"
	"  -V, --version  show the version and exit\n"
	"Type a line to say it to all; q or Q alone, or ^D, leaves.\n";

static void exit_usage(const char *what)
{
	fprintf(stderr, "chat_clnt: %s; see chat_clnt --help\n", what);
	exit(EXIT_USAGE);
}

static void check_port(const char *text)
{
	char *end;
	unsigned long port;

	errno = 0;
	port = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 &&
	    port >= 1 && port <= 65535)
		return;
	fprintf(stderr, "chat_clnt: PORT '%s': give a number from 1 to 65535\n",
		text);
	exit(EXIT_USAGE);
}

static void check_nick(const char *nick)
{
	size_t len = strlen(nick);
	char start[NICK_MAX + 4];

	if (len == 0)
		exit_usage("NICK is empty: give a name of at least one letter");
	if (len > NICK_MAX) {
		fprintf(stderr,
			"chat_clnt: NICK has %zu bytes: give at most %d\n", len,
			NICK_MAX);
		exit(EXIT_USAGE);
	}
	if (!text_is_clean(nick, len))
		exit_usage(
			"NICK must be UTF-8 text without control characters");
	snprintf(start, sizeof(start), "[%s] ", nick);
	if (nick_is_servers(start, strlen(start)))
		exit_usage("NICK chat_serv is the server's own: choose another "
			   "name");
}

/* The wire is UTF-8. In another locale readline would edit single bytes. */
static void choose_locale(void)
{
	setlocale(LC_ALL, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

static _Noreturn void exit_shown(void)
{
	exit(stdfds_shown("chat_clnt") ? EXIT_OK : EXIT_HOST);
}

static void parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	char what[WHAT_MAX];
	int option;

	opterr = 0; /* we print one line of our own */
	while ((option = getopt_long(argc, argv, ":hV", names, NULL)) != -1) {
		switch (option) {
		case 'h': fputs(usage, stdout); exit_shown();
		case 'V': puts("chat_clnt " L4LB_VERSION); exit_shown();
		default:
			badoption_text(argv, names, option, what, sizeof(what));
			exit_usage(what);
		}
	}
	if (argc - optind < 3)
		exit_usage("give ADDRESS, PORT and NICK");
	if (argc - optind > 3) {
		snprintf(what, sizeof(what),
			 "'%s' after NICK '%s': put a NICK of several words in "
			 "quotes",
			 argv[optind + 3], argv[optind + 2]);
		exit_usage(what);
	}
}

int main(int argc, char **argv)
{
	const char *host, *port, *nick;
	/* Check before /dev/null, which accepts everything, takes its place. */
	bool has_output = fcntl(STDOUT_FILENO, F_GETFD) != -1;
	char why[512];
	bool proper;
	int fd;

	stdfds_fill();
	signal(SIGPIPE, SIG_IGN); /* write() reports EPIPE */
	if (!has_output) {
		fputs("chat_clnt: standard output is closed: give it a file, "
		      "or /dev/null to see nothing\n",
		      stderr);
		return EXIT_HOST;
	}
	parse_options(argc, argv);
	host = argv[optind];
	port = argv[optind + 1];
	nick = argv[optind + 2];
	check_port(port);
	check_nick(nick);
	choose_locale();

	fd = dial(host, port, why, sizeof(why));
	if (fd == -1) {
		fprintf(stderr, "chat_clnt: %s\n", why);
		return EXIT_HOST;
	}
	proper = session_run(fd, nick,
			     isatty(STDIN_FILENO) && isatty(STDOUT_FILENO), why,
			     sizeof(why));
	close(fd);
	if (!proper)
		fprintf(stderr, "chat_clnt: %s port %s: %s\n", host, port, why);
	return proper ? EXIT_OK : EXIT_HOST;
}
