/* SPDX-License-Identifier: MIT */
/* chat_serv: arguments and signals. The only file that exits. */
#include "io/accept.h"
#include "badoption.h"
#include "io/hub.h"
#include "io/listener.h"
#include "io/report.h"
#include "stdfds.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_HOST = 1, EXIT_USAGE = 2 };

#define CLIENTS_DEFAULT	  1000
#define CLIENTS_MAX	  1000000
#define QUEUE_KIB_DEFAULT 1024
#define QUEUE_KIB_MIN	  64
#define QUEUE_KIB_MAX	  1048576

#define WHAT_MAX 512 /* bytes of a message on the arguments */

struct options {
	const char *bind;
	unsigned port;
	struct hub_limits limits;
};

static const char usage[] =
	"usage: chat_serv [OPTIONS] PORT\n"
	"  -b, --bind ADDRESS     listen on this address only\n"
	"  -m, --max-clients N    refuse more than N clients (default 1000)\n"
	"  -q, --queue KIB        keep so much for a client that does not read\n"
	"                         (default 1024)\n"
	"  -h, --help             show this and exit\n"
	"  -V, --version          show the version and exit\n"
	"PORT 0 takes any free port; the first line of output names it.\n";

static void exit_usage(const char *what)
{
	fprintf(stderr, "chat_serv: %s; see chat_serv --help\n", what);
	exit(EXIT_USAGE);
}

static bool parse_number(const char *text, unsigned long min, unsigned long max,
			 unsigned long *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false; /* strtoul() would accept signs and blanks */
	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *number >= min && *number <= max;
}

static unsigned long number_or_exit(const char *what, const char *text,
				    unsigned long min, unsigned long max)
{
	unsigned long number;

	if (parse_number(text, min, max, &number))
		return number;
	fprintf(stderr, "chat_serv: %s '%s': give a number from %lu to %lu\n",
		what, text, min, max);
	exit(EXIT_USAGE);
}

static _Noreturn void exit_shown(void)
{
	exit(stdfds_shown("chat_serv") ? EXIT_OK : EXIT_HOST);
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{"bind", required_argument, NULL, 'b'},
		{"max-clients", required_argument, NULL, 'm'},
		{"queue", required_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	unsigned long clients = CLIENTS_DEFAULT, queue_kib = QUEUE_KIB_DEFAULT;
	char what[WHAT_MAX];
	int option;

	opterr = 0; /* we print one line of our own */
	while ((option = getopt_long(argc, argv, ":b:m:q:hV", names, NULL)) !=
	       -1) {
		switch (option) {
		case 'b': o->bind = optarg; break;
		case 'm':
			clients = number_or_exit("--max-clients", optarg, 1,
						 CLIENTS_MAX);
			break;
		case 'q':
			queue_kib =
				number_or_exit("--queue", optarg, QUEUE_KIB_MIN,
					       QUEUE_KIB_MAX);
			break;
		case 'h': fputs(usage, stdout); exit_shown();
		case 'V': puts("chat_serv " L4LB_VERSION); exit_shown();
		default:
			badoption_text(argv, names, option, what, sizeof(what));
			exit_usage(what);
		}
	}
	if (argc == optind)
		exit_usage("PORT is missing");
	if (argc - optind > 1) {
		snprintf(what, sizeof(what),
			 "'%s' after PORT '%s': give one PORT only",
			 argv[optind + 1], argv[optind]);
		exit_usage(what);
	}
	o->port = (unsigned)number_or_exit("PORT", argv[optind], 0, 65535);
	o->limits.clients = (unsigned)clients;
	o->limits.queue_bytes = (size_t)queue_kib * 1024;
}

/* Every client needs a descriptor: raise the limit now, not under load. */
static bool reserve_descriptors(unsigned clients)
{
	rlim_t need = hub_descriptors(clients);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= need)
		return true;
	limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need; /* allowed for root */
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return true;
	getrlimit(RLIMIT_NOFILE, &limit);
	fprintf(stderr,
		"chat_serv: --max-clients %u needs %lu file descriptors, the "
		"limit is %lu; raise it (ulimit -n) or allow fewer clients\n",
		clients, (unsigned long)need, (unsigned long)limit.rlim_max);
	return false;
}

/* Makes signals readable from a descriptor, for the main thread. */
static int open_signals(sigset_t *signals)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	return signalfd(-1, signals, SFD_CLOEXEC);
}

/* Reads the first signal. A second one then ends the process at once. */
static void unblock_next_signal(int signals, const sigset_t *set)
{
	struct signalfd_siginfo first;

	if (read(signals, &first, sizeof(first)) == sizeof(first))
		pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static int run(const struct options *o)
{
	struct report *report = NULL;
	struct hub *hub = NULL;
	unsigned port = o->port;
	char why[512];
	sigset_t set;
	int signals = open_signals(&set);
	int error, listener = listener_open(o->bind, &port, why, sizeof(why));

	if (listener == -1) {
		fprintf(stderr, "chat_serv: %s\n", why);
		return EXIT_HOST;
	}
	error = signals == -1 ? -errno : report_new(&report);
	if (!error)
		error = hub_new(&hub, &o->limits, report);
	if (error) {
		fprintf(stderr,
			"chat_serv: cannot start: %s; free some memory "
			"or allow fewer clients\n",
			strerror(-error));
		return EXIT_HOST;
	}
	report_line(report, "listening on %s, max_clients=%u port=%u",
		    o->bind ? o->bind : "every address", o->limits.clients,
		    port);
	accept_until(signals, listener, hub, report);
	close(listener);
	unblock_next_signal(signals, &set);
	hub_close(hub);
	report_free(report);
	close(signals);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	struct options options = {0};

	stdfds_fill();
	parse_options(argc, argv, &options);
	if (!reserve_descriptors(options.limits.clients))
		return EXIT_HOST;
	return run(&options);
}
