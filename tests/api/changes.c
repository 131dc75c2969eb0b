/* SPDX-License-Identifier: MIT */
/*
 * changes.c - requests that change l4lb, and those that are refused and do not
 */
#include <arpa/inet.h>

#include "fake.h"
#include "unit.h"

static const char text[] = "[service chat]\n"
			   "listen = 198.18.0.1:20000\n"
			   "scheduler = wrr\n"
			   "backend = 198.18.0.11:9001 weight=3\n"
			   "backend = 198.18.0.12:9001\n"
			   "backend = 198.18.0.13:9001 backup id=spare\n"
			   "[service web]\n"
			   "listen = 198.18.0.1:80\n"
			   "check = http GET /health\n"
			   "backend = 198.18.0.11:9001 id=spare\n";

/* Each changes something, and is carried out as those commands. */
static const struct change {
	const char *method, *uri, *body;
	unsigned status;
	const char *commands; /* between begin and commit */
	const char *body_has;
} changes[] = {
	{"POST", "/lb/backends/backend1/disable", NULL, 200,
	 "backend disable chat backend1", "\"admin\":\"disabled\""},
	{"POST", "/lb/backends/backend1/enable", NULL, 200,
	 "backend enable chat backend1", "\"admin\":\"enabled\""},
	{"POST", "/lb/backends/backend1/drain", NULL, 200,
	 "backend drain chat backend1", "\"admin\":\"drain\""},
	{"POST", "/lb/backends/backend1/drain",
	 "{\"for\":\"5m\",\"then\":\"reset\"}", 200,
	 "backend drain chat backend1 for=5m then=reset",
	 "\"admin\":\"drain\""},
	{"POST", "/lb/backends/backend1/drain?for=5m", NULL, 200,
	 "backend drain chat backend1 for=5m", "\"id\":\"backend1\""},
	{"POST", "/lb/backends/198.18.0.12:9001/weight", "{\"weight\":2}", 200,
	 "backend set chat backend2 weight=2", "\"weight\":2"},
	{"POST", "/lb/backends/backend2/weight?weight=0", NULL, 200,
	 "backend set chat backend2 weight=0", "\"weight\":0"},
	{"POST", "/lb/backends/spare/disable?service=web&then=keep", NULL, 200,
	 "backend disable web spare then=keep", "\"service\":\"web\""},
	{"POST", "/lb/backends/spare/disable", "{\"service\":\"web\"}", 200,
	 "backend disable web spare", "\"service\":\"web\""},
	{"DELETE", "/lb/backends/backend2/remove", NULL, 200,
	 "backend remove chat backend2", "\"state\":\"removed\""},
	{"DELETE", "/lb/backends/backend2", NULL, 200,
	 "backend remove chat backend2", "\"flows\":0"},
	{"DELETE", "/lb/backends/backend2?then=keep", NULL, 202,
	 "backend remove chat backend2 then=keep", "\"flows\":7"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":9001,\"service\":\"chat\"}", 201,
	 "backend add chat 198.18.0.14:9001", "\"id\":\"backend"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14:9001\",\"service\":\"chat\",\"weight\":5,"
	 "\"backup\":true,\"id\":\"new\"}",
	 201, "backend add chat 198.18.0.14:9001 weight=5 backup id=new",
	 "\"id\":\"new\""},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"localhost\",\"port\":9001,\"service\":\"chat\"}", 201,
	 "backend add chat 127.0.0.1:9001", "\"host\":\"127.0.0.1\""},
	{"POST", "/lb/commands",
	 "# two together\n"
	 "service set chat interval=100ms\n\n"
	 "  service set chat fast_interval=50ms  \n",
	 200,
	 "service set chat interval=100ms\n"
	 "service set chat fast_interval=50ms",
	 "\"generation\":42"},
};

START_TEST(a_change_is_a_transaction_and_answers_with_the_object)
{
	const struct change *c = &changes[_i];
	char expected[512], line[256];
	const char *rest = c->commands;
	size_t len = 0;
	struct fake f;
	struct told told;

	fake_start(&f, text);
	told = fake_ask(&f, c->method, c->uri, c->body, NULL);
	ck_assert_msg(told.status == c->status, "%u: %s", told.status,
		      text_get(&told.body));
	ck_assert_msg(strstr(text_get(&told.body), c->body_has), "%s",
		      text_get(&told.body));
	ck_assert_uint_eq(told.generation, 42);
	ck_assert_uint_eq(fake_generation(&f), 42);
	len += (size_t)sprintf(expected, "by uid:0 begin\n");
	while (text_next_line(&rest, line, sizeof(line)))
		len += (size_t)sprintf(expected + len, "by uid:0 %s\n", line);
	sprintf(expected + len, "by uid:0 commit\n");
	ck_assert_str_eq(f.said, expected);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

/* The same with dry_run: the commands, and nothing is changed. */
START_TEST(a_dry_run_answers_what_would_change)
{
	const struct change *c = &changes[_i];
	char uri[256];
	struct fake f;
	struct told told;

	fake_start(&f, text);
	snprintf(uri, sizeof(uri), "%s%cdry_run=1", c->uri,
		 strchr(c->uri, '?') ? '&' : '?');
	told = fake_ask(&f, c->method, uri, c->body, NULL);
	ck_assert_msg(told.status == 200, "%u: %s", told.status,
		      text_get(&told.body));
	ck_assert(json_is_true(json_object_get(told.json, "dry_run")));
	ck_assert(json_is_array(json_object_get(told.json, "changes")));
	ck_assert_uint_eq(told.generation, 41);
	ck_assert_uint_eq(fake_generation(&f), 41);
	ck_assert_msg(strstr(f.said, "commit dry\n"), "%s", f.said);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

/* Nothing is changed by any of these. */
static const struct refusal {
	const char *method, *uri, *body;
	unsigned status;
	const char *says;
} refusals[] = {
	/* Paths and methods. */
	{"GET", "/", NULL, 404, "/openapi.json"},
	{"GET", "/lb", NULL, 404, "no-such-path"},
	{"GET", "/lb/health/", NULL, 404, "no-such-path"},
	{"GET", "/lb/backends//enable", NULL, 404, "no-such-path"},
	{"POST", "/lb/health", NULL, 405, "GET, HEAD"},
	{"GET", "/lb/backends/backend1/enable", NULL, 405, "expected POST"},
	{"POST", "/lb/backends/backend1", NULL, 405, "DELETE"},
	{"PUT", "/lb/backends/backend1/weight", "{\"weight\":1}", 405, "POST"},
	{"OPTIONS", "/lb/stats", NULL, 405, "GET, HEAD"},
	{"GET", "/lb/%zz", NULL, 400, "hexadecimal"},
	/* Queries. */
	{"GET", "/lb/health?x=1", NULL, 400, "there are none here"},
	{"GET", "/lb/backends?svc=chat", NULL, 400, "expected service"},
	{"GET", "/lb/backends?service=chat&service=web", NULL, 400, "twice"},
	{"GET", "/lb/backends?service=nope", NULL, 404, "there is chat, web"},
	{"POST", "/lb/backends/backend1/enable?dry_run=maybe", NULL, 400,
	 "expected 1 or 0"},
	{"GET", "/lb/config?format=xml", NULL, 400, "json or ini"},
	{"GET", "/lb/flows?limit=-1", NULL, 400, "whole number"},
	{"GET", "/lb/flows?limit=1000000", NULL, 400, "from 0 to 10000"},
	{"GET", "/lb/flows?after=x", NULL, 400, "whole number"},
	{"GET", "/lb/flows?age>10w", NULL, 400, "filter"},
	{"GET", "/lb/flows?colour=red", NULL, 400, "client="},
	/* Which backend. */
	{"POST", "/lb/backends/backend9/enable", NULL, 404,
	 "there are backend1, backend2, spare, spare"},
	{"POST", "/lb/backends/backend9/enable?service=web", NULL, 404,
	 "there are spare"},
	{"POST", "/lb/backends/spare/enable", NULL, 409, "chat, web"},
	{"POST", "/lb/backends/198.18.0.11:9001/enable", NULL, 409,
	 "chat, web"},
	{"DELETE", "/lb/backends/198.18.0.99:9001/remove", NULL, 404,
	 "no-such-backend"},
	{"POST", "/lb/backends/backend1/enable?service=nope", NULL, 404,
	 "no-such-service"},
	{"GET", "/lb/backends/add", NULL, 404, "no-such-backend"},
	/* Bodies. */
	{"POST", "/lb/backends/add", "{", 400, "no JSON"},
	{"POST", "/lb/backends/add", "{\"host\":\"x\",\"host\":\"y\"}", 400,
	 "duplicate"},
	{"POST", "/lb/backends/add", "{\"hots\":\"x\"}", 400,
	 "expected host, port, weight"},
	{"POST", "/lb/backends/add", "{\"service\":\"chat\"}", 400,
	 "are needed"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":\"9001\",\"service\":\"chat\"}",
	 400, "whole number"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":-1,\"service\":\"chat\"}", 400,
	 "whole number"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":70000,\"service\":\"chat\"}", 400,
	 "70000"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14:9001\",\"port\":0,\"service\":\"chat\"}", 400,
	 "198.18.0.14:9001:0"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.300\",\"port\":1,\"service\":\"chat\"}", 400,
	 "198.18.0.300"},
	{"POST", "/lb/backends/add", "{\"host\":\"198.18.0.14\",\"port\":9001}",
	 400, "which: chat, web"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.12\",\"port\":9001,\"service\":\"chat\"}", 409,
	 "exists"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":9001,\"service\":\"chat\","
	 "\"id\":\"spare\"}",
	 400, "spare"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":9001,\"service\":\"chat\","
	 "\"id\":\"x weight=9\"}",
	 400, "invalid"},
	{"POST", "/lb/backends/add",
	 "{\"host\":\"198.18.0.14\",\"port\":9001,\"service\":\"chat\","
	 "\"id\":\"x\\ncommit\"}",
	 400, "control character"},
	{"POST", "/lb/backends/backend1/weight", NULL, 400, "weight"},
	{"POST", "/lb/backends/backend1/weight", "{\"weight\":257}", 400,
	 "256"},
	{"POST", "/lb/backends/backend1/weight", "{\"weight\":1.5}", 400,
	 "whole number"},
	{"POST", "/lb/backends/backend1/weight", "[2]", 415,
	 "application/json"},
	{"POST", "/lb/backends/backend1/drain", "{\"for\":\"soon\"}", 400,
	 "soon"},
	{"POST", "/lb/backends/backend1/drain", "{\"then\":\"x\"}", 400, "x"},
	{"POST", "/lb/reload", "{\"reset\":true}", 400, "takes no body"},
	/* Commands. */
	{"POST", "/lb/commands", "", 400, "no command"},
	{"POST", "/lb/commands", "# nothing\n\n", 400, "no command"},
	{"POST", "/lb/commands", "begin\n", 400, "one transaction"},
	{"POST", "/lb/commands", "by uid:0 show\n", 400, "one transaction"},
	{"POST", "/lb/commands", "show\nstatus\n", 400, "only line"},
	{"POST", "/lb/commands", "backend disable chat backend1\nsave\n", 400,
	 "only line"},
	{"POST", "/lb/commands",
	 "backend disable chat backend1\nbackend disable chat nope\n", 404,
	 "nope"},
	{"POST", "/lb/commands", "set flows=7\n", 409, "fixed"},
	{"POST", "/lb/commands", "{\"x\":1}", 415, "text/plain"},
	/* What only the file can be blamed for. */
	{"POST", "/lb/reload", NULL, 422, "l4lb.conf:3"},
	/* Flows. */
	{"GET", "/lb/flows/x", NULL, 400, "expected its number"},
	{"GET", "/lb/flows/17", NULL, 404, "there is no flow 17"},
	{"DELETE", "/lb/flows/17", NULL, 404, "there is no flow 17"},
	{"DELETE", "/lb/flows/-1", NULL, 400, "expected its number"},
};

START_TEST(what_is_wrong_is_refused_and_nothing_changes)
{
	const struct refusal *r = &refusals[_i];
	struct fake f;
	struct told told;
	json_t *error;

	fake_start(&f, text);
	told = fake_ask(&f, r->method, r->uri, r->body, NULL);
	ck_assert_msg(told.status == r->status, "%s: %u: %s", r->uri,
		      told.status, text_get(&told.body));
	ck_assert_msg(strstr(text_get(&told.body), r->says), "%s: %s", r->uri,
		      text_get(&told.body));
	error = json_object_get(told.json, "error");
	ck_assert(json_is_string(json_object_get(error, "code")));
	ck_assert(json_is_string(json_object_get(error, "message")));
	ck_assert_int_eq(
		json_integer_value(json_object_get(error, "generation")), 41);
	ck_assert((told.status == 405) == (told.allow[0] != '\0'));
	ck_assert_uint_eq(fake_generation(&f), 41);
	ck_assert(!f.begun);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

START_TEST(if_match_is_compared_when_nobody_else_can_change_anything)
{
	static const struct {
		const char *if_match;
		unsigned status;
	} cases[] = {
		{"\"41\"", 200}, {"41", 200},	  {"W/\"41\"", 200}, {"*", 200},
		{"\"40\"", 412}, {"\"42\"", 412}, {"\"x\"", 400},    {"", 400},
		{"\"41", 400},	 {"-1", 400},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake f;
		struct told told;

		fake_start(&f, text);
		told = fake_ask(&f, "POST", "/lb/backends/backend1/disable",
				NULL, cases[i].if_match);
		ck_assert_msg(told.status == cases[i].status, "%s: %u %s",
			      cases[i].if_match, told.status,
			      text_get(&told.body));
		ck_assert_uint_eq(fake_generation(&f),
				  cases[i].status == 200 ? 42 : 41);
		ck_assert(!f.begun);
		told_free(&told);
		fake_stop(&f);
	}
}
END_TEST

START_TEST(if_match_holds_for_what_is_no_transaction_too)
{
	static const struct {
		const char *method, *uri, *body;
		unsigned status;
	} cases[] = {
		{"POST", "/lb/save", NULL, 200},
		{"POST", "/lb/stop", NULL, 202},
		{"POST", "/lb/reload", NULL, 422},
		{"POST", "/lb/commands", "generation", 200},
		{"DELETE", "/lb/flows/2", NULL, 202},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake f;
		struct told told;

		fake_start(&f, text);
		fake_open_flows(&f, 2);
		told = fake_ask(&f, cases[i].method, cases[i].uri,
				cases[i].body, "\"40\"");
		ck_assert_uint_eq(told.status, 412);
		ck_assert_str_eq(f.said, "generation\n");
		told_free(&told);
		told = fake_ask(&f, cases[i].method, cases[i].uri,
				cases[i].body, "\"41\"");
		ck_assert_msg(told.status == cases[i].status, "%s: %u",
			      cases[i].uri, told.status);
		told_free(&told);
		fake_stop(&f);
	}
}
END_TEST

START_TEST(what_l4lb_refuses_has_its_status)
{
	static const struct {
		const char *code;
		unsigned status;
	} cases[] = {
		{"invalid", 400}, {"not-found", 404}, {"exists", 409},
		{"busy", 409},	  {"no-room", 409},   {"fixed", 409},
		{"refused", 422}, {"denied", 403},    {"news", 502},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake f;
		struct told told;

		fake_start(&f, text);
		f.refuses = cases[i].code;
		told = fake_ask(&f, "POST", "/lb/backends/backend1/disable",
				NULL, NULL);
		ck_assert_uint_eq(told.status, cases[i].status);
		ck_assert_msg(strstr(text_get(&told.body), "does not like it"),
			      "%s", text_get(&told.body));
		told_free(&told);
		fake_stop(&f);
	}
}
END_TEST

/* The board shows the generation at once, and the rows when it comes to them.
 */
START_TEST(a_change_answers_with_what_is_true_after_it)
{
	struct fake f;
	struct told told;

	fake_start(&f, text);
	f.lags = true;
	told = fake_ask(&f, "POST", "/lb/backends/backend1/disable", NULL,
			NULL);
	ck_assert_msg(strstr(text_get(&told.body), "\"admin\":\"disabled\""),
		      "%s", text_get(&told.body));
	told_free(&told);
	fake_stop(&f);
}
END_TEST

START_TEST(a_change_of_others_that_is_open_is_busy)
{
	struct fake f;
	struct told told;

	fake_start(&f, text);
	f.never_ours = true;
	told = fake_ask(&f, "POST", "/lb/backends/backend1/disable", NULL,
			NULL);
	ck_assert_uint_eq(told.status, 409);
	ck_assert_msg(strstr(text_get(&told.body), "\"busy\""), "%s",
		      text_get(&told.body));
	told_free(&told);
	fake_stop(&f);
}
END_TEST

START_TEST(an_l4lb_that_is_silent_is_503)
{
	struct fake f;
	struct told told;

	fake_start(&f, text);
	f.silent = true;
	told = fake_ask(&f, "POST", "/lb/backends/backend1/disable", NULL,
			NULL);
	ck_assert_uint_eq(told.status, 503);
	told_free(&told);
	/* And when it speaks again, nothing of before is taken for an answer.
	 */
	mtx_lock(&f.lock);
	f.silent = false;
	mtx_unlock(&f.lock);
	told = fake_ask(&f, "POST", "/lb/backends/backend2/disable", NULL,
			NULL);
	ck_assert_uint_eq(told.status, 200);
	ck_assert_uint_eq(fake_generation(&f), 42);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_change_is_a_transaction_and_answers_with_the_object,
		 ARRAY_LEN(changes)},
		{a_dry_run_answers_what_would_change, ARRAY_LEN(changes)},
		{what_is_wrong_is_refused_and_nothing_changes,
		 ARRAY_LEN(refusals)},
		{if_match_is_compared_when_nobody_else_can_change_anything, 0},
		{if_match_holds_for_what_is_no_transaction_too, 0},
		{what_l4lb_refuses_has_its_status, 0},
		{a_change_answers_with_what_is_true_after_it, 0},
		{a_change_of_others_that_is_open_is_busy, 0},
		{an_l4lb_that_is_silent_is_503, 0},
	};

	return unit_run("changes", tests, ARRAY_LEN(tests));
}
