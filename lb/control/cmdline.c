/* SPDX-License-Identifier: MIT */
/*
 * cmdline.c - argv, and the file that it names
 *
 * getopt_long() only collects the options. They are applied after the file, in
 * their order, so that they override its [global] section wherever they stand.
 * An option is set by the same function as the key of the same meaning.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config.h"
#include "control/config_file.h"
#include "control/config_value.h"
#include "control/host_name.h"

#define SETTINGS_MAX 64

#define QUOTE_(x) #x
#define QUOTE(x)  QUOTE_(x)

enum {
	OPT_CONFIG = 256,
	OPT_NAT_PORTS,
	OPT_GUARD,
	OPT_DATAPATH,
	OPT_STATE,
	OPT_CONTROL,
	OPT_FLOWS,
	OPT_API,
	OPT_FLOW_LOG,
	OPT_USER,
	OPT_SANDBOX,
	OPT_CHECK,
	OPT_DIFF,
	OPT_DOWN,
};

static const struct option options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"port", required_argument, NULL, 'p'},
	{"scheduler", required_argument, NULL, 's'},
	{"algorithm", required_argument, NULL, 's'},
	{"interface", required_argument, NULL, 'i'},
	{"nat-ports", required_argument, NULL, OPT_NAT_PORTS},
	{"guard", required_argument, NULL, OPT_GUARD},
	{"datapath", required_argument, NULL, OPT_DATAPATH},
	{"name", required_argument, NULL, 'n'},
	{"state", required_argument, NULL, OPT_STATE},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"flows", required_argument, NULL, OPT_FLOWS},
	{"api", required_argument, NULL, OPT_API},
	{"flow-log", required_argument, NULL, OPT_FLOW_LOG},
	{"user", required_argument, NULL, OPT_USER},
	{"sandbox", required_argument, NULL, OPT_SANDBOX},
	{"check", no_argument, NULL, OPT_CHECK},
	{"diff", no_argument, NULL, OPT_DIFF},
	{"down", required_argument, NULL, OPT_DOWN},
	{"verbose", no_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

#define N_OPTIONS (sizeof(options) / sizeof(*options) - 1)

/* l4lb(8) defines the options; tests/control/docs.sh compares the two. */
/* clang-format off */
static const char help[] =
"Usage: l4lb [OPTIONS] SOURCE_IP SERVER_IP SERVER_PORT "
	"[SERVER_IP SERVER_PORT]...\n"
"       l4lb [OPTIONS] --config FILE\n"
"       l4lb --down NAME\n"
"\n"
"Balances TCP connections to SOURCE_IP, an address of this host, over "
	"servers.\n"
"\n"
"  -p, --port PORT        service port (20000)\n"
"  -s, --scheduler NAME   rr (default) | wrr | lc | wlc | hash | maglev | p2c\n"
"      --algorithm NAME   the same\n"
"      --config FILE      read services from FILE, see l4lb.conf(5)\n"
"  -i, --interface NAME   serve what comes in here only; repeatable (all)\n"
"      --nat-ports LO-HI  source ports toward the servers (10240-32767)\n"
"      --guard MODE       auto (default) | keep | none\n"
"      --datapath NAME    auto (default) | pcap\n"
"  -n, --name NAME        instance name (the first service's port)\n"
"      --state FILE|none  where flows are kept (/run/l4lb/NAME.flows)\n"
"      --control PATH     control channel (/run/l4lb/NAME.control)\n"
"      --flows N          size of the flow table (65536)\n"
"      --api ADDR:PORT    HTTP for people and programs (a UNIX socket only)\n"
"      --flow-log FILE    one line for each connection that ended (none)\n"
"      --user NAME        run as this user after the start (auto)\n"
"      --sandbox on|off   filter system calls after the start (on)\n"
"      --check            check the configuration and exit\n"
"      --diff             with --check: show what a reload would change\n"
"      --down NAME        remove what a dead instance left, and exit\n"
"  -v, --verbose          log flows too; -vv: the network too\n"
"  -q, --quiet            log warnings only\n"
"  -h, --help             show this and exit\n"
"  -V, --version          show the version and exit\n"
"\n"
"SIGUSR1 prints the flows and backends to standard output.\n"
"Exit status: 0 ok, 1 this host does not allow it, 2 wrong by itself.\n"
"\n"
"Example: l4lb 192.168.0.10 192.168.0.11 9001 192.168.0.12 9001\n";
/* clang-format on */

static_assert(CONFIG_PORT_DEFAULT == 20000, "help says so");
static_assert(CONFIG_NAT_LO == 10240, "help says so");
static_assert(CONFIG_NAT_HI == 32767, "help says so");
static_assert(CONFIG_FLOWS_DEFAULT == 65536, "help says so");

/* An option that corresponds to a key of [global], as given. */
struct setting {
	const char *option, *key, *value;
};

struct args {
	const char *config, *port, *scheduler, *down; /* NULL: not given */
	struct setting settings[SETTINGS_MAX];
	unsigned n_settings;
	int verbosity;
	bool check, diff, help, version;
	config_resolve_fn *resolve;
	char **positional;
	unsigned n_positional;
};

/* Puts the meaning of the value in front of the reason why it is wrong. */
static int fail_value(struct err *err, int ret, const char *what,
		      const char *value, const struct err *reason)
{
	char quoted[QUOTED_MAX];

	return err_set(err, ret, "%s \"%s\": %s", what,
		       value_quote(value, quoted), reason->text);
}

/* getopt_long() returned '?' or ':'. */
static int bad_option(char *argv[], int c, struct err *err)
{
	const char *names[N_OPTIONS], *nearest, *given = argv[optind - 1];
	char quoted[QUOTED_MAX];

	if (c == ':')
		return err_set(err, -EINVAL,
			       "option %s needs a value; l4lb --help shows "
			       "which",
			       value_quote(given, quoted));
	for (size_t i = 0; i < N_OPTIONS; i++) {
		names[i] = options[i].name;
		/* A known option is refused only for --NAME=VALUE. */
		if (optopt && options[i].val == optopt)
			return err_set(err, -EINVAL, "--%s takes no value",
				       options[i].name);
	}
	if (optopt)
		return err_set(err, -EINVAL,
			       "unknown option -%c; l4lb --help shows all",
			       optopt > 0x20 && optopt < 0x7f ? optopt : '?');
	nearest = value_nearest(given + 2, names, N_OPTIONS);
	if (nearest)
		return err_set(err, -EINVAL,
			       "unknown option %s; did you mean --%s?",
			       value_quote(given, quoted), nearest);
	return err_set(err, -EINVAL,
		       "unknown or ambiguous option %s; l4lb --help shows all",
		       value_quote(given, quoted));
}

static int add_setting(struct args *a, const char *option, const char *key,
		       const char *value, struct err *err)
{
	if (a->n_settings == SETTINGS_MAX)
		return err_set(err, -EINVAL, "more than %d options",
			       SETTINGS_MAX);
	a->settings[a->n_settings++] = (struct setting){option, key, value};
	return 0;
}

static int take_option(struct args *a, int c, struct err *err)
{
	switch (c) {
	case OPT_CONFIG:
		if (a->config)
			return err_set(err, -EINVAL,
				       "--config is given twice; expected one "
				       "file, with all services in it");
		a->config = optarg;
		return 0;
	case 'p': a->port = optarg; return 0;
	case 's': a->scheduler = optarg; return 0;
	case OPT_CHECK: a->check = true; return 0;
	case OPT_DIFF: a->diff = true; return 0;
	case OPT_DOWN: a->down = optarg; return 0;
	case 'v': a->verbosity++; return 0;
	case 'q': a->verbosity--; return 0;
	case 'h': a->help = true; return 0;
	case 'V': a->version = true; return 0;
	case 'i':
		return add_setting(a, "--interface", "interface", optarg, err);
	case 'n': return add_setting(a, "--name", "name", optarg, err);
	case OPT_NAT_PORTS:
		return add_setting(a, "--nat-ports", "nat_ports", optarg, err);
	case OPT_GUARD: return add_setting(a, "--guard", "guard", optarg, err);
	case OPT_DATAPATH:
		return add_setting(a, "--datapath", "datapath", optarg, err);
	case OPT_STATE: return add_setting(a, "--state", "state", optarg, err);
	case OPT_CONTROL:
		return add_setting(a, "--control", "control", optarg, err);
	case OPT_FLOWS: return add_setting(a, "--flows", "flows", optarg, err);
	case OPT_API: return add_setting(a, "--api", "api", optarg, err);
	case OPT_FLOW_LOG:
		return add_setting(a, "--flow-log", "flow_log", optarg, err);
	case OPT_USER: return add_setting(a, "--user", "user", optarg, err);
	case OPT_SANDBOX:
		return add_setting(a, "--sandbox", "sandbox", optarg, err);
	default: assert(!"an option of the table is not taken"); return 0;
	}
}

static int collect(struct args *a, int argc, char *argv[], struct err *err)
{
	int c, ret;

	optind = 0; /* resets glibc's getopt, for a second call */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":p:s:i:n:vqhV", options, NULL)) !=
	       -1) {
		if (c == '?' || c == ':')
			return bad_option(argv, c, err);
		ret = take_option(a, c, err);
		if (ret)
			return ret;
	}
	a->positional = argv + optind;
	a->n_positional = (unsigned)(argc - optind);
	return 0;
}

static int check_form(const struct args *a, struct err *err)
{
	if (a->config && a->n_positional) {
		char quoted[QUOTED_MAX];

		return err_set(err, -EINVAL,
			       "\"%s\" beside --config: expected the services "
			       "either in the file or as arguments",
			       value_quote(a->positional[0], quoted));
	}
	if (a->diff && !a->check)
		return err_set(err, -EINVAL,
			       "--diff without --check: together they show "
			       "what a reload would change, and change "
			       "nothing");
	if (a->config && (a->port || a->scheduler))
		return err_set(err, -EINVAL,
			       "%s beside --config: the file says it for each "
			       "service, as %s",
			       a->port ? "--port" : "--scheduler",
			       a->port ? "listen = ADDRESS:PORT"
				       : "scheduler = NAME");
	if (a->config)
		return 0;
	if (a->n_positional == 0)
		return err_set(err, -EINVAL,
			       "no service given; expected SOURCE_IP SERVER_IP "
			       "SERVER_PORT, for example l4lb 192.168.0.10 "
			       "192.168.0.11 9001, or --config FILE");
	if (a->n_positional == 1)
		return err_set(err, -EINVAL,
			       "no server given; expected SERVER_IP "
			       "SERVER_PORT after SOURCE_IP, for example l4lb "
			       "192.168.0.10 192.168.0.11 9001");
	if (a->n_positional % 2 == 0) {
		char quoted[QUOTED_MAX];

		return err_set(err, -EINVAL,
			       "server \"%s\" has no port; expected SERVER_IP "
			       "SERVER_PORT pairs after SOURCE_IP, for example "
			       "192.168.0.11 9001",
			       value_quote(a->positional[a->n_positional - 1],
					   quoted));
	}
	return 0;
}

static int add_server(struct config *c, struct service_config *s,
		      const struct args *a, const char *host, const char *port,
		      struct err *err)
{
	struct backend_config b = {.params = BACKEND_PARAMS_DEFAULT};
	struct err reason;
	char server[QUOTED_MAX];
	int ret = value_port(port, &b.addr.port, &reason);

	if (ret)
		return fail_value(err, ret, "SERVER_PORT", port, &reason);
	ret = value_host(host, a->resolve, &b.addr.addr, &reason);
	if (ret)
		return fail_value(err, ret, "SERVER_IP", host, &reason);
	ret = config_add_backend(c, s, &b, &reason);
	if (ret == -EEXIST)
		ret = err_set(&reason, -EINVAL,
			      "the service has that backend already; give a "
			      "server once (shares that differ are for a file: "
			      "--config)");
	if (ret) {
		snprintf(server, sizeof(server), "%.40s %.10s", host, port);
		return fail_value(err, ret, "server", server, &reason);
	}
	return 0;
}

static int add_positional(struct config *c, const struct args *a,
			  struct err *err)
{
	const char *port = a->port ? a->port : QUOTE(CONFIG_PORT_DEFAULT);
	const char *source = a->positional[0];
	struct endpoint listen = {0};
	struct service_config *s;
	struct err reason;
	char name[8];
	int ret = value_port(port, &listen.port, &reason);

	if (ret)
		return fail_value(err, ret, "--port", port, &reason);
	ret = value_host(source, a->resolve, &listen.addr, &reason);
	if (ret)
		return fail_value(err, ret, "SOURCE_IP", source, &reason);
	snprintf(name, sizeof(name), "%u", ntohs(listen.port));
	ret = config_add_service(c, name, &s, err);
	if (ret)
		return ret;
	ret = config_set_listen(c, s, &listen, &reason);
	if (ret)
		return fail_value(err, ret, "SOURCE_IP", source, &reason);
	if (a->scheduler)
		ret = config_set_scheduler(s, a->scheduler, &reason);
	if (ret)
		return fail_value(err, ret, "--scheduler", a->scheduler,
				  &reason);
	for (unsigned i = 1; ret == 0 && i + 1 < a->n_positional; i += 2)
		ret = add_server(c, s, a, a->positional[i],
				 a->positional[i + 1], err);
	return ret;
}

static int add_file(struct config *c, const char *path,
		    config_resolve_fn *resolve, struct err *err)
{
	char *text = NULL;
	int ret = config_file_load(path, &text, err);

	if (ret == 0)
		ret = config_text(c, path, text, resolve, err);
	free(text);
	return ret;
}

static int apply_settings(struct config *c, const struct args *a,
			  struct err *err)
{
	bool interfaces = false;

	for (unsigned i = 0; i < a->n_settings; i++) {
		const struct setting *s = &a->settings[i];
		struct err reason;
		int ret;

		/* The first --interface replaces those of the file. */
		if (strcmp(s->key, "interface") == 0 && !interfaces) {
			c->n_interfaces = 0;
			interfaces = true;
		}
		ret = config_set(c, s->key, s->value, &reason);
		if (ret)
			return fail_value(err, ret, s->option, s->value,
					  &reason);
	}
	c->check = a->check;
	c->diff = a->diff;
	c->verbosity = a->verbosity < -1  ? -1
		       : a->verbosity > 2 ? 2
					  : a->verbosity;
	return 0;
}

/* Another option would mean that somebody expects it to matter. */
static int take_down(struct config *c, const struct args *a, int argc,
		     struct err *err)
{
	char quoted[QUOTED_MAX];
	struct err reason;
	int ret;

	if (argc > 3 || a->n_positional)
		return err_set(err, -EINVAL,
			       "--down \"%s\": expected nothing else beside it",
			       value_quote(a->down, quoted));
	ret = value_name(c->name, a->down, &reason);
	return ret ? fail_value(err, ret, "--down", a->down, &reason)
		   : CONFIG_DOWN;
}

static int read_arguments(struct config *c, const struct args *a,
			  struct err *err)
{
	int ret = check_form(a, err);

	if (ret)
		return ret;
	ret = config_init(c, err);
	if (ret == 0)
		ret = a->config ? add_file(c, a->config, a->resolve, err)
				: add_positional(c, a, err);
	if (ret == 0)
		ret = apply_settings(c, a, err);
	if (ret == 0)
		ret = config_finish(c, err);
	if (ret)
		config_free(c);
	c->check = a->check;
	return ret;
}

int config_read(struct config *c, int argc, char *argv[], struct err *err)
{
	struct args a = {.resolve = host_name_lookup};
	int ret;

	memset(c, 0, sizeof(*c));
	ret = collect(&a, argc, argv, err);
	if (ret)
		return ret;
	if (a.help || a.version) {
		fputs(a.help ? help : "l4lb " L4LB_VERSION "\n", stdout);
		return CONFIG_SHOWN;
	}
	if (a.down)
		return take_down(c, &a, argc, err);
	return read_arguments(c, &a, err);
}

int config_read_again(struct config *c, int argc, char *argv[],
		      config_resolve_fn *resolve, struct err *err)
{
	struct args a = {.resolve = resolve};
	int ret;

	memset(c, 0, sizeof(*c));
	ret = collect(&a, argc, argv, err);
	return ret ? ret : read_arguments(c, &a, err);
}

const char *config_path(int argc, char *argv[])
{
	struct args a = {0};
	struct err ignored;

	return collect(&a, argc, argv, &ignored) ? NULL : a.config;
}
