/* SPDX-License-Identifier: MIT */
/*
 * guard_watch.h against a real kernel and nft(8): which of others' changes are
 * undone, how often, and what is said of it.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "host.h"
#include "host/guard_watch.h"

#define S  1000000000ull
#define T0 (1000 * S) /* time is the test's own */

#define RULES "nft -s list table ip l4lb_web"

static struct endpoint service, backend;
static struct ip_addr source;
static struct guard_spec spec;
static struct guard_watch *watch;
static char *as_put_up; /* what nft lists then */
static struct err err;

static void open_watch(void)
{
	ck_assert_msg(guard_watch_open(&watch, &spec, &err) == 0, "%s",
		      err.text);
	as_put_up = output_of(RULES);
}

static void set_up(void)
{
	run("nft flush ruleset");
	service = at(VIP, 20000);
	backend = at(PEER, 9001);
	source = ip(VIP);
	spec = (struct guard_spec){
		.name = "web",
		.services = &service,
		.n_services = 1,
		.backends = &backend,
		.n_backends = 1,
		.sources = &source,
		.n_sources = 1,
		.nat_lo = 10240,
		.nat_hi = 32767,
	};
	open_watch();
}

static void tear_down(void)
{
	guard_watch_close(watch);
	free(as_put_up);
	run("nft flush ruleset");
}

/* The kernel notifies before nft ends. */
static bool is_told(void)
{
	struct pollfd p = {.fd = guard_watch_fd(watch), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static bool is_whole(void)
{
	char *now = output_of(RULES " 2>/dev/null");
	const bool same = strcmp(now, as_put_up) == 0;

	free(now);
	return same;
}

static void assert_says(const char *sentence, const char *words)
{
	ck_assert_ptr_nonnull(sentence);
	ck_assert_msg(strstr(sentence, words) != NULL, "\"%s\" has no \"%s\"",
		      sentence, words);
}

static const char *const losses[] = {
	"flush ruleset",
	"delete table ip l4lb_web",
	"flush table ip l4lb_web",
	"flush chain ip l4lb_web input",
	"flush chain ip l4lb_web output; delete chain ip l4lb_web output",
	"flush set ip l4lb_web backends",
	"delete element ip l4lb_web sources { " VIP " }",
	/* As the file of somebody who loads a firewall of his own */
	("flush ruleset; add table inet own; add chain inet own in "
	 "{ type filter hook input priority 0; }"),
};

START_TEST(what_was_deleted_is_there_again)
{
	const char *said;

	ck_assert_int_eq(run("nft '%s'", losses[_i]), 0);
	ck_assert(!is_whole());
	ck_assert(is_told());
	said = guard_watch_read(watch, T0);
	ck_assert(is_whole());
	assert_says(said, "deleted by \"nft\"");
	assert_says(said, "table=l4lb_web times=1");
	/* Not by what we did ourselves */
	ck_assert(!is_told());
	ck_assert_ptr_null(guard_watch_read(watch, T0 + 60 * S));
}
END_TEST

static const char *const others[] = {
	"add table ip l4lb_web2; delete table ip l4lb_web2",
	"add table ip6 l4lb_web; delete table ip6 l4lb_web",
	"add table ip x; add chain ip x y; add rule ip x y accept; flush table ip x",
};

START_TEST(other_tables_are_their_owners_business)
{
	ck_assert_int_eq(run("nft '%s'", others[_i]), 0);
	ck_assert(is_told());
	ck_assert_ptr_null(guard_watch_read(watch, T0));
	ck_assert(!is_told());
	ck_assert(is_whole());
}
END_TEST

/* Somebody who looks for something, say */
START_TEST(what_is_added_to_our_table_stays)
{
	ck_assert_int_eq(run("nft 'insert rule ip l4lb_web input tcp dport 22 "
			     "counter; add element ip l4lb_web services "
			     "{ " VIP " . 22 }'"),
			 0);
	ck_assert_ptr_null(guard_watch_read(watch, T0));
	ck_assert_int_eq(run("nft list chain ip l4lb_web input | "
			     "grep -q 'dport 22'"),
			 0);
}
END_TEST

START_TEST(without_a_guard_there_is_nothing_to_watch)
{
	ck_assert_int_eq(guard_watch_fd(NULL), -1);
	ck_assert_ptr_null(guard_watch_read(NULL, T0));
	guard_watch_close(NULL);
}
END_TEST

/* Far more notifications than a receive buffer holds */
START_TEST(a_guard_of_many_backends_does_not_set_itself_off)
{
	enum { MANY = 64 * 256 };
	struct endpoint *many = calloc(MANY, sizeof(*many));
	unsigned i;

	ck_assert_ptr_nonnull(many);
	for (i = 0; i < MANY; i++)
		many[i] = at("198.19.0.1", i + 1);
	tear_down();
	spec.backends = many;
	spec.n_backends = MANY;
	open_watch();
	ck_assert(!is_told());
	ck_assert_int_eq(run("nft delete table ip l4lb_web"), 0);
	ck_assert_ptr_nonnull(guard_watch_read(watch, T0));
	ck_assert(is_whole());
	ck_assert(!is_told());
	free(many);
}
END_TEST

/* In portions that nft may send without privilege, too */
START_TEST(more_changes_than_can_be_read_are_taken_for_a_loss)
{
	const char *said;

	ck_assert_int_eq(
		run("nft 'add table ip x; add set ip x s "
		    "{ type ipv4_addr . inet_service; }' && "
		    "seq 65535 | sed 's/.*/198.19.0.1 . &,/' | xargs -n 6000 | "
		    "while read -r part; do "
		    "nft add element ip x s \"{ $part }\" || exit 1; done && "
		    "nft flush ruleset"),
		0);
	ck_assert(!is_whole());
	said = guard_watch_read(watch, T0);
	ck_assert(is_whole());
	assert_says(said, "too fast to follow");
	while (is_told()) /* so many at a time */
		ck_assert_ptr_null(guard_watch_read(watch, T0));
	ck_assert_ptr_null(guard_watch_read(watch, T0 + 60 * S));
}
END_TEST

static void delete_and_read(uint64_t now_ns)
{
	ck_assert_int_eq(run("nft delete table ip l4lb_web"), 0);
	guard_watch_read(watch, now_ns);
}

START_TEST(whoever_deletes_it_in_a_loop_does_not_keep_us_busy)
{
	char count[32];
	const char *said;
	unsigned i;

	ck_assert_int_eq(run("nft delete table ip l4lb_web"), 0);
	assert_says(guard_watch_read(watch, T0), "times=1");
	for (i = 1; i < GUARD_WATCH_BURST; i++) {
		delete_and_read(T0);
		ck_assert(is_whole());
	}
	ck_assert_int_eq(run("nft delete table ip l4lb_web"), 0);
	ck_assert_ptr_null(guard_watch_read(watch, T0));
	ck_assert(!is_whole());
	ck_assert(!is_told()); /* poll() waits */

	/* Later it is put up without being told again. */
	ck_assert_ptr_null(guard_watch_read(watch, T0 + S));
	ck_assert(is_whole());
	said = guard_watch_read(watch, T0 + GUARD_WATCH_QUIET_S * S);
	snprintf(count, sizeof(count), "times=%d", GUARD_WATCH_BURST);
	assert_says(said, count);
	ck_assert_ptr_null(guard_watch_read(watch, T0 + 60 * S));
}
END_TEST

START_TEST(it_needs_no_more_than_what_is_left_after_the_start)
{
	keep_net_capabilities();
	ck_assert_int_eq(run("nft flush ruleset"), 0);
	ck_assert_ptr_nonnull(guard_watch_read(watch, T0));
	ck_assert(is_whole());
}
END_TEST

/* With nothing left the kernel refuses; the guard's absence is not forgotten.
 */
START_TEST(what_cannot_be_put_up_again_is_said_and_tried_again)
{
	ck_assert_int_eq(run("nft delete table ip l4lb_web"), 0);
	drop_capabilities();
	assert_says(guard_watch_read(watch, T0), "stays so: ");
	ck_assert_ptr_null(guard_watch_read(watch, T0 + S));
	assert_says(guard_watch_read(watch, T0 + 20 * S), "no permission");
}
END_TEST

START_TEST(without_privilege_the_sentence_says_what_to_do)
{
	struct guard_watch *another;

	drop_capabilities();
	ck_assert_int_eq(guard_watch_open(&another, &spec, &err), -EPERM);
	assert_says(err.text, "--guard none");
}
END_TEST

/* What somebody makes of our name instead is replaced. */
START_TEST(a_table_of_another_shape_in_its_place_is_replaced)
{
	ck_assert_int_eq(run("nft 'delete table ip l4lb_web; add table ip "
			     "l4lb_web; add set ip l4lb_web sources { type "
			     "inet_service; }'"),
			 0);
	ck_assert_ptr_nonnull(guard_watch_read(watch, T0));
	ck_assert(is_whole());
}
END_TEST

/* ---------------------------------------------------------------- changes */

/* True if nft lists @element in @set. */
static bool has_element(const char *set, const char *element)
{
	return run("nft list set ip l4lb_web %s | grep -q '[ {]%s[ ,]'", set,
		   element) == 0;
}

static void add(enum guard_set set, const void *key)
{
	ck_assert_msg(guard_watch_add(watch, set, key, &err) == 0, "%s",
		      err.text);
}

static void del(enum guard_set set, const void *key)
{
	ck_assert_msg(guard_watch_del(watch, set, key, &err) == 0, "%s",
		      err.text);
}

START_TEST(one_element_comes_and_goes_in_each_set)
{
	const struct endpoint low = at(VIP, 80), peer = at(PEER2, 9002);
	const struct ip_addr another = ip("198.18.0.9");

	add(GUARD_SERVICES, &low);
	add(GUARD_BACKENDS, &peer);
	add(GUARD_SOURCES, &another);
	ck_assert(has_element("services", VIP " . 80"));
	ck_assert(has_element("services", VIP " . 20000"));
	ck_assert(has_element("backends", PEER2 " . 9002"));
	ck_assert(has_element("sources", "198.18.0.9"));
	ck_assert(!is_told()); /* not by what we did ourselves */
	del(GUARD_SERVICES, &low);
	del(GUARD_BACKENDS, &peer);
	del(GUARD_SOURCES, &another);
	ck_assert(is_whole());
	ck_assert(!is_told());
	ck_assert_ptr_null(guard_watch_read(watch, T0));
}
END_TEST

START_TEST(what_two_have_stays_until_both_gave_it_up)
{
	del(GUARD_BACKENDS, &backend);
	ck_assert(!has_element("backends", PEER " . 9001"));
	add(GUARD_BACKENDS, &backend);
	add(GUARD_BACKENDS, &backend);
	del(GUARD_BACKENDS, &backend);
	ck_assert(has_element("backends", PEER " . 9001"));
	del(GUARD_BACKENDS, &backend);
	ck_assert(!has_element("backends", PEER " . 9001"));
	/* One that is not there: the caller's mistake, but no harm. */
	del(GUARD_BACKENDS, &backend);
	ck_assert_ptr_null(guard_watch_read(watch, T0));
}
END_TEST

/* Somebody has deleted it, and it is changed before that was read. */
START_TEST(a_change_puts_up_again_what_was_just_deleted)
{
	const struct endpoint peer = at(PEER2, 9002);

	ck_assert_int_eq(run("nft '%s'", losses[_i]), 0);
	add(GUARD_BACKENDS, &peer);
	ck_assert(has_element("backends", PEER2 " . 9002"));
	assert_says(guard_watch_read(watch, T0), "deleted by");
	ck_assert(has_element("backends", PEER2 " . 9002"));
	ck_assert_int_eq(run("nft '%s'", losses[_i]), 0);
	del(GUARD_BACKENDS, &peer);
	(void)guard_watch_read(watch, T0 + 60 * S);
	ck_assert(is_whole());
	ck_assert_ptr_null(guard_watch_read(watch, T0 + 120 * S));
}
END_TEST

START_TEST(a_change_that_the_kernel_refuses_is_not_made)
{
	const struct endpoint peer = at(PEER2, 9002);

	drop_capabilities();
	ck_assert_int_eq(guard_watch_add(watch, GUARD_BACKENDS, &peer, &err),
			 -EPERM);
	assert_says(err.text, "no permission");
	ck_assert(is_whole());
	ck_assert_ptr_null(guard_watch_read(watch, T0));
	/* What could not be deleted is tried again, and reported. */
	ck_assert_int_eq(guard_watch_del(watch, GUARD_BACKENDS, &backend, &err),
			 -EPERM);
	assert_says(guard_watch_read(watch, T0 + S), "stays so");
}
END_TEST

START_TEST(without_a_guard_there_is_nothing_to_change)
{
	ck_assert_int_eq(guard_watch_add(NULL, GUARD_BACKENDS, &backend, &err),
			 0);
	ck_assert_int_eq(guard_watch_del(NULL, GUARD_BACKENDS, &backend, &err),
			 0);
}
END_TEST

enum { PORTS = 50, CHANGES = 1000 };

static unsigned elements_listed(void)
{
	char *text = output_of("nft list set ip l4lb_web backends | "
			       "grep -o '198.18.0.200 \\. ' | wc -l");
	const unsigned n = (unsigned)atoi(text);

	free(text);
	return n;
}

/* Changes at random beside a table of what is wanted; a flush in between. */
START_TEST(many_changes_leave_exactly_what_is_wanted)
{
	unsigned counts[PORTS] = {0}, wanted = 0;
	struct random r = {20001};
	char text[64];

	for (unsigned n = 0; n < CHANGES; n++) {
		const unsigned port = random_below(&r, PORTS);
		const struct endpoint e = at("198.18.0.200", 100 + port);

		if (random_below(&r, 2)) {
			add(GUARD_BACKENDS, &e);
			counts[port]++;
		} else if (counts[port]) {
			del(GUARD_BACKENDS, &e);
			counts[port]--;
		}
		if (n % 300 == 299) {
			ck_assert_int_eq(run("nft flush ruleset"), 0);
			if (n % 600 == 299) /* else the next change sees it */
				ck_assert_ptr_nonnull(
					guard_watch_read(watch, T0 + n * S));
		}
	}
	(void)guard_watch_read(watch, T0 + CHANGES * S);
	for (unsigned port = 0; port < PORTS; port++) {
		snprintf(text, sizeof(text), "198.18.0.200 . %u", 100 + port);
		ck_assert_msg(has_element("backends", text) ==
				      (counts[port] > 0),
			      "%s, wanted %u times", text, counts[port]);
		wanted += counts[port] > 0;
	}
	ck_assert_uint_gt(wanted, 0);
	ck_assert_uint_eq(elements_listed(), wanted);
	ck_assert(has_element("backends", PEER " . 9001"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard_watch");
	TCase *t = tcase_create("watch");
	SRunner *runner;
	int failed;

	host_build();
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, what_was_deleted_is_there_again, 0,
			    sizeof(losses) / sizeof(losses[0]));
	tcase_add_loop_test(t, other_tables_are_their_owners_business, 0,
			    sizeof(others) / sizeof(others[0]));
	tcase_add_test(t, what_is_added_to_our_table_stays);
	tcase_add_test(t, without_a_guard_there_is_nothing_to_watch);
	tcase_add_test(t, a_guard_of_many_backends_does_not_set_itself_off);
	tcase_add_test(t, more_changes_than_can_be_read_are_taken_for_a_loss);
	tcase_add_test(t, whoever_deletes_it_in_a_loop_does_not_keep_us_busy);
	tcase_add_test(t, it_needs_no_more_than_what_is_left_after_the_start);
	tcase_add_test(t, without_privilege_the_sentence_says_what_to_do);
	tcase_add_test(t, what_cannot_be_put_up_again_is_said_and_tried_again);
	tcase_add_test(t, a_table_of_another_shape_in_its_place_is_replaced);
	tcase_add_test(t, one_element_comes_and_goes_in_each_set);
	tcase_add_test(t, what_two_have_stays_until_both_gave_it_up);
	tcase_add_loop_test(t, a_change_puts_up_again_what_was_just_deleted, 0,
			    sizeof(losses) / sizeof(losses[0]));
	tcase_add_test(t, a_change_that_the_kernel_refuses_is_not_made);
	tcase_add_test(t, without_a_guard_there_is_nothing_to_change);
	tcase_add_test(t, many_changes_leave_exactly_what_is_wanted);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
