/* SPDX-License-Identifier: MIT */
/* Errors of Redis 7 as it sends them, and what must not fool us. */
#include "core/resp_err.h"

#include "unit.h"

static const struct {
	const char *text;
	enum resp_err means;
	unsigned slot, port;
	const char *host;
} errors[] = {
	{"MOVED 3999 127.0.0.1:6381", RESP_ERR_MOVED, 3999, 6381, "127.0.0.1"},
	{"ASK 16383 redis-b:7001", RESP_ERR_ASK, 16383, 7001, "redis-b"},
	{"MOVED 0 :6379", RESP_ERR_MOVED, 0, 6379, ""},
	{"MOVED 1 ::1:6379", RESP_ERR_MOVED, 1, 6379, "::1"},
	{"MOVED 3999 127.0.0.1:6381 extra", RESP_ERR_MOVED, 3999, 6381,
	 "127.0.0.1"},
	{"MOVED", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 3999", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 16384 a:1", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED x a:1", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 1 a", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 1 a:", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 1 a:0", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 1 a:65536", RESP_ERR_OTHER, 0, 0, ""},
	{"MOVED 1 :", RESP_ERR_OTHER, 0, 0, ""},
	{"moved 1 a:1", RESP_ERR_OTHER, 0, 0, ""},
	{"TRYAGAIN Multiple keys request during rehashing of slot",
	 RESP_ERR_WAIT, 0, 0, ""},
	{"CLUSTERDOWN The cluster is down", RESP_ERR_WAIT, 0, 0, ""},
	{"CLUSTERDOWN Hash slot not served", RESP_ERR_WAIT, 0, 0, ""},
	{"LOADING Redis is loading the dataset in memory", RESP_ERR_WAIT, 0, 0,
	 ""},
	{"READONLY You can't write against a read only replica.", RESP_ERR_WAIT,
	 0, 0, ""},
	{"MASTERDOWN Link with MASTER is down", RESP_ERR_WAIT, 0, 0, ""},
	{"BUSY Redis is busy running a script.", RESP_ERR_WAIT, 0, 0, ""},
	{"NOSCRIPT No matching script. Please use EVAL.", RESP_ERR_NOSCRIPT, 0,
	 0, ""},
	{"ERR unknown command 'SSUBSCRIBE', with args beginning with: ",
	 RESP_ERR_UNKNOWN, 0, 0, ""},
	{"ERR Unknown command `X`", RESP_ERR_UNKNOWN, 0, 0, ""},
	{"ERR unknown", RESP_ERR_OTHER, 0, 0, ""},
	{"NOAUTH Authentication required.", RESP_ERR_AUTH, 0, 0, ""},
	{"WRONGPASS invalid username-password pair", RESP_ERR_AUTH, 0, 0, ""},
	{"NOPERM this user has no permissions", RESP_ERR_AUTH, 0, 0, ""},
	{"OOM command not allowed when used memory > 'maxmemory'.",
	 RESP_ERR_FULL, 0, 0, ""},
	{"MISCONF Redis is configured to save RDB snapshots", RESP_ERR_FULL, 0,
	 0, ""},
	{"CROSSSLOT Keys in request don't hash to the same slot",
	 RESP_ERR_CROSS, 0, 0, ""},
	{"ERR Error running script: MOVED 1 a:1", RESP_ERR_OTHER, 0, 0, ""},
	{"BUSYKEY Target key name already exists.", RESP_ERR_OTHER, 0, 0, ""},
	{"", RESP_ERR_OTHER, 0, 0, ""},
};

START_TEST(an_error_says_what_to_do)
{
	struct resp_redirect r;

	ck_assert_msg(resp_err_parse(slice_of(errors[_i].text), &r) ==
			      errors[_i].means,
		      "%s", errors[_i].text);
	ck_assert_uint_eq(r.slot, errors[_i].slot);
	ck_assert_uint_eq(r.port, errors[_i].port);
	ck_assert(slice_equal(r.host, slice_of(errors[_i].host)));
}
END_TEST

START_TEST(waits_double_to_two_seconds_with_jitter)
{
	static const unsigned most[] = {50, 100, 200, 400, 800, 1600, 2000};

	for (unsigned i = 0; i < 100; i++) {
		unsigned limit = most[i < 6 ? i : 6];

		ck_assert_uint_eq(resp_err_wait_ms(i, 0), limit);
		for (uint32_t random = 0; random < 5000; random += 7) {
			unsigned wait = resp_err_wait_ms(i, random);

			unit_check(wait <= limit && wait >= limit / 2,
				   "attempt %u: %u ms", i, wait);
		}
	}
	ck_assert_uint_le(resp_err_wait_ms(UINT32_MAX, UINT32_MAX), 2000);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{an_error_says_what_to_do, ARRAY_LEN(errors)},
		{waits_double_to_two_seconds_with_jitter, 1},
	};

	return unit_run("resp_err", tests, ARRAY_LEN(tests));
}
