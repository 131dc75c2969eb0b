/* SPDX-License-Identifier: MIT */
/* Bytes go in and come out in order, within the bound, over a socket pair. */
#include "outbox.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

START_TEST(the_bound_is_kept)
{
	struct outbox o = {0};

	ck_assert(outbox_append(&o, "", 0, 0));
	ck_assert(!outbox_append(&o, "abcd", 4, 3));
	ck_assert(outbox_append(&o, "abcd", 4, 4));
	ck_assert(!outbox_append(&o, "e", 1, 4));
	ck_assert_uint_eq(o.len, 4);
	ck_assert(outbox_append(&o, "e", 1, 5));
	ck_assert_int_eq(memcmp(o.bytes, "abcde", 5), 0);
	outbox_clear(&o);
	ck_assert_ptr_null(o.bytes);
}
END_TEST

/* More than the socket takes, in odd sizes, while the other side drains. */
START_TEST(what_a_full_socket_refuses_is_sent_later)
{
	const unsigned count = 300000;
	unsigned put = 0, got = 0;
	struct outbox o = {0};
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	while (got < count) {
		unsigned word[1021], words = 0;
		ssize_t len;

		for (; words < 1021 && put < count; words++)
			word[words] = put++;
		ck_assert(outbox_append(&o, word, words * sizeof(*word),
					count * sizeof(*word)));
		ck_assert_int_eq(outbox_flush(&o, pair[0]), 0);
		if (put < count && put % 7)
			continue;
		len = recv(pair[1], word, 512 * sizeof(*word), MSG_DONTWAIT);
		ck_assert_int_gt(len, 0);
		ck_assert_int_eq(len % (ssize_t)sizeof(*word), 0);
		for (size_t i = 0; i < (size_t)len / sizeof(*word); i++)
			ck_assert_uint_eq(word[i], got++);
	}
	ck_assert_uint_eq(o.len, 0);
	ck_assert_ptr_null(o.bytes);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_broken_connection_is_an_error_and_no_signal)
{
	struct outbox o = {0};
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	ck_assert(outbox_append(&o, "x", 1, 1));
	ck_assert_int_lt(outbox_flush(&o, pair[0]), 0);
	outbox_clear(&o);
	close(pair[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat outbox");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_test(all, the_bound_is_kept);
	tcase_add_test(all, what_a_full_socket_refuses_is_sent_later);
	tcase_add_test(all, a_broken_connection_is_an_error_and_no_signal);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
