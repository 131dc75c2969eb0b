/* SPDX-License-Identifier: MIT */
/* What the first bytes tell, on each kind of port, however they come. */
#include "core/sniff.h"

#include "unit.h"

#define L SNIFF_LINES
#define H SNIFF_HTTP
#define M SNIFF_MORE
#define T SNIFF_TLS
#define B SNIFF_BAD

static const struct {
	const char *first;
	size_t len; /* 0: strlen() */
	enum sniff on_auto, on_line, on_web;
} cases[] = {
	{"", 0, M, M, M},
	{"GET / HTTP/1.1\r\n", 0, H, L, H},
	{"GET / HTTP/1.1\n", 0, H, L, H},
	{"GET / HTTP/1.0\r\n", 0, H, L, H},
	{"OPTIONS * HTTP/1.1\r\n", 0, H, L, H},
	{"PROPFIND /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", 0, H, L, H},
	{"GET / HTTP/1.1", 0, M, L, M},
	{"GET / HTTP/1.1\r", 0, M, L, M},
	{"G", 0, M, L, M},
	{"GET ", 0, M, L, M},
	{"GET /", 0, M, L, M},
	{"GET / ", 0, M, L, M},
	{"GET / HT", 0, M, L, M},
	{"GET me a coffee\n", 0, L, L, B},
	{"GET me ", 0, M, L, M},
	{"GET me a", 0, L, L, B},
	{"GET  / HTTP/1.1\r\n", 0, L, L, B},
	{"GET / HTTP/1.1 \r\n", 0, L, L, B},
	{"GET / HTTP/1.2\r\n", 0, L, L, B},
	{"GET / HTTP/2.0\r\n", 0, L, L, B},
	{"GET / http/1.1\r\n", 0, L, L, B},
	{"GET /\tx HTTP/1.1\r\n", 0, L, L, B},
	{"get / HTTP/1.1\r\n", 0, L, L, B},
	{"PRI * HTTP/2.0\r\n", 0, H, L, H}, /* HTTP/2 without TLS */
	{"PRI * HTTP/2.0\r", 0, M, L, M},
	{"PRI * HTTP/2.0\n", 0, L, L, B},
	{"PRI * HTTP/1.1\r\n", 0, H, L, H},
	{"GE / HTTP/1.1\r\n", 0, L, L, B},
	{"LONGWORDS / HTTP/1.1\r\n", 0, L, L, B},
	{"GET /\0 HTTP/1.1\r\n", 17, L, L, B},
	{"\r\nGET / HTTP/1.1\r\n", 0, L, L, B},
	{"\n", 0, L, L, B},
	{"hello\n", 0, L, L, B},
	{"h", 0, L, L, B},
	{"[lan] hi", 0, L, L, B},
	{"Q\n", 0, L, L, B},
	{"HELLO", 0, M, L, M},
	{"HELLO\n", 0, L, L, B},
	{"HEALTH", 0, M, L, M},
	{"HEALTH CHEC", 0, M, L, M},
	{"HEALTH CHECK", 0, L, L, B},
	{"HEALTH CHECK HTTP/1.1\r\n", 0, L, L, B},
	{"HEALTH CHECX", 0, M, L, M},
	{"\x16", 0, M, M, M},
	{"\x16\x03", 0, T, T, T},
	{"\x16\x03\x01\x02", 0, T, T, T},
	{"\x16x", 0, L, L, B},
	{"\xff\xfb\x01", 0, L, L, B}, /* telnet */
};

static enum sniff look(enum sniff_port port, const char *bytes, size_t len)
{
	char *exact = malloc(len ? len : 1);
	enum sniff verdict;

	memcpy(exact, bytes, len);
	verdict = sniff_first(port, (struct slice){exact, len});
	free(exact);
	return verdict;
}

START_TEST(the_first_bytes_decide)
{
	const char *first = cases[_i].first;
	size_t len = cases[_i].len ? cases[_i].len : strlen(first);

	ck_assert_msg(look(SNIFF_AUTO, first, len) == cases[_i].on_auto, "%s",
		      first);
	ck_assert_msg(look(SNIFF_ONLY_LINES, first, len) == cases[_i].on_line,
		      "%s", first);
	ck_assert_msg(look(SNIFF_ONLY_WEB, first, len) == cases[_i].on_web,
		      "%s", first);
}
END_TEST

/* Once decided it stays so, and a shorter beginning never says otherwise. */
START_TEST(more_bytes_change_no_verdict)
{
	const char *first = cases[_i].first;
	size_t len = cases[_i].len ? cases[_i].len : strlen(first);

	for (enum sniff_port port = SNIFF_AUTO; port <= SNIFF_ONLY_WEB;
	     port++) {
		enum sniff decided = SNIFF_MORE;

		for (size_t i = 0; i <= len; i++) {
			enum sniff now = look(port, first, i);

			ck_assert(decided == SNIFF_MORE || now == decided);
			decided = now;
		}
	}
}
END_TEST

START_TEST(an_endless_first_line_is_decided)
{
	static char line[SNIFF_MAX];

	memset(line, 'a', sizeof(line));
	memcpy(line, "GET /", 5);
	ck_assert_int_eq(look(SNIFF_AUTO, line, SNIFF_MAX - 1), SNIFF_MORE);
	ck_assert_int_eq(look(SNIFF_AUTO, line, SNIFF_MAX), SNIFF_HTTP);
	ck_assert_int_eq(look(SNIFF_ONLY_LINES, line, SNIFF_MAX), SNIFF_LINES);
	ck_assert_int_eq(look(SNIFF_ONLY_WEB, line, SNIFF_MAX), SNIFF_HTTP);
	line[4] = 'a';
	ck_assert_int_eq(look(SNIFF_AUTO, line, SNIFF_MAX - 1), SNIFF_MORE);
	ck_assert_int_eq(look(SNIFF_AUTO, line, SNIFF_MAX), SNIFF_LINES);
	ck_assert_int_eq(look(SNIFF_ONLY_WEB, line, SNIFF_MAX), SNIFF_HTTP);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{the_first_bytes_decide, ARRAY_LEN(cases)},
		{more_bytes_change_no_verdict, ARRAY_LEN(cases)},
		{an_endless_first_line_is_decided, 1},
	};

	return unit_run("sniff", tests, ARRAY_LEN(tests));
}
