/* SPDX-License-Identifier: MIT */
/*
 * unit.h - what every unit test program needs around its tests
 *
 * CK_FORK=no keeps everything in one process (debugger, valgrind), L4LB_SEED=n
 * replays a random test that printed this seed.
 */
#ifndef L4LB_UNIT_H
#define L4LB_UNIT_H

#include <check.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"

#define UNIT_TIMEOUT_S 60 /* of one test, valgrind included */
#define ARRAY_LEN(a)   (sizeof(a) / sizeof((a)[0]))

/*
 * For hot loops: check writes a note to a file at each of its assertions, so
 * that it costs microseconds even when it holds.
 */
#define unit_check(condition, ...)                 \
	do {                                       \
		if (!(condition))                  \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

struct unit_test {
	const TTest *test;
	int times; /* it runs with _i from 0 up to here; 0 means once */
};

/* One seed for a test, printed so that a failure can be replayed. */
static inline struct random unit_random(const char *test)
{
	const char *text = getenv("L4LB_SEED");
	struct random r = {text ? strtoull(text, NULL, 0) : 20000};

	/* check names the function of a test NAME_fn */
	printf("%.*s: L4LB_SEED=%" PRIu64 "\n", (int)strlen(test) - 3, test,
	       r.state);
	fflush(stdout);
	return r;
}

static inline int unit_run(const char *name, const struct unit_test *tests,
			   size_t count)
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	for (size_t i = 0; i < count; i++) {
		int times = tests[i].times ? tests[i].times : 1;
		TCase *tcase = tcase_create(tests[i].test->name);

		tcase_set_timeout(tcase, UNIT_TIMEOUT_S);
		tcase_add_loop_test(tcase, tests[i].test, 0, times);
		suite_add_tcase(suite, tcase);
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
