/* SPDX-License-Identifier: MIT */
/*
 * config.c - what a configuration file may say, and how it is refused
 *
 * Tables: a text and what comes of it. Every refusal names file and line.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(*(array))))

/* A service that is right, to stand around what is tested. */
#define HEAD   "[service chat]\n" /* line 1 */
#define REST   "listen = 10.0.0.1:80\nbackend = 10.0.0.2:80\n"
#define CHAT   HEAD REST
#define LISTEN HEAD "listen = 10.0.0.1:80\n" /* lines 1, 2 */

static struct config parse_ok(const char *text)
{
	struct config c;
	struct err err;

	if (config_parse(&c, "t.conf", text, &err))
		ck_abort_msg("refused: %s", err.text);
	return c;
}

static void expect_refusal(const char *text, unsigned line, const char *part)
{
	char where[32];
	struct config c;
	struct err err;
	int rc = config_parse(&c, "t.conf", text, &err);

	ck_assert_msg(rc == -EINVAL, "returned %d for: %s", rc, text);
	snprintf(where, sizeof(where), "t.conf:%u: ", line);
	ck_assert_msg(strncmp(err.text, where, strlen(where)) == 0 &&
			      strstr(err.text, part),
		      "expected %s...%s..., got: %s", where, part, err.text);
	ck_assert_ptr_null(c.services);
	config_free(&c); /* harmless after any result */
}

static bool is_endpoint(const struct endpoint *e, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];

	return strcmp(endpoint_format(e, text), expected) == 0;
}

static bool is_address(const struct ip_addr *a, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	return strcmp(addr_format(a, text), expected) == 0;
}

static const struct refusal {
	const char *text;
	unsigned line;
	const char *part; /* of the sentence */
} refusals[] = {
	/* nothing to do */
	{"", 1, "no service"},
	{"\n\n; a comment\n", 3, "no service"},
	{"[global]\nflows = 10\n", 2, "no service"},
	{HEAD, 1, "\"chat\" has no listen"},
	{"\n" LISTEN "\n", 2, "\"chat\" has no backend"},
	{HEAD "[service echo]\n" REST, 1, "\"chat\" has no listen"},

	/* sections */
	{"flows = 10\n", 1, "key \"flows\" before any section"},
	{"[servce chat]\n", 1,
	 "unknown section [servce chat]; expected "
	 "[service NAME]"},
	{"[gobal]\n", 1, "unknown section [gobal]; expected [global]"},
	{"[foo]\n", 1, "expected [global] or [service NAME]"},
	{"[]\n", 1, "unknown section []"},
	{"[global chat]\n", 1, "unknown section [global chat]"},
	{"[GLOBAL]\n", 1, "unknown section [GLOBAL]"},
	{"[service]\n", 1, "a service needs a name"},
	{"[service  ]\n", 1, "a service needs a name"},
	{"[service a b]\n", 1, "service \"a b\": a name has 1 to 31 of"},
	{"[service ../x]\n", 1, "a name has 1 to 31 of"},
	{"[service -x]\n", 1, "does not begin with -"},
	{"[service a2345678901234567890123456789012]\n", 1, "a name has"},
	{"[service a23456789012345678901234567890123456789012345678901]\n", 1,
	 "name is too long"},
	{"[service chat\nlisten = 1\n", 1, "closing \"]\" is missing"},
	{"[service chat] listen = 1\n", 1, "text after the section's \"]\""},
	{CHAT "[service chat]\n", 4, "\"chat\" already, on line 1"},
	{"[global]\n\n[global]\n", 3, "[global] already, on line 1"},

	/* lines */
	{HEAD "listen\n", 2, "expected KEY = VALUE"},
	{HEAD "listen 10.0.0.1\n", 2, "expected KEY = VALUE"},
	{HEAD "listen 10.0.0.1:80\n", 2, "no \"=\" after the key"},
	{HEAD "= 10.0.0.1:80\n", 2, "unknown key \"\""},
	{HEAD "listen = 10.0.0.1:80\a\n", 2, "control character 0x07"},
	{HEAD "listen = 10.0.0.1:80\rbackend = 10.0.0.2:80\n", 2,
	 "control character 0x0d"},
	{HEAD "\x01=\n", 2, "control character 0x01"},
	{HEAD "listen = 10.0.0.1:80 # why\n", 2, "begins with \";\""},

	/* keys */
	{HEAD "lisen = 10.0.0.1:80\n", 2, "did you mean \"listen\"?"},
	{HEAD "schedular = rr\n", 2, "did you mean \"scheduler\"?"},
	{HEAD "Listen = 10.0.0.1:80\n", 2, "did you mean \"listen\"?"},
	{HEAD "zzz = 1\n", 2,
	 "unknown key \"zzz\"; l4lb.conf(5) has all keys of [service NAME]"},
	{HEAD "reties = 3\n", 2, "did you mean \"retries\"?"},
	{HEAD "keepalive = 3\n", 2, "belongs in [global]"},
	{"[global]\ncheck = syn\n", 2, "belongs in [service NAME]"},
	{HEAD "flows = 10\n", 2,
	 "key \"flows\" belongs in [global], not in [service NAME]"},
	{"[global]\nbackend = 10.0.0.1:80\n", 2, "belongs in [service NAME]"},
	{"[global]\nnat-ports = 1-2\n", 2, "did you mean \"nat_ports\"?"},
	{"[global]\nflows = 10\nflows = 10\n", 3, "set already, on line 2"},
	{LISTEN "listen = 10.0.0.1:81\n", 3, "set already, on line 2"},

	/* global values */
	{"[global]\nflows = 0\n", 2, "flows \"0\": expected a number from 1"},
	{"[global]\nflows = 4194305\n", 2, "from 1 to 4194304"},
	{"[global]\nflows = 99999999999999999999\n", 2, "expected a number"},
	{"[global]\nflows = -1\n", 2, "expected a number"},
	{"[global]\nflows = 1k\n", 2, "expected a number"},
	{"[global]\nflows =\n", 2, "flows \"\": expected a number"},
	{"[global]\nnat_ports = 10240\n", 2, "expected LO-HI"},
	{"[global]\nnat_ports = a-b\n", 2, "expected LO-HI"},
	{"[global]\nnat_ports = 10240-\n", 2, "expected LO-HI"},
	{"[global]\nnat_ports = 10240-65536\n", 2, "expected LO-HI"},
	{"[global]\nnat_ports = 000010240-65535\n", 2, "expected LO-HI"},
	{"[global]\nnat_ports = 32767-10240\n", 2, "wrong order"},
	{"[global]\nnat_ports = 1023-9000\n", 2, "below 1024"},
	{"[global]\nnat_ports = 2000-3022\n", 2, "1023 ports are too few"},
	{"[global]\ninterface =\n", 2, "name of a network interface"},
	{"[global]\ninterface = a23456789012345x\n", 2, "at most 15 bytes"},
	{"[global]\ninterface = a/b\n", 2, "name of a network interface"},
	/* found by fuzz_config: this byte reached the terminal */
	{"[global]\ninterface = \x9d, \x9d\n", 2, "\"?, ?\": expected the"},
	{"[global]\ninterface = eth0, eth0\n", 2, "eth0 is given twice"},
	{"[global]\ninterface = eth0\ninterface = eth0\n", 3, "given twice"},
	{"[global]\nguard = on\n", 2, "guard \"on\": expected auto, keep or"},
	{"[global]\ndatapath = xdp\n", 2, "expected auto or pcap"},
	{"[global]\ndatapath = bpf\n", 2, "datapath \"bpf\": not built yet"},
	{"[global]\nname = a.b\n", 2, "name \"a.b\": a name has 1 to 31 of"},
	{"[global]\nname =\n", 2, "a name has 1 to 31 of"},
	{"[global]\nstate =\n", 2, "expected a path of 1 to 107 bytes"},
	{"[global]\ncontrol =\n", 2, "expected a path of 1 to 107 bytes"},
	{"[global]\nmss_clamp = on\n", 2,
	 "mss_clamp \"on\": expected off, auto or a number of bytes from 536 "
	 "to 65495"},
	{"[global]\nmss_clamp = 535\n", 2, "expected off, auto or"},
	{"[global]\nmss_clamp = 65496\n", 2, "expected off, auto or"},
	{"[global]\nkeepalive = no\n", 2, "from 1s to 24h, or off"},
	{"[global]\nkeepalive = 0\n", 2, "from 1s to 24h, or off"},
	{"[global]\nidle_timeout = off\n", 2, "expected a time"},
	{"[global]\nidle_timeout = 30\nkeepalive = 10\n" CHAT, 1,
	 "keepalive (10s) is too long: three of them must be shorter than "
	 "idle_timeout (30s)"},
	{"[global]\nkeepalive = 2480\n" CHAT, 1, "than idle_timeout (124m)"},

	/* times: what is no time at all */
	{"[global]\nidle_timeout =\n", 2,
	 "idle_timeout \"\": expected a time, a whole number and ms, s, m or "
	 "h (alone: seconds), from 1s to 168h"},
	{"[global]\nidle_timeout = s\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 5 s\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 5d\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 5S\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 5sec\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = -5s\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = +5s\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 1.5s\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 1m30s\n", 2, "expected a time, a whole"},
	{"[global]\nidle_timeout = 0x10\n", 2, "expected a time, a whole"},
	/* and those that are, but not here */
	{"[global]\nidle_timeout = 1500ms\n", 2,
	 "expected whole seconds, from 1s to 168h"},
	{"[global]\nidle_timeout = 99999999999999999999999h\n", 2,
	 "out of range; expected a time from 1s to 168h"},
	{"[global]\nidle_timeout = 4294967297\n", 2, "out of range"},
	{"[global]\nidle_timeout = 1193h\n", 2, "out of range"}, /* 2^32 ms */

	/* addresses */
	{HEAD "listen = 10.0.0.1\n", 2, "expected ADDRESS:PORT"},
	{HEAD "listen = :80\n", 2, "expected ADDRESS:PORT"},
	{HEAD "listen =\n", 2, "expected ADDRESS:PORT"},
	{HEAD "listen = 10.0.0.300:80\n", 2,
	 "listen \"10.0.0.300:80\": 300 is not between 0 and 255"},
	{HEAD "listen = 10.0.0:80\n", 2, "an IPv4 address (four numbers)"},
	{HEAD "listen = 10.0.0.1.1:80\n", 2, "(four numbers)"},
	{HEAD "listen = 010.0.0.1:80\n", 2, "(four numbers)"},
	{HEAD "listen = 0x0a000001:80\n", 2, "(four numbers)"},
	{HEAD "listen = 167772161:80\n", 2, "not between 0 and 255"},
	{HEAD "listen = 10.0.0.1:0\n", 2, "from 1 to 65535"},
	{HEAD "listen = 10.0.0.1:65536\n", 2, "from 1 to 65535"},
	{HEAD "listen = 10.0.0.1:http\n", 2, "from 1 to 65535"},
	{HEAD "listen = 10.0.0.1:\n", 2, "from 1 to 65535"},
	{HEAD "listen = [::1]:80\n", 2, "IPv6 is not built yet"},
	{HEAD "listen = fe80::1:80\n", 2, "IPv6 is not built yet"},
	{HEAD "listen = 0.0.0.0:80\n", 2, "not the address of one host"},
	{HEAD "listen = 224.0.0.1:80\n", 2, "not the address of one host"},
	{HEAD "backend = 255.255.255.255:80\n", 2, "not the address of one"},
	{HEAD "source = 239.1.1.1\n", 2, "not the address of one host"},
	{HEAD "listen = exa mple:80\n", 2, "expected an IPv4 address or a"},
	{HEAD "listen = b\xc3\xa4r:80\n", 2, "\"b??r:80\": expected an IPv4"},
	{HEAD "listen = chat.example:80\n", 2, "names are not resolved here"},

	/* service values */
	{HEAD "scheduler = fair\n", 2,
	 "expected rr, wrr, lc, wlc, hash, maglev or p2c"},
	{HEAD "scheduler =\n", 2, "expected rr, wrr, lc, wlc, "},
	{HEAD "hash_port = maybe\n", 2, "expected yes or no"},
	{HEAD "hash_key = 00112233\n", 2,
	 "expected 32 hexadecimal digits, not 8"},
	{HEAD "hash_key = 00112233445566778899aabbccddeefg\n", 2,
	 "\"g\" is no hexadecimal digit"},
	{"[global]\nhash_key = 0x112233445566778899aabbccddeeff\n", 2,
	 "\"x\" is no hexadecimal digit"},
	{"[global]\nhash_key =\n", 2, "expected 32 hexadecimal digits, not 0"},
	{HEAD "mptcp = on\n", 2, "expected strip or pass"},
	{HEAD "out_of_state = ignore\n", 2, "expected reset or drop"},
	{HEAD "on_down = drop\n", 2,
	 "on_down \"drop\": expected reset or keep"},
	{HEAD "all_down = keep\n", 2, "expected reset or drop"},
	{HEAD "check =\n", 2,
	 "check \"\": expected syn, tcp, http GET /PATH [expect 2xx,3xx], "
	 "expect \"TEXT\" or none"},
	{HEAD "check = ping\n", 2, "check \"ping\": expected syn, tcp, http"},
	{HEAD "check = SYN\n", 2, "expected syn, tcp, http"},
	{HEAD "check = none please\n", 2, "expected nothing after none"},
	{HEAD "check = syn please\n", 2, "unexpected \"please\" after syn"},
	{HEAD "check = http\n", 2, "expected GET and a path"},
	{HEAD "check = http GET health\n", 2, "begins with /"},
	{HEAD "check = http GET / expect 6xx\n", 2, "\"6xx\" is not a status"},
	{HEAD "check = expect HEALTH\n", 2, "a text in double quotes"},
	{HEAD "check = expect \"a ;b\"\n", 2, "no closing double quote"},
	{HEAD "check = expect \"a #b\"\n", 2, "begins with \";\""},
	{HEAD "slow_start = 0\n", 2, "from 1s to 24h, or off"},
	{HEAD "drain_timeout = 0\n", 2, "from 1s to 168h, or off"},
	{HEAD "drain_timeout = none\n", 2, "from 1s to 168h, or off"},
	{HEAD "drain_timeout = 1500ms\n", 2, "whole seconds, from 1s to"},
	{HEAD "retries = 3s\n", 2, "expected a whole number from 0 to 255"},
	{HEAD "backend =\n", 2, "expected ADDRESS:PORT [weight=N] [backup]"},
	{HEAD "backend = 10.0.0.2:80 weight=257\n", 2, "weight \"257\" is not"},
	{HEAD "backend = 10.0.0.2:80 weight=-1\n", 2, "weight \"-1\" is not"},
	{HEAD "backend = 10.0.0.2:80 weight=\n", 2, "weight \"\" is not"},
	{HEAD "backend = 10.0.0.2:80 weight=1 weight=1\n", 2,
	 "weight is given "
	 "twice"},
	{HEAD "backend = 10.0.0.2:80 backup backup\n", 2,
	 "backup is given "
	 "twice"},
	{HEAD "backend = 10.0.0.2:80 down\n", 2, "\"down\" is no option"},
	{HEAD "source =\n", 2, "expected one or several addresses"},
	{HEAD "source = 10.0.0.1, 10.0.0.1\n", 2, "10.0.0.1 is given twice"},

	/* commas stand between two */
	{HEAD "source = 10.0.0.1,\n", 2,
	 "source \"10.0.0.1,\": a comma with nothing after it; expected for "
	 "example 192.168.0.10, 192.168.0.20"},
	{HEAD "source = 10.0.0.1 , \n", 2, "a comma with nothing after it"},
	{HEAD "source = ,10.0.0.1\n", 2, "a comma with nothing before it"},
	{HEAD "source = 10.0.0.1, ,10.0.0.2\n", 2, "nothing before it"},
	{HEAD "source = ,\n", 2, "a comma with nothing before it"},
	{"[global]\ninterface = eth0,\n", 2, "a comma with nothing after it"},
	{"[global]\ninterface = ,eth0\n", 2, "a comma with nothing before"},
	{HEAD "backend = 10.0.0.2:80 id=\n", 2, "id \"\": a name has 1 to 31"},
	{HEAD "backend = 10.0.0.2:80 id=-x\n", 2, "id \"-x\": a name has"},
	{HEAD "backend = 10.0.0.2:80 id=a id=b\n", 2, "id is given twice"},
	{HEAD "backend = 10.0.0.2:80 id=backend2\n", 2,
	 "id \"backend2\": such ids are given by l4lb, here it would be "
	 "backend1; choose another name"},
	{HEAD "backend = 10.0.0.2:80 id=backend01\n", 2, "given by l4lb"},
	{HEAD "backend = 10.0.0.2:80 id=a\nbackend = 10.0.0.3:80 id=a\n", 3,
	 "\"a\" is the id of backend 10.0.0.2:80 of service \"chat\""},
	{HEAD "backend = 10.0.0.2:80,\n", 2, "expected ADDRESS:PORT [weight="},
	{HEAD "backend = 10.0.0.2:80, backup\n", 2, "expected ADDRESS:PORT ["},
	{HEAD "check = http GET / expect 2xx,\n", 2,
	 "a comma without a status"},
	{HEAD "check = none,\n", 2, "check \"none,\": expected syn, tcp"},
	{HEAD "check = ,none\n", 2, "check \",none\": expected syn, tcp"},
	{HEAD "check = syn,\n", 2, "check \"syn,\": expected syn, tcp"},

	/* one value against another */
	{LISTEN "backend = 10.0.0.2:80\nbackend = 10.0.0.2:80 weight=2\n", 4,
	 "has that backend already; give a backend once, and weight=N for a"},
	{LISTEN "backend = 10.0.0.1:80\n", 3,
	 "service \"chat\" listens there: the balancer would be sending to "
	 "itself"},
	{HEAD "backend = 10.0.0.1:80\nlisten = 10.0.0.1:80\n", 3,
	 "it is also a backend of service \"chat\""},
	{CHAT "[service b]\nlisten = 10.0.0.2:80\n", 5, "also a backend of"},
	{CHAT "[service b]\nbackend = 10.0.0.1:80\n", 5, "\"chat\" listens"},
	{CHAT "[service b]\nlisten = 10.0.0.1:80\n", 5,
	 "service \"chat\" listens there already"},
	{CHAT "interval = 1s\nfast_interval = 1001ms\n", 1,
	 "service \"chat\": fast_interval (1001ms) is longer than interval "
	 "(1s)"},
	{CHAT "fast_interval = 2s\n", 1, "fast_interval (2s) is longer"},
	{CHAT "eject_time = 2m\neject_max = 90s\n", 1,
	 "eject_max (90s) is shorter than eject_time (2m)"},
	{CHAT "eject_max = 900ms\n", 1, "eject_max (900ms) is shorter"},
};

START_TEST(a_wrong_text_is_refused_with_its_line)
{
	const struct refusal *r = &refusals[_i];

	expect_refusal(r->text, r->line, r->part);
}
END_TEST

START_TEST(the_same_text_with_crlf_is_refused_on_the_same_line)
{
	const struct refusal *r = &refusals[_i];
	char text[512];
	size_t n = 0;

	for (const char *c = r->text; *c; c++) {
		if (*c == '\n')
			text[n++] = '\r';
		text[n++] = *c;
	}
	text[n] = 0;
	expect_refusal(text, r->line, r->part);
}
END_TEST

START_TEST(defaults_are_those_of_the_manual)
{
	struct config c = parse_ok(CHAT);
	const struct service_config *s = &c.services[0];

	ck_assert_str_eq(c.name, "80");
	ck_assert_str_eq(c.state, "/run/l4lb/80.flows");
	ck_assert_str_eq(c.control, "/run/l4lb/80.control");
	ck_assert_uint_eq(c.flows, 65536);
	ck_assert_uint_eq(c.nat_lo, 10240);
	ck_assert_uint_eq(c.nat_hi, 32767);
	ck_assert(!c.nat_ports_set);
	ck_assert_uint_eq(c.n_interfaces, 0);
	ck_assert_int_eq(c.guard, GUARD_AUTO);
	ck_assert_int_eq(c.datapath, DATAPATH_AUTO);
	ck_assert_int_eq(c.verbosity, 0);
	ck_assert(!c.check);
	ck_assert_uint_eq(c.n_services, 1);
	ck_assert_str_eq(s->name, "chat");
	ck_assert_int_eq(s->params.scheduler, SCHED_RR);
	ck_assert(s->params.reset_out_of_state);
	ck_assert(!s->params.mptcp_pass);
	ck_assert_uint_eq(s->n_sources, 0);
	ck_assert_uint_eq(s->n_backends, 1);
	ck_assert_uint_eq(s->backends[0].params.weight, 1);
	ck_assert(!s->backends[0].params.backup);
	ck_assert(is_endpoint(&s->listen, "10.0.0.1:80"));
	ck_assert(is_endpoint(&s->backends[0].addr, "10.0.0.2:80"));
	config_free(&c);
}
END_TEST

START_TEST(defaults_of_checks_and_timeouts_are_those_of_the_manual)
{
	struct config c = parse_ok(CHAT);
	const struct service_config *s = &c.services[0];

	ck_assert_uint_eq(c.timeouts.established, 7440);
	ck_assert_uint_eq(c.timeouts.closing, 240);
	ck_assert_uint_eq(c.timeouts.syn_sent, 10);
	ck_assert_uint_eq(c.timeouts.syn_received, 60);
	ck_assert_uint_eq(c.timeouts.closed, 60);
	ck_assert_uint_eq(c.timeouts.keepalive, 0);
	ck_assert_uint_eq(c.mss_clamp, CONFIG_CLAMP_OFF);
	ck_assert(s->params.checked);
	ck_assert_int_eq(s->params.check.kind, CHECK_SYN);
	ck_assert_uint_eq(s->params.health.interval_ms, 1000);
	ck_assert_uint_eq(s->params.health.fast_ms, 200);
	ck_assert_uint_eq(s->params.health.timeout_ms, 500);
	ck_assert_uint_eq(s->params.health.fall, 3);
	ck_assert_uint_eq(s->params.health.rise, 2);
	ck_assert_uint_eq(s->params.health.slow_start_ms, 0);
	ck_assert_uint_eq(s->params.breaker.failures, 3);
	ck_assert_uint_eq(s->params.breaker.open_ms, 1000);
	ck_assert_uint_eq(s->params.breaker.open_max_ms, 60000);
	ck_assert_uint_eq(s->params.breaker.trials, 1);
	ck_assert(!s->params.keep_on_down);
	ck_assert(!s->params.drop_all_down);
	ck_assert_uint_eq(s->params.retries, 3);
	ck_assert_uint_eq(s->params.syn_timeout_ms, 300);
	ck_assert_uint_eq(s->params.drain_timeout_s, 0);
	ck_assert_uint_eq(s->params.half_open_max, 0);
	config_free(&c);
}
END_TEST

/* A default gives way to what the user says of its neighbour. */
START_TEST(dependent_defaults_follow)
{
	struct config c = parse_ok(CHAT "interval = 150ms\neject_time = 5m\n");

	ck_assert_uint_eq(c.services[0].params.health.fast_ms, 150);
	ck_assert_uint_eq(c.services[0].params.breaker.open_max_ms, 300000);
	config_free(&c);
}
END_TEST

START_TEST(every_global_key_is_stored)
{
	struct config c = parse_ok("[global]\n"
				   "name = pi_1-a\n"
				   "flows = 4194304\n"
				   "nat_ports = 1024-2047\n"
				   "interface = eth0, lo\n"
				   "interface = wlan0\n"
				   "guard = keep\n"
				   "datapath = pcap\n"
				   "state = /var/lib/l4lb/x\n"
				   "control = /tmp/x.sock\n"
				   "mss_clamp = 1360\n"
				   "idle_timeout = 1h\n"
				   "half_closed_timeout = 5m\n"
				   "syn_sent_timeout = 11\n"
				   "syn_received_timeout = 12s\n"
				   "closed_timeout = 13000ms\n"
				   "keepalive = 20s\n" CHAT);

	ck_assert_str_eq(c.name, "pi_1-a");
	ck_assert_uint_eq(c.flows, 4194304);
	ck_assert_uint_eq(c.nat_lo, 1024);
	ck_assert_uint_eq(c.nat_hi, 2047);
	ck_assert(c.nat_ports_set);
	ck_assert_uint_eq(c.n_interfaces, 3);
	ck_assert_str_eq(c.interfaces[0], "eth0");
	ck_assert_str_eq(c.interfaces[1], "lo");
	ck_assert_str_eq(c.interfaces[2], "wlan0");
	ck_assert_int_eq(c.guard, GUARD_KEEP);
	ck_assert_int_eq(c.datapath, DATAPATH_PCAP);
	ck_assert_str_eq(c.state, "/var/lib/l4lb/x");
	ck_assert_str_eq(c.control, "/tmp/x.sock");
	ck_assert_uint_eq(c.mss_clamp, 1360);
	ck_assert_uint_eq(c.timeouts.established, 3600);
	ck_assert_uint_eq(c.timeouts.closing, 300);
	ck_assert_uint_eq(c.timeouts.syn_sent, 11);
	ck_assert_uint_eq(c.timeouts.syn_received, 12);
	ck_assert_uint_eq(c.timeouts.closed, 13);
	ck_assert_uint_eq(c.timeouts.keepalive, 20);
	config_free(&c);

	c = parse_ok("[global]\nname = pi\nstate = none\nguard = none\n"
		     "datapath = auto\n" CHAT);
	ck_assert_str_eq(c.state, "");
	ck_assert_str_eq(c.control, "/run/l4lb/pi.control");
	ck_assert_int_eq(c.guard, GUARD_NONE);
	ck_assert_int_eq(c.datapath, DATAPATH_AUTO);
	config_free(&c);
}
END_TEST

START_TEST(every_service_key_is_stored)
{
	struct config c = parse_ok("[service a]\n"
				   "listen = 10.0.0.1:80\n"
				   "scheduler = wrr ; by weight\n"
				   "backend = 10.0.0.2:80 weight=256\n"
				   "backend = 10.0.0.3:80 weight=0\n"
				   "backend = 10.0.0.4:80 backup weight=2\n"
				   "source = 10.0.0.1, 10.0.0.9\n"
				   "source = 10.0.0.8 10.0.0.7\n"
				   "out_of_state = drop\n"
				   "mptcp = pass\n"
				   "[service b]\n"
				   "scheduler = lc\n"
				   "out_of_state = reset\n"
				   "mptcp = strip\n"
				   "backend = 10.0.0.2:80\n"
				   "listen = 10.0.0.1:81\n");
	const struct service_config *a = &c.services[0], *b = a + 1;

	ck_assert_uint_eq(c.n_services, 2);
	ck_assert_str_eq(c.name, "80");
	ck_assert_int_eq(a->params.scheduler, SCHED_WRR);
	ck_assert(!a->params.reset_out_of_state);
	ck_assert(a->params.mptcp_pass);
	ck_assert_uint_eq(a->n_backends, 3);
	ck_assert_uint_eq(a->backends[0].params.weight, 256);
	ck_assert_uint_eq(a->backends[1].params.weight, 0);
	ck_assert_uint_eq(a->backends[2].params.weight, 2);
	ck_assert(!a->backends[1].params.backup);
	ck_assert(a->backends[2].params.backup);
	ck_assert_uint_eq(a->n_sources, 4);
	ck_assert(is_address(&a->sources[1], "10.0.0.9"));
	ck_assert(is_address(&a->sources[3], "10.0.0.7"));
	ck_assert_int_eq(b->params.scheduler, SCHED_LC);
	ck_assert(b->params.reset_out_of_state);
	ck_assert(!b->params.mptcp_pass);
	/* Two services may share a backend; and an address. */
	ck_assert(is_endpoint(&b->backends[0].addr, "10.0.0.2:80"));
	config_free(&c);
}
END_TEST

/* A service's own, else that of [global], wherever that section stands. */
START_TEST(hash_keys_are_stored)
{
	static const uint8_t own[] = {0x00, 0x1f, 0xAb, 0xcd, 0xEf};
	struct config c = parse_ok(
		"[service a]\nlisten = 10.0.0.1:80\nbackend = 10.0.0.2:80\n"
		"scheduler = ip_hash\nhash_port = yes\n"
		"hash_key = 001fAbcdEf0000000000000000000000\n"
		"[global]\nhash_key = ff000000000000000000000000000001\n"
		"[service b]\nlisten = 10.0.0.1:81\nbackend = 10.0.0.2:80\n"
		"scheduler = consistent\n"
		"[service c]\nlisten = 10.0.0.1:82\nbackend = 10.0.0.2:80\n"
		"hash_key = auto\n");
	const struct service_config *a = &c.services[0], *b = a + 1;

	ck_assert_int_eq(a->params.scheduler, SCHED_HASH);
	ck_assert(a->params.hash_port);
	ck_assert(a->params.hash_key.set);
	ck_assert_mem_eq(a->params.hash_key.bytes, own, sizeof(own));
	ck_assert_uint_eq(a->params.hash_key.bytes[5], 0);
	for (const struct service_config *s = b; s <= b + 1; s++) {
		ck_assert(!s->params.hash_port);
		ck_assert(s->params.hash_key.set);
		ck_assert_uint_eq(s->params.hash_key.bytes[0], 0xff);
		ck_assert_uint_eq(s->params.hash_key.bytes[15], 1);
	}
	ck_assert_int_eq(b->params.scheduler, SCHED_MAGLEV);
	config_free(&c);

	c = parse_ok("[global]\nhash_key = auto\n" CHAT);
	ck_assert(!c.services[0].params.hash_key.set);
	config_free(&c);
}
END_TEST

START_TEST(every_key_of_checks_and_failures_is_stored)
{
	struct config c = parse_ok("[service chat]\n"
				   "check = http GET /health expect 204\n"
				   "interval = 5s\n"
				   "fast_interval = 250ms\n"
				   "timeout = 2\n"
				   "fall = 4\n"
				   "rise = 5\n"
				   "slow_start = 30s\n"
				   "eject_after = 6\n"
				   "eject_time = 700ms\n"
				   "eject_max = 8s\n"
				   "eject_trials = 9\n"
				   "on_down = keep\n"
				   "all_down = drop\n"
				   "retries = 0\n"
				   "syn_timeout = 40ms\n"
				   "drain_timeout = 2h\n"
				   "max_half_open = 64\n" REST);
	const struct service_config *s = &c.services[0];

	ck_assert(s->params.checked);
	ck_assert_int_eq(s->params.check.kind, CHECK_HTTP);
	ck_assert_str_eq(s->params.check.text, "/health");
	ck_assert(check_expects(&s->params.check, 204));
	ck_assert(!check_expects(&s->params.check, 200));
	ck_assert_uint_eq(s->params.health.interval_ms, 5000);
	ck_assert_uint_eq(s->params.health.fast_ms, 250);
	ck_assert_uint_eq(s->params.health.timeout_ms, 2000);
	ck_assert_uint_eq(s->params.health.fall, 4);
	ck_assert_uint_eq(s->params.health.rise, 5);
	ck_assert_uint_eq(s->params.health.slow_start_ms, 30000);
	ck_assert_uint_eq(s->params.breaker.failures, 6);
	ck_assert_uint_eq(s->params.breaker.open_ms, 700);
	ck_assert_uint_eq(s->params.breaker.open_max_ms, 8000);
	ck_assert_uint_eq(s->params.breaker.trials, 9);
	ck_assert(s->params.keep_on_down);
	ck_assert(s->params.drop_all_down);
	ck_assert_uint_eq(s->params.retries, 0);
	ck_assert_uint_eq(s->params.syn_timeout_ms, 40);
	ck_assert_uint_eq(s->params.drain_timeout_s, 7200);
	ck_assert_uint_eq(s->params.half_open_max, 64);
	config_free(&c);
}
END_TEST

START_TEST(every_choice_is_stored)
{
	struct config c = parse_ok(CHAT "check = expect \"HEALTH CHECK\"\n"
					"on_down = reset\nall_down = reset\n"
					"slow_start = off\ndrain_timeout = "
					"off\neject_after = 0\n"
					"[global]\nmss_clamp = auto\n"
					"keepalive = off\n");
	struct service_config *s = &c.services[0];

	ck_assert_int_eq(s->params.check.kind, CHECK_EXPECT);
	ck_assert_str_eq(s->params.check.text, "HEALTH CHECK");
	ck_assert(!s->params.keep_on_down);
	ck_assert(!s->params.drop_all_down);
	ck_assert_uint_eq(s->params.health.slow_start_ms, 0);
	ck_assert_uint_eq(s->params.drain_timeout_s, 0);
	ck_assert_uint_eq(s->params.breaker.failures, 0);
	ck_assert_uint_eq(c.mss_clamp, CONFIG_CLAMP_AUTO);
	ck_assert_uint_eq(c.timeouts.keepalive, 0);
	config_free(&c);

	c = parse_ok(CHAT "check = none\n[global]\nmss_clamp = off\n");
	ck_assert(!c.services[0].params.checked);
	ck_assert_uint_eq(c.mss_clamp, CONFIG_CLAMP_OFF);
	config_free(&c);
	c = parse_ok(CHAT "check = tcp\n");
	ck_assert(c.services[0].params.checked);
	ck_assert_int_eq(c.services[0].params.check.kind, CHECK_TCP);
	config_free(&c);
	c = parse_ok(CHAT "check = syn\n");
	ck_assert(c.services[0].params.checked);
	ck_assert_int_eq(c.services[0].params.check.kind, CHECK_SYN);
	config_free(&c);
}
END_TEST

/* Both ends of each range are right, and one step further is not. */
static const struct range_case {
	const char *section, *key, *below, *lo, *hi, *above;
} ranges[] = {
	{"[global]\n", "idle_timeout", "0", "1s", "168h", "604801"},
	{"[global]\n", "half_closed_timeout", "0", "1", "168h", "604801s"},
	{"[global]\n", "syn_sent_timeout", "0s", "1s", "10m", "601s"},
	{"[global]\n", "syn_received_timeout", "0m", "1s", "600", "11m"},
	{"[global]\n", "closed_timeout", "2s", "3s", "10m", "601"},
	{"[global]\nidle_timeout = 168h\n", "keepalive", "0", "1s", "24h",
	 "86401s"},
	{"[global]\n", "mss_clamp", "535", "536", "65495", "65496"},
	{HEAD, "interval", "99ms", "200ms", "1h", "3601s"},
	{HEAD "interval = 1h\n", "fast_interval", "19ms", "20ms", "60m",
	 "3600001ms"},
	{HEAD, "timeout", "9ms", "10ms", "1m", "60001ms"},
	{HEAD, "fall", "0", "1", "100", "101"},
	{HEAD, "rise", "0", "1", "100", "101"},
	{HEAD, "slow_start", "999ms", "1s", "24h", "25h"},
	{HEAD, "eject_after", "-1", "0", "1000", "1001"},
	{HEAD, "eject_time", "99ms", "100ms", "1h", "61m"},
	{HEAD "eject_time = 100ms\n", "eject_max", "99ms", "100ms", "24h",
	 "86400001ms"},
	{HEAD, "eject_trials", "0", "1", "1000", "1001"},
	{HEAD, "retries", "-1", "0", "255", "256"},
	{HEAD, "syn_timeout", "9ms", "10ms", "1m", "60001ms"},
	{HEAD, "drain_timeout", "0", "1s", "168h", "169h"},
	{HEAD, "max_half_open", "63", "64", "4194304", "4194305"},
};

START_TEST(a_number_or_time_ends_at_its_limits)
{
	const struct range_case *r = &ranges[_i];
	const bool global = r->section[1] == 'g';
	const char *right[] = {r->lo, r->hi}, *wrong[] = {r->below, r->above};
	unsigned line = 1;
	char text[256];

	for (const char *p = r->section; *p; p++)
		line += *p == '\n';
	for (int i = 0; i < 2; i++) {
		struct config c;

		snprintf(text, sizeof(text), "%s%s = %s\n%s", r->section,
			 r->key, right[i], global ? CHAT : REST);
		c = parse_ok(text);
		config_free(&c);
		snprintf(text, sizeof(text), "%s%s = %s\n%s", r->section,
			 r->key, wrong[i], global ? CHAT : REST);
		expect_refusal(text, line, "expected");
	}
}
END_TEST

/* Right in spite of their looks. */
static const char *const oddities[] = {
	HEAD "listen = 10.0.0.1:80\nbackend = 10.0.0.2:80", /* no newline */
	"\xef\xbb\xbf" CHAT,
	"\xef\xbb\xbf\n" CHAT,
	"[service chat]\r\nlisten = 10.0.0.1:80\r\nbackend = 10.0.0.2:80\r\n",
	"\t[service chat]  ; ours\n\tlisten=10.0.0.1:80\n"
	"  backend =\t10.0.0.2:80\n", /* indented lines continue nothing */
	"[ service  chat ]\n" REST,
	"# a comment\n; another\n\n" CHAT "# the last",
	HEAD "listen: 10.0.0.1:80\nbackend: 10.0.0.2:80\n",
	CHAT "[global]\n",
	"[global]\n" CHAT,
};

START_TEST(an_odd_but_right_text_is_read)
{
	struct config c = parse_ok(oddities[_i]);

	ck_assert_uint_eq(c.n_services, 1);
	ck_assert_str_eq(c.services[0].name, "chat");
	ck_assert(is_endpoint(&c.services[0].listen, "10.0.0.1:80"));
	ck_assert_uint_eq(c.services[0].n_backends, 1);
	config_free(&c);
}
END_TEST

/* A text that holds @n lines made by @fmt from 0..n-1, behind @head. */
static char *many(const char *head, const char *fmt, unsigned n)
{
	size_t size = strlen(head) + (size_t)n * 128 + 1, len;
	char *text = malloc(size);

	ck_assert_ptr_nonnull(text);
	len = (size_t)snprintf(text, size, "%s", head);
	for (unsigned i = 0; i < n; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		len += (size_t)snprintf(text + len, size - len, fmt, i, i);
#pragma GCC diagnostic pop
	}
	return text;
}

static const struct list_limit {
	const char *head, *fmt;
	unsigned max;	 /* lines */
	unsigned before; /* the first of them */
	const char *part;
} limits[] = {
	{LISTEN, "backend = 10.1.0.1:%u1\n", 256, 2, "more than 256 backends"},
	{CHAT, "source = 10.1.1.1%u\n", 16, 3, "more than 16 source"},
	{CHAT "[global]\n", "interface = e%u\n", 16, 4, "more than 16 interf"},
};

START_TEST(a_list_ends_at_its_limit)
{
	const struct list_limit *l = &limits[_i];
	char *text = many(l->head, l->fmt, l->max);
	struct config c = parse_ok(text);

	config_free(&c);
	free(text);
	text = many(l->head, l->fmt, l->max + 1);
	expect_refusal(text, l->before + l->max + 1, l->part);
	free(text);
}
END_TEST

START_TEST(services_end_at_their_limit)
{
	static const char fmt[] = "[service s%u]\nlisten = 10.0.0.1:1%u\n"
				  "backend = 10.0.0.2:80\n";
	char *text = many("", fmt, CONFIG_SERVICES_MAX);
	struct config c = parse_ok(text);

	ck_assert_uint_eq(c.n_services, CONFIG_SERVICES_MAX);
	config_free(&c);
	free(text);
	text = many("", fmt, CONFIG_SERVICES_MAX + 1);
	expect_refusal(text, 3 * CONFIG_SERVICES_MAX + 1, "more than 64 serv");
	free(text);
}
END_TEST

START_TEST(a_line_is_never_cut_in_silence)
{
	char text[8192];

	/* 4095 bytes are read... */
	memset(text, ' ', sizeof(text));
	memcpy(text, CHAT "; ", sizeof(CHAT "; ") - 1);
	text[sizeof(CHAT) - 1 + 4095] = 0;
	{
		struct config c = parse_ok(text);

		config_free(&c);
	}
	/* ... and not one more. */
	text[sizeof(CHAT) - 1 + 4095] = 'x';
	text[sizeof(CHAT) - 1 + 4096] = 0;
	expect_refusal(text, 4, "longer than 4095 bytes");

	/* As a value, behind a right one. */
	memset(text, 'x', sizeof(text));
	memcpy(text, LISTEN "backend = 10.0.0.2:80 ",
	       sizeof(LISTEN "backend = 10.0.0.2:80 ") - 1);
	text[sizeof(text) - 1] = 0;
	expect_refusal(text, 3, "longer than 4095 bytes");
	text[2000] = 0;
	expect_refusal(text, 3, "expected ADDRESS:PORT [weight=N]");
	text[300] = 0;
	expect_refusal(text, 3, "is no option of a backend");
}
END_TEST

START_TEST(a_hostile_value_does_not_reach_the_terminal)
{
	struct config c;
	struct err err;
	char text[4000];

	memset(text, '\x9b', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	memcpy(text, HEAD "listen = ", sizeof(HEAD "listen = ") - 1);
	ck_assert_int_eq(config_parse(&c, "t.conf", text, &err), -EINVAL);
	for (const char *p = err.text; *p; p++)
		ck_assert_msg(*p >= 0x20 && *p < 0x7f, "%s", err.text);
	ck_assert_uint_lt(strlen(err.text), 300);
	ck_assert_ptr_nonnull(strstr(err.text, "...\": expected"));
}
END_TEST

START_TEST(state_and_control_must_differ)
{
	struct config c;
	struct err err;

	ck_assert_int_eq(
		config_parse(&c, "t.conf",
			     "[global]\nstate = /\x9d\ncontrol = /\x9d\n" CHAT,
			     &err),
		-EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "t.conf: state and control are "
					       "both \"/?\""));
}
END_TEST

static int resolve_fake(const char *host, struct ip_addr *out, struct err *err)
{
	if (strcmp(host, "pi.local"))
		return err_set(err, -EIO, "asked for %s", host);
	*out = addr_from_v4(htonl(0x0a000009));
	return 0;
}

START_TEST(names_go_to_the_resolver_and_numbers_do_not)
{
	static const struct {
		const char *line;
		int rc;
	} cases[] = {
		{"backend = pi.local:81\n", 0},
		{"backend = 10.0.0.9:81\n", 0},
		{"backend = unknown:81\n", -EIO},
		{"backend = 10.0.0.300:81\n", -EINVAL},
		{"backend = 10.9:81\n", -EINVAL},
		{"backend = 0x7f.1:81\n", -EINVAL},
		/* the port is wrong: nobody need be asked */
		{"backend = unknown:0\n", -EINVAL},
	};

	for (int i = 0; i < COUNT_OF(cases); i++) {
		struct config c;
		struct err err;
		char text[128];
		int rc;

		snprintf(text, sizeof(text), LISTEN "%s", cases[i].line);
		ck_assert_int_eq(config_init(&c, &err), 0);
		rc = config_text(&c, "t.conf", text, resolve_fake, &err);
		ck_assert_msg(rc == cases[i].rc, "%s: %d %s", cases[i].line, rc,
			      err.text);
		if (rc == 0)
			ck_assert(is_endpoint(&c.services[0].backends[0].addr,
					      "10.0.0.9:81"));
		config_free(&c);
	}
}
END_TEST

START_TEST(ids_count_over_the_whole_file)
{
	struct config c = parse_ok("[service a]\nlisten = 10.0.0.1:80\n"
				   "backend = 10.0.0.2:80\n"
				   "backend = 10.0.0.3:80 id=backend2\n"
				   "backend = 10.0.0.4:80 id=big weight=3\n"
				   "[service b]\nlisten = 10.0.0.1:81\n"
				   "backend = 10.0.0.2:80 id=big\n"
				   "backend = 10.0.0.3:80\n");

	ck_assert_str_eq(c.services[0].backends[0].id, "backend1");
	ck_assert_str_eq(c.services[0].backends[1].id, "backend2");
	ck_assert_str_eq(c.services[0].backends[2].id, "big");
	ck_assert_uint_eq(c.services[0].backends[2].params.weight, 3);
	ck_assert_str_eq(c.services[1].backends[0].id, "big");
	ck_assert_str_eq(c.services[1].backends[1].id, "backend3");
	ck_assert_uint_eq(c.next_id, 4);
	config_free(&c);
}
END_TEST

static struct backend_config backend_at(uint8_t last)
{
	struct backend_config b = {.params = BACKEND_PARAMS_DEFAULT};

	b.addr.addr = addr_from_v4(htonl(0x0a000000u + last));
	b.addr.port = htons(80);
	return b;
}

/* A hole is filled first, and what is beside it stays where it is. */
START_TEST(a_slot_is_used_again_when_it_is_free)
{
	struct config c = parse_ok(LISTEN "backend = 10.0.0.2:80\n"
					  "backend = 10.0.0.3:80\n"
					  "backend = 10.0.0.4:80\n");
	struct service_config *s = &c.services[0];
	struct backend_config b = backend_at(3);
	struct err err;

	ck_assert_int_eq(config_add_backend(&c, s, &b, &err), -EEXIST);
	config_remove_backend(&s->backends[1], LEAVE_DRAIN);
	ck_assert_int_eq(s->backends[1].slot, SLOT_LEAVING);
	ck_assert_int_eq(s->backends[1].leaves, LEAVE_DRAIN);

	/* The same address beside the one that leaves, with an id of its own.
	 */
	ck_assert_int_eq(config_add_backend(&c, s, &b, &err), 0);
	ck_assert_uint_eq(s->n_backends, 4);
	ck_assert_str_eq(s->backends[3].id, "backend4");

	config_free_backend(s, &s->backends[1]);
	b = backend_at(5);
	ck_assert_int_eq(config_add_backend(&c, s, &b, &err), 0);
	ck_assert_uint_eq(s->n_backends, 4);
	ck_assert(is_endpoint(&s->backends[1].addr, "10.0.0.5:80"));
	ck_assert_str_eq(s->backends[1].id, "backend5");
	ck_assert_str_eq(s->backends[2].id, "backend3");
	config_free(&c);
}
END_TEST

START_TEST(the_slot_of_a_service_is_used_again)
{
	struct config c = parse_ok(CHAT "[service echo]\n"
					"listen = 10.0.0.1:81\n"
					"backend = 10.0.0.2:80\n");
	struct endpoint listen = c.services[0].listen;
	struct service_config *s = NULL;
	struct err err;

	config_remove_service(&c.services[0], LEAVE_RESET);
	config_free_service(&c, &c.services[0]);
	ck_assert_int_eq(config_add_service(&c, "again", &s, &err), 0);
	ck_assert_ptr_eq(s, &c.services[0]);
	ck_assert_uint_eq(s->n_backends, 0);
	ck_assert_int_eq(s->backends[0].slot, SLOT_FREE);
	ck_assert_int_eq(config_set_listen(&c, s, &listen, &err), 0);
	ck_assert_uint_eq(c.n_services, 2);
	config_free(&c);
}
END_TEST

START_TEST(an_id_has_one_owner)
{
	struct config c = parse_ok(LISTEN "backend = 10.0.0.2:80\n"
					  "backend = 10.0.0.3:80 id=big\n"
					  "[service b]\nlisten = 10.0.0.1:81\n"
					  "backend = 10.0.0.2:80\n");
	struct service_config *s = &c.services[0];
	struct backend_config *b = &s->backends[0];
	struct err err;

	ck_assert_int_eq(config_set_id(&c, s, b, "big", &err), -EINVAL);
	ck_assert_int_eq(config_set_id(&c, s, b, "backend2", &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "of service \"b\""));
	ck_assert_int_eq(config_set_id(&c, s, b, "backend01", &err), -EINVAL);
	ck_assert_int_eq(config_set_id(&c, s, b, "backend1000000000", &err),
			 -EINVAL);
	ck_assert_str_eq(b->id, "backend1");
	ck_assert_int_eq(config_set_id(&c, s, b, "backend1", &err), 0);
	ck_assert_int_eq(config_set_id(&c, s, b, "small", &err), 0);
	ck_assert_str_eq(b->id, "small");
	ck_assert_uint_eq(c.next_id, 3);
	ck_assert_int_eq(config_set_id(&c, s, b, "backend7", &err), 0);
	ck_assert_uint_eq(c.next_id, 8);

	c.next_id = CONFIG_IDS_MAX + 1;
	{
		struct backend_config other = backend_at(9);

		ck_assert_int_eq(config_add_backend(&c, s, &other, &err),
				 -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "all ids up to"));
	}
	config_free(&c);
}
END_TEST

START_TEST(a_copy_is_equal_and_apart)
{
	struct config c = parse_ok(CHAT "[service b]\nlisten = 10.0.0.1:81\n"
					"backend = 10.0.0.2:80 id=x\n");
	struct config copy;

	config_remove_backend(&c.services[0].backends[0], LEAVE_KEEP);
	ck_assert_int_eq(config_copy(&copy, &c), 0);
	ck_assert_str_eq(copy.name, c.name);
	ck_assert_uint_eq(copy.n_services, 2);
	ck_assert_uint_eq(copy.next_id, 2);
	ck_assert_int_eq(copy.services[0].backends[0].slot, SLOT_LEAVING);
	ck_assert_int_eq(copy.services[0].backends[0].leaves, LEAVE_KEEP);
	ck_assert_str_eq(copy.services[1].backends[0].id, "x");
	copy.services[1].backends[0].params.weight = 9;
	ck_assert_uint_eq(c.services[1].backends[0].params.weight, 1);
	config_free(&c);
	ck_assert_str_eq(copy.services[1].name, "b");
	config_free(&copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *t = tcase_create("text");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, t);
	tcase_add_loop_test(t, a_wrong_text_is_refused_with_its_line, 0,
			    COUNT_OF(refusals));
	tcase_add_loop_test(t,
			    the_same_text_with_crlf_is_refused_on_the_same_line,
			    0, COUNT_OF(refusals));
	tcase_add_test(t, defaults_are_those_of_the_manual);
	tcase_add_test(t,
		       defaults_of_checks_and_timeouts_are_those_of_the_manual);
	tcase_add_test(t, dependent_defaults_follow);
	tcase_add_test(t, hash_keys_are_stored);
	tcase_add_test(t, every_key_of_checks_and_failures_is_stored);
	tcase_add_test(t, every_choice_is_stored);
	tcase_add_loop_test(t, a_number_or_time_ends_at_its_limits, 0,
			    COUNT_OF(ranges));
	tcase_add_test(t, every_global_key_is_stored);
	tcase_add_test(t, every_service_key_is_stored);
	tcase_add_loop_test(t, an_odd_but_right_text_is_read, 0,
			    COUNT_OF(oddities));
	tcase_add_loop_test(t, a_list_ends_at_its_limit, 0, COUNT_OF(limits));
	tcase_add_test(t, services_end_at_their_limit);
	tcase_add_test(t, a_line_is_never_cut_in_silence);
	tcase_add_test(t, a_hostile_value_does_not_reach_the_terminal);
	tcase_add_test(t, state_and_control_must_differ);
	tcase_add_test(t, names_go_to_the_resolver_and_numbers_do_not);
	tcase_add_test(t, ids_count_over_the_whole_file);
	tcase_add_test(t, a_slot_is_used_again_when_it_is_free);
	tcase_add_test(t, the_slot_of_a_service_is_used_again);
	tcase_add_test(t, an_id_has_one_owner);
	tcase_add_test(t, a_copy_is_equal_and_apart);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
