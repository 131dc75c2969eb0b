/* SPDX-License-Identifier: MIT */
/*
 * config_api.c - the keys of l4lb-api: what they take, and what contradicts
 * what
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(*(array))))

/* Lines 1 to 4; the keys of a test begin on line 5. */
#define CHAT                                            \
	"[service chat]\n"                              \
	"listen = 10.0.0.1:80\nbackend = 10.0.0.2:80\n" \
	"[global]\n"

static struct config parse_ok(const char *keys)
{
	char text[2048];
	struct config c;
	struct err err;

	snprintf(text, sizeof(text), CHAT "%s", keys);
	if (config_parse(&c, "t.conf", text, &err))
		ck_abort_msg("refused: %s", err.text);
	return c;
}

static const struct {
	const char *keys, *sentence;
} refused[] = {
	{"api = 9090\n", "t.conf:5: api \"9090\": expected ADDRESS:PORT"},
	{"api = on\n", "or off"},
	{"api = 127.0.0.1:0\n", "t.conf:5: api"},
	{"api = 0.0.0.0:65536\n", "t.conf:5: api"},
	{"api = 0.0.0.1:80\n", "is not the address of one host"},
	{"api = [::1]:80\n", "IPv6 is not built yet"},
	{"api = 10.0.0.1:80\n",
	 "api \"10.0.0.1:80\": service \"chat\" listens there; choose another "
	 "port"},
	{"api = 0.0.0.0:80\n", "service \"chat\" listens there"},
	{"api_socket = chat.sock\n",
	 "expected a path that begins with /, for example "
	 "/run/l4lb/chat.sock, or none"},
	{"api_socket = /run/l4lb/\n", "that is a folder"},
	{"api_token_file =\n", "t.conf:5: api_token_file"},
	{"api_read = yes\n", "expected auto, open or token"},
	{"api_writes = maybe\n", "expected yes or no"},
	{"api_host = a b, c!\n", "\"c!\" is no host name"},
	{"api_host = a,,b\n", "t.conf:5: api_host"},
	{"api_host = http://lb\n", "is no host name"},
	{"flow_log = flows.log\n", "a path that begins with /"},
	{"flow_log_format = xml\n", "expected text or json"},
	{"journal = 65535\n", "expected a power of two from 1024 to 1048576"},
	{"journal = 512\n", "a power of two"},
	{"journal = 2097152\n", "a power of two"},
	{"journal = 0\n", "a power of two"},
	{"api = 10.0.0.9:9090\napi_token_file = none\n",
	 "can be reached from other hosts, so api_token_file = none is not "
	 "allowed"},
	{"api = 0.0.0.0:9090\napi_token_file = none\n",
	 "can be reached from other hosts"},
	{"api = 127.0.0.1:9090\napi_token_file = none\napi_read = token\n",
	 "there would be no token"},
	{"state = /tmp/a\nflow_log = /tmp/a\n",
	 "state and flow_log are both \"/tmp/a\"; expected two paths"},
	{"control = /tmp/a\napi_socket = /tmp/a\n",
	 "control and api_socket are both \"/tmp/a\""},
	{"control = /run/l4lb/80.sock\n",
	 "control and api_socket are both \"/run/l4lb/80.sock\""},
};

START_TEST(refuses)
{
	char text[2048];
	struct config c;
	struct err err;

	snprintf(text, sizeof(text), CHAT "%s", refused[_i].keys);
	ck_assert_int_eq(config_parse(&c, "t.conf", text, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, refused[_i].sentence) != NULL,
		      "\"%s\": expected ...%s..., got: %s", refused[_i].keys,
		      refused[_i].sentence, err.text);
}
END_TEST

START_TEST(defaults)
{
	struct config c = parse_ok("name = pi\n");

	ck_assert(!c.api.has_tcp);
	ck_assert_str_eq(c.api.socket, "/run/l4lb/pi.sock");
	ck_assert_str_eq(c.api.token_file, "/etc/l4lb/token");
	ck_assert(c.api.writes);
	ck_assert_str_eq(c.api.hosts, "");
	ck_assert_str_eq(c.api.flow_log, "");
	ck_assert(!c.api.flow_log_json);
	ck_assert_uint_eq(c.api.journal, 65536);
	ck_assert(api_config_is_used(&c.api));
	config_free(&c);
}
END_TEST

START_TEST(stores_all)
{
	struct config c = parse_ok("api = 0.0.0.0:9090\n"
				   "api_socket = /tmp/a.sock\n"
				   "api_token_file = /tmp/token\n"
				   "api_read = open\n"
				   "api_writes = no\n"
				   "api_host = lb, lb.example.org\n"
				   "flow_log = /tmp/flows\n"
				   "flow_log_format = json\n"
				   "journal = 1024\n");
	char text[ENDPOINT_TEXT_MAX];

	ck_assert(c.api.has_tcp);
	ck_assert_str_eq(endpoint_format(&c.api.tcp, text), "0.0.0.0:9090");
	ck_assert_str_eq(c.api.socket, "/tmp/a.sock");
	ck_assert_str_eq(c.api.token_file, "/tmp/token");
	ck_assert_int_eq(c.api.read, API_READ_OPEN);
	ck_assert(!c.api.writes);
	ck_assert_str_eq(c.api.hosts, "lb,lb.example.org");
	ck_assert_str_eq(c.api.flow_log, "/tmp/flows");
	ck_assert(c.api.flow_log_json);
	ck_assert_uint_eq(c.api.journal, 1024);
	config_free(&c);
}
END_TEST

/* Several names of the greatest length fit, and more are no overflow. */
START_TEST(many_names)
{
	char keys[2048] = "api_host = ", label[64], text[2200];
	struct config c;
	struct err err;

	memset(label, 'a', 63);
	label[63] = 0;
	for (int n = 0; n < 16; n++)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys),
			 "%s%s", n ? "," : "", label);
	strcat(keys, "\n");
	c = parse_ok(keys);
	ck_assert_uint_eq(strlen(c.api.hosts), 16 * 64 - 1);
	config_free(&c);
	keys[strlen(keys) - 1] = ',';
	snprintf(text, sizeof(text), CHAT "%s%s\n", keys, label);
	ck_assert_int_eq(config_parse(&c, "t.conf", text, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 1024 bytes"));
}
END_TEST

START_TEST(who_may_read)
{
	static const struct {
		const char *keys;
		bool token, is_free;
	} rows[] = {
		{"api = 127.0.0.1:9\n", false, false},
		{"api = 127.0.0.1:9\napi_read = token\n", true, false},
		{"api = 127.0.0.1:9\napi_token_file = none\n", false, true},
		{"api = 10.0.0.9:9\n", true, false},
		{"api = 0.0.0.0:9\n", true, false},
		{"api = 10.0.0.9:9\napi_read = open\n", false, false},
	};
	struct config c = parse_ok(rows[_i].keys);

	ck_assert_int_eq(api_config_read_needs_token(&c.api), rows[_i].token);
	ck_assert_int_eq(api_config_is_free(&c.api), rows[_i].is_free);
	config_free(&c);
}
END_TEST

START_TEST(may_be_unused)
{
	struct config c = parse_ok("api_socket = none\n");

	ck_assert_str_eq(c.api.socket, "");
	ck_assert(!api_config_is_used(&c.api));
	config_free(&c);
	c = parse_ok("api_socket = none\nflow_log = /tmp/flows\n");
	ck_assert(api_config_is_used(&c.api));
	config_free(&c);
}
END_TEST

/* A service that is added while l4lb runs. */
START_TEST(no_service_on_its_address)
{
	struct config c = parse_ok("api = 10.0.0.9:9090\n");
	struct endpoint at = c.api.tcp;
	struct service_config *s;
	struct err err;

	ck_assert_int_eq(config_add_service(&c, "web", &s, &err), 0);
	ck_assert_int_eq(config_set_listen(&c, s, &at, &err), -EINVAL);
	ck_assert_str_eq(err.text, "the API listens there, see api = "
				   "10.0.0.9:9090; choose another port");
	at.port = htons(9091);
	ck_assert_int_eq(config_set_listen(&c, s, &at, &err), 0);
	config_free(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_api");
	TCase *t = tcase_create("config_api");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, refuses, 0, COUNT_OF(refused));
	tcase_add_test(t, defaults);
	tcase_add_test(t, stores_all);
	tcase_add_test(t, many_names);
	tcase_add_loop_test(t, who_may_read, 0, 6);
	tcase_add_test(t, may_be_unused);
	tcase_add_test(t, no_service_on_its_address);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
