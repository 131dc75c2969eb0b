/* SPDX-License-Identifier: MIT */
/*
 * guard.h against a real kernel. What the guard must do is the same whoever
 * puts it up, so most tests run three times: the program's, and guard.sh with
 * nft and with iptables.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "host.h"
#include "host/guard.h"
#include "host/nft.h"

#define SERVICE_PORT 20000
#define NAT_LO	     10240
#define NAT_HI	     19990
#define NAT_PORT     15000 /* one of them */
#define LOCAL_PORT   9002  /* of the backend on this host */
#define SKIPPED_PORT 15001 /* of the NAT range, but this host's own */

enum maker { BY_PROGRAM, BY_NFT, BY_IPTABLES, MAKERS };

static const char all_options[] =
	"--service " VIP ":20000 --backend " PEER ":9001 --backend " VIP ":9002"
	" --source " VIP " --nat-ports 10240-19990 --skip 15001 --skip 15002";
static const char *script_options = all_options;
static char narrow_options[sizeof(all_options) + 64];
static char interfaces[1][GUARD_INTERFACE_LEN];
static const uint16_t skipped[] = {SKIPPED_PORT, 15002};

static struct endpoint service, remote_backend, local_backend, nat;
static struct endpoint backends[2];
static struct ip_addr source;
static struct guard_spec spec;
static const char *outside; /* the interface toward the peer */

static void set_up(void)
{
	/* A failed test's */
	run("nft flush ruleset; ip link delete br0 2>/dev/null;"
	    "ip address delete 198.18.0.3/24 dev veth0 2>/dev/null;"
	    "ip route delete " VIP " 2>/dev/null;"
	    "ip -n peer neigh flush to " VIP " nud permanent;"
	    "ip address replace " VIP "/24 dev veth0;"
	    "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=0");
	outside = "veth0";
	script_options = all_options;
	service = at(VIP, SERVICE_PORT);
	remote_backend = backends[0] = at(PEER, 9001);
	local_backend = backends[1] = at(VIP, LOCAL_PORT);
	nat = at(VIP, NAT_PORT);
	source = ip(VIP);
	spec = (struct guard_spec){
		.name = "web",
		.services = &service,
		.n_services = 1,
		.backends = backends,
		.n_backends = 2,
		.sources = &source,
		.n_sources = 1,
		.nat_lo = NAT_LO,
		.nat_hi = NAT_HI,
		.skipped = skipped,
		.n_skipped = 2,
	};
}

static void tear_down(void)
{
	run("nft flush ruleset 2>/dev/null");
}

static void set_up_router(void)
{
	set_up();
	ck_assert_int_eq(run("sysctl -qw net.ipv4.ip_forward=1 "
			     "net.ipv4.conf.all.rp_filter=1"),
			 0);
}

/*
 * The VIP is on a bridge, as with docker and on hosts of virtual machines: the
 * kernel calls prerouting at its port, before the frame reaches the bridge.
 */
static void set_up_bridge(void)
{
	set_up();
	ck_assert_int_eq(run("ip link add br0 type bridge && "
			     "ip link set veth0 master br0 && "
			     "ip address delete " VIP "/24 dev veth0 && "
			     "ip address add " VIP "/24 dev br0 && "
			     "ip link set br0 up && sysctl -qw "
			     "net.bridge.bridge-nf-call-iptables=1"),
			 0);
	outside = "br0";
}

static int guard_up_once(struct err *err)
{
	struct mnl_socket *nl;
	int code;

	ck_assert_int_eq(nft_open(&nl), 0);
	code = guard_up(nl, &spec, err);
	mnl_socket_close(nl);
	return code;
}

static void program_up(void)
{
	struct err err = {""};

	ck_assert_msg(guard_up_once(&err) == 0, "%s", err.text);
}

static void put_up(int maker)
{
	if (maker == BY_PROGRAM)
		program_up();
	else
		ck_assert_int_eq(run(GUARD_SH " up web %s --tool %s >/dev/null",
				     script_options,
				     maker == BY_NFT ? "nft" : "iptables"),
				 0);
}

/* Only what comes by the interface toward the peer. */
static void narrow(void)
{
	snprintf(interfaces[0], sizeof(interfaces[0]), "%s", outside);
	spec.interfaces = (const char(*)[GUARD_INTERFACE_LEN])interfaces;
	spec.n_interfaces = 1;
	snprintf(narrow_options, sizeof(narrow_options), "%s --interface %s",
		 all_options, outside);
	script_options = narrow_options;
}

static void assert_rules(const char *expected)
{
	char *text = output_of("nft -s list ruleset 2>/dev/null");

	ck_assert_str_eq(text, expected);
	free(text);
}

/* All that the guard of web has dropped. */
static unsigned dropped(int maker)
{
	char *text =
		maker == BY_IPTABLES
			? output_of(
				  "iptables-save -t mangle -c | "
				  "sed -n 's/^.\\([0-9]*\\):.*-j DROP$/\\1/p'")
			: output_of("nft list table ip l4lb_web | "
				    "sed -n 's/.*counter packets \\([0-9]*\\) "
				    ".*/\\1/p'");
	char *line, *rest = text;
	unsigned sum = 0;

	while ((line = strsep(&rest, "\n")))
		sum += (unsigned)strtoul(line, NULL, 10);
	free(text);
	return sum;
}

/* Packets travel within the call that sends them, or soon after. */
static void wait_dropped(int maker, unsigned count)
{
	int tries;

	for (tries = 0; tries < 1000 && dropped(maker) < count; tries++)
		sched_yield();
	ck_assert_uint_ge(dropped(maker), count);
}

/*
 * A SYN from @local to @to is seen by a tap, as l4lb's, then dropped by the
 * guard and not answered.
 */
static void assert_swallowed(int maker, enum where where,
			     const struct endpoint *local, struct endpoint to)
{
	const unsigned long rsts = out_rsts();
	const unsigned before = dropped(maker);
	const int tap = sniffer_open(where == HERE ? "lo" : outside);
	const int fd = tcp_connect(where, local, to);
	struct segment syn;

	ck_assert(sniffer_wait(tap, &to, FLAG_SYN, &syn));
	wait_dropped(maker, before + 1);
	ck_assert_int_eq(tcp_outcome(fd, 0), -EINPROGRESS);
	ck_assert_uint_eq(out_rsts(), rsts);
	close(fd);
	close(tap);
}

START_TEST(without_a_guard_the_host_resets_what_is_not_its_own)
{
	const unsigned long rsts = out_rsts();

	ck_assert_int_eq(tcp_try(HERE, NULL, service), -ECONNREFUSED);
	ck_assert_int_eq(tcp_try(PEER_HOST, NULL, service), -ECONNREFUSED);
	ck_assert_int_eq(tcp_try(PEER_HOST, &remote_backend, nat),
			 -ECONNREFUSED);
	ck_assert_uint_ge(out_rsts(), rsts + 3);
}
END_TEST

START_TEST(what_clients_send_to_the_service_never_reaches_tcp)
{
	put_up(_i);
	assert_swallowed(_i, HERE, NULL, service);
	assert_swallowed(_i, PEER_HOST, NULL, service);
}
END_TEST

START_TEST(what_backends_send_to_our_ports_never_reaches_tcp)
{
	put_up(_i);
	assert_swallowed(_i, PEER_HOST, &remote_backend, at(VIP, NAT_LO));
	assert_swallowed(_i, PEER_HOST, &remote_backend, at(VIP, NAT_HI));
	assert_swallowed(_i, HERE, &local_backend, nat);
}
END_TEST

START_TEST(what_comes_by_another_interface_is_the_hosts)
{
	narrow();
	put_up(_i);
	assert_swallowed(_i, PEER_HOST, NULL, service);
	assert_swallowed(_i, PEER_HOST, &remote_backend, nat);
	ck_assert_int_eq(tcp_try(HERE, NULL, service), -ECONNREFUSED);
	ck_assert_int_eq(tcp_try(HERE, &local_backend, nat), -ECONNREFUSED);
}
END_TEST

/* It saves the kernel a route and a socket to look up. */
START_TEST(what_can_be_is_dropped_at_prerouting)
{
	char *later;

	if (run("nft -f - 2>/dev/null <<'EOF'\n"
		"table ip later {\n"
		"chain p { type filter hook prerouting priority -290;\n"
		"meta iifkind \"bridge\" return\n"
		"fib daddr type local tcp dport { 20000, 15000 } counter\n}\n"
		"}\nEOF\n") != 0) {
		printf("skipped: this kernel, or nft, has no iifkind or fib\n");
		return;
	}
	put_up(_i);
	assert_swallowed(_i, HERE, NULL, service);
	assert_swallowed(_i, PEER_HOST, NULL, service);
	assert_swallowed(_i, PEER_HOST, &remote_backend, nat);
	later = output_of("nft list table ip later");
	ck_assert_ptr_nonnull(strstr(later, "counter packets 0 "));
	free(later);
}
END_TEST

/*
 * The VIP has moved to another host, and this one, a router, is on the way
 * there.
 */
START_TEST(what_is_on_its_way_to_another_host_goes_on)
{
	int i, client;

	put_up(_i);
	ck_assert_int_eq(
		run("ip address delete " VIP "/24 dev veth0 && "
		    "ip address add 198.18.0.3/24 dev veth0 && "
		    "ip route add " VIP " via " PEER2 " && "
		    "ip -n peer neigh replace " VIP " dev veth1 lladdr "
		    "$(ip -br link show veth0 | awk '{ print $3 }') && "
		    "nft -f - <<'EOF'\n"
		    "table ip router {\n"
		    "chain f { type filter hook forward priority 0;\n"
		    "ip daddr " VIP " tcp dport 20000 counter\n}\n"
		    "}\nEOF\n"),
		0);
	client = tcp_connect(PEER_HOST, NULL, service);
	for (i = 0; i < 1000 && run("nft list table ip router | "
				    "grep -q 'packets [1-9]'") != 0;
	     i++)
		sched_yield();
	ck_assert_int_lt(i, 1000);
	ck_assert_uint_eq(dropped(_i), 0);
	tcp_abort(client);
}
END_TEST

START_TEST(fragments_never_reach_tcp)
{
	const struct segment syn = {.from = at(PEER, 4242),
				    .to = service,
				    .seq = 1,
				    .flags = FLAG_SYN};
	const int raw = raw_socket(PEER_HOST);
	const unsigned long rsts = out_rsts();
	int tries;

	/* That the test can see it: unguarded they are put together. */
	raw_send_in_fragments(raw, &syn);
	for (tries = 0; tries < 100000 && out_rsts() == rsts; tries++)
		sched_yield();
	ck_assert_uint_eq(out_rsts(), rsts + 1);

	put_up(_i);
	raw_send_in_fragments(raw, &syn);
	/* Behind them in the same queue */
	ck_assert_int_eq(tcp_try(PEER_HOST, NULL, at(VIP, 1)), -ECONNREFUSED);
	ck_assert_uint_eq(out_rsts(), rsts + 2);
	close(raw);
}
END_TEST

START_TEST(everything_else_on_the_host_goes_on)
{
	const struct endpoint other_service = at(VIP, SERVICE_PORT + 1);
	const struct endpoint other_port = at(PEER, 9003);
	const struct endpoint other_host = at(PEER2, 9001);
	const int here = tcp_listen(HERE, other_service);
	const int there = tcp_listen(PEER_HOST, remote_backend);

	put_up(_i);
	ck_assert_int_eq(tcp_try(HERE, NULL, other_service), 0);
	ck_assert_int_eq(tcp_try(PEER_HOST, NULL, other_service), 0);
	/* A connection of the host's own to the backend */
	ck_assert_int_eq(tcp_try(HERE, NULL, remote_backend), 0);
	close(there);

	/* The neighbours of what is guarded: answered as ever. */
	ck_assert_int_eq(
		tcp_try(PEER_HOST, &remote_backend, at(VIP, NAT_LO - 1)),
		-ECONNREFUSED);
	ck_assert_int_eq(
		tcp_try(PEER_HOST, &remote_backend, at(VIP, NAT_HI + 1)),
		-ECONNREFUSED);
	ck_assert_int_eq(tcp_try(PEER_HOST, &other_port, nat), -ECONNREFUSED);
	ck_assert_int_eq(tcp_try(PEER_HOST, &other_host, nat), -ECONNREFUSED);
	ck_assert_int_eq(tcp_try(HERE, NULL, at("127.0.0.1", SERVICE_PORT)),
			 -ECONNREFUSED);
	ck_assert_uint_eq(dropped(_i), 0);
	close(here);
}
END_TEST

/*
 * A program of this host that was connected to the backend before: its answers
 * come to a port of the range.
 */
START_TEST(a_port_that_this_host_uses_is_left_to_it)
{
	const struct endpoint own = at(VIP, SKIPPED_PORT);
	const int there = tcp_listen(PEER_HOST, remote_backend);
	const int fd = tcp_connect(HERE, &own, remote_backend);
	int accepted;
	char byte;

	ck_assert_int_eq(tcp_outcome(fd, 10000), 0);
	accepted = accept(there, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	put_up(_i);
	ck_assert_int_eq(write(accepted, "x", 1), 1);
	ck_assert(tcp_readable(fd, 10000));
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	/* And one that is made now, from a port that was bound before */
	tcp_abort(fd);
	tcp_abort(accepted);
	ck_assert_int_eq(tcp_try(HERE, &own, remote_backend), 0);
	ck_assert_uint_eq(dropped(_i), 0);
	close(there);
	/* Its neighbour is guarded. */
	assert_swallowed(_i, PEER_HOST, &remote_backend,
			 at(VIP, SKIPPED_PORT - 1));
}
END_TEST

/* The test plays l4lb toward a client: answers its SYN by raw IP. */
static void assert_served(int raw, enum where where, const char *interface)
{
	const int sniffer = sniffer_open(interface);
	const int client = tcp_connect(where, NULL, service);
	struct segment syn, answer;

	ck_assert(sniffer_wait(sniffer, &service, FLAG_SYN, &syn));
	answer = (struct segment){service, syn.from, 77000, syn.seq + 1,
				  FLAG_SYN | FLAG_ACK};
	raw_send(raw, &answer);
	ck_assert_int_eq(tcp_outcome(client, 10000), 0);
	tcp_abort(client);
	close(sniffer);
}

/*
 * Client, balancer and backend on one host that drops what conntrack calls
 * invalid, both ways. The test plays l4lb: it injects by raw IP.
 */
START_TEST(a_host_that_drops_invalid_packets_is_not_hindered)
{
	const int sniffer = sniffer_open("lo"), raw = raw_socket(HERE);
	const int listener = tcp_listen(HERE, local_backend);
	struct segment seen, out;
	int accepted;

	if (run("nft -f - <<'EOF'\n"
		"table ip strict {\n"
		"chain i { type filter hook input priority 0;\n"
		"ct state invalid counter drop\n}\n"
		"chain o { type filter hook output priority 0;\n"
		"ct state invalid counter drop\n}\n"
		"}\nEOF\n") != 0) {
		printf("skipped: no conntrack in this kernel\n");
		return;
	}
	put_up(_i);
	assert_served(raw, HERE, "lo");
	assert_served(raw, PEER_HOST, outside);

	out = (struct segment){nat, local_backend, 1000, 0, FLAG_SYN};
	raw_send(raw, &out);
	ck_assert(sniffer_wait(sniffer, &nat, FLAG_SYN | FLAG_ACK, &seen));
	out = (struct segment){nat, local_backend, 1001, seen.seq + 1,
			       FLAG_ACK};
	raw_send(raw, &out);
	accepted = accept(listener, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	tcp_abort(accepted);

	ck_assert_int_eq(run("nft list table ip strict | "
			     "grep -q 'packets [1-9]'") == 0,
			 0);
	close(listener);
	close(raw);
	close(sniffer);
}
END_TEST

/* As a container that publishes the same port. */
START_TEST(a_redirection_of_the_same_ports_does_not_take_them_away)
{
	if (run("nft -f - <<'EOF'\n"
		"table ip published {\n"
		"chain p { type nat hook prerouting priority -100;\n"
		"ip protocol tcp counter redirect to :1\n}\n"
		"}\nEOF\n") != 0) {
		printf("skipped: no NAT in this kernel\n");
		return;
	}
	put_up(_i);
	assert_swallowed(_i, PEER_HOST, NULL, service);
	assert_swallowed(_i, PEER_HOST, &remote_backend, nat);
	ck_assert_int_ne(run("nft list table ip published | "
			     "grep -q 'packets [1-9]'"),
			 0);
}
END_TEST

START_TEST(up_and_down_may_be_called_twice)
{
	struct err err = {""};
	char *text;

	program_up();
	text = output_of("nft -s list ruleset 2>/dev/null");
	program_up();
	assert_rules(text);
	free(text);

	ck_assert_int_eq(guard_down("web", &err), 0);
	ck_assert_int_eq(guard_down("web", &err), 0);
	assert_rules("");
}
END_TEST

START_TEST(two_instances_stand_side_by_side)
{
	const struct endpoint other = at(VIP, 20001);
	struct err err = {""};

	program_up();
	spec.name = "api";
	spec.services = &other;
	program_up();
	assert_swallowed(BY_PROGRAM, HERE, NULL, service);
	ck_assert_int_eq(guard_down("api", &err), 0);
	ck_assert_int_eq(tcp_try(HERE, NULL, other), -ECONNREFUSED);
	assert_swallowed(BY_PROGRAM, HERE, NULL, service);
}
END_TEST

START_TEST(a_new_set_of_backends_replaces_the_old)
{
	const struct endpoint next = at(PEER2, 9001);

	program_up();
	spec.backends = &next;
	spec.n_backends = 1;
	program_up();
	assert_swallowed(BY_PROGRAM, PEER_HOST, &next, nat);
	ck_assert_int_eq(tcp_try(PEER_HOST, &remote_backend, nat),
			 -ECONNREFUSED);
}
END_TEST

/* Sends SYNs to the service and to a NAT port until it is killed. */
static pid_t start_flood(void)
{
	const struct segment to_service = {at(PEER, 4242), service, 1, 0,
					   FLAG_SYN};
	const struct segment to_nat = {remote_backend, nat, 1, 0, FLAG_SYN};
	const int raw = raw_socket(PEER_HOST);
	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0) {
		close(raw);
		return pid;
	}
	for (;;) {
		raw_send(raw, &to_service);
		raw_send(raw, &to_nat);
	}
}

START_TEST(no_packet_slips_through_while_the_guard_is_replaced)
{
	const unsigned long rsts = out_rsts();
	pid_t flood;
	int i;

	program_up();
	flood = start_flood();
	wait_dropped(BY_PROGRAM, 1);
	for (i = 0; i < 100; i++) {
		spec.n_backends = 1 + (size_t)i % 2; /* the first is in both */
		program_up();
	}
	wait_dropped(BY_PROGRAM, 1);
	kill(flood, SIGKILL);
	waitpid(flood, NULL, 0);
	ck_assert_uint_eq(out_rsts(), rsts);
}
END_TEST

START_TEST(a_table_of_another_shape_is_replaced)
{
	static const char *const shapes[] = {
		"add set ip l4lb_web sources { type inet_service; }",
		"add chain ip l4lb_web output",
		"add chain ip l4lb_web output { type filter hook input priority 0; }",
	};

	ck_assert_int_eq(
		run("nft add table ip l4lb_web && nft '%s'", shapes[_i]), 0);
	program_up();
	assert_swallowed(BY_PROGRAM, PEER_HOST, NULL, service);
}
END_TEST

START_TEST(many_addresses_and_repeated_ones_fit)
{
	enum { MANY = 64 * 256 };
	struct endpoint *many = calloc(MANY, sizeof(*many));
	size_t i;

	ck_assert_ptr_nonnull(many);
	for (i = 0; i < MANY; i++) {
		many[i].addr =
			addr_from_v4(htonl(0xc6130000 + (uint32_t)i / 2));
		many[i].port = htons(80);
	}
	many[MANY - 1] = remote_backend;
	spec.backends = many;
	spec.n_backends = MANY;
	program_up();
	assert_swallowed(BY_PROGRAM, PEER_HOST, &remote_backend, nat);
	free(many);
}
END_TEST

START_TEST(nothing_to_guard_is_no_error)
{
	spec = (struct guard_spec){.name = "web", .nat_lo = 1, .nat_hi = 1};
	program_up();
}
END_TEST

START_TEST(without_privilege_the_sentence_says_what_to_do)
{
	struct err err = {""};

	/* Root of a namespace that owns no network */
	ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
	ck_assert_int_eq(guard_up_once(&err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "l4lb_web"));
	ck_assert_ptr_nonnull(strstr(err.text, "--guard none"));
	ck_assert_int_eq(guard_down("web", &err), -EPERM);
}
END_TEST

START_TEST(program_and_script_make_the_same_table_and_clear_each_other)
{
	struct err err = {""};
	char *by_program, *by_script;

	if (_i)
		narrow();
	program_up();
	by_program = output_of("nft -s list ruleset 2>/dev/null");
	ck_assert_int_eq(run(GUARD_SH " status web >/dev/null"), 0);
	put_up(BY_NFT);
	by_script = output_of("nft -s list ruleset 2>/dev/null");
	ck_assert_str_eq(by_program, by_script);
	program_up();
	ck_assert_int_eq(run(GUARD_SH " down web >/dev/null"), 0);
	assert_rules("");
	ck_assert_int_eq(WEXITSTATUS(run(GUARD_SH " status web >/dev/null")),
			 3);

	put_up(BY_NFT);
	assert_rules(by_program);
	ck_assert_int_eq(guard_down("web", &err), 0);
	assert_rules("");
	free(by_program);
	free(by_script);
}
END_TEST

START_TEST(the_script_may_be_called_twice)
{
	char *once;

	put_up(_i);
	once = output_of("nft -s list ruleset 2>/dev/null");
	put_up(_i);
	assert_rules(once);
	ck_assert_int_eq(run(GUARD_SH " down web >/dev/null"), 0);
	ck_assert_int_eq(run(GUARD_SH " down web >/dev/null"), 0);
	ck_assert_int_ne(run("nft list ruleset | grep l4lb"), 0);
	free(once);
}
END_TEST

/* The last resort keeps the kernel's RST back, and no other. */
START_TEST(rst_drop_stops_the_kernels_rst_only)
{
	const int sniffer = sniffer_open("lo"), raw = raw_socket(HERE);
	struct segment syn, rst;
	int client;

	ck_assert_int_eq(run(GUARD_SH " rst-drop up web %s --tool %s "
				      ">/dev/null",
			     script_options, _i == BY_NFT ? "nft" : "iptables"),
			 0);
	client = tcp_connect(HERE, NULL, service);
	ck_assert(sniffer_wait(sniffer, &service, FLAG_SYN, &syn));
	ck_assert_int_eq(tcp_try(HERE, NULL, at(VIP, 20001)), -ECONNREFUSED);
	ck_assert_int_eq(tcp_outcome(client, 0), -EINPROGRESS);

	rst = (struct segment){service, syn.from, 0, syn.seq + 1,
			       FLAG_RST | FLAG_ACK};
	raw_send(raw, &rst);
	ck_assert_int_eq(tcp_outcome(client, 10000), -ECONNREFUSED);

	ck_assert_int_eq(run(GUARD_SH " rst-drop down web >/dev/null"), 0);
	ck_assert_int_eq(tcp_try(HERE, NULL, service), -ECONNREFUSED);
	close(client);
	close(raw);
	close(sniffer);
}
END_TEST

static void add_any_host(Suite *s, const char *host, void (*fixture)(void),
			 int makers)
{
	TCase *t = tcase_create(host);

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, fixture, tear_down);
	tcase_add_test(t, without_a_guard_the_host_resets_what_is_not_its_own);
	tcase_add_loop_test(t,
			    what_clients_send_to_the_service_never_reaches_tcp,
			    0, makers);
	tcase_add_loop_test(t,
			    what_backends_send_to_our_ports_never_reaches_tcp,
			    0, makers);
	tcase_add_loop_test(t, what_comes_by_another_interface_is_the_hosts, 0,
			    makers);
	tcase_add_loop_test(t, fragments_never_reach_tcp, 0, makers);
	tcase_add_loop_test(t, everything_else_on_the_host_goes_on, 0, makers);
	tcase_add_loop_test(t, a_port_that_this_host_uses_is_left_to_it, 0,
			    makers);
	tcase_add_loop_test(t,
			    a_host_that_drops_invalid_packets_is_not_hindered,
			    0, makers);
	tcase_add_loop_test(
		t, a_redirection_of_the_same_ports_does_not_take_them_away, 0,
		makers);
	suite_add_tcase(s, t);
}

static Suite *guard_suite(int makers, bool bridge)
{
	Suite *s = suite_create("guard");
	TCase *p = tcase_create("program"), *sh = tcase_create("script");
	TCase *early = tcase_create("early"), *away = tcase_create("away");

	add_any_host(s, "host", set_up, makers);
	add_any_host(s, "router", set_up_router, makers);
	if (bridge)
		add_any_host(s, "bridge", set_up_bridge, makers);

	tcase_add_checked_fixture(early, set_up, tear_down);
	tcase_add_loop_test(early, what_can_be_is_dropped_at_prerouting, 0,
			    BY_IPTABLES);
	suite_add_tcase(s, early);

	tcase_add_checked_fixture(away, set_up_router, tear_down);
	tcase_set_timeout(away, 30);
	tcase_add_loop_test(away, what_is_on_its_way_to_another_host_goes_on, 0,
			    makers);
	suite_add_tcase(s, away);

	tcase_add_checked_fixture(p, set_up, tear_down);
	tcase_add_test(p, up_and_down_may_be_called_twice);
	tcase_add_test(p, two_instances_stand_side_by_side);
	tcase_add_test(p, a_new_set_of_backends_replaces_the_old);
	tcase_add_test(p, no_packet_slips_through_while_the_guard_is_replaced);
	tcase_add_loop_test(p, a_table_of_another_shape_is_replaced, 0, 3);
	tcase_add_test(p, many_addresses_and_repeated_ones_fit);
	tcase_add_test(p, nothing_to_guard_is_no_error);
	tcase_add_test(p, without_privilege_the_sentence_says_what_to_do);
	tcase_set_timeout(p, 30);
	suite_add_tcase(s, p);

	tcase_add_checked_fixture(sh, set_up, tear_down);
	tcase_add_loop_test(
		sh, program_and_script_make_the_same_table_and_clear_each_other,
		0, 2);
	tcase_add_loop_test(sh, the_script_may_be_called_twice, BY_NFT, makers);
	tcase_add_loop_test(sh, rst_drop_stops_the_kernels_rst_only, BY_NFT,
			    makers);
	suite_add_tcase(s, sh);
	return s;
}

int main(void)
{
	int makers = MAKERS, failed;
	bool bridge = true;
	SRunner *runner;

	host_build();
	if (run("iptables -t raw -L >/dev/null 2>&1 && "
		"iptables-save >/dev/null 2>&1") != 0) {
		printf("skipped: guard.sh --tool iptables: no iptables here\n");
		makers = BY_IPTABLES;
	}
	if (run("ip link add br0 type bridge && test -e "
		"/proc/sys/net/bridge/bridge-nf-call-iptables") != 0) {
		printf("skipped: bridges: no br_netfilter in this kernel\n");
		bridge = false;
	}
	runner = srunner_create(guard_suite(makers, bridge));
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
