/* SPDX-License-Identifier: MIT */
/*
 * cmdline.c - the arguments of l4lb, the file they name, and who wins
 *
 * No test asks a name server: names are localhost only.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/config.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(*(array))))
#define ARGS_MAX	80
#define SERVERS		"10.0.0.1 10.0.0.2 9001"

/* Splits @line at blanks, as a shell would; '' stands for an empty one. */
static int run(const char *line, struct config *c, struct err *err)
{
	static char program[] = "l4lb", empty[] = "";
	char copy[2048], *argv[ARGS_MAX + 2] = {program}, *save = NULL;
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *arg = strtok_r(copy, " ", &save); arg && argc <= ARGS_MAX;
	     arg = strtok_r(NULL, " ", &save))
		argv[argc++] = strcmp(arg, "''") == 0 ? empty : arg;
	return config_read(c, argc, argv, err);
}

static struct config run_ok(const char *line)
{
	struct config c;
	struct err err;

	if (run(line, &c, &err) != CONFIG_OK)
		ck_abort_msg("l4lb %s: %s", line, err.text);
	return c;
}

static bool is_endpoint(const struct endpoint *e, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];

	return strcmp(endpoint_format(e, text), expected) == 0;
}

static const struct refusal {
	const char *line, *part;
} refusals[] = {
	/* the form */
	{"", "no service given; expected SOURCE_IP SERVER_IP SERVER_PORT"},
	{"10.0.0.1", "no server given"},
	{"--down chat " SERVERS, "--down \"chat\": expected nothing else"},
	{"--down chat -v", "--down \"chat\": expected nothing else"},
	{"--down ../x", "--down \"../x\": a name has 1 to 31"},
	{"--down ''", "--down \"\": a name has 1 to 31"},
	{"10.0.0.1 10.0.0.2", "server \"10.0.0.2\" has no port"},
	{"10.0.0.1 10.0.0.2 9001 10.0.0.3", "\"10.0.0.3\" has no port"},
	{"--config x.conf " SERVERS, "\"10.0.0.1\" beside --config"},
	{"--config x.conf -p 80", "--port beside --config"},
	{"--diff " SERVERS, "--diff without --check"},
	{"--config x.conf -s rr", "--scheduler beside --config"},
	{"--config x.conf --config y.conf", "--config is given twice"},

	/* options */
	{"--nat-prts 1-2", "unknown option --nat-prts; did you mean "
			   "--nat-ports?"},
	{"--zzzzzzzz", "unknown or ambiguous option --zzzzzzzz"},
	{"--c x", "unknown or ambiguous option --c"},
	{"-x", "unknown option -x"},
	{"-vx " SERVERS, "unknown option -x"},
	{"-p", "option -p needs a value"},
	{"--port", "option --port needs a value"},
	{"--check=yes " SERVERS, "--check takes no value"},
	{"--verbose=2 " SERVERS, "--verbose takes no value"},

	/* values */
	{"-p 0 " SERVERS, "--port \"0\": a port is a number from 1 to 65535"},
	{"-p 65536 " SERVERS, "--port \"65536\": a port"},
	{"-p '' " SERVERS, "--port \"\": a port"},
	{"-s best " SERVERS,
	 "--scheduler \"best\": expected rr, wrr, lc, wlc, "},
	{"--algorithm best " SERVERS, "\"best\": expected rr, wrr, lc, wlc, "},
	{"-i a/b " SERVERS, "--interface \"a/b\": expected the name"},
	{"-i lo, " SERVERS, "--interface \"lo,\": a comma with nothing after"},
	{"-i '' " SERVERS, "--interface \"\": expected the name"},
	{"-i lo -i lo " SERVERS, "--interface \"lo\": interface lo is given"},
	{"--nat-ports 9-1 " SERVERS, "--nat-ports \"9-1\": wrong order"},
	{"--nat-ports 2000-3000 " SERVERS, "1001 ports are too few"},
	{"--guard no " SERVERS, "--guard \"no\": expected auto, keep or none"},
	{"--datapath bpf " SERVERS, "--datapath \"bpf\": not built yet"},
	{"--datapath x " SERVERS, "--datapath \"x\": expected auto or pcap"},
	{"-n a/b " SERVERS, "--name \"a/b\": a name has 1 to 31"},
	{"-n '' " SERVERS, "--name \"\": a name has"},
	{"--state '' " SERVERS, "--state \"\": expected a path"},
	{"--control '' " SERVERS, "--control \"\": expected a path"},
	{"--flows 0 " SERVERS, "--flows \"0\": expected a number from 1"},
	{"--state a --control a " SERVERS, "state and control are both \"a\""},

	/* addresses */
	{"10.0.0.256 10.0.0.2 9001", "SOURCE_IP \"10.0.0.256\": 256 is not"},
	{"0.0.0.0 10.0.0.2 9001", "SOURCE_IP \"0.0.0.0\": 0.0.0.0 is not the"},
	{"::1 10.0.0.2 9001", "SOURCE_IP \"::1\": IPv6 is not built yet"},
	{"10.0.0.1 fe80::1 9001", "SERVER_IP \"fe80::1\": IPv6 is not built"},
	{"10.0.0.1 [::1] 9001", "SERVER_IP \"[::1]\": IPv6 is not built yet"},
	{"10.0.0.1 10.0.0.2 http", "SERVER_PORT \"http\": a port is"},
	{"10.0.0.1 10.0.0.2:80 1", "SERVER_IP \"10.0.0.2:80\": IPv6"},
	{"10.0.0.1 '' 1", "SERVER_IP \"\": expected an IPv4 address or a host"},
	{"10.0.0.1 9001 10.0.0.2", "SERVER_PORT \"10.0.0.2\""},
	{"10.0.0.1 10.0.0.2 9001 10.0.0.2 9001",
	 "server \"10.0.0.2 9001\": the service has that backend already; "
	 "give a server once (shares that differ are for a file: --config)"},
	{"10.0.0.1 10.0.0.1 20000",
	 "server \"10.0.0.1 20000\": service \"20000\" listens there"},
	{"-p 80 10.0.0.1 10.0.0.1 80", "would be sending to itself"},
};

START_TEST(wrong_arguments_are_refused)
{
	const struct refusal *r = &refusals[_i];
	struct config c;
	struct err err;
	int rc = run(r->line, &c, &err);

	ck_assert_msg(rc == -EINVAL, "%d: l4lb %s", rc, r->line);
	ck_assert_msg(strstr(err.text, r->part), "expected %s, got %s", r->part,
		      err.text);
	config_free(&c);
}
END_TEST

START_TEST(the_positional_form_is_one_service)
{
	struct config c = run_ok("10.0.0.1 10.0.0.2 9001 10.0.0.3 9002");
	const struct service_config *s = c.services;

	ck_assert_uint_eq(c.n_services, 1);
	ck_assert_str_eq(c.name, "20000");
	ck_assert_str_eq(c.state, "/run/l4lb/20000.flows");
	ck_assert_str_eq(c.control, "/run/l4lb/20000.control");
	ck_assert_str_eq(s->name, "20000");
	ck_assert_int_eq(s->params.scheduler, SCHED_RR);
	ck_assert(is_endpoint(&s->listen, "10.0.0.1:20000"));
	ck_assert_uint_eq(s->n_backends, 2);
	ck_assert(is_endpoint(&s->backends[0].addr, "10.0.0.2:9001"));
	ck_assert(is_endpoint(&s->backends[1].addr, "10.0.0.3:9002"));
	ck_assert_uint_eq(s->backends[0].params.weight, 1);
	config_free(&c);
}
END_TEST

START_TEST(an_algorithm_is_a_scheduler)
{
	struct config c = run_ok("--algorithm round_robin " SERVERS);

	ck_assert_int_eq(c.services[0].params.scheduler, SCHED_RR);
	config_free(&c);
	c = run_ok("--algorithm power_of_two " SERVERS);
	ck_assert_int_eq(c.services[0].params.scheduler, SCHED_P2C);
	config_free(&c);
}
END_TEST

START_TEST(every_option_is_stored)
{
	/* after the arguments, too: that is where people add them */
	struct config c = run_ok("-p 8080 " SERVERS " -s lc -i eth0 "
				 "--interface=lo --nat-ports 30000-40000 "
				 "--guard keep --datapath pcap -n pi "
				 "--state none --control x.sock --flows 1000 "
				 "--check -vv");

	ck_assert(is_endpoint(&c.services[0].listen, "10.0.0.1:8080"));
	ck_assert_int_eq(c.services[0].params.scheduler, SCHED_LC);
	ck_assert_uint_eq(c.n_interfaces, 2);
	ck_assert_str_eq(c.interfaces[0], "eth0");
	ck_assert_str_eq(c.interfaces[1], "lo");
	ck_assert_uint_eq(c.nat_lo, 30000);
	ck_assert_uint_eq(c.nat_hi, 40000);
	ck_assert(c.nat_ports_set);
	ck_assert_int_eq(c.guard, GUARD_KEEP);
	ck_assert_int_eq(c.datapath, DATAPATH_PCAP);
	ck_assert_str_eq(c.name, "pi");
	ck_assert_str_eq(c.state, "");
	ck_assert_str_eq(c.control, "x.sock");
	ck_assert_uint_eq(c.flows, 1000);
	ck_assert_int_eq(c.verbosity, 2);
	ck_assert(c.check);
	config_free(&c);
}
END_TEST

START_TEST(verbosity_stays_within_what_the_log_knows)
{
	static const struct {
		const char *options;
		int verbosity;
	} cases[] = {{"", 0},
		     {"-v", 1},
		     {"-vvvvv", 2},
		     {"-vq", 0},
		     {"-q", -1},
		     {"-qqq", -1},
		     {"--quiet --verbose -v", 1}};

	for (int i = 0; i < COUNT_OF(cases); i++) {
		struct config c;
		char line[128];

		snprintf(line, sizeof(line), "%s " SERVERS, cases[i].options);
		c = run_ok(line);
		ck_assert_int_eq(c.verbosity, cases[i].verbosity);
		config_free(&c);
	}
}
END_TEST

START_TEST(the_last_of_an_option_given_twice_counts)
{
	struct config c = run_ok("--flows 1 --flows 2 --state none --state /s "
				 "-p 1 -p 2 " SERVERS);

	ck_assert_uint_eq(c.flows, 2);
	ck_assert_str_eq(c.state, "/s");
	ck_assert_str_eq(c.name, "2");
	config_free(&c);
}
END_TEST

START_TEST(too_many_options_are_refused)
{
	char line[1024] = SERVERS;
	struct config c;
	struct err err;

	for (int i = 0; i < 65; i++)
		strcat(line, " -na");
	ck_assert_int_eq(run(line, &c, &err), -EINVAL);
	ck_assert_str_eq(err.text, "more than 64 options");
}
END_TEST

START_TEST(names_resolve)
{
	struct config c = run_ok("localhost localhost 9001 10.0.0.3 9001");

	ck_assert(is_endpoint(&c.services[0].listen, "127.0.0.1:20000"));
	ck_assert(
		is_endpoint(&c.services[0].backends[0].addr, "127.0.0.1:9001"));
	config_free(&c);
}
END_TEST

static char path[] = "l4lb-test-XXXXXX";

static void write_file(const void *text, size_t len)
{
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

static int run_file(const char *options, const char *text, size_t len,
		    struct config *c, struct err *err)
{
	char line[512];
	int rc;

	write_file(text, len);
	snprintf(line, sizeof(line), "--config %s %s", path, options);
	rc = run(line, c, err);
	unlink(path);
	return rc;
}

START_TEST(options_override_the_file_wherever_they_stand)
{
	static const char text[] = "[global]\n"
				   "name = file\n"
				   "flows = 10\n"
				   "interface = eth0, eth1\n"
				   "guard = keep\n"
				   "nat_ports = 20000-30000\n"
				   "state = none\n"
				   "[service chat]\n"
				   "listen = localhost:80\n"
				   "backend = 10.0.0.2:80\n";
	struct config c;
	struct err err;

	ck_assert_int_eq(run_file("", text, strlen(text), &c, &err), 0);
	ck_assert_str_eq(c.name, "file");
	ck_assert_str_eq(c.state, "");
	ck_assert_str_eq(c.control, "/run/l4lb/file.control");
	ck_assert_uint_eq(c.n_interfaces, 2);
	ck_assert(is_endpoint(&c.services[0].listen, "127.0.0.1:80"));
	config_free(&c);

	ck_assert_int_eq(run_file("-n args -i lo --flows 11 --guard auto "
				  "--state /s --nat-ports 40000-50000 -v",
				  text, strlen(text), &c, &err),
			 0);
	ck_assert_str_eq(c.name, "args");
	ck_assert_str_eq(c.state, "/s");
	ck_assert_str_eq(c.control, "/run/l4lb/args.control");
	ck_assert_uint_eq(c.n_interfaces, 1);
	ck_assert_str_eq(c.interfaces[0], "lo");
	ck_assert_uint_eq(c.flows, 11);
	ck_assert_int_eq(c.guard, GUARD_AUTO);
	ck_assert_uint_eq(c.nat_lo, 40000);
	ck_assert_int_eq(c.verbosity, 1);
	config_free(&c);
}
END_TEST

START_TEST(a_file_error_names_the_file_as_given)
{
	static const char text[] = "[service chat]\nlisten = 10.0.0.1:80 x\n";
	char expected[64];
	struct config c;
	struct err err;

	ck_assert_int_eq(run_file("", text, strlen(text), &c, &err), -EINVAL);
	snprintf(expected, sizeof(expected), "%s:2: listen \"", path);
	ck_assert_msg(strncmp(err.text, expected, strlen(expected)) == 0, "%s",
		      err.text);
}
END_TEST

START_TEST(what_is_no_text_is_refused)
{
	static const char nul[] = "[service a]\n\nlisten = 1\0\n";
	size_t size = (1u << 20) + 1;
	char *large = malloc(size);
	struct config c;
	struct err err;

	ck_assert_int_eq(run_file("", nul, sizeof(nul) - 1, &c, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, ":3: a NUL byte"));

	ck_assert_ptr_nonnull(large);
	memset(large, '\n', size);
	ck_assert_int_eq(run_file("", large, size, &c, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "larger than 1048576 bytes"));
	ck_assert_int_eq(run_file("", large, size - 1, &c, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, ":1048576: no service"));
	free(large);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_says_why)
{
	char line[64];
	struct config c;
	struct err err;

	ck_assert_int_eq(run("--config /nonexistent/l4lb.conf", &c, &err),
			 -ENOENT);
	ck_assert_str_eq(err.text, "/nonexistent/l4lb.conf: cannot read the "
				   "configuration: No such file or directory");
	ck_assert_int_eq(run("--config /", &c, &err), -EISDIR);

	if (geteuid() == 0)
		return; /* root may read everything */
	write_file("", 0);
	ck_assert_int_eq(chmod(path, 0), 0);
	snprintf(line, sizeof(line), "--config %s", path);
	ck_assert_int_eq(run(line, &c, &err), -EACCES);
	unlink(path);
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
	struct config c;
	struct err err;

	ck_assert_int_eq(run("--version", &c, &err), CONFIG_SHOWN);
	config_free(&c);
	ck_assert_int_eq(run("-V", &c, &err), CONFIG_SHOWN);
	config_free(&c);
	ck_assert_int_eq(run("-h --config /nonexistent", &c, &err),
			 CONFIG_SHOWN);
	config_free(&c);
}
END_TEST

START_TEST(down_stands_alone)
{
	struct config c;
	struct err err;

	ck_assert_int_eq(run("--down chat", &c, &err), CONFIG_DOWN);
	ck_assert_str_eq(c.name, "chat");
	config_free(&c);
	ck_assert_int_eq(run("--down=a-1_B", &c, &err), CONFIG_DOWN);
	ck_assert_str_eq(c.name, "a-1_B");
	config_free(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cmdline");
	TCase *t = tcase_create("arguments");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, t);
	tcase_add_loop_test(t, wrong_arguments_are_refused, 0,
			    COUNT_OF(refusals));
	tcase_add_test(t, the_positional_form_is_one_service);
	tcase_add_test(t, an_algorithm_is_a_scheduler);
	tcase_add_test(t, every_option_is_stored);
	tcase_add_test(t, verbosity_stays_within_what_the_log_knows);
	tcase_add_test(t, the_last_of_an_option_given_twice_counts);
	tcase_add_test(t, too_many_options_are_refused);
	tcase_add_test(t, names_resolve);
	tcase_add_test(t, options_override_the_file_wherever_they_stand);
	tcase_add_test(t, a_file_error_names_the_file_as_given);
	tcase_add_test(t, what_is_no_text_is_refused);
	tcase_add_test(t, a_file_that_cannot_be_read_says_why);
	tcase_add_test(t, help_and_version_need_nothing_else);
	tcase_add_test(t, down_stands_alone);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
