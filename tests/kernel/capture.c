/* SPDX-License-Identifier: MIT */
/*
 * capture.h against the real kernel: what is captured is replaced while packets
 * come, and none that belongs to both is lost
 *
 * Segments go by lo, where a packet is in the ring when its sender returns.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "host.h"
#include "io/capture.h"

#define HERE_A	"127.0.0.1"
#define CLIENT	"127.0.0.2"
#define ALL_MAX 4096

static struct arrivals arrivals;
static struct capture *capture;
static struct err err;
static int raw;
static unsigned came[65536]; /* by the port that they were for */

static void on_frame(void *arg, const uint8_t *ip, uint32_t len, int ifindex)
{
	uint16_t port;

	(void)arg;
	(void)ifindex;
	ck_assert_uint_ge(len, 40);
	memcpy(&port, ip + 22, sizeof(port));
	came[ntohs(port)]++;
}

static struct endpoint services[2000];

/* Services at ports @from to @from + @n - 1. */
static struct tap_match match(unsigned from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		services[i] = at(HERE_A, from + i);
	return (struct tap_match){
		.services = services,
		.n_services = n,
		.nat_lo = 1,
		.nat_hi = 1,
	};
}

static void set_up(void)
{
	const struct capture_spec spec = {
		.match = match(80, 1),
		.ring = TAP_SYNS,
		.arrivals = &arrivals,
		.slots = ALL_MAX,
		.snaplen = TAP_SYN_MAX,
	};
	const struct tap_links any = {0};

	ck_assert_msg(capture_open(&capture, &spec, &any, &err) == 0, "%s",
		      err.text);
	raw = raw_socket(HERE);
}

static void tear_down(void)
{
	capture_close(capture);
}

static void send_syn(unsigned port)
{
	raw_send(raw, &(struct segment){.from = at(CLIENT, 4000),
					.to = at(HERE_A, port),
					.seq = 1,
					.flags = FLAG_SYN});
}

static void set_match(unsigned from, unsigned n)
{
	const struct tap_match m = match(from, n);

	ck_assert_msg(capture_set_match(capture, &m, &err) == 0, "%s",
		      err.text);
}

static void read_all(void)
{
	memset(came, 0, sizeof(came));
	while (capture_read(capture, 3, on_frame, NULL) > 0)
		;
}

START_TEST(only_what_the_new_match_has_is_delivered)
{
	send_syn(80);
	send_syn(81);
	set_match(81, 1);
	send_syn(80);
	send_syn(81);
	read_all();
	ck_assert_uint_eq(came[80], 0); /* one waited in the ring */
	ck_assert_uint_eq(came[81], 1);
	send_syn(81);
	read_all();
	ck_assert_uint_eq(came[81], 1);
}
END_TEST

START_TEST(what_both_have_is_never_lost)
{
	enum { TIMES = 1000 };

	for (unsigned i = 0; i < TIMES; i++) {
		set_match(i % 2 ? 80 : 79, 2); /* 79, 80 and 80, 81 */
		send_syn(80);
	}
	read_all();
	ck_assert_uint_eq(came[80], TIMES);
}
END_TEST

/* Every packet of this host comes between opening a ring and its filter. */
START_TEST(what_came_before_there_was_a_filter_is_not_delivered)
{
	tear_down();
	set_up();
	for (unsigned i = 0; i < 50; i++)
		send_syn(79 + i % 2);
	read_all();
	ck_assert_uint_eq(came[79], 0);
	ck_assert_uint_eq(came[80], 25);
}
END_TEST

/* More services than a kernel's program holds. */
START_TEST(what_the_kernel_has_no_room_for_is_judged_here)
{
	enum { MANY = 2000 };

	for (unsigned i = 0; i < MANY; i++) {
		services[i] = at(HERE_A, 100);
		services[i].addr.b[14] = (uint8_t)(i >> 8);
		services[i].addr.b[15] = (uint8_t)(i + 1);
	}
	ck_assert_int_eq(capture_set_match(capture,
					   &(struct tap_match){
						   .services = services,
						   .n_services = MANY,
						   .nat_lo = 1,
						   .nat_hi = 1,
					   },
					   &err),
			 0);
	read_all();
	send_syn(100);
	send_syn(80);
	read_all();
	ck_assert_uint_eq(came[100], 1);
	ck_assert_uint_eq(came[80], 0);
	set_match(80, 1); /* and back */
	send_syn(100);
	send_syn(80);
	read_all();
	ck_assert_uint_eq(came[100], 0);
	ck_assert_uint_eq(came[80], 1);
}
END_TEST

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* As many services as there may be: between two packets, not for 100 ms. */
START_TEST(the_largest_is_made_and_attached_quickly)
{
	static struct ip_addr sources[256];
	const struct tap_links any = {0};
	struct capture_spec spec = {
		.match = match(80, 64),
		.ring = TAP_FLOWS,
		.arrivals = &arrivals,
		.slots = 64,
		.snaplen = 1500,
	};
	double best = 1e9;

	for (unsigned i = 0; i < 64; i++)
		services[i].addr.b[15] = (uint8_t)(i + 1);
	for (unsigned i = 0; i < 256; i++) {
		sources[i] = ip("127.1.0.1");
		sources[i].b[14] = (uint8_t)i;
	}
	spec.match.sources = sources;
	spec.match.n_sources = 256;
	tear_down();
	ck_assert_msg(capture_open(&capture, &spec, &any, &err) == 0, "%s",
		      err.text);
	for (unsigned i = 0; i < 20; i++) {
		const double begin = now_us();

		ck_assert_int_eq(capture_set_match(capture, &spec.match, &err),
				 0);
		if (now_us() - begin < best)
			best = now_us() - begin;
	}
	printf("64 services, 256 sources: made and attached in %.0f us\n",
	       best);
	ck_assert(best < 20e3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("capture");
	TCase *t = tcase_create("capture");
	SRunner *runner;
	int failed;

	host_build();
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, only_what_the_new_match_has_is_delivered);
	tcase_add_test(t, what_both_have_is_never_lost);
	tcase_add_test(t, what_came_before_there_was_a_filter_is_not_delivered);
	tcase_add_test(t, what_the_kernel_has_no_room_for_is_judged_here);
	tcase_add_test(t, the_largest_is_made_and_attached_quickly);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
