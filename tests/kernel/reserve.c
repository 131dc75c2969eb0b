/* SPDX-License-Identifier: MIT */
/*
 * reserve.h against a real kernel: its list of reserved ports, other sockets,
 * other instances. What instances leave in /run/l4lb: instance.c, down.c.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "host/sandbox.h"
#include "reserve_rig.h"

START_TEST(the_range_is_reserved_and_given_back)
{
	struct reservation *r = take(&web);

	ck_assert_uint_eq(r->mine.range.lo, 10240);
	ck_assert_uint_eq(r->mine.range.hi, 32767);
	ck_assert_str_eq(r->warning.text, "");
	assert_reserved(BEFORE); /* the host takes none of these */
	reserve_release(r, false);
	assert_nothing_left();
	reserve_release(NULL, false);
}
END_TEST

/* And no port that somebody else had reserved becomes ours to give back. */
START_TEST(ports_that_the_host_would_take_are_reserved)
{
	struct reservation *r;

	web.fixed = true;
	web.nat_hi = 51000;
	host_uses("32000 60999");
	r = take(&web);
	ck_assert_str_eq(r->warning.text, "");
	assert_reserved("12000-12001,32000-51000\n");
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(services_and_bound_ports_are_left_out)
{
	const int here = tcp_listen(HERE, at(VIP, 15000));
	const int any = tcp_listen(HERE, at("0.0.0.0", 15001));
	const int elsewhere = tcp_listen(HERE, at("127.0.0.1", 15002));
	struct reservation *r = take(&web);

	ck_assert(r->usable.has[10240]);
	ck_assert(!r->usable.has[20000]);
	ck_assert(!r->usable.has[15000]);
	ck_assert(!r->usable.has[15001]);
	ck_assert(!r->usable.has[15002]);
	ck_assert(r->usable.has[15003]);
	ck_assert(!r->usable.has[10239]);
	ck_assert_uint_eq(r->n_skipped, 4);
	ck_assert_uint_eq(r->skipped[0], 15000);
	ck_assert_uint_eq(r->skipped[1], 15001);
	ck_assert_uint_eq(r->skipped[2], 15002);
	ck_assert_uint_eq(r->skipped[3], 20000);
	ck_assert_uint_eq(r->n_usable, 32767 - 10240 + 1 - 4);
	reserve_release(r, false);
	close(here);
	close(any);
	close(elsewhere);
}
END_TEST

START_TEST(nobody_can_take_the_service_port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET,
					.sin_port = htons(20000)};
	struct reservation *r = take(&web);
	const int fd = tcp_socket(HERE, NULL), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof(any)),
			 -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(fd);
	reserve_release(r, false);
	close(tcp_listen(HERE, service));
}
END_TEST

START_TEST(a_listener_on_the_service_port_is_found)
{
	static const char *const addrs[] = {VIP, "0.0.0.0"};
	const int fd = tcp_listen(HERE, at(addrs[_i], 20000));

	assert_refused(&web, -EADDRINUSE, VIP ":20000");
	assert_nothing_left();
	close(fd);
}
END_TEST

START_TEST(an_ipv6_listener_that_takes_ipv4_is_found)
{
	const struct sockaddr_in6 any = {.sin6_family = AF_INET6,
					 .sin6_port = htons(20000)};
	const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return; /* no IPv6 here */
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof(any)),
			 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	assert_refused(&web, -EADDRINUSE, VIP ":20000");
	close(fd);
}
END_TEST

/* A server that was on the port: its connections, living and dying */
START_TEST(what_a_stopped_server_left_is_no_obstacle)
{
	const int listener = tcp_listen(HERE, service);
	const int client = tcp_connect(HERE, NULL, service);
	struct reservation *r;
	int accepted, fd;

	ck_assert_int_eq(tcp_outcome(client, 10000), 0);
	accepted = accept(listener, NULL, NULL);
	close(listener);
	assert_refused(&web, -EADDRINUSE, VIP ":20000");

	close(accepted); /* first: the server's end becomes TIME_WAIT */
	close(client);
	r = take(&web);
	fd = tcp_socket(HERE, NULL);
	ck_assert_int_eq(
		bind(fd,
		     (const struct sockaddr *)&(struct sockaddr_in){
			     .sin_family = AF_INET, .sin_port = htons(20000)},
		     sizeof(struct sockaddr_in)),
		-1);
	close(fd);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

/* They may come later; what is free of their ports is told now. */
START_TEST(addresses_that_are_not_here_yet_are_taken)
{
	struct reservation *r;

	service = at("198.18.0.77", 20000);
	source = ip("198.18.0.78");
	r = take(&web);
	ck_assert_uint_eq(r->mine.range.lo, 10240);
	ck_assert(!r->usable.has[20000]);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(too_few_free_ports_are_refused_with_their_number)
{
	web.fixed = true;
	web.nat_lo = 20000; /* the service's own is one of them */
	web.nat_hi = 20000 + 1023;
	assert_refused(&web, -ENOSPC, "only 1023 are free");
	assert_nothing_left();
	web.nat_hi++;
	reserve_release(take(&web), false);
}
END_TEST

START_TEST(a_second_instance_takes_another_range)
{
	struct reservation *r = take(&web), *s = take(&api);

	ck_assert(s->mine.range.lo > r->mine.range.hi ||
		  s->mine.range.hi < r->mine.range.lo);
	ck_assert_uint_ge(s->n_usable, 1024);
	reserve_release(r, false);
	reserve_release(s, false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_second_instance_uses_what_is_left_of_the_range)
{
	struct reservation *r, *s;

	web.fixed = true;
	web.nat_hi = 15000;
	r = take(&web);
	s = take(&api);
	ck_assert_uint_eq(s->mine.range.lo, 15001);
	ck_assert_uint_eq(s->mine.range.hi, 32767);
	reserve_release(r, false);
	reserve_release(s, false);
	assert_nothing_left();
}
END_TEST

static const char *shared(const struct reservation *r)
{
	return r->services[0].shared.text;
}

START_TEST(a_service_among_the_ports_of_an_earlier_instance_is_told)
{
	struct reservation *first, *second = take(&web);

	/* That one did not know of it: what is known is left out. */
	first = take(&api);
	ck_assert_str_ne(shared(first), "");
	ck_assert_ptr_nonnull(strstr(shared(first), "\"web\""));
	ck_assert_ptr_nonnull(strstr(shared(first), "10240-32767"));
	ck_assert_str_eq(shared(second), "");
	reserve_release(first, false);
	reserve_release(second, false);

	/* Its own range, and another address's, are no concern. */
	source = ip("198.18.0.77");
	second = take(&web);
	first = take(&api);
	ck_assert_str_eq(shared(first), "");
	reserve_release(first, false);

	/* Unless the other one takes that address later, or may. */
	source = ip(VIP);
	ck_assert_int_eq(reserve_add_source(second, &source, &err), 0);
	first = take(&api);
	ck_assert_str_ne(shared(first), "");
	reserve_release(first, false);
	reserve_release(second, false);
	source = ip("0.0.0.0");
	second = take(&web);
	first = take(&api);
	ck_assert_str_ne(shared(first), "");
	reserve_release(first, false);
	reserve_release(second, false);
}
END_TEST

START_TEST(a_fixed_range_that_is_held_names_the_holder)
{
	struct reservation *r = take(&web);

	api.fixed = true;
	api.nat_lo = api.nat_hi = 32767;
	api.ports_min = 1;
	assert_refused(&api, -EADDRINUSE, "instance \"web\" (pid ");
	api.nat_lo = api.nat_hi = 32768;
	reserve_release(take(&api), false);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_name_or_a_service_in_use_names_the_holder)
{
	struct reservation *r = take(&web);

	assert_refused(&web, -EADDRINUSE,
		       "instance \"web\" is already running");
	api.services = &service;
	assert_refused(&api, -EADDRINUSE, "served by instance \"web\"");
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_long_list_of_others_survives)
{
	char *before, *after;
	struct reservation *r;

	/* 16,000 single ports: far more than a page of text */
	ck_assert_int_eq(run("seq -s, 1 2 32000 | tr -d '\\n' > /run/list && "
			     "dd if=/run/list of=" RESERVED
			     " bs=1M status=none"),
			 0);
	before = contents_of("/run/list");
	host_uses("10240 60999");
	web.fixed = true;
	r = take(&web);
	reserve_release(r, false);
	after = output_of("dd if=" RESERVED " bs=1M status=none | tr -d '\\n'");
	ck_assert_str_eq(after, before);
	free(before);
	free(after);
}
END_TEST

/*
 * Where the host takes the ports of its own connections from, and which NAT
 * range then leaves it all of them.
 */
static const struct {
	const char *host;
	unsigned lo, hi;
} host_ranges[] = {
	{"32768 60999", 10240, 32767}, /* the kernel's default */
	{"33000 33100", 10240, 32767}, {"32000 60999", 10240, 31999},
	{"11000 60999", 61000, 65535}, {"9000 33000", 33001, 55528},
	{"15000 65535", 10240, 14999}, {"10240 65000", 1024, 10239},
	{"1024 65535", 10240, 32767}, /* no others are left */
};

START_TEST(the_host_keeps_ports_for_its_own_connections)
{
	struct reservation *r;

	host_uses(host_ranges[_i].host);
	r = take(&web);
	ck_assert_uint_eq(r->mine.range.lo, host_ranges[_i].lo);
	ck_assert_uint_eq(r->mine.range.hi, host_ranges[_i].hi);
	ck_assert_str_eq(r->warning.text, "");
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

static void assert_warned(const char *words)
{
	struct reservation *r = take(&web);

	ck_assert_uint_eq(r->mine.range.lo, 10240);
	ck_assert_uint_eq(r->mine.range.hi, 32767);
	ck_assert_str_ne(r->warning.text, "");
	ck_assert_msg(strstr(r->warning.text, words) != NULL, "%s",
		      r->warning.text);
	reserve_release(r, false);
	assert_nothing_left();
}

START_TEST(a_range_that_was_given_or_has_flows_is_taken_with_a_warning)
{
	static const char sentence[] =
		"NAT ports 10240-32767 leave this host 0 of its 15001 ports";

	web.fixed = true;
	host_uses("15000 30000");
	assert_warned(sentence);
	web.fixed = false;
	web.had = true;
	assert_warned(sentence);
}
END_TEST

/* The host keeps 4096 ports, or half of them, beside those that others have. */
static const struct {
	const char *host, *reserved;
	bool warned;
} shares[] = {
	{"20000 36863", "1", false}, /* 4096 are left */
	{"20000 36862", "1", true},
	{"31768 33766", "1", false},
	{"31767 33765", "1", true},
	{"33000 33100", "1", false},
	{"30000 60999", "36000-60999", false}, /* 3232 of 6000 */
	{"30000 60999", "33000-60999", true},  /* 232 of 3000 */
};

START_TEST(a_host_that_keeps_few_ports_is_warned_of)
{
	struct reservation *r;

	host_uses(shares[_i].host);
	run("echo %s > " RESERVED, shares[_i].reserved);
	web.fixed = true;
	r = take(&web);
	ck_assert_int_eq(*r->warning.text != 0, shares[_i].warned);
	reserve_release(r, false);
}
END_TEST

START_TEST(ports_are_given_back_without_privileges)
{
	struct reservation *r;

	host_uses("10240 60999");
	web.fixed = true;
	r = take(&web);
	assert_reserved("10240-32767,50000\n");
	keep_net_capabilities();
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_read_only_proc_is_a_warning)
{
	struct reservation *r;

	host_uses("10240 60999");
	web.fixed = true;
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL),
			 0);
	ck_assert_int_eq(mount(NULL, "/proc/sys", NULL,
			       MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
			 0);
	r = take(&web);
	ck_assert_str_ne(r->warning.text, "");
	ck_assert_ptr_nonnull(strstr(r->warning.text, "10240-32767"));
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_read_only_proc_that_has_the_range_is_fine)
{
	struct reservation *r;

	host_uses("10240 60999");
	web.fixed = true;
	run("echo 10000-33000 > " RESERVED);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL),
			 0);
	ck_assert_int_eq(mount(NULL, "/proc/sys", NULL,
			       MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
			 0);
	r = take(&web);
	ck_assert_str_eq(r->warning.text, "");
	reserve_release(r, false);
	assert_reserved("10000-33000\n");
}
END_TEST

/* Start and stop as fast as they can; the list must be as before at the end. */
START_TEST(instances_that_start_and_stop_at_once_do_not_race)
{
	enum { INSTANCES = 4, ROUNDS = 50 };
	struct reservation *r;
	pid_t pids[INSTANCES];
	char name[16];
	int i, k, status;

	for (i = 0; i < INSTANCES; i++) {
		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (pids[i] > 0)
			continue;
		snprintf(name, sizeof(name), "i%d", i);
		service = at(VIP, 40000 + (unsigned)i);
		web.name = name;
		web.ports_min = 64;
		for (k = 0; k < ROUNDS; k++) {
			if (reserve_take(&r, &web, &err) != 0)
				_exit(1);
			reserve_release(r, false);
		}
		_exit(0);
	}
	for (i = 0; i < INSTANCES; i++) {
		waitpid(pids[i], &status, 0);
		ck_assert_int_eq(status, 0);
	}
	assert_nothing_left();
}
END_TEST

/* --------------------------------------------------------- while it runs */

static void assert_recorded(const char *lines, bool there)
{
	char *text = contents_of("/run/l4lb/web.ports");

	ck_assert_msg((strstr(text, lines) != NULL) == there, "%s in:\n%s",
		      there ? "missing" : "still", text);
	free(text);
}

static bool is_free(const struct endpoint *ep)
{
	const struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = ep->port,
		.sin_addr.s_addr = addr_to_v4(&ep->addr),
	};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);
	const int ret = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));

	close(fd);
	return ret == 0;
}

START_TEST(a_service_comes_and_goes_while_it_runs)
{
	const struct endpoint late = at(VIP, 20007), low = at(VIP, 80);
	struct reservation *r = take(&web), *other;

	ck_assert_int_eq(reserve_add_service(r, 63, &late, &err), 0);
	ck_assert_int_eq(reserve_add_service(r, 1, &low, &err), 0);
	assert_recorded("\nservice " VIP ":20000\nservice " VIP
			":80\nservice " VIP ":20007\nsource " VIP "\nend\n",
			true);
	/* Nobody else takes it, and others know who has it. */
	ck_assert(!is_free(&late));
	api.services = &late;
	assert_refused(&api, -EADDRINUSE, "served by instance \"web\"");

	ck_assert_int_eq(reserve_del_service(r, 63, &err), 0);
	ck_assert_int_eq(reserve_del_service(r, 0, &err), 0);
	assert_recorded("\nservice " VIP ":80\nsource", true);
	assert_recorded(":20007", false);
	other = take(&api);
	ck_assert_int_eq(reserve_add_service(r, 63, &late, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "by instance \"api\""));
	ck_assert_int_eq(r->services[63].fd, -1);
	assert_recorded(":20007", false);
	reserve_release(other, false);
	ck_assert_int_eq(reserve_add_service(r, 0, &late, &err), 0);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_service_in_the_range_of_another_is_told_when_it_comes)
{
	const struct endpoint late = at(VIP, 15000);
	struct reservation *first = take(&web), *second = take(&api);

	ck_assert_int_eq(reserve_add_service(second, 3, &late, &err), 0);
	ck_assert_ptr_nonnull(
		strstr(second->services[3].shared.text, "\"web\""));
	/* In one's own, that is no matter. */
	ck_assert_int_eq(reserve_del_service(second, 3, &err), 0);
	ck_assert_int_eq(reserve_add_service(first, 3, &late, &err), 0);
	ck_assert_str_eq(first->services[3].shared.text, "");
	reserve_release(first, false);
	reserve_release(second, false);
}
END_TEST

START_TEST(a_source_comes_and_goes_while_it_runs)
{
	const struct ip_addr late = ip("198.18.0.9");
	struct reservation *r = take(&web);

	ck_assert_int_eq(reserve_add_source(r, &late, &err), 0);
	ck_assert_int_eq(reserve_add_source(r, &late, &err), 0);
	assert_recorded("\nend\nsource 198.18.0.9\n", true);
	ck_assert_int_eq(reserve_del_source(r, &source, &err), 0);
	assert_recorded("\nservice " VIP ":20000\nsource 198.18.0.9\nend\n",
			true);
	ck_assert_int_eq(reserve_del_source(r, &source, &err), 0);
	for (unsigned i = 1; i < RESERVE_SOURCES_MAX; i++) {
		struct ip_addr more = ip("198.19.0.0");

		more.b[14] = (uint8_t)(i >> 8);
		more.b[15] = (uint8_t)i;
		ck_assert_int_eq(reserve_add_source(r, &more, &err), 0);
	}
	ck_assert_int_eq(reserve_add_source(r, &source, &err), -ENOSPC);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

/* Somebody starts just now, for up to seconds: packets do not wait for it. */
START_TEST(while_the_folder_is_locked_nothing_is_done)
{
	const struct endpoint late = at(VIP, 20007);
	struct reservation *r = take(&web);
	const int dir = instances_lock(NULL, &err);

	ck_assert_int_ge(dir, 0);
	ck_assert_int_eq(reserve_add_service(r, 1, &late, &err), -EAGAIN);
	ck_assert_int_eq(reserve_del_service(r, 0, &err), -EAGAIN);
	ck_assert_int_eq(reserve_del_source(r, &source, &err), -EAGAIN);
	ck_assert(!is_free(&service));
	assert_recorded("\nservice " VIP ":20000\nsource " VIP "\nend\n", true);
	close(dir);
	ck_assert_int_eq(reserve_add_service(r, 1, &late, &err), 0);
	ck_assert_int_eq(reserve_del_service(r, 0, &err), 0);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

/* As l4lb does, at the end of its start; port 80, too. */
START_TEST(it_needs_no_more_than_what_is_left_after_the_start)
{
	const struct endpoint low = at(VIP, 80);
	const struct ip_addr late = ip("198.18.0.9");
	struct reservation *r, *other;
	struct user user;

	ck_assert_int_eq(sandbox_user(&user, SANDBOX_AUTO, &err), 0);
	web.owner = api.owner = &user.owner;
	r = take(&web);
	other = take(&api);
	ck_assert_int_eq(sandbox_become(&user, &err), 0);
	ck_assert_int_eq(reserve_add_service(r, 1, &low, &err), 0);
	ck_assert_int_eq(reserve_add_source(r, &late, &err), 0);
	assert_recorded("\nservice " VIP ":80\n", true);
	ck_assert_int_eq(reserve_add_service(other, 1, &low, &err),
			 -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "by instance \"web\""));
	ck_assert_int_eq(reserve_del_service(r, 0, &err), 0);
	ck_assert_int_eq(reserve_del_source(r, &source, &err), 0);
	assert_recorded("\nservice " VIP ":80\nsource 198.18.0.9\nend\n", true);
	ck_assert_int_eq(reserve_release(r, false), 0);
	ck_assert_int_eq(reserve_release(other, false), 0);
	assert_nothing_left();
}
END_TEST

/* Then there is one service less, or more, than is recorded, and it is said. */
START_TEST(a_record_that_cannot_be_written_is_an_error)
{
	const struct endpoint late = at(VIP, 20007);
	struct reservation *r = take(&web);
	const int whole = r->record_fd;

	r->record_fd = open("/run/l4lb/web.ports", O_RDONLY);
	ck_assert_int_eq(reserve_add_service(r, 1, &late, &err), -EBADF);
	ck_assert_ptr_nonnull(strstr(err.text, "web.ports"));
	ck_assert(is_free(&late));
	close(r->record_fd);
	r->record_fd = whole;
	ck_assert_int_eq(reserve_add_service(r, 1, &late, &err), 0);
	reserve_release(r, false);
}
END_TEST

/* As after a reload that removed the first of three. */
START_TEST(a_slot_that_is_not_used_takes_nothing)
{
	struct endpoint three[3] = {{{{0}}, 0}, service, {{{0}}, 0}};
	struct reservation *r;

	web.services = three;
	web.n_services = 3;
	r = take(&web);
	ck_assert_int_eq(r->services[0].fd, -1);
	ck_assert_int_ne(r->services[1].fd, -1);
	ck_assert_int_eq(r->services[2].fd, -1);
	assert_recorded("\nservice " VIP ":20000\nsource", true);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

static TCase *while_it_runs(void)
{
	TCase *t = tcase_create("while it runs");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_service_comes_and_goes_while_it_runs);
	tcase_add_test(t,
		       a_service_in_the_range_of_another_is_told_when_it_comes);
	tcase_add_test(t, a_source_comes_and_goes_while_it_runs);
	tcase_add_test(t, while_the_folder_is_locked_nothing_is_done);
	tcase_add_test(t, it_needs_no_more_than_what_is_left_after_the_start);
	tcase_add_test(t, a_record_that_cannot_be_written_is_an_error);
	tcase_add_test(t, a_slot_that_is_not_used_takes_nothing);
	return t;
}

static TCase *one_instance(void)
{
	TCase *t = tcase_create("one instance");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, the_range_is_reserved_and_given_back);
	tcase_add_test(t, ports_that_the_host_would_take_are_reserved);
	tcase_add_test(t, services_and_bound_ports_are_left_out);
	tcase_add_test(t, nobody_can_take_the_service_port);
	tcase_add_loop_test(t, a_listener_on_the_service_port_is_found, 0, 2);
	tcase_add_test(t, an_ipv6_listener_that_takes_ipv4_is_found);
	tcase_add_test(t, what_a_stopped_server_left_is_no_obstacle);
	tcase_add_test(t, addresses_that_are_not_here_yet_are_taken);
	tcase_add_test(t, too_few_free_ports_are_refused_with_their_number);
	tcase_add_test(t, a_long_list_of_others_survives);
	tcase_add_loop_test(t, the_host_keeps_ports_for_its_own_connections, 0,
			    sizeof(host_ranges) / sizeof(host_ranges[0]));
	tcase_add_test(
		t, a_range_that_was_given_or_has_flows_is_taken_with_a_warning);
	tcase_add_loop_test(t, a_host_that_keeps_few_ports_is_warned_of, 0,
			    sizeof(shares) / sizeof(shares[0]));
	tcase_add_test(t, ports_are_given_back_without_privileges);
	tcase_add_test(t, a_read_only_proc_is_a_warning);
	tcase_add_test(t, a_read_only_proc_that_has_the_range_is_fine);
	return t;
}

static TCase *several_instances(void)
{
	TCase *t = tcase_create("several instances");

	/* 200 starts, one after another: 3 s, or more beside others. */
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_second_instance_takes_another_range);
	tcase_add_test(t, a_second_instance_uses_what_is_left_of_the_range);
	tcase_add_test(
		t, a_service_among_the_ports_of_an_earlier_instance_is_told);
	tcase_add_test(t, a_fixed_range_that_is_held_names_the_holder);
	tcase_add_test(t, a_name_or_a_service_in_use_names_the_holder);
	tcase_add_test(t, instances_that_start_and_stop_at_once_do_not_race);
	return t;
}

int main(void)
{
	Suite *s = suite_create("reserve");
	SRunner *runner;
	int failed;

	host_build();
	suite_add_tcase(s, one_instance());
	suite_add_tcase(s, several_instances());
	suite_add_tcase(s, while_it_runs());
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
