/* SPDX-License-Identifier: MIT */
/*
 * probe.c - checks of real servers on the loopback interface
 *
 * The test is the server too: it accepts, reads and answers between two calls
 * of probe_read(), so every order of events is chosen here and nothing waits
 * for time, which is an argument. Only the last test has a server of its own,
 * a thread, and many probes at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/probe.h"
#include "unit.h"

#define MS	1000000ull
#define T0	(1000000 * MS)
#define TIMEOUT (500 * MS)
#define WAIT_MS 10000 /* for what must happen; then the test has failed */
#define NAT_LO	10240
#define NAT_HI	32767

static const struct ip_addr loopback = {
	.b = {[10] = 0xff, 0xff, 127, 0, 0, 1},
};

/* ------------------------------------------------------------ the server */

static struct endpoint endpoint_of(int fd)
{
	struct sockaddr_in sa = {0};
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return (struct endpoint){.addr = loopback, .port = sa.sin_port};
}

static int bound_socket(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int listen_anywhere(struct endpoint *at)
{
	int fd = bound_socket(0);

	ck_assert_int_eq(listen(fd, 128), 0);
	*at = endpoint_of(fd);
	return fd;
}

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_msg(poll(&p, 1, WAIT_MS) == 1, "nothing came");
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static int accept_one(int listener)
{
	const int on = 1;
	int fd;

	wait_readable(listener);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	/* What is sent in pieces arrives in pieces. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void expect_bytes(int fd, const char *expected)
{
	char bytes[CHECK_REQUEST_MAX];
	size_t len = strlen(expected);
	ssize_t n;

	wait_readable(fd);
	n = recv(fd, bytes, len, MSG_WAITALL);
	ck_assert_int_eq(n, (ssize_t)len);
	ck_assert_mem_eq(bytes, expected, len);
	ck_assert(!is_readable(fd));
}

static void say(int fd, const char *text)
{
	size_t len = strlen(text);

	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* 0: the other side closed; ECONNRESET: it reset. Closes our side. */
static int how_it_ended(int fd)
{
	char bytes[64];
	ssize_t n = 0;
	int error;

	do {
		wait_readable(fd);
		n = recv(fd, bytes, sizeof(bytes), 0);
	} while (n > 0);
	error = n == 0 ? 0 : errno;
	close(fd);
	return error;
}

static void close_with_reset(int fd)
{
	const struct linger none = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

/* ------------------------------------------------------------ the prober */

#define RESULTS_MAX 64
struct test {
	struct prober *p;
	int listener;
	struct endpoint at;
	int descriptors; /* of this process, before the first probe */
	unsigned n;
	struct probe_result results[RESULTS_MAX];
};

static void on_result(void *arg, const struct probe_result *result)
{
	struct test *t = arg;

	ck_assert_uint_lt(t->n, RESULTS_MAX);
	t->results[t->n++] = *result;
}

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static struct test begin_with(unsigned capacity, uint16_t lo, uint16_t hi)
{
	struct test t = {0};
	struct err err;

	t.listener = listen_anywhere(&t.at);
	if (probe_open(&t.p, capacity, lo, hi, &err))
		ck_abort_msg("%s", err.text);
	t.descriptors = count_descriptors();
	return t;
}

static struct test begin(void)
{
	return begin_with(4, NAT_LO, NAT_HI);
}

/* Everything was given back. */
static void end(struct test *t)
{
	ck_assert_int_eq(count_descriptors(), t->descriptors);
	ck_assert(!is_readable(probe_fd(t->p)));
	probe_close(t->p);
	close(t->listener);
}

static struct probe probe_of(const struct test *t, const char *check)
{
	struct probe probe = {.id = 42,
			      .backend = t->at,
			      .source = loopback,
			      .timeout_ns = TIMEOUT};
	struct err err;

	if (check_parse(check, &probe.spec, &err))
		ck_abort_msg("%s: %s", check, err.text);
	return probe;
}

static void start(struct test *t, const char *check)
{
	struct probe probe = probe_of(t, check);

	ck_assert_int_eq(probe_start(t->p, &probe, T0), 0);
}

/* Starts one, and is the server of it. */
static int start_accepted(struct test *t, const char *check)
{
	start(t, check);
	wait_readable(probe_fd(t->p));
	probe_read(t->p, on_result, t, T0);
	return accept_one(t->listener);
}

static void turn(struct test *t, uint64_t now)
{
	probe_read(t->p, on_result, t, now);
}

/* Turns until there is one more result, at most a while. */
static void await_result(struct test *t, enum check_result expected, int detail)
{
	unsigned n = t->n;

	while (t->n == n) {
		if (probe_next_ns(t->p) > T0 + MS)
			wait_readable(probe_fd(t->p));
		turn(t, T0 + MS);
	}
	ck_assert_uint_eq(t->n, n + 1);
	ck_assert_str_eq(check_result_text(t->results[n].result),
			 check_result_text(expected));
	ck_assert_int_eq(t->results[n].detail, detail);
	ck_assert_uint_eq(t->results[n].id, 42);
}

/* Turns until the prober has let go of its last socket. */
static void await_closed(struct test *t)
{
	while (count_descriptors() > t->descriptors) {
		wait_readable(probe_fd(t->p));
		turn(t, T0 + MS);
	}
}

/* ------------------------------------------------------------- outcomes */

#define GET		  "http GET /health"
#define GET_REQUEST_START "GET /health HTTP/1.1\r\nHost: 127.0.0.1:"

static void read_request(int fd)
{
	char bytes[CHECK_REQUEST_MAX + 1] = "";
	size_t len = 0;

	while (!strstr(bytes, "\r\n\r\n")) {
		ssize_t n;

		wait_readable(fd);
		n = recv(fd, bytes + len, CHECK_REQUEST_MAX - len, 0);
		ck_assert_int_gt(n, 0);
		len += (size_t)n;
		bytes[len] = 0;
	}
	ck_assert_mem_eq(bytes, GET_REQUEST_START,
			 sizeof(GET_REQUEST_START) - 1);
}

START_TEST(tcp_is_answered_by_the_kernel_and_accept_never_sees_it)
{
	struct test t = begin();

	start(&t, "tcp");
	await_result(&t, CHECK_OK, 0);
	ck_assert(!is_readable(t.listener));
	end(&t);
}
END_TEST

START_TEST(refused_is_refused)
{
	static const char *const checks[] = {"tcp", GET, "expect \"A\""};

	for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
		struct test t = begin();
		int nobody = bound_socket(0); /* and nobody else gets it */

		t.at = endpoint_of(nobody);
		t.descriptors++;
		start(&t, checks[i]);
		await_result(&t, CHECK_REFUSED, ECONNREFUSED);
		end(&t);
		close(nobody);
	}
}
END_TEST

START_TEST(http_is_ok_with_its_status_and_reset_when_the_server_has_closed)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	t.descriptors++;
	read_request(fd);
	say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
	await_result(&t, CHECK_OK, 204);
	ck_assert(!is_readable(fd)); /* our side does not close first */
	shutdown(fd, SHUT_WR);
	t.descriptors--;
	ck_assert_int_eq(count_descriptors(), t.descriptors + 2);
	wait_readable(probe_fd(t.p));
	turn(&t, T0 + MS);
	ck_assert_int_eq(how_it_ended(fd), ECONNRESET);
	ck_assert_uint_eq(t.n, 1);
	end(&t);
}
END_TEST

START_TEST(http_is_read_byte_by_byte)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\n\r\nbody";
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	for (unsigned i = 0; answer[i]; i++) {
		const char byte[] = {answer[i], 0};

		say(fd, byte);
		wait_readable(probe_fd(t.p));
		turn(&t, T0 + i);
		ck_assert_uint_eq(t.n, i >= sizeof("HTTP/1.0 200") - 1);
	}
	ck_assert_int_eq(t.results[0].result, CHECK_OK);
	close(fd);
	await_closed(&t);
	ck_assert_uint_eq(t.n, 1);
	end(&t);
}
END_TEST

/* What the server says before it closes, and what comes of it. */
static const struct outcome {
	const char *check, *answer;
	enum check_result result;
	int detail;
} outcomes[] = {
	{GET, "HTTP/1.1 503 Down\r\n\r\n", CHECK_WRONG_STATUS, 503},
	{GET " expect 503", "HTTP/1.1 503 Down\r\n\r\n", CHECK_OK, 503},
	{GET, "+PONG\r\n", CHECK_WRONG_ANSWER, 0},
	{GET, "", CHECK_CLOSED, 0},
	{GET, "HTTP/1.1 20", CHECK_CLOSED, 0},
	{"expect \"HEALTH CHECK\"", "HEALTH CHECK\n", CHECK_OK, 0},
	{"expect \"HEALTH CHECK\"", "[a] hi\nHEALTH CHECK\n", CHECK_OK, 0},
	{"expect \"HEALTH CHECK\"", "bad command HEALTH CHECK\n", CHECK_CLOSED,
	 0},
	{"expect \"HEALTH CHECK\"", "HEALTH", CHECK_CLOSED, 0},
	{"expect \"HEALTH CHECK\"", "", CHECK_CLOSED, 0},
};

START_TEST(the_answer_decides)
{
	for (unsigned i = 0; i < ARRAY_LEN(outcomes); i++) {
		const struct outcome *o = &outcomes[i];
		struct test t = begin();
		int fd = start_accepted(&t, o->check);

		say(fd, o->answer);
		shutdown(fd, SHUT_WR);
		await_result(&t, o->result, o->detail);
		close(fd);
		await_closed(&t);
		end(&t);
	}
}
END_TEST

START_TEST(a_reset_instead_of_an_answer_is_closed)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	close_with_reset(fd);
	await_result(&t, CHECK_CLOSED, ECONNRESET);
	end(&t);
}
END_TEST

START_TEST(expect_takes_leave_politely)
{
	struct test t = begin();
	int fd = start_accepted(&t, "expect \"HEALTH CHECK\"");

	expect_bytes(fd, "HEALTH CHECK\n");
	say(fd, "HEAL");
	turn(&t, T0);
	say(fd, "TH CHECK");
	await_result(&t, CHECK_OK, 0);
	say(fd, "\n"); /* late, and no reason for a reset */
	turn(&t, T0 + MS);
	ck_assert_int_eq(how_it_ended(fd), 0);
	await_closed(&t);
	ck_assert_uint_eq(t.n, 1);
	end(&t);
}
END_TEST

START_TEST(who_does_not_take_leave_is_reset_in_time)
{
	struct test t = begin();
	int fd = start_accepted(&t, "expect \"A\"");

	say(fd, "A");
	await_result(&t, CHECK_OK, 0);
	turn(&t, T0 + MS + TIMEOUT - 1);
	ck_assert_int_eq(count_descriptors(), t.descriptors + 2);
	turn(&t, T0 + MS + TIMEOUT);
	ck_assert_int_eq(count_descriptors(), t.descriptors + 1);
	ck_assert_int_eq(send(fd, "B", 1, MSG_NOSIGNAL), -1);
	close(fd);
	end(&t);
}
END_TEST

START_TEST(silence_is_a_timeout_and_then_a_reset)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	ck_assert_uint_eq(probe_next_ns(t.p), T0 + TIMEOUT);
	turn(&t, T0 + TIMEOUT - 1);
	ck_assert_uint_eq(t.n, 0);
	turn(&t, T0 + TIMEOUT);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_int_eq(t.results[0].result, CHECK_TIMEOUT);
	ck_assert_uint_eq(probe_next_ns(t.p), PROBE_IDLE);
	ck_assert_int_eq(how_it_ended(fd), ECONNRESET);
	end(&t);
}
END_TEST

/* A full accept queue answers no SYN: the nearest to a silent host here. */
START_TEST(a_host_that_is_silent_to_syn_is_a_timeout)
{
	struct test t = begin();
	int first, second, ret;
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = t.at.port,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	ck_assert_int_eq(listen(t.listener, 0), 0);
	first = socket(AF_INET, SOCK_STREAM, 0);
	ret = connect(first, (struct sockaddr *)&to, sizeof(to));
	ck_assert_int_eq(ret, 0);
	t.descriptors++;
	start(&t, GET);
	turn(&t, T0 + TIMEOUT - 1);
	ck_assert_uint_eq(t.n, 0);
	turn(&t, T0 + TIMEOUT);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_int_eq(t.results[0].result, CHECK_TIMEOUT);
	second = accept_one(t.listener);
	close(second);
	close(first);
	t.descriptors--;
	end(&t);
}
END_TEST

START_TEST(an_answer_that_was_there_in_time_is_not_late_because_we_are)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	say(fd, "HTTP/1.1 200 OK\r\n\r\n");
	close(fd);
	turn(&t, T0 + 10 * TIMEOUT);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_int_eq(t.results[0].result, CHECK_OK);
	await_closed(&t);
	end(&t);
}
END_TEST

START_TEST(a_slow_answer_is_one_timeout_and_nothing_more)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	say(fd, "HTTP/1.1 ");
	turn(&t, T0 + TIMEOUT);
	ck_assert_int_eq(send(fd, "200 OK\r\n", 8, MSG_NOSIGNAL), -1);
	turn(&t, T0 + TIMEOUT + 1);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_int_eq(t.results[0].result, CHECK_TIMEOUT);
	close(fd);
	end(&t);
}
END_TEST

/* Sends until the other side has had enough. */
static void say_for_ever(struct test *t, int fd)
{
	static char bytes[16384];

	memset(bytes, 'x', sizeof(bytes));
	while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) !=
		       -1 ||
	       errno == EAGAIN)
		turn(t, T0 + MS);
	close(fd);
}

START_TEST(a_huge_answer_is_read_to_a_limit)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	say(fd, "HTTP/1.1 200 OK\r\n\r\n");
	say_for_ever(&t, fd);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_int_eq(t.results[0].result, CHECK_OK);
	end(&t);

	t = begin();
	fd = start_accepted(&t, "expect \"HEALTH CHECK\"");
	say_for_ever(&t, fd);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_int_eq(t.results[0].result, CHECK_WRONG_ANSWER);
	end(&t);
}
END_TEST

/* ---------------------------------------------------- what we lack here */

START_TEST(a_source_that_is_not_ours_says_nothing_of_the_backend)
{
	struct test t = begin();
	struct probe probe = probe_of(&t, "tcp");

	probe.source = addr_from_v4(htonl(0xcb00714d)); /* 203.0.113.77 */
	ck_assert_int_eq(probe_start(t.p, &probe, T0), -EADDRNOTAVAIL);
	probe.backend.addr = (struct ip_addr){.b = {0x20, 1}};
	ck_assert_int_eq(probe_start(t.p, &probe, T0), -EAFNOSUPPORT);
	ck_assert_uint_eq(probe_next_ns(t.p), PROBE_IDLE);
	end(&t);
}
END_TEST

START_TEST(no_source_leaves_the_choice_to_the_kernel)
{
	struct test t = begin();
	struct probe probe = probe_of(&t, "tcp");

	probe.source = (struct ip_addr){0};
	ck_assert_int_eq(probe_start(t.p, &probe, T0), 0);
	await_result(&t, CHECK_OK, 0);
	end(&t);
}
END_TEST

START_TEST(no_descriptor_left_is_an_error_of_ours)
{
	struct test t = begin();
	struct probe probe = probe_of(&t, "tcp");
	struct rlimit old, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){0, old.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(probe_start(t.p, &probe, T0), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	start(&t, "tcp");
	await_result(&t, CHECK_OK, 0);
	end(&t);
}
END_TEST

START_TEST(no_route_is_unreachable_and_reported_like_any_other)
{
	struct test t = begin();

	/* A namespace whose loopback interface is down. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1) {
		printf("no_route_is_unreachable: skipped, unshare: %s\n",
		       strerror(errno));
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct probe probe = probe_of(&t, i ? "tcp" : GET);

		probe.source = (struct ip_addr){0};
		ck_assert_int_eq(probe_start(t.p, &probe, T0), 0);
		ck_assert_uint_le(probe_next_ns(t.p), T0);
		await_result(&t, CHECK_UNREACHABLE, ENETUNREACH);
	}
	end(&t);
}
END_TEST

/* ---------------------------------------------------------------- ports */

static unsigned peer_port(int fd)
{
	struct sockaddr_in sa = {0};
	socklen_t len = sizeof(sa);

	ck_assert_int_eq(getpeername(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

/* As if /proc/sys were read-only: the kernel chooses from the NAT range. */
START_TEST(ports_stay_out_of_the_nat_range)
{
	struct test t = begin_with(32, 1025, 65000);
	int fds[32];

	for (int i = 0; i < 32; i++) {
		fds[i] = start_accepted(&t, "expect \"A\"");
		ck_assert(peer_port(fds[i]) < 1025 ||
			  peer_port(fds[i]) > 65000);
	}
	for (int i = 0; i < 32; i++)
		close_with_reset(fds[i]);
	await_closed(&t);
	ck_assert_uint_eq(t.n, 32);
	end(&t);
}
END_TEST

/* Its own TIME_WAITs are all that is there, again and again. */
START_TEST(few_ports_are_used_again)
{
	struct test t = begin_with(1, 1024, 65515);

	for (int i = 0; i < 60; i++) {
		int fd, listener = listen_anywhere(&t.at);

		close(t.listener);
		t.listener = listener;
		fd = start_accepted(&t, "expect \"A\"");
		expect_bytes(fd, "A\n"); /* or close() would reset */
		say(fd, "A");
		t.n = 0;
		await_result(&t, CHECK_OK, 0);
		close(fd);
		await_closed(&t);
	}
	end(&t);
}
END_TEST

START_TEST(a_backend_is_never_answered_by_its_own_probe)
{
	/* One port is left, and it is the dead backend's. */
	struct test t = begin_with(1, 1024, 65534);
	struct probe probe = probe_of(&t, "tcp");

	probe.backend.port = htons(65535);
	ck_assert_int_eq(probe_start(t.p, &probe, T0), -EADDRINUSE);
	end(&t);
}
END_TEST

START_TEST(a_nat_range_of_everything_is_refused)
{
	struct test t = begin_with(1, 1024, 65535);
	struct probe probe = probe_of(&t, "tcp");
	struct err err;

	ck_assert_int_eq(probe_ports_left(1024, 65535, &err), -EINVAL);
	ck_assert(strstr(err.text, "10240-32767"));
	ck_assert_int_eq(probe_ports_left(1024, 65534, &err), 0);
	ck_assert_int_eq(probe_start(t.p, &probe, T0), -EADDRINUSE);
	end(&t);
	probe_close(NULL);
}
END_TEST

static long resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, resident;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld %ld", &all, &resident), 2);
	(void)fclose(f);
	return resident * (getpagesize() / 1024);
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define MORE_KIB_MAX (1 << 20) /* it keeps what is freed */
#else
#define MORE_KIB_MAX 256
#endif

/* Room for thousands is opened, and one at a time is used. */
START_TEST(memory_grows_with_the_probes_that_run_at_a_time)
{
	struct test t = begin_with(PROBES_MAX, NAT_LO, NAT_HI);
	long before = 0;

	for (int i = 0; i < 1000; i++) {
		if (i == 10)
			before = resident_kib();
		start(&t, "tcp");
		await_result(&t, CHECK_OK, 0);
		t.n = 0;
	}
	ck_assert_int_lt(resident_kib() - before, MORE_KIB_MAX);
	end(&t);
}
END_TEST

/* ----------------------------------------------------------------- slots */

START_TEST(too_many_at_once_are_refused_but_leavers_give_way)
{
	struct test t = begin_with(2, NAT_LO, NAT_HI);
	struct probe probe = probe_of(&t, GET);
	int first = start_accepted(&t, GET), second = start_accepted(&t, GET);
	int third;

	ck_assert_int_eq(probe_start(t.p, &probe, T0), -EBUSY);
	say(first, "HTTP/1.1 200 OK\r\n\r\n");
	await_result(&t, CHECK_OK, 200);
	third = start_accepted(&t, GET);
	ck_assert_int_eq(how_it_ended(first), ECONNRESET);
	ck_assert_int_eq(probe_start(t.p, &probe, T0), -EBUSY);
	turn(&t, T0 + TIMEOUT);
	ck_assert_uint_eq(t.n, 3);
	close(second);
	close(third);
	end(&t);
}
END_TEST

START_TEST(closing_resets_what_runs_and_reports_nothing)
{
	struct test t = begin();
	int fd = start_accepted(&t, GET);

	probe_close(t.p);
	ck_assert_uint_eq(t.n, 0);
	ck_assert_int_eq(how_it_ended(fd), ECONNRESET);
	close(t.listener);
}
END_TEST

struct chain {
	struct test *t;
	unsigned left;
};

static void on_link(void *arg, const struct probe_result *result)
{
	struct chain *c = arg;

	ck_assert_int_eq(result->result, CHECK_OK);
	if (--c->left)
		start(c->t, "tcp");
}

START_TEST(a_result_may_start_the_next_probe)
{
	struct test t = begin_with(1, NAT_LO, NAT_HI);
	struct chain c = {.t = &t, .left = 200};

	start(&t, "tcp");
	while (c.left) {
		wait_readable(probe_fd(t.p));
		probe_read(t.p, on_link, &c, T0);
	}
	end(&t);
}
END_TEST

/* As the one that writes a dump to a terminal nobody reads. */
START_TEST(a_child_that_holds_the_descriptors_changes_nothing)
{
	struct test t = begin();
	int polite = start_accepted(&t, "expect \"A\"");
	int silent = start_accepted(&t, GET);
	int ends[2];
	pid_t child;

	ck_assert_int_eq(pipe(ends), 0);
	child = fork();
	ck_assert_int_ne(child, -1);
	if (child == 0) {
		char byte;

		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	say(polite, "A");
	await_result(&t, CHECK_OK, 0);
	ck_assert_int_eq(how_it_ended(polite), 0);
	turn(&t, T0 + TIMEOUT);
	ck_assert_int_eq(how_it_ended(silent), ECONNRESET);
	ck_assert_uint_eq(t.n, 2);
	ck_assert(!is_readable(probe_fd(t.p)));
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	turn(&t, T0 + 3 * TIMEOUT);
	end(&t);
}
END_TEST

/* ------------------------------------------------------- many, for real */

enum habit { ANSWERS, FAILS, CLOSES, RESETS, SPLITS, HABITS };
static const enum check_result of_habit[] = {
	[ANSWERS] = CHECK_OK,	 [FAILS] = CHECK_WRONG_STATUS,
	[CLOSES] = CHECK_CLOSED, [RESETS] = CHECK_CLOSED,
	[SPLITS] = CHECK_OK,
};

static void serve(int fd, enum habit habit)
{
	char bytes[CHECK_REQUEST_MAX];

	if (recv(fd, bytes, sizeof(bytes), 0) <= 0)
		habit = CLOSES;
	switch (habit) {
	case ANSWERS: say(fd, "HTTP/1.1 200 OK\r\n\r\n"); break;
	case FAILS: say(fd, "HTTP/1.1 500 No\r\n\r\n"); break;
	case SPLITS:
		say(fd, "HTTP/1.");
		sched_yield();
		say(fd, "1 200 OK\r\n\r\n");
		break;
	case RESETS: close_with_reset(fd); return;
	case CLOSES:
	case HABITS: break;
	}
	close(fd);
}

/* One listener a habit; ends when the pipe behind them is closed. */
static void *server_main(void *arg)
{
	struct pollfd *fds = arg;

	while (!fds[HABITS].revents) {
		poll(fds, HABITS + 1, -1);
		for (unsigned i = 0; i < HABITS; i++)
			if (fds[i].revents)
				serve(accept_one(fds[i].fd), (enum habit)i);
	}
	return NULL;
}

#define MANY	  3000
#define MANY_ONCE 64
struct many {
	struct test t;
	struct endpoint at[HABITS];
	struct random r;
	unsigned started, finished;
	bool seen[MANY];
};

static void start_some(struct many *m)
{
	while (m->started < MANY && m->started - m->finished < MANY_ONCE) {
		struct probe probe = probe_of(&m->t, GET);
		unsigned habit = random_below(&m->r, HABITS);

		probe.backend = m->at[habit];
		probe.id = (uint64_t)habit << 32 | m->started;
		if (probe_start(m->t.p, &probe, T0))
			return; /* leavers hold the places */
		m->started++;
	}
}

static void on_many(void *arg, const struct probe_result *result)
{
	struct many *m = arg;
	uint32_t id = (uint32_t)result->id;

	ck_assert(!m->seen[id]);
	m->seen[id] = true;
	m->finished++;
	ck_assert_str_eq(check_result_text(result->result),
			 check_result_text(of_habit[result->id >> 32]));
	start_some(m);
}

START_TEST(each_of_many_gets_its_own_result)
{
	static struct many m;
	struct pollfd fds[HABITS + 1];
	pthread_t server;
	int ends[2];

	m.r = unit_random(__func__);
	m.t = begin_with(MANY_ONCE, NAT_LO, NAT_HI);
	for (unsigned i = 0; i < HABITS; i++)
		fds[i] = (struct pollfd){.fd = listen_anywhere(&m.at[i]),
					 .events = POLLIN};
	ck_assert_int_eq(pipe(ends), 0);
	fds[HABITS] = (struct pollfd){.fd = ends[0], .events = POLLIN};
	ck_assert_int_eq(pthread_create(&server, NULL, server_main, fds), 0);
	start_some(&m);
	while (m.finished < MANY) {
		wait_readable(probe_fd(m.t.p));
		probe_read(m.t.p, on_many, &m, T0);
	}
	close(ends[1]);
	pthread_join(server, NULL);
	ck_assert_uint_eq(m.started, MANY);
	probe_close(m.t.p);
	for (unsigned i = 0; i < HABITS; i++)
		close(fds[i].fd);
	close(ends[0]);
	close(m.t.listener);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{tcp_is_answered_by_the_kernel_and_accept_never_sees_it, 0},
		{refused_is_refused, 0},
		{http_is_ok_with_its_status_and_reset_when_the_server_has_closed,
		 0},
		{http_is_read_byte_by_byte, 0},
		{the_answer_decides, 0},
		{a_reset_instead_of_an_answer_is_closed, 0},
		{expect_takes_leave_politely, 0},
		{who_does_not_take_leave_is_reset_in_time, 0},
		{silence_is_a_timeout_and_then_a_reset, 0},
		{a_host_that_is_silent_to_syn_is_a_timeout, 0},
		{an_answer_that_was_there_in_time_is_not_late_because_we_are,
		 0},
		{a_slow_answer_is_one_timeout_and_nothing_more, 0},
		{a_huge_answer_is_read_to_a_limit, 0},
		{a_source_that_is_not_ours_says_nothing_of_the_backend, 0},
		{no_source_leaves_the_choice_to_the_kernel, 0},
		{no_descriptor_left_is_an_error_of_ours, 0},
		{no_route_is_unreachable_and_reported_like_any_other, 0},
		{ports_stay_out_of_the_nat_range, 0},
		{few_ports_are_used_again, 0},
		{a_backend_is_never_answered_by_its_own_probe, 0},
		{a_nat_range_of_everything_is_refused, 0},
		{memory_grows_with_the_probes_that_run_at_a_time, 0},
		{too_many_at_once_are_refused_but_leavers_give_way, 0},
		{closing_resets_what_runs_and_reports_nothing, 0},
		{a_result_may_start_the_next_probe, 0},
		{a_child_that_holds_the_descriptors_changes_nothing, 0},
		{each_of_many_gets_its_own_result, 0},
	};

	return unit_run("probe", tests, ARRAY_LEN(tests));
}
