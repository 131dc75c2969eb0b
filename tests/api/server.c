/* SPDX-License-Identifier: MIT */
/*
 * server.c - HTTP as clients of all kinds speak it, over real sockets
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/patience.h"
#include "api/server.h"
#include "clock.h"
#include "core/time.h"
#include "fake.h"
#include "unit.h"

static const char text[] = "[service chat]\n"
			   "listen = 198.18.0.1:20000\n"
			   "backend = 198.18.0.11:9001\n";

struct place {
	struct fake fake;
	struct server *local, *tcp;
	int local_fd, tcp_fd;
	struct sockaddr_un local_at;
	struct sockaddr_in tcp_at;
};

static void place_open_with(struct place *p, const char *config)
{
	socklen_t len = sizeof(p->tcp_at);
	struct err err;

	fake_start(&p->fake, config);
	p->fake.auth.uid = getuid();
	p->local_at = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(p->local_at.sun_path + 1, sizeof(p->local_at.sun_path) - 1,
		 "l4lb-test-server-%d", getpid());
	p->tcp_at =
		(struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	p->local_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	p->tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(
		bind(p->local_fd, (void *)&p->local_at, sizeof(p->local_at)),
		0);
	ck_assert_int_eq(bind(p->tcp_fd, (void *)&p->tcp_at, len), 0);
	ck_assert_int_eq(getsockname(p->tcp_fd, (void *)&p->tcp_at, &len), 0);
	ck_assert_int_eq(listen(p->local_fd, 128), 0);
	ck_assert_int_eq(listen(p->tcp_fd, 128), 0);
	ck_assert_msg(!server_start(&p->local, &p->fake.api, &p->fake.auth,
				    p->local_fd, true, &err),
		      "%s", err.text);
	ck_assert_msg(!server_start(&p->tcp, &p->fake.api, &p->fake.auth,
				    p->tcp_fd, false, &err),
		      "%s", err.text);
}

static void place_open(struct place *p)
{
	place_open_with(p, text);
}

static void place_close(struct place *p)
{
	server_stop(p->local);
	server_stop(p->tcp);
	close(p->local_fd);
	close(p->tcp_fd);
	fake_stop(&p->fake);
}

static int connect_local(const struct place *p)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(
		connect(fd, (const void *)&p->local_at, sizeof(p->local_at)),
		0);
	return fd;
}

static int connect_tcp(const struct place *p)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(
		connect(fd, (const void *)&p->tcp_at, sizeof(p->tcp_at)), 0);
	return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

/* All until the server closes; each wait is at most half a minute. */
static void hear(int fd, struct text *out)
{
	char bytes[16384];
	struct pollfd fds = {.fd = fd, .events = POLLIN};
	ssize_t n;

	while (poll(&fds, 1, 30000) == 1 &&
	       (n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		text_put(out, bytes, (size_t)n);
}

/* One request on one connection. */
static void visit(const struct place *p, const char *request, size_t len,
		  struct text *out)
{
	int fd = connect_local(p);

	say(fd, request, len);
	hear(fd, out);
	close(fd);
}

#define HEAD_END " HTTP/1.1\r\nHost: l4lb\r\nConnection: close\r\n"

START_TEST(a_reply_has_the_headers_that_it_should)
{
	static const char *const headers[] = {
		"HTTP/1.1 200 OK\r\n",
		"\r\nContent-Type: application/json\r\n",
		"\r\nETag: \"41\"\r\n",
		"\r\nCache-Control: no-store\r\n",
		"\r\nX-Content-Type-Options: nosniff\r\n",
		"\r\n\r\n{\"status\":\"healthy\"",
	};
	static const char request[] = "GET /lb/health" HEAD_END "\r\n";
	struct text reply = {0};
	struct place p;

	place_open(&p);
	visit(&p, request, strlen(request), &reply);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		ck_assert_msg(strstr(text_get(&reply), headers[i]), "%s: %s",
			      headers[i], text_get(&reply));
	text_free(&reply);
	place_close(&p);
}
END_TEST

START_TEST(a_head_is_a_get_without_its_body)
{
	static const char request[] = "HEAD /lb/backends" HEAD_END "\r\n";
	struct text reply = {0};
	struct place p;

	place_open(&p);
	visit(&p, request, strlen(request), &reply);
	ck_assert_ptr_nonnull(strstr(text_get(&reply), " 200 OK"));
	ck_assert_str_eq(strstr(text_get(&reply), "\r\n\r\n"), "\r\n\r\n");
	ck_assert_uint_eq(p.fake.api.replies[200], 1);
	text_free(&reply);
	place_close(&p);
}
END_TEST

/* @n bytes of blanks, which are no command. */
static unsigned send_body(const struct place *p, size_t n, bool chunked)
{
	struct text request = {0}, reply = {0};
	unsigned status = 0;

	text_add(&request,
		 "POST /lb/commands" HEAD_END "Content-Type: text/plain\r\n");
	if (chunked)
		text_add(&request, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
			 n);
	else
		text_add(&request, "Content-Length: %zu\r\n\r\n", n);
	for (size_t i = 0; i < n; i++)
		text_put(&request, " ", 1);
	if (chunked)
		text_add(&request, "\r\n0\r\n\r\n");
	visit(p, request.bytes, request.len, &reply);
	(void)sscanf(text_get(&reply), "HTTP/1.1 %u", &status);
	text_free(&request);
	text_free(&reply);
	return status;
}

START_TEST(a_body_may_have_64_kib)
{
	struct place p;

	place_open(&p);
	for (int chunked = 0; chunked < 2; chunked++) {
		ck_assert_uint_eq(send_body(&p, HTTP_BODY_MAX, chunked), 400);
		ck_assert_uint_eq(send_body(&p, HTTP_BODY_MAX + 1, chunked),
				  413);
		ck_assert_uint_eq(send_body(&p, 500000, chunked), 413);
	}
	ck_assert_uint_eq(p.fake.api.replies[413], 4);
	place_close(&p);
}
END_TEST

START_TEST(who_waits_for_100_is_not_made_to_send_what_is_refused)
{
	static const char request[] =
		"POST /lb/nothing" HEAD_END
		"Content-Length: 50\r\nExpect: 100-continue\r\n\r\n";
	struct text reply = {0};
	struct place p;

	place_open(&p);
	visit(&p, request, strlen(request), &reply);
	ck_assert_msg(strncmp(text_get(&reply), "HTTP/1.1 404 ", 13) == 0, "%s",
		      text_get(&reply));
	text_free(&reply);
	place_close(&p);
}
END_TEST

START_TEST(requests_may_follow_each_other_at_once)
{
	static const char requests[] =
		"GET /lb/health HTTP/1.1\r\nHost: x\r\n\r\n"
		"POST /lb/commands HTTP/1.1\r\nHost: x\r\n"
		"Content-Length: 10\r\n\r\ngeneration"
		"DELETE /lb/backends/backend1?dry_run=1" HEAD_END "\r\n";
	struct text reply = {0};
	unsigned n = 0;
	struct place p;

	place_open(&p);
	visit(&p, requests, strlen(requests), &reply);
	for (const char *at = text_get(&reply);
	     (at = strstr(at, "HTTP/1.1 200 OK")); at++)
		n++;
	ck_assert_msg(n == 3, "%s", text_get(&reply));
	ck_assert_ptr_nonnull(strstr(text_get(&reply), "backend remove chat"));
	text_free(&reply);
	place_close(&p);
}
END_TEST

START_TEST(a_compressed_body_is_refused)
{
	static const char request[] =
		"POST /lb/commands" HEAD_END
		"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nshow";
	struct text reply = {0};
	struct place p;

	place_open(&p);
	visit(&p, request, strlen(request), &reply);
	ck_assert_msg(strncmp(text_get(&reply), "HTTP/1.1 415 ", 13) == 0, "%s",
		      text_get(&reply));
	text_free(&reply);
	place_close(&p);
}
END_TEST

/* Nothing of it is answered with 200, and the server goes on. */
static const char *const garbage[] = {
	"\r\n\r\n\r\n",
	"GET\r\n\r\n",
	"GET /lb/health\r\n\r\n",
	"GET /lb/health HTTP/9.9\r\n\r\n",
	"GET lb/health HTTP/1.1\r\nHost: x\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"POST /lb/save HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
	"POST /lb/save HTTP/1.1\r\nHost: x\r\n"
	"Content-Length: 99999999999999999999\r\n\r\n",
	"POST /lb/commands HTTP/1.1\r\nHost: x\r\n"
	"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
};

START_TEST(what_is_no_http_is_refused)
{
	static const char request[] = "GET /lb/health" HEAD_END "\r\n";
	struct text reply = {0};
	struct place p;
	int fd;

	place_open(&p);
	fd = connect_local(&p);
	say(fd, garbage[_i], strlen(garbage[_i]));
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	hear(fd, &reply);
	ck_assert_msg(!strstr(text_get(&reply), " 200 OK"), "%s",
		      text_get(&reply));
	close(fd);
	text_free(&reply);
	visit(&p, request, strlen(request), &reply);
	ck_assert_ptr_nonnull(strstr(text_get(&reply), " 200 OK"));
	ck_assert_uint_eq(fake_generation(&p.fake), 41);
	text_free(&reply);
	place_close(&p);
}
END_TEST

START_TEST(whoever_fills_the_tcp_port_does_not_shut_the_unix_socket)
{
	static const char request[] = "GET /lb/health" HEAD_END "\r\n";
	int silent[SERVER_CONNECTIONS + 8];
	struct text reply = {0};
	struct place p;

	place_open(&p);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
		silent[i] = connect_tcp(&p);
		say(silent[i], request, i % 20);
	}
	visit(&p, request, strlen(request), &reply);
	ck_assert_ptr_nonnull(strstr(text_get(&reply), " 200 OK"));
	text_free(&reply);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++)
		close(silent[i]);
	place_close(&p);
}
END_TEST

START_TEST(by_tcp_the_host_and_the_token_are_asked_for)
{
	static const struct {
		const char *request, *status;
	} cases[] = {
		{"GET /lb/health HTTP/1.1\r\nHost: localhost\r\n", "200"},
		{"GET /lb/health HTTP/1.1\r\nHost: evil\r\n", "421"},
		{"GET /lb/health HTTP/1.0\r\n", "421"},
		{"POST /lb/save HTTP/1.1\r\nHost: localhost\r\n", "401"},
		{"POST /lb/save HTTP/1.1\r\nHost: localhost\r\n"
		 "Authorization: Bearer token\r\n",
		 "200"},
	};
	struct place p;

	place_open(&p);
	p.fake.auth.token = "token";
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct text reply = {0}, request = {0};
		int fd = connect_tcp(&p);

		text_add(&request, "%sConnection: close\r\n\r\n",
			 cases[i].request);
		say(fd, request.bytes, request.len);
		hear(fd, &reply);
		ck_assert_msg(reply.len > 12 &&
				      strncmp(reply.bytes + 9, cases[i].status,
					      3) == 0,
			      "%s: %s", cases[i].request, text_get(&reply));
		close(fd);
		text_free(&request);
		text_free(&reply);
	}
	ck_assert_msg(strstr(p.fake.said, "by token@127.0.0.1 save\n"), "%s",
		      p.fake.said);
	place_close(&p);
}
END_TEST

START_TEST(who_goes_in_the_middle_of_a_stream_leaves_nothing)
{
	static const char request[] = "GET /lb/flows?stream=1" HEAD_END "\r\n";
	struct place p;

	place_open(&p);
	for (int i = 0; i < 20; i++) {
		int fd = connect_local(&p);

		say(fd, request, strlen(request));
		close(fd);
	}
	place_close(&p);
}
END_TEST

START_TEST(who_does_not_read_has_not_all_of_the_memory)
{
	static const char big[] = "GET /metrics" HEAD_END "\r\n";
	static const char small[] = "GET /lb/health" HEAD_END "\r\n";
	struct text config = {0}, reply = {0};
	char first;
	struct place p;
	int fd;

	text_add(&config, "[service chat]\nlisten = 198.18.0.1:20000\n");
	for (int i = 0; i < 100; i++)
		text_add(&config, "backend = 198.18.0.11:%d\n", 9001 + i);
	place_open_with(&p, text_get(&config));
	server_set_room(p.local, 1 << 19);
	/* More than the room, but the only one; and than a socket takes. */
	fd = connect_local(&p);
	say(fd, big, strlen(big));
	ck_assert_int_eq(recv(fd, &first, 1, 0), 1);
	visit(&p, big, strlen(big), &reply);
	ck_assert_ptr_nonnull(strstr(text_get(&reply), "HTTP/1.1 503 "));
	ck_assert_ptr_nonnull(strstr(text_get(&reply), "application/json"));
	ck_assert_ptr_nonnull(strstr(text_get(&reply), "\"code\":\"busy\""));
	ck_assert_uint_eq(p.fake.api.replies[503], 1);
	ck_assert_uint_eq(p.fake.api.replies[200], 1);
	text_free(&reply);
	visit(&p, small, strlen(small), &reply);
	ck_assert_ptr_nonnull(strstr(text_get(&reply), " 200 OK"));
	text_free(&reply);
	hear(fd, &reply);
	ck_assert_uint_gt(reply.len, 1 << 19);
	close(fd);
	/* It is freed after the last byte: perhaps not yet. */
	do {
		text_free(&reply);
		visit(&p, big, strlen(big), &reply);
	} while (strstr(text_get(&reply), "HTTP/1.1 503 "));
	ck_assert_uint_gt(reply.len, 1 << 19);
	text_free(&reply);
	text_free(&config);
	place_close(&p);
}
END_TEST

/* ------------------------------------------------------------------ patience
 */

static bool is_shut(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

START_TEST(who_takes_too_long_is_shut_out)
{
	struct patience p;
	int a[2], b[2];

	patience_init(&p);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	patience_begin(&p, a[0], 1 * NS_PER_S);
	patience_begin(&p, b[0], 1 * NS_PER_S);
	patience_tick(&p, 30, 31 * NS_PER_S);
	ck_assert(!is_shut(a[1]) && !is_shut(b[1]));
	patience_end(&p, b[0]);
	patience_tick(&p, 30, 31 * NS_PER_S + 1);
	ck_assert(is_shut(a[1]) && !is_shut(b[1]));
	/* The next request of a connection has a time of its own. */
	patience_begin(&p, b[0], 100 * NS_PER_S);
	patience_tick(&p, 30, 130 * NS_PER_S);
	ck_assert(!is_shut(b[1]));
	patience_tick(&p, 30, 131 * NS_PER_S);
	ck_assert(is_shut(b[1]));
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	patience_free(&p);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_reply_has_the_headers_that_it_should, 0},
		{a_head_is_a_get_without_its_body, 0},
		{a_body_may_have_64_kib, 0},
		{who_waits_for_100_is_not_made_to_send_what_is_refused, 0},
		{requests_may_follow_each_other_at_once, 0},
		{a_compressed_body_is_refused, 0},
		{what_is_no_http_is_refused, ARRAY_LEN(garbage)},
		{whoever_fills_the_tcp_port_does_not_shut_the_unix_socket, 0},
		{by_tcp_the_host_and_the_token_are_asked_for, 0},
		{who_goes_in_the_middle_of_a_stream_leaves_nothing, 0},
		{who_does_not_read_has_not_all_of_the_memory, 0},
		{who_takes_too_long_is_shut_out, 0},
	};

	return unit_run("server", tests, ARRAY_LEN(tests));
}
