/* SPDX-License-Identifier: MIT */
/* Shared bytes go out in order, over a socket pair, and are freed after. */
#include "io/sendq.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void append(struct sendq *q, const void *bytes, size_t len)
{
	struct blob *b = blob_copy(bytes, len);

	ck_assert(sendq_append(q, b));
	blob_unref(b);
}

START_TEST(it_holds_references_and_counts_bytes)
{
	struct blob *b = blob_copy("abcd", 4);
	struct sendq q = {0}, other = {0};

	ck_assert(sendq_append(&q, b));
	ck_assert(sendq_append(&q, b));
	ck_assert_uint_eq(b->refs, 3);
	ck_assert_uint_eq(q.bytes, 8);
	append(&other, "", 0);
	ck_assert_ptr_null(other.items);
	append(&other, "x", 1);
	ck_assert(sendq_move(&other, &q));
	ck_assert_ptr_null(q.items);
	ck_assert_uint_eq(q.bytes, 0);
	ck_assert_uint_eq(other.bytes, 9);
	ck_assert_uint_eq(b->refs, 3);
	sendq_clear(&other);
	ck_assert_ptr_null(other.items);
	ck_assert_uint_eq(b->refs, 1);
	blob_unref(b);
}
END_TEST

/* More than the socket takes, in odd sizes, while the other side drains. */
START_TEST(what_a_full_socket_refuses_is_sent_later)
{
	const unsigned count = 300000;
	unsigned put = 0, got = 0;
	struct sendq q = {0};
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	while (got < count) {
		unsigned word[1021], words = 0, want = 1 + put % 1021;
		ssize_t len;

		for (; words < want && put < count; words++)
			word[words] = put++;
		append(&q, word, words * sizeof(*word));
		ck_assert_int_eq(sendq_flush(&q, pair[0]), 0);
		if (put < count && put % 7)
			continue;
		len = recv(pair[1], word, 512 * sizeof(*word), MSG_DONTWAIT);
		ck_assert_int_gt(len, 0);
		ck_assert_int_eq(len % (ssize_t)sizeof(*word), 0);
		for (size_t i = 0; i < (size_t)len / sizeof(*word); i++)
			ck_assert_uint_eq(word[i], got++);
	}
	ck_assert_uint_eq(q.bytes, 0);
	ck_assert_ptr_null(q.items);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(a_broken_connection_is_an_error_and_no_signal)
{
	struct sendq q = {0};
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	append(&q, "x", 1);
	ck_assert_int_lt(sendq_flush(&q, pair[0]), 0);
	sendq_clear(&q);
	close(pair[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat sendq");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_test(all, it_holds_references_and_counts_bytes);
	tcase_add_test(all, what_a_full_socket_refuses_is_sent_later);
	tcase_add_test(all, a_broken_connection_is_an_error_and_no_signal);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
