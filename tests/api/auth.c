/* SPDX-License-Identifier: MIT */
/*
 * auth.c - who may ask and change, by each way in
 */
#include <arpa/inet.h>

#include "api/auth.h"
#include "core/time.h"
#include "unit.h"

#define TOKEN "correct horse"
#define RIGHT "Bearer " TOKEN

static struct auth an_auth(void)
{
	struct auth a = {
		.writes = true,
		.uid = 998,
		.token = TOKEN,
		.hosts = "lb.example.org\0lb2\0",
	};

	auth_init(&a);
	return a;
}

static struct ip_addr client(const char *text)
{
	struct in_addr v4;

	ck_assert_int_eq(inet_pton(AF_INET, text, &v4), 1);
	return addr_from_v4(v4.s_addr);
}

/* The status, 0 if it is allowed; @who is then the caller's name. */
static unsigned decide(struct auth *a, const struct caller *caller,
		       unsigned flags, uint64_t now_ns, char who[WHO_MAX])
{
	struct reply reply = {0};
	unsigned status;

	who[0] = '\0';
	status = auth_allows(a, caller, flags, now_ns, who, &reply)
			 ? 0
			 : reply.status;
	if (status)
		ck_assert_msg(strstr(text_get(&reply.body), "\"message\""),
			      "%s", text_get(&reply.body));
	if (status == 401)
		ck_assert_ptr_nonnull(reply.challenge);
	text_free(&reply.body);
	return status;
}

START_TEST(the_unix_socket_serves_root_and_the_user_of_l4lb)
{
	static const struct {
		bool has_uid;
		uint32_t uid;
		bool writes;
		unsigned flags, status;
	} cases[] = {
		{true, 0, true, ROUTE_WRITES, 0},
		{true, 998, true, ROUTE_WRITES, 0},
		{true, 0, true, 0, 0},
		{true, 1000, true, 0, 403},
		{true, 65534, true, ROUTE_OPEN, 403},
		{false, 0, true, 0, 403},
		{true, 0, false, ROUTE_WRITES, 403},
		{true, 0, false, 0, 0},
	};
	char who[WHO_MAX], expected[WHO_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth a = an_auth();
		const struct caller caller = {
			.local = true,
			.has_uid = cases[i].has_uid,
			.uid = cases[i].uid,
		};

		a.writes = cases[i].writes;
		ck_assert_uint_eq(
			decide(&a, &caller, cases[i].flags, NS_PER_S, who),
			cases[i].status);
		snprintf(expected, sizeof(expected), "uid:%u", cases[i].uid);
		if (!cases[i].status)
			ck_assert_str_eq(who, expected);
	}
}
END_TEST

static const struct tcp_case {
	const char *authorization;
	unsigned flags;
	bool tcp_token, tcp_writes, no_token, no_writes;
	unsigned status;
	const char *who;
} tcp_cases[] = {
	/* Reading, open and not. */
	{NULL, 0, false, false, false, false, 0, "anyone@192.0.2.7"},
	{NULL, 0, true, false, false, false, 401, ""},
	{RIGHT, 0, true, false, false, false, 0, "token@192.0.2.7"},
	{"bearer   " TOKEN, 0, true, false, false, false, 0, "token@192.0.2.7"},
	{NULL, ROUTE_OPEN, true, false, false, false, 0, "anyone@192.0.2.7"},
	{NULL, 0, true, false, true, false, 403, ""},
	/* A wrong token is wrong also where none is needed. */
	{"Bearer wrong", 0, false, false, false, false, 401, ""},
	{"Basic eDp5", 0, false, false, false, false, 401, ""},
	{"Bearer ", 0, false, false, false, false, 401, ""},
	{RIGHT " ", 0, false, false, false, false, 401, ""},
	{"Bearer correct hors", 0, false, false, false, false, 401, ""},
	{"Bearer ", 0, false, false, true, false, 401, ""},
	/* Writing. */
	{NULL, ROUTE_WRITES, false, false, false, false, 401, ""},
	{RIGHT, ROUTE_WRITES, false, false, false, false, 0, "token@192.0.2.7"},
	{"Bearer wrong", ROUTE_WRITES, false, true, false, false, 401, ""},
	{NULL, ROUTE_WRITES, false, false, true, false, 403, ""},
	{NULL, ROUTE_WRITES, false, true, true, false, 0, "anyone@192.0.2.7"},
	{RIGHT, ROUTE_WRITES, false, false, false, true, 403, ""},
	{NULL, ROUTE_WRITES, false, true, true, true, 403, ""},
};

START_TEST(by_tcp_the_token_decides)
{
	const struct tcp_case *c = &tcp_cases[_i];
	const struct caller caller = {
		.from = client("192.0.2.7"),
		.host = "198.18.0.1:8404",
		.authorization = c->authorization,
	};
	struct auth a = an_auth();
	char who[WHO_MAX];

	a.tcp_token = c->tcp_token;
	a.tcp_writes = c->tcp_writes;
	a.writes = !c->no_writes;
	if (c->no_token)
		a.token = "";
	ck_assert_uint_eq(decide(&a, &caller, c->flags, NS_PER_S, who),
			  c->status);
	if (!c->status)
		ck_assert_str_eq(who, c->who);
}
END_TEST

static const struct host_case {
	const char *host;
	bool ours;
} host_cases[] = {
	{"localhost", true},
	{"LocalHost:8404", true},
	{"127.0.0.1", true},
	{"198.18.0.1:8404", true},
	{"[::1]:8404", true},
	{"[::1]", true},
	{"lb.example.org", true},
	{"LB.EXAMPLE.ORG:80", true},
	{"lb2", true},
	{"lb.example.org.", false},
	{"evil.example", false},
	{"lb2.evil.example", false},
	{"localhost.evil", false},
	{"", false},
	{NULL, false},
	{":8404", false},
	{"127.0.0.1:x", false},
	{"127.0.0.1.evil:80", false},
	{"[::1", false},
	{"[::1]x", false},
	{"[", false},
	{"[]", false},
	{"[evil]:80", false},
	{"[]", false},
	{"1.2.3.4, evil", false},
};

START_TEST(a_name_that_is_not_ours_is_refused)
{
	const struct caller caller = {
		.from = client("192.0.2.7"),
		.host = host_cases[_i].host,
		.authorization = RIGHT,
	};
	struct auth a = an_auth();
	char who[WHO_MAX];

	ck_assert_uint_eq(decide(&a, &caller, 0, NS_PER_S, who),
			  host_cases[_i].ours ? 0 : 421);
}
END_TEST

START_TEST(a_page_of_another_site_changes_nothing)
{
	static const struct {
		const char *origin;
		unsigned status;
	} cases[] = {
		{NULL, 0},
		{"http://localhost:8404", 0},
		{"https://localhost:8404", 0},
		{"http://localhost:8405", 403},
		{"http://evil.example", 403},
		{"null", 403},
		{"", 403},
	};
	struct auth a = an_auth();
	char who[WHO_MAX];

	a.tcp_writes = true;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct caller caller = {
			.from = client("127.0.0.1"),
			.host = "localhost:8404",
			.origin = cases[i].origin,
		};

		ck_assert_uint_eq(
			decide(&a, &caller, ROUTE_WRITES, NS_PER_S, who),
			cases[i].status);
		ck_assert_uint_eq(decide(&a, &caller, 0, NS_PER_S, who), 0);
	}
}
END_TEST

START_TEST(who_guesses_must_wait_and_others_need_not)
{
	struct caller guesser = {
		.from = client("192.0.2.7"),
		.host = "localhost",
		.authorization = "Bearer wrong",
	};
	struct caller other = {
		.from = client("192.0.2.8"),
		.host = "localhost",
		.authorization = RIGHT,
	};
	struct auth a = an_auth();
	uint64_t now_ns = 5 * NS_PER_S;
	char who[WHO_MAX];

	for (int i = 0; i < AUTH_GUESSES; i++)
		ck_assert_uint_eq(decide(&a, &guesser, 0, now_ns++, who), 401);
	ck_assert_uint_eq(decide(&a, &guesser, 0, now_ns, who), 429);
	/* Nor is the right one tried for him now. */
	guesser.authorization = RIGHT;
	ck_assert_uint_eq(decide(&a, &guesser, 0, now_ns, who), 429);
	ck_assert_uint_eq(decide(&a, &other, 0, now_ns, who), 0);
	now_ns += NS_PER_S;
	ck_assert_uint_eq(decide(&a, &guesser, 0, now_ns, who), 0);
}
END_TEST

START_TEST(many_guessers_do_not_push_each_other_out_for_ever)
{
	struct auth a = an_auth();
	char text[32], who[WHO_MAX];
	uint64_t now_ns = NS_PER_S;

	for (int i = 0; i < 4 * AUTH_GUESSERS; i++) {
		struct caller caller = {
			.host = "localhost",
			.authorization = "Bearer wrong",
		};

		snprintf(text, sizeof(text), "192.0.%d.%d", i / 250, i % 250);
		caller.from = client(text);
		ck_assert_uint_eq(decide(&a, &caller, 0, now_ns++, who), 401);
	}
}
END_TEST

START_TEST(right_tokens_do_not_wash_out_the_wrong_ones)
{
	struct caller guesser = {
		.from = client("192.0.2.7"),
		.host = "localhost",
		.authorization = "Bearer wrong",
	};
	struct caller other = {
		.from = client("192.0.2.8"),
		.host = "localhost",
		.authorization = RIGHT,
	};
	struct auth a = an_auth();
	uint64_t now_ns = 5 * NS_PER_S;
	char who[WHO_MAX];

	for (int i = 0; i < AUTH_GUESSES; i++)
		ck_assert_uint_eq(decide(&a, &guesser, 0, now_ns++, who), 401);
	for (int i = 0; i < 2 * AUTH_GUESSERS; i++)
		ck_assert_uint_eq(decide(&a, &other, 0, now_ns++, who), 0);
	ck_assert_uint_eq(decide(&a, &guesser, 0, now_ns, who), 429);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{the_unix_socket_serves_root_and_the_user_of_l4lb, 0},
		{by_tcp_the_token_decides, ARRAY_LEN(tcp_cases)},
		{a_name_that_is_not_ours_is_refused, ARRAY_LEN(host_cases)},
		{a_page_of_another_site_changes_nothing, 0},
		{who_guesses_must_wait_and_others_need_not, 0},
		{many_guessers_do_not_push_each_other_out_for_ever, 0},
		{right_tokens_do_not_wash_out_the_wrong_ones, 0},
	};

	return unit_run("auth", tests, ARRAY_LEN(tests));
}
