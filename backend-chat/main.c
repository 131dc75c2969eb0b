/* SPDX-License-Identifier: MIT */
/* chat_serv: arguments and signals. The only file that exits. */
#include "io/accept.h"
#include "io/bus.h"
#include "badoption.h"
#include "config.h"
#include "io/hub.h"
#include "io/listener.h"
#include "io/report.h"
#include "io/signals.h"
#include "io/sorry.h"
#include "io/store.h"
#include "stdfds.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_HOST = 1, EXIT_USAGE = 2 };

#define CLIENTS_MAX   1000000
#define QUEUE_KIB_MIN 64
#define QUEUE_KIB_MAX 1048576

#define WHAT_MAX 512 /* bytes of a message on the arguments */

struct options {
	const char *bind, *config;
	unsigned long clients, queue_kib; /* 0: not given */
	bool classic, sorry, has_port;
	unsigned port;
};

static const char usage[] =
	"usage: chat_serv [OPTIONS] PORT\n"
	"       chat_serv [OPTIONS] -c FILE [PORT]\n"
	"  -b, --bind ADDRESS     listen on this address only\n"
	"  -c, --config FILE      rooms with a log, as FILE says\n"
	"  -m, --max-clients N    refuse more than N clients (default 1000)\n"
	"  -q, --queue KIB        keep so much for a client that does not read\n"
	"                         (default 1024; with a log 64)\n"
	"      --classic          no commands: every line is text\n"
	"      --sorry            no chat: tell everybody that it comes back soon\n"
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

static void parse_port(int argc, char **argv, struct options *o)
{
	char what[WHAT_MAX];

	if (argc == optind && o->config)
		return;
	if (argc == optind)
		exit_usage("PORT is missing");
	if (argc - optind > 1) {
		snprintf(what, sizeof(what),
			 "'%s' after PORT '%s': give one PORT only",
			 argv[optind + 1], argv[optind]);
		exit_usage(what);
	}
	o->port = (unsigned)number_or_exit("PORT", argv[optind], 0, 65535);
	o->has_port = true;
}

static void parse_options(int argc, char **argv, struct options *o)
{
	enum { CLASSIC = 1000, SORRY };
	static const struct option names[] = {
		{"bind", required_argument, NULL, 'b'},
		{"classic", no_argument, NULL, CLASSIC},
		{"config", required_argument, NULL, 'c'},
		{"max-clients", required_argument, NULL, 'm'},
		{"queue", required_argument, NULL, 'q'},
		{"sorry", no_argument, NULL, SORRY},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	char what[WHAT_MAX];
	int option;

	opterr = 0; /* we print one line of our own */
	while ((option = getopt_long(argc, argv, ":b:c:m:q:hV", names, NULL)) !=
	       -1) {
		switch (option) {
		case 'b': o->bind = optarg; break;
		case 'c': o->config = optarg; break;
		case CLASSIC: o->classic = true; break;
		case SORRY: o->sorry = true; break;
		case 'm':
			o->clients = number_or_exit("--max-clients", optarg, 1,
						    CLIENTS_MAX);
			break;
		case 'q':
			o->queue_kib =
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
	parse_port(argc, argv, o);
}

/* The command line wins over the environment, that over the file. */
static void configure(struct config *c, const struct options *o)
{
	char why[CONFIG_WHY_MAX];
	int error = 0;

	config_init(c);
	if (o->config)
		error = config_read(c, o->config, why);
	if (!error)
		error = config_environment(c, why);
	if (error) {
		fprintf(stderr, "chat_serv: %s\n", why);
		exit(EXIT_USAGE);
	}
	if (o->clients)
		c->hub.clients = (unsigned)o->clients;
	if (o->queue_kib)
		c->hub.queue_bytes = (size_t)o->queue_kib * 1024;
	if (o->classic)
		c->hub.commands = false;
	if (o->has_port && c->listen_count == LISTENERS_MAX)
		exit_usage("there are too many ports: leave PORT or a listen "
			   "away");
	if (o->has_port)
		c->listens[c->listen_count++] =
			(struct config_listen){.port = o->port};
	if (o->bind)
		for (unsigned i = 0; i < c->listen_count; i++)
			snprintf(c->listens[i].address,
				 sizeof(c->listens[i].address), "%s", o->bind);
	if (c->listen_count == 0)
		exit_usage("there is no port: give PORT, or listen in FILE");
}

/* Every client needs a descriptor: raise the limit now, not under load. */
static bool reserve_descriptors(unsigned clients, rlim_t need)
{
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

/* What runs, in the order in which it starts. */
struct server {
	struct config config;
	struct report *report;
	struct hub *hub;
	struct bus *bus;
	struct store *store;
	struct listener listeners[LISTENERS_MAX];
	unsigned listener_count;
	char why[512]; /* it cannot start; empty: errno says it */
};

static bool open_listeners(struct server *s)
{
	char why[512];

	for (unsigned i = 0; i < s->config.listen_count; i++) {
		struct config_listen *l = &s->config.listens[i];
		int fd = listener_open(l->address[0] ? l->address : NULL,
				       &l->port, why, sizeof(why));

		if (fd == -1) {
			fprintf(stderr, "chat_serv: %s\n", why);
			return false;
		}
		s->listeners[s->listener_count++] =
			(struct listener){fd, l->kind};
	}
	return true;
}

static void report_listeners(const struct server *s)
{
	static const char *const kinds[] = {
		[SNIFF_AUTO] = "",
		[SNIFF_ONLY_LINES] = " line",
		[SNIFF_ONLY_WEB] = " web",
	};

	for (unsigned i = 0; i < s->config.listen_count; i++) {
		const struct config_listen *l = &s->config.listens[i];

		report_line(s->report,
			    "listening on %s, max_clients=%u port=%u%s",
			    l->address[0] ? l->address : "every address",
			    s->config.hub.clients, l->port, kinds[l->kind]);
	}
}

static int open_history(struct server *s)
{
	if (!s->config.history.path)
		return 0;
	return store_new(&s->store, &s->config.history, s->report, s->why,
			 sizeof(s->why));
}

static int open_bus(struct server *s)
{
	if (!s->config.has_redis)
		return bus_local_new(&s->bus, s->hub, s->store, s->config.log);
	return bus_redis_new(&s->bus, &s->config.redis, s->hub, s->store,
			     s->report, s->why, sizeof(s->why));
}

static int open_report(struct server *s)
{
	const char *path = s->config.report.path;
	const int error = report_new(&s->report, &s->config.report);

	if (error && path)
		snprintf(s->why, sizeof(s->why),
			 "file = %.300s: %s; make its folder, or choose "
			 "another one",
			 path, strerror(-error));
	return error;
}

/* At SIGHUP. Called by the main thread, which serves already. */
static void renew(void *arg)
{
	struct server *s = arg;
	const char *path = s->config.report.path;
	int error = report_reopen(s->report);

	if (error)
		report_line(s->report, "cannot open %.150s anew: %s", path,
			    strerror(-error));
	else
		report_line(s->report,
			    "SIGHUP: %s; a new configuration needs a restart",
			    path ? "the log was opened anew"
				 : "there is no log file");
}

/* Returns 0 or -errno. */
static int start(struct server *s)
{
	int error = open_report(s);

	if (!error)
		error = hub_new(&s->hub, &s->config.hub, s->report);
	if (!error)
		error = open_history(s);
	if (!error)
		error = open_bus(s);
	if (!error)
		error = hub_start(s->hub, s->bus, s->store);
	return error;
}

static void stop(struct server *s)
{
	for (unsigned i = 0; i < s->listener_count; i++)
		close(s->listeners[i].fd);
	/* The bus asks the store no more; the store's last answers go there. */
	if (s->bus)
		s->bus->stop(s->bus);
	if (s->store)
		s->store->free(s->store);
	if (s->bus)
		s->bus->free(s->bus);
	hub_free(s->hub);
	report_free(s->report);
}

static int serve(struct server *s, struct signals *signals)
{
	int error = start(s);

	if (error && !s->why[0])
		snprintf(s->why, sizeof(s->why),
			 "cannot start: %s; free some memory or allow fewer "
			 "clients",
			 strerror(-error));
	if (error) {
		fprintf(stderr, "chat_serv: %s\n", s->why);
		return EXIT_HOST;
	}
	report_listeners(s);
	if (s->config.hub.has_log && s->config.hub.webhook_secret.len == 0)
		report_line(s->report, "webhooks are open to everybody: there "
				       "is no secret_file in [webhook]");
	accept_until(signals, s->listeners, s->listener_count, s->hub,
		     s->report);
	for (unsigned i = 0; i < s->listener_count; i++)
		close(s->listeners[i].fd);
	s->listener_count = 0;
	signals_unblock(signals);
	hub_close(s->hub);
	return EXIT_OK;
}

/* Instead of a chat; see sorry.h. */
static int apologise(struct server *s, struct signals *signals)
{
	int error = open_report(s);

	if (!error) {
		report_listeners(s);
		error = sorry_until(signals, s->listeners, s->listener_count,
				    s->config.hub.clients, s->report);
	}
	if (s->why[0])
		fprintf(stderr, "chat_serv: %s\n", s->why);
	else if (error)
		fprintf(stderr, "chat_serv: cannot start: %s\n",
			strerror(-error));
	return error ? EXIT_HOST : EXIT_OK;
}

static int run(struct server *s, const struct options *o)
{
	struct signals signals;
	int code = EXIT_HOST;
	/* Without a file there is a terminal that it ends with. */
	int error = signals_open(&signals, o->config ? renew : NULL, s);

	if (error)
		fprintf(stderr, "chat_serv: cannot start: %s\n",
			strerror(-error));
	if (!error && open_listeners(s)) {
		config_finish(&s->config, s->config.listens[0].port);
		code = o->sorry ? apologise(s, &signals) : serve(s, &signals);
	}
	stop(s);
	signals_close(&signals);
	return code;
}

int main(int argc, char **argv)
{
	static struct server server; /* too large for a stack */
	struct options options = {0};
	unsigned clients;

	stdfds_fill();
	parse_options(argc, argv, &options);
	configure(&server.config, &options);
	clients = server.config.hub.clients;
	if (!reserve_descriptors(clients, options.sorry
						  ? sorry_descriptors(clients)
						  : hub_descriptors(clients)))
		return EXIT_HOST;
	return run(&server, &options);
}
