/* SPDX-License-Identifier: MIT */
/*
 * down.h against a real kernel: what instances leave, and what is damaged.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "host.h"
#include "host/down.h"
#include "reserve_rig.h"

static void set_up_near_the_host(void)
{
	set_up();
	web.fixed = api.fixed = true;
	web.nat_lo = 33000; /* ports of the host's own */
	web.nat_hi = 35000;
	api.nat_lo = 36000;
	api.nat_hi = 38000;
}

static void assert_tables(const char *expected)
{
	char *text = output_of("nft list tables");

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(what_a_crash_left_is_cleared_and_what_runs_is_not)
{
	struct reservation *s;

	ck_assert_int_eq(run("nft 'table ip l4lb_web { chain x {}; }; "
			     "table ip l4lb_api {}'"),
			 0);
	kill_9(hold_elsewhere(&web));
	s = take(&api);
	ck_assert_int_eq(run("touch /run/l4lb/web.flows /run/l4lb/web.control "
			     "/run/l4lb/web.changes"),
			 0);
	ck_assert_int_eq(down_instance("web", &err), 0);
	assert_reserved("12000-12001,36000-38000,50000\n");
	ck_assert_int_eq(run("test \"$(ls /run/l4lb)\" = api.ports"), 0);
	assert_tables("table ip l4lb_api\n");

	ck_assert_int_eq(down_instance("api", &err), -EADDRINUSE);
	ck_assert_msg(strstr(err.text, "(pid ") && !strstr(err.text, "--name"),
		      "%s", err.text);
	assert_reserved("12000-12001,36000-38000,50000\n");
	ck_assert_int_eq(run("test -e /run/l4lb/api.ports"), 0);
	assert_tables("table ip l4lb_api\n");
	reserve_release(s, false);
	ck_assert_int_eq(down_instance("api", &err), 0);
	assert_tables("");
	assert_nothing_left();
}
END_TEST

START_TEST(where_there_is_nothing_that_is_no_error)
{
	ck_assert_int_eq(down_instance("web", &err), 0);
	ck_assert_int_eq(down_instance("web", &err), 0);
	assert_nothing_left();
}
END_TEST

/* Which is between the two, in a start. */
START_TEST(a_flow_table_in_use_is_left)
{
	const int fd =
		open("/run/web.flows", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(run("mkdir -p /run/l4lb && "
			     "mv /run/web.flows /run/l4lb"),
			 0);
	ck_assert_int_eq(down_instance("web", &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "/run/l4lb/web.flows"));
	close(fd);
	ck_assert_int_eq(down_instance("web", &err), 0);
	assert_nothing_left();
}
END_TEST

/* Of which only the administrator can know what it had reserved. */
static const char *const garbage[] = {
	"echo garbage",
	"printf 'l4lb-ports 1\\nports 33000-35000\\nadded 33000-35000\\n'",
	"sed 's/^added .*/added what?/' /run/l4lb/web.ports",
	"sed 's/^ports .*/ports 9-7/' /run/l4lb/web.ports",
};

START_TEST(a_damaged_record_is_removed_and_told)
{
	kill_9(hold_elsewhere(&web));
	ck_assert_int_eq(
		run("%s > /run/x; cp /run/x /run/l4lb/web.ports", garbage[_i]),
		0);
	assert_refused(&api, -EINVAL, "l4lb --down web");
	ck_assert_int_eq(down_instance("web", &err), -EINVAL);
	ck_assert_msg(strstr(err.text, "/run/l4lb/web.ports was not understood"
				       " and is removed") &&
			      strstr(err.text, "ip_local_reserved_ports"),
		      "%s", err.text);
	assert_reserved("12000-12001,33000-35000,50000\n");
	ck_assert_int_eq(run("test -z \"$(ls -A /run/l4lb)\""), 0);

	/* Nothing is left to tell of. */
	run("echo > " RESERVED "; cp /run/x /run/l4lb/web.ports");
	ck_assert_int_eq(down_instance("web", &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("down");
	TCase *t = tcase_create("down");
	SRunner *runner;
	int failed;

	host_build();
	tcase_set_timeout(t, 30); /* a lock is waited for */
	tcase_add_checked_fixture(t, set_up_near_the_host, NULL);
	tcase_add_test(t, what_a_crash_left_is_cleared_and_what_runs_is_not);
	tcase_add_test(t, where_there_is_nothing_that_is_no_error);
	tcase_add_test(t, a_flow_table_in_use_is_left);
	tcase_add_loop_test(t, a_damaged_record_is_removed_and_told, 0,
			    sizeof(garbage) / sizeof(garbage[0]));
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
