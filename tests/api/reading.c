/* SPDX-License-Identifier: MIT */
/*
 * reading.c - what is told without asking l4lb, and the configuration that is
 * asked
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

/* ------------------------------------------------------------------- reading
 */

START_TEST(backends_are_a_top_level_array)
{
	struct fake f;
	struct told told;

	fake_start(&f, text);
	told = fake_ask(&f, "GET", "/lb/backends", NULL, NULL);
	ck_assert_uint_eq(json_array_size(told.json), 4);
	ck_assert_str_eq(json_string_value(json_object_get(
				 json_array_get(told.json, 2), "id")),
			 "spare");
	ck_assert_uint_eq(told.generation, 41);
	told_free(&told);
	told = fake_ask(&f, "GET", "/lb/backends?service=web", NULL, NULL);
	ck_assert_uint_eq(json_array_size(told.json), 1);
	told_free(&told);
	told = fake_ask(&f, "HEAD", "/lb/backends/backend1", NULL, NULL);
	ck_assert_int_eq(json_integer_value(json_object_get(told.json, "port")),
			 9001);
	ck_assert_str_eq(f.said, "");
	told_free(&told);
	fake_stop(&f);
}
END_TEST

START_TEST(health_and_stats_have_the_keys_that_others_have)
{
	static const char *const keys[] = {
		"load_balancer",
		"total_requests",
		"successful_requests",
		"failed_requests",
		"success_rate",
		"average_response_time",
		"circuit_breaker",
		"rate_limiter",
		"backends",
		"pending_requests",
		"generation",
		"services",
		"flows",
		"drops",
		"ports",
		"rings",
		"journal",
	};
	struct fake f;
	struct told told;

	fake_start(&f, text);
	told = fake_ask(&f, "GET", "/lb/health", NULL, NULL);
	ck_assert_uint_eq(told.status, 200);
	ck_assert_str_eq(
		json_string_value(json_object_get(told.json, "status")),
		"healthy");
	ck_assert_int_eq(json_integer_value(
				 json_object_get(told.json, "total_backends")),
			 4);
	told_free(&told);
	told = fake_ask(&f, "GET", "/lb/stats", NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		ck_assert_msg(json_object_get(told.json, keys[i]), "%s: %s",
			      keys[i], text_get(&told.body));
	ck_assert_str_eq(
		json_string_value(json_object_get(told.json, "load_balancer")),
		"WeightedRoundRobinBalancer");
	told_free(&told);
	fake_stop(&f);
}
END_TEST

START_TEST(the_configuration_says_where_each_value_comes_from)
{
	static const struct {
		const char *key, *value, *from;
	} expected[] = {
		{"scheduler", "wrr", "file"},
		{"listen", "198.18.0.1:20000", "file"},
		{"retries", "1", "runtime"},
		{"rise", NULL, "default"},
		{"check", NULL, "default"},
	};
	json_t *services, *chat, *backends;
	struct fake f;
	struct told told;

	fake_start(&f, text);
	told = fake_ask(&f, "POST", "/lb/commands",
			"service set chat retries=1\n"
			"backend set chat backend1 weight=9\n"
			"backend add chat 198.18.0.14:9001\n",
			NULL);
	ck_assert_msg(told.status == 200, "%s", text_get(&told.body));
	told_free(&told);
	told = fake_ask(&f, "GET", "/lb/config", NULL, NULL);
	ck_assert_msg(told.status == 200, "%s", text_get(&told.body));
	services = json_object_get(told.json, "services");
	ck_assert_uint_eq(json_array_size(services), 2);
	chat = json_array_get(services, 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		const json_t *v = json_object_get(chat, expected[i].key);

		ck_assert_msg(v, "%s", expected[i].key);
		if (expected[i].value)
			ck_assert_str_eq(
				json_string_value(json_object_get(v, "value")),
				expected[i].value);
		ck_assert_str_eq(json_string_value(json_object_get(v, "from")),
				 expected[i].from);
	}
	backends = json_object_get(chat, "backends");
	ck_assert_uint_eq(json_array_size(backends), 4);
	ck_assert_str_eq(
		json_string_value(json_object_get(
			json_object_get(json_array_get(backends, 0), "weight"),
			"from")),
		"runtime");
	ck_assert_str_eq(json_string_value(json_object_get(
				 json_array_get(backends, 3), "from")),
			 "runtime");
	told_free(&told);

	told = fake_ask(&f, "GET", "/lb/diff", NULL, NULL);
	ck_assert_uint_eq(
		json_array_size(json_object_get(told.json, "changes")), 3);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

/* What format=ini prints, read again, is what runs. */
START_TEST(the_printed_file_is_read_back_to_the_same)
{
	struct config again;
	struct fake f;
	struct told told;
	struct err err;

	fake_start(&f, text);
	told = fake_ask(&f, "POST", "/lb/commands",
			"service set web check='expect \"it is OK\"' "
			"source=198.18.0.1,198.18.0.2\n"
			"set idle_timeout=3h\n",
			NULL);
	ck_assert_uint_eq(told.status, 200);
	told_free(&told);
	told = fake_ask(&f, "GET", "/lb/config?format=ini", NULL, NULL);
	ck_assert_msg(
		config_parse(&again, "again", text_get(&told.body), &err) == 0,
		"%s\n%s", err.text, text_get(&told.body));
	ck_assert_uint_eq(again.timeouts.established, 3 * 3600);
	ck_assert_uint_eq(again.n_services, 2);
	ck_assert_uint_eq(again.services[1].n_sources, 2);
	ck_assert_int_eq(memcmp(&again.services[1].params.check,
				&f.running.services[1].params.check,
				sizeof(struct check_spec)),
			 0);
	ck_assert_uint_eq(again.services[0].backends[0].params.weight, 3);
	ck_assert_str_eq(again.services[0].backends[2].id, "spare");
	config_free(&again);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

/* --------------------------------------------------------------------- flows
 */

START_TEST(flows_come_in_pages_and_each_of_them_once)
{
	bool seen[21] = {false};
	unsigned n = 0;
	char uri[64] = "/lb/flows?limit=7";
	struct fake f;

	fake_start(&f, text);
	fake_open_flows(&f, 20);
	while (*uri) {
		struct told told = fake_ask(&f, "GET", uri, NULL, NULL);
		json_t *next = json_object_get(told.json, "next"), *flow;
		size_t i;

		json_array_foreach(json_object_get(told.json, "flows"), i, flow)
		{
			const json_int_t id =
				json_integer_value(json_object_get(flow, "id"));

			ck_assert(id >= 1 && id <= 20 && !seen[id]);
			seen[id] = true;
			n++;
		}
		if (json_is_null(next))
			uri[0] = '\0';
		else
			snprintf(uri, sizeof(uri), "/lb/flows?limit=7&after=%d",
				 (int)json_integer_value(next));
		told_free(&told);
	}
	ck_assert_uint_eq(n, 20);
	fake_stop(&f);
}
END_TEST

START_TEST(a_flow_is_shown_with_all_that_is_known_of_it)
{
	static const struct {
		const char *key, *value;
	} expected[] = {
		{"service", "chat"},
		{"client", "203.0.113.9:4001"},
		{"vip", "198.18.0.1:20000"},
		{"nat", "198.18.0.1:10241"},
		{"backend", "198.18.0.12:9001"},
		{"backend_id", "backend2"},
		{"state", "SYN_SENT"},
	};
	struct journal_record record = {
		.kind = JOURNAL_OPENED, .id = 2, .service = 0, .backend = 1};
	struct fake f;
	struct told told;

	fake_start(&f, text);
	fake_open_flows(&f, 4);
	record.flow.backend = fake_endpoint("198.18.0.12", 9001);
	journal_write(f.journal, &record);
	record.id = 3;
	journal_write(f.journal, &record);
	told = fake_ask(&f, "GET", "/lb/flows/2", NULL, NULL);
	ck_assert_msg(told.status == 200, "%s", text_get(&told.body));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		ck_assert_str_eq(json_string_value(json_object_get(
					 told.json, expected[i].key)),
				 expected[i].value);
	ck_assert(json_real_value(json_object_get(told.json, "handshake_ms")) ==
		  0.41);
	ck_assert(json_is_null(json_object_get(told.json, "first_byte_ms")));
	ck_assert_uint_eq(json_array_size(json_object_get(told.json, "events")),
			  1);
	told_free(&told);
	told = fake_ask(&f, "DELETE", "/lb/flows/2", NULL, NULL);
	ck_assert_uint_eq(told.status, 202);
	ck_assert_str_eq(f.said, "by uid:0 flow kill 2\n");
	told_free(&told);
	fake_stop(&f);
}
END_TEST

START_TEST(a_stream_has_a_line_for_each_flow_that_matches)
{
	unsigned lines = 0;
	struct fake f;
	struct told told;

	fake_start(&f, text);
	fake_open_flows(&f, 20);
	told = fake_ask(&f, "GET", "/lb/flows?stream=1&backend=backend2", NULL,
			NULL);
	for (const char *at = text_get(&told.body), *end;
	     (end = strchr(at, '\n')); at = end + 1) {
		json_t *flow = json_loadb(at, (size_t)(end - at), 0, NULL);

		ck_assert_str_eq(
			json_string_value(json_object_get(flow, "backend_id")),
			"backend2");
		json_decref(flow);
		lines++;
	}
	ck_assert_uint_eq(lines, 10);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

/* ------------------------------------------------------------------- openapi
 */

START_TEST(openapi_has_every_route_and_no_other)
{
	static const char *const verbs[METHODS] = {"get", "post", "delete"};
	unsigned routes = 0, described = 0;
	json_t *paths, *path, *method;
	const char *pattern, *verb;
	struct fake f;
	struct told told;

	fake_start(&f, text);
	told = fake_ask(&f, "GET", "/openapi.json", NULL, NULL);
	paths = json_object_get(told.json, "paths");
	for (const struct route *const *t = route_tables; *t; t++)
		for (const struct route *r = *t; r->handle; r++, routes++) {
			method = json_object_get(
				json_object_get(paths, r->pattern),
				verbs[r->method]);
			ck_assert_msg(method, "%s %s", verbs[r->method],
				      r->pattern);
			ck_assert_msg(r->summary, "%s", r->pattern);
			ck_assert((json_object_get(method, "requestBody") !=
				   NULL) ==
				  (r->fields || r->flags & ROUTE_TEXT));
		}
	json_object_foreach(paths, pattern, path)
		json_object_foreach(path, verb, method) described++;
	ck_assert_uint_eq(described, routes);
	told_free(&told);
	fake_stop(&f);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{backends_are_a_top_level_array, 0},
		{health_and_stats_have_the_keys_that_others_have, 0},
		{the_configuration_says_where_each_value_comes_from, 0},
		{the_printed_file_is_read_back_to_the_same, 0},
		{flows_come_in_pages_and_each_of_them_once, 0},
		{a_flow_is_shown_with_all_that_is_known_of_it, 0},
		{a_stream_has_a_line_for_each_flow_that_matches, 0},
		{openapi_has_every_route_and_no_other, 0},
	};

	return unit_run("reading", tests, ARRAY_LEN(tests));
}
