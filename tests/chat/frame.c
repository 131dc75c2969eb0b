/* SPDX-License-Identifier: MIT */
/*
 * Framing as a function: the events of a stream are written down as text and
 * compared. Every stream is tried with every pair of cuts between reads.
 */
#include "frame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct story {
	char text[16384];
	size_t len;
};

static void tell(struct story *s, const char *text, size_t len)
{
	ck_assert_uint_lt(s->len + len, sizeof(s->text));
	memcpy(s->text + s->len, text, len);
	s->len += len;
	s->text[s->len] = '\0';
}

static void tell_line(struct story *s, const struct framer *f)
{
	tell(s, f->whole ? "<" : "{", 1);
	tell(s, f->line, f->line_len);
	tell(s, f->whole ? ">" : "}", 1);
}

/* "!" is a probe; its newline "$" counts the same seen at once or later. */
static void feed(struct framer *f, struct story *s, const char *in, size_t len)
{
	const char *end = in + len;

	for (;;) {
		switch (framer_next(f, &in, end)) {
		case FRAME_NONE: ck_assert_ptr_eq(in, end); return;
		case FRAME_LINE: tell_line(s, f); break;
		case FRAME_PROBE: tell(s, "!", 1); break;
		case FRAME_PROBE_LINE: tell(s, "!$", 2); break;
		case FRAME_PROBE_END: tell(s, "$", 1); break;
		case FRAME_TELNET:
			tell(s, "?", 1);
			tell(s, f->line, f->line_len);
			break;
		}
	}
}

static void check_cut(const char *in, size_t len, size_t one, size_t two,
		      size_t max, const char *expected)
{
	struct framer f;
	struct story s = {.len = 0};

	framer_init(&f, max, true);
	feed(&f, &s, in, one);
	feed(&f, &s, in + one, two - one);
	feed(&f, &s, in + two, len - two);
	if (framer_end(&f) == FRAME_LINE)
		tell_line(&s, &f);
	ck_assert_str_eq(s.text, expected);
}

static void check_stream(const char *in, size_t len, size_t max,
			 const char *expected)
{
	for (size_t one = 0; one <= len; one++)
		for (size_t two = one; two <= len; two++)
			check_cut(in, len, one, two, max, expected);
}

/* The stream as a literal: it may hold NUL bytes. */
#define STREAM(in, expected) check_stream(in, sizeof(in) - 1, 16, expected)

START_TEST(lines_end_with_lf_or_crlf)
{
	STREAM("", "");
	STREAM("a\n", "<a>");
	STREAM("a\nb\n", "<a><b>");
	STREAM("a\r\nb\r\r\n", "<a><b>");
	STREAM("a\rb\n", "<a\rb>");
	STREAM("\n\n", "<><>");
	STREAM("\r\n", "<>");
}
END_TEST

START_TEST(the_end_of_the_stream_ends_the_last_line)
{
	STREAM("a", "<a>");
	STREAM("a\nb", "<a><b>");
	STREAM("a\r", "<a>");
}
END_TEST

START_TEST(nul_bytes_are_skipped)
{
	STREAM("a\0b\n", "<ab>");
	STREAM("\0\n", "<>");
	STREAM("HEALTH CHECK\0", "!");
	STREAM("HEALTH\0 CHECK\0\n", "!$");
}
END_TEST

START_TEST(a_probe_is_taken_out_at_the_start_of_a_line)
{
	STREAM("HEALTH CHECK", "!");
	STREAM("HEALTH CHECK\n", "!$");
	STREAM("HEALTH CHECK\r\n", "!$");
	STREAM("HEALTH CHECK\nhi\n", "!$<hi>");
	STREAM("HEALTH CHECKhi\n", "!<hi>");
	STREAM("HEALTH CHECK\n\n", "!$<>");
	STREAM("HEALTH CHECKHEALTH CHECK\n", "!!$");
	STREAM("a\nHEALTH CHECK\nb\n", "<a>!$<b>");
}
END_TEST

START_TEST(anything_else_is_no_probe)
{
	STREAM("HEALTH CHEC", "<HEALTH CHEC>");
	STREAM("HEALTH CHEC\n", "<HEALTH CHEC>");
	STREAM("Health check\n", "<Health check>");
	STREAM("aHEALTH CHECK\n", "<aHEALTH CHECK>");
	STREAM(" HEALTH CHECK\n", "< HEALTH CHECK>");
}
END_TEST

START_TEST(telnet_is_taken_out_at_the_start_of_a_line)
{
	/* Control-C: interrupt, and show nothing until the timing mark. */
	STREAM("\xff\xf4\xff\xfd\x06hi\n", "?\xff\xfc\x06<hi>");
	STREAM("\xff\xfd\x01\xff\xfb\x1f[a] b\r\n",
	       "?\xff\xfc\x01?\xff\xfe\x1f<[a] b>");
	STREAM("\xff\xfc\x01\xff\xfe\x03\xff\xf9\xff\xec\n", "<>");
	STREAM("HEALTH CHECK\xff\xf1HEALTH CHECK\n", "!!$");
	STREAM("a\n\xff\xf6", "<a>");
	/* Option 0. */
	STREAM("\xff\xfe\0z\n", "<z>");
}
END_TEST

START_TEST(anything_else_is_no_telnet)
{
	STREAM("a\xff\xf4\n", "<a\xff\xf4>");
	STREAM("\xff\n", "<\xff>");
	STREAM("\xff\xff\xfd\x01\n", "<\xff\xff\xfd\x01>");
	STREAM("\xff\xfa\x18\n", "<\xff\xfa\x18>");
	STREAM("\xff\xfd\n", "<\xff\xfd>");
	STREAM("\xff\xfd\r\n", "<\xff\xfd>");
	STREAM("\xff\xfe[a]\n", "<\xff\xfe[a]>"); /* UTF-16 without NULs */
	STREAM("0123456789abcdef\xff\xf4\n", "{0123456789abcdef}{\xff\xf4}");
}
END_TEST

START_TEST(overlong_lines_come_in_pieces)
{
	STREAM("0123456789abcdef\n", "<0123456789abcdef>");
	STREAM("0123456789abcdef\r\n", "{0123456789abcdef}");
	STREAM("0123456789abcdefg\n", "{0123456789abcdef}{g}");
	STREAM("0123456789abcdefg\nh\n", "{0123456789abcdef}{g}<h>");
	STREAM("0123456789abcdef0123456789ABCDEFx",
	       "{0123456789abcdef}{0123456789ABCDEF}{x}");
}
END_TEST

START_TEST(a_piece_is_text_whatever_it_looks_like)
{
	STREAM("0123456789abcdefHEALTH CHECK\n",
	       "{0123456789abcdef}{HEALTH CHECK}");
	STREAM("0123456789abcdefq\n", "{0123456789abcdef}{q}");
}
END_TEST

START_TEST(pieces_do_not_cut_characters)
{
	/* U+D55C takes bytes 14..16 of a 16-byte line: the third has no room */
	STREAM("0123456789abcd\xed\x95\x9c!\n",
	       "{0123456789abcd}{\xed\x95\x9c!}");
	STREAM("0123456789abcde\xed\x95\x9c\n",
	       "{0123456789abcde}{\xed\x95\x9c}");
	STREAM("0123456789abc\xed\x95\x9cz\n",
	       "{0123456789abc\xed\x95\x9c}{z}");
	STREAM("0123456789abc\xf0\x9f\x98\x80\n",
	       "{0123456789abc}{\xf0\x9f\x98\x80}");
	/* Not UTF-8 at all: cut anywhere, lose nothing. */
	STREAM("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"
	       "\x80\x80\x80\n",
	       "{\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"
	       "\x80\x80}{\x80}");
}
END_TEST

START_TEST(the_longest_line_passes_whole)
{
	static char in[CHAT_LINE_MAX + 2], expected[CHAT_LINE_MAX + 3];

	memset(in, 'x', CHAT_LINE_MAX);
	in[CHAT_LINE_MAX] = '\n';
	snprintf(expected, sizeof(expected), "<%.*s>", CHAT_LINE_MAX, in);
	check_cut(in, CHAT_LINE_MAX + 1, 1, CHAT_LINE_MAX, CHAT_LINE_MAX,
		  expected);
}
END_TEST

static bool quits(const char *text)
{
	const char *end = text + strlen(text);
	struct framer f;

	framer_init(&f, CHAT_LINE_MAX, true);
	return framer_next(&f, &text, end) == FRAME_LINE &&
	       framer_line_quits(&f);
}

START_TEST(q_alone_leaves)
{
	ck_assert(quits("q\n"));
	ck_assert(quits("Q\r\n"));
	ck_assert(!quits("q"));
	ck_assert(!quits("q \n"));
	ck_assert(!quits("qq\n"));
	ck_assert(!quits("\n"));
	ck_assert(!quits("[bob] q\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat framing");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_test(all, lines_end_with_lf_or_crlf);
	tcase_add_test(all, the_end_of_the_stream_ends_the_last_line);
	tcase_add_test(all, nul_bytes_are_skipped);
	tcase_add_test(all, a_probe_is_taken_out_at_the_start_of_a_line);
	tcase_add_test(all, anything_else_is_no_probe);
	tcase_add_test(all, telnet_is_taken_out_at_the_start_of_a_line);
	tcase_add_test(all, anything_else_is_no_telnet);
	tcase_add_test(all, overlong_lines_come_in_pieces);
	tcase_add_test(all, a_piece_is_text_whatever_it_looks_like);
	tcase_add_test(all, pieces_do_not_cut_characters);
	tcase_add_test(all, the_longest_line_passes_whole);
	tcase_add_test(all, q_alone_leaves);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
