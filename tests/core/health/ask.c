/* SPDX-License-Identifier: MIT */
/* ask.c - what may be asked of a backend, and what counts as an answer
 */
#include <errno.h>

#include "core/health/ask.h"
#include "unit.h"

static struct check_spec parse_ok(const char *text)
{
	struct check_spec c;
	struct err err;

	if (check_parse(text, &c, &err))
		ck_abort_msg("%s: refused: %s", text, err.text);
	return c;
}

static const struct accepted {
	const char *value;
	enum check_kind kind;
	const char *text;
} accepted[] = {
	{"syn", CHECK_SYN, ""},
	{"  tcp\t ", CHECK_TCP, ""},
	{"http GET /", CHECK_HTTP, "/"},
	{"http  GET\t/health?a=1&b=%20", CHECK_HTTP, "/health?a=1&b=%20"},
	{"http GET /x expect 2xx,3xx", CHECK_HTTP, "/x"},
	{"http GET /x expect 200, 204 ,2xx", CHECK_HTTP, "/x"},
	{"expect \"HEALTH CHECK\"", CHECK_EXPECT, "HEALTH CHECK"},
	{"expect\t\" a \" ", CHECK_EXPECT, " a "},
	{"expect \"gr\xc3\xbc\xc3\x9f\"", CHECK_EXPECT, "gr\xc3\xbc\xc3\x9f"},
};

START_TEST(accepts)
{
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
		const struct accepted *a = &accepted[i];
		struct check_spec c = parse_ok(a->value);

		ck_assert_msg(c.kind == a->kind, "%s", a->value);
		ck_assert_str_eq(c.text, a->text);
	}
}
END_TEST

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A199 A50 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A198 A50 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct refusal {
	const char *value;
	const char *part; /* of the sentence */
} refusals[] = {
	{"", "expected syn, tcp, http GET /PATH"},
	{"SYN", "\"SYN\" is no check"},
	{"ping", "\"ping\" is no check"},
	{"synx", "\"synx\" is no check"},
	{"\x01\x80\n", "\"\?\?\?\" is no check"},
	{A199 A199, "aaa...\" is no check"},
	{"syn now", "unexpected \"now\" after syn"},
	{"tcp 80", "unexpected \"80\" after tcp"},
	{"http", "expected GET and a path"},
	{"http /health", "expected GET and a path"},
	{"http get /health", "expected GET and a path"},
	{"http GET", "expected a path that begins with /"},
	{"http GET health", "expected a path that begins with /"},
	{"http GET http://a/", "expected a path that begins with /"},
	{"http GET /a#b", "byte 3 of the path cannot be sent: write it as "
			  "%23"},
	{"http GET /\r\nX:1", "byte 2 of the path"},
	{"http GET /\xfc", "write it as %FC"},
	{"http GET /\x7f", "write it as %7F"},
	{"http GET /" A199, "at most 199 bytes, this one has 200"},
	{"http GET / 200", "unexpected \"200\" after the path"},
	{"http GET / expect", "no status after expect"},
	{"http GET / expect ,", "a comma without a status on both sides"},
	{"http GET / expect ,2xx", "a comma without a status"},
	{"http GET / expect 2xx,", "a comma without a status"},
	{"http GET / expect 2xx , ", "a comma without a status"},
	{"http GET / expect 2xx,,3xx", "a comma without a status"},
	{"http GET / expect 600", "\"600\" is not a status from 100 to 599"},
	{"http GET / expect 099", "\"099\" is not a status"},
	{"http GET / expect 2x0", "\"2x0\" is not a status"},
	{"http GET / expect 2XX", "\"2XX\" is not a status"},
	{"http GET / expect 20", "\"20\" is not a status"},
	{"http GET / expect 2000", "\"2000\" is not a status"},
	{"http GET / expect 200;204", "\"200;204\" is not a status"},
	{"http GET / expect 204-200", "\"204-200\" is not a status"},
	{"http GET / expect 200-20", "\"200-20\" is not a status"},
	{"http GET / expect 200-2xx", "\"200-2xx\" is not a status"},
	{"http GET / expect 500-600", "\"500-600\" is not a status"},
	{"http GET / expect 099-100", "\"099-100\" is not a status"},
	{"expect", "in double quotes"},
	{"expect HEALTH", "in double quotes"},
	{"expect \"", "no closing double quote"},
	{"expect \"HEALTH", "no closing double quote"},
	{"expect \"\"", "is empty"},
	{"expect \"a\tb\"", "byte 2 of the text after expect is a control"},
	{"expect \"a\" b", "unexpected \"b\" after the text"},
	{"expect \"" A199 "a\"", "at most 199 bytes, this one has 200"},
};

static void expect_refusal(const struct refusal *r)
{
	struct check_spec c;
	struct err err = {"accepted"};

	ck_assert_msg(check_parse(r->value, &c, &err) == -EINVAL &&
			      strstr(err.text, r->part),
		      "%s: expected ...%s..., got %s", r->value, r->part,
		      err.text);
}

START_TEST(refuses)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		expect_refusal(&refusals[i]);
}
END_TEST

START_TEST(statuses_are_those_listed)
{
	struct check_spec usual = parse_ok("http GET /"),
			  listed = parse_ok("http GET / expect "
					    "100,2xx,404,599,500-503");

	for (unsigned s = 0; s < 1100; s++) {
		ck_assert(check_expects(&usual, s) == (s >= 200 && s < 400));
		ck_assert(check_expects(&listed, s) ==
			  (s == 100 || (s >= 200 && s < 300) || s == 404 ||
			   (s >= 500 && s <= 503) || s == 599));
	}
}
END_TEST

START_TEST(equal_values_are_equal_bytes)
{
	struct check_spec a, b;
	struct err err;

	memset(&a, 0xaa, sizeof(a));
	memset(&b, 0x55, sizeof(b));
	ck_assert_int_eq(check_parse("http GET /a", &a, &err), 0);
	ck_assert_int_eq(check_parse("http GET /a expect 3xx, 2xx", &b, &err),
			 0);
	ck_assert_int_eq(memcmp(&a, &b, sizeof(a)), 0);
}
END_TEST

START_TEST(requests_are_what_the_documentation_says)
{
	struct endpoint e = {.addr = addr_from_v4(0x0100007f), .port = 0x5000};
	struct check_spec c = parse_ok("http GET /health");
	static const char http[] = "GET /health HTTP/1.1\r\n"
				   "Host: 127.0.0.1:80\r\n"
				   "User-Agent: l4lb/" L4LB_VERSION "\r\n"
				   "Accept: */*\r\n"
				   "Connection: close\r\n"
				   "\r\n";
	char request[CHECK_REQUEST_MAX];

	ck_assert_uint_eq(check_request(&c, &e, request), sizeof(http) - 1);
	ck_assert_mem_eq(request, http, sizeof(http) - 1);
	c = parse_ok("expect \"HEALTH CHECK\"");
	ck_assert_uint_eq(check_request(&c, &e, request), 13);
	ck_assert_mem_eq(request, "HEALTH CHECK\n", 13);
	c = parse_ok("tcp");
	ck_assert_uint_eq(check_request(&c, &e, request), 0);
	c = parse_ok("http GET /" A198);
	memset(&e, 0xff, sizeof(e)); /* the longest address */
	ck_assert_uint_lt(check_request(&c, &e, request), CHECK_REQUEST_MAX);
}
END_TEST

/* CHECK_RESULTS: not decided. @cut: two pieces, that many bytes first. */
static enum check_result read_cut(const struct check_spec *c, const char *bytes,
				  size_t len, size_t cut)
{
	struct check_reader r = {0};
	enum check_result result;

	if (check_read(c, &r, bytes, cut, &result) ||
	    check_read(c, &r, bytes + cut, len - cut, &result))
		return result;
	return CHECK_RESULTS;
}

static const struct answer {
	const char *value, *bytes;
	enum check_result result;
} answers[] = {
	{"http GET /", "HTTP/1.1 200 OK\r\n", CHECK_OK},
	{"http GET /", "HTTP/1.0 302 Found\r\n", CHECK_OK},
	{"http GET /", "HTTP/1.1 204\r\n", CHECK_OK},
	{"http GET /", "HTTP/1.1 204\n", CHECK_OK},
	{"http GET /", "HTTP/1.1 404 Not Found\r\n", CHECK_WRONG_STATUS},
	{"http GET /", "HTTP/1.1 100 Continue\r\n", CHECK_WRONG_STATUS},
	{"http GET /", "HTTP/1.1 000 \r\n", CHECK_WRONG_STATUS},
	{"http GET / expect 404", "HTTP/1.1 404 \r\n", CHECK_OK},
	{"http GET /", "HTTP/1.1 200", CHECK_RESULTS},
	{"http GET /", "HTTP/1.1 2000 ", CHECK_WRONG_ANSWER},
	{"http GET /", "HTTP/2.0 200 ", CHECK_WRONG_ANSWER},
	{"http GET /", "HTTP/1.x 200 ", CHECK_WRONG_ANSWER},
	{"http GET /", "HTTP/1.1 20x ", CHECK_WRONG_ANSWER},
	{"http GET /", "SSH-2.0-OpenSSH", CHECK_WRONG_ANSWER},
	{"http GET /", " HTTP/1.1 200 ", CHECK_WRONG_ANSWER},
	{"http GET /", "", CHECK_RESULTS},
	{"expect \"PONG\"", "PONG", CHECK_OK},
	{"expect \"PONG\"", "PONG\n", CHECK_OK},
	{"expect \"PONG\"", "PONGS", CHECK_OK},
	{"expect \"PONG\"", "PON", CHECK_RESULTS},
	{"expect \"PONG\"", "hello\n[a] hi\nPONG\n", CHECK_OK},
	{"expect \"PONG\"", "unknown command PONG\n", CHECK_RESULTS},
	{"expect \"PONG\"", "PO\nPONG", CHECK_OK},
	{"expect \"PONG\"", "\n\nPONG", CHECK_OK},
	{"expect \"PONG\"", "PPONG", CHECK_RESULTS},
	{"expect \"aab\"", "aaab\n", CHECK_RESULTS},
};

START_TEST(answers_count_wherever_they_are_cut)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const struct answer *a = &answers[i];
		struct check_spec c = parse_ok(a->value);
		size_t len = strlen(a->bytes);

		for (size_t cut = 0; cut <= len; cut++)
			ck_assert_msg(read_cut(&c, a->bytes, len, cut) ==
					      a->result,
				      "%s: %s, cut after %zu", a->value,
				      a->bytes, cut);
	}
}
END_TEST

START_TEST(an_endless_answer_is_wrong)
{
	struct check_spec c = parse_ok("expect \"PONG\"");
	static char bytes[CHECK_ANSWER_MAX + 10];
	size_t at = CHECK_ANSWER_MAX - 5;

	memset(bytes, 'x', sizeof(bytes));
	ck_assert_int_eq(read_cut(&c, bytes, CHECK_ANSWER_MAX - 1, 9),
			 CHECK_RESULTS);
	ck_assert_int_eq(read_cut(&c, bytes, CHECK_ANSWER_MAX, 9),
			 CHECK_WRONG_ANSWER);
	memcpy(bytes + at, "\nPONG", 5);
	ck_assert_int_eq(read_cut(&c, bytes, sizeof(bytes), at + 2), CHECK_OK);
	memcpy(bytes + at, "x\nPONG", 6);
	ck_assert_int_eq(read_cut(&c, bytes, sizeof(bytes), at + 2),
			 CHECK_WRONG_ANSWER);
}
END_TEST

/* The slow way: TEXT at the start, or after some newline. */
static bool has_line(const char *bytes, const char *text)
{
	const char *line = bytes;

	while (line) {
		if (strncmp(line, text, strlen(text)) == 0)
			return true;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return false;
}

START_TEST(random_lines_agree_with_the_oracle)
{
	struct random r = unit_random(__func__);
	unsigned found = 0;

	for (int run = 0; run < 20000; run++) {
		struct check_spec c = {.kind = CHECK_EXPECT};
		char bytes[32];
		size_t len = random_below(&r, sizeof(bytes));
		bool ok;

		for (unsigned i = 0; i <= random_below(&r, 4); i++)
			c.text[i] = (char)('a' + random_below(&r, 2));
		for (size_t i = 0; i < len; i++)
			bytes[i] = "ab\n"[random_below(&r, 3)];
		bytes[len] = 0;
		ok = read_cut(&c, bytes, len,
			      random_below(&r, (uint32_t)len + 1)) == CHECK_OK;
		ck_assert(ok == has_line(bytes, c.text));
		found += ok;
	}
	ck_assert_uint_gt(found, 2000);
}
END_TEST

/* Pieces of right values in any order, and noise between them. */
static void random_value(struct random *r, char *value, size_t size)
{
	static const char *const pieces[] = {
		"syn",	  "tcp", "http", "GET", "/",	"/a",
		"expect", "2xx", ",",	 "404", "\"",	"\"a b\"",
		" ",	  " ",	 " ",	 "\t",	"\xff", "\n",
	};
	size_t len = 0;

	for (unsigned n = random_below(r, 12); n > 0; n--) {
		const char *piece = pieces[random_below(r, ARRAY_LEN(pieces))];

		if (len + strlen(piece) + 1 >= size)
			break;
		memcpy(value + len, piece, strlen(piece));
		len += strlen(piece);
		if (random_below(r, 8) == 0)
			value[len - 1] = (char)(1 + random_below(r, 255));
	}
	value[len] = 0;
}

static bool is_printable(const char *text)
{
	while (*text >= 0x20 && *text <= 0x7e)
		text++;
	return *text == 0;
}

START_TEST(random_values_are_taken_or_refused_with_a_reason)
{
	struct random r = unit_random(__func__);
	unsigned taken = 0;

	for (int run = 0; run < 20000; run++) {
		char value[64], request[CHECK_REQUEST_MAX];
		struct endpoint e = {0};
		struct check_spec c;
		struct err err = {""};
		int ret;

		random_value(&r, value, sizeof(value));
		ret = check_parse(value, &c, &err);
		if (ret) {
			ck_assert_int_eq(ret, -EINVAL);
			ck_assert_str_ne(err.text, "");
			ck_assert(is_printable(err.text));
			continue;
		}
		taken++;
		ck_assert(memchr(c.text, 0, sizeof(c.text)));
		if (c.kind == CHECK_HTTP || c.kind == CHECK_EXPECT)
			ck_assert_uint_ge(check_request(&c, &e, request), 2);
		ck_assert(c.kind <= CHECK_EXPECT);
	}
	ck_assert_uint_gt(taken, 50);
}
END_TEST

START_TEST(every_result_has_a_text)
{
	for (unsigned i = 0; i < CHECK_RESULTS; i++)
		ck_assert_str_ne(check_result_text((enum check_result)i), "?");
	ck_assert_str_eq(check_result_text(CHECK_RESULTS), "?");
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{accepts, 0},
		{refuses, 0},
		{statuses_are_those_listed, 0},
		{equal_values_are_equal_bytes, 0},
		{requests_are_what_the_documentation_says, 0},
		{answers_count_wherever_they_are_cut, 0},
		{an_endless_answer_is_wrong, 0},
		{random_lines_agree_with_the_oracle, 0},
		{random_values_are_taken_or_refused_with_a_reason, 0},
		{every_result_has_a_text, 0},
	};

	return unit_run("check", tests, ARRAY_LEN(tests));
}
