/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/exchange.h"
#include "board/shared.h"
#include "clock.h"
#include "control/command.h"
#include "control/diff.h"
#include "core/time.h"
#include "fake.h"
#include "unit.h"

#define STOP "stop the thread"

/* ---------------------------------------------------------------- the channel
 */

__attribute__((format(printf, 2, 3))) static void say(int fd,
						      const char *format, ...)
{
	char line[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	(void)!send(fd, line, (size_t)len, MSG_NOSIGNAL);
}

static void ok(const struct fake *f, int fd)
{
	say(fd, "ok generation=%llu", (unsigned long long)f->generation);
}

static void say_lines(const struct fake *f, int fd, struct text *lines)
{
	struct text datagram = {0};

	text_add(&datagram, "+%s", text_get(lines));
	if (lines->len)
		(void)!send(fd, datagram.bytes, datagram.len, MSG_NOSIGNAL);
	ok(f, fd);
	text_free(&datagram);
	text_free(lines);
}

static void publish_head(struct fake *f, uint64_t rows_generation);
static void publish(struct fake *f);

static void refuse(int fd, int ret, const struct err *err)
{
	say(fd, "error %s %s",
	    ret == -ENOENT   ? "not-found"
	    : ret == -EEXIST ? "exists"
	    : ret == -EPERM  ? "fixed"
			     : "invalid",
	    err->text);
}

static void give_up(struct fake *f)
{
	if (f->begun)
		config_free(&f->changing);
	f->begun = false;
}

static void commit(struct fake *f, int fd, bool dry)
{
	const struct timespec lag = {.tv_nsec = 50 * NS_PER_MS};
	struct text lines = {0};
	struct err err;
	int ret;

	if (!f->begun) {
		say(fd, "error invalid no change was begun");
		return;
	}
	ret = command_check(&f->changing, &err);
	if (ret)
		refuse(fd, ret, &err);
	else if (dry)
		(void)diff_print(&f->running, &f->changing, &lines);
	if (!ret && dry)
		say_lines(f, fd, &lines);
	if (!ret && !dry && f->refuses) {
		say(fd, "error %s this host does not like it", f->refuses);
	} else if (!ret && !dry) {
		config_free(&f->running);
		(void)config_copy(&f->running, &f->changing);
		f->generation++;
		if (f->lags)
			publish_head(f, f->generation - 1);
		else
			publish(f);
		ok(f, fd);
		if (f->lags)
			(void)thrd_sleep(&lag, NULL);
		publish(f);
	}
	give_up(f);
}

static void begin(struct fake *f, int fd)
{
	if (f->begun || f->never_ours) {
		say(fd, "error busy somebody else changes it");
		return;
	}
	(void)config_copy(&f->changing, &f->running);
	f->begun = true;
	ok(f, fd);
}

static void show(struct fake *f, int fd, const struct config *c)
{
	struct text lines = {0};

	(void)config_print(c, &lines);
	say_lines(f, fd, &lines);
}

static void apply(struct fake *f, int fd, const char *command)
{
	struct err err;
	int ret = command_apply(&f->changing, command, &err);

	if (ret)
		refuse(fd, ret, &err);
	else
		ok(f, fd);
}

static void answer(struct fake *f, int fd, const char *text)
{
	unsigned long long id;

	if (strncmp(text, "sync ", 5) == 0)
		say(fd, "ok sync=%s generation=1", text + 5);
	else if (strcmp(text, "begin") == 0)
		begin(f, fd);
	else if (strcmp(text, "commit") == 0)
		commit(f, fd, false);
	else if (strcmp(text, "commit dry") == 0)
		commit(f, fd, true);
	else if (strcmp(text, "show") == 0)
		show(f, fd, &f->running);
	else if (strcmp(text, "show base") == 0)
		show(f, fd, &f->base);
	else if (sscanf(text, "flow kill %llu", &id) == 1)
		ok(f, fd);
	else if (strncmp(text, "reload", 6) == 0)
		say(fd, "error invalid l4lb.conf:3: what is this");
	else if (strcmp(text, "save") == 0 || strcmp(text, "stop") == 0 ||
		 strcmp(text, "generation") == 0)
		ok(f, fd);
	else if (strcmp(text, "abort") == 0 && f->begun)
		give_up(f), ok(f, fd);
	else if (f->begun)
		apply(f, fd, text);
	else
		say(fd, "error invalid unknown command");
}

/* Without the noise of getting in step. */
static void note(struct fake *f, const char *text)
{
	const size_t len = strlen(f->said);

	if (strncmp(text, "sync ", 5) != 0 && strcmp(text, "abort") != 0)
		snprintf(f->said + len, sizeof(f->said) - len, "%s\n", text);
}

static int serve(void *arg)
{
	struct fake *f = arg;
	char text[4096], who[128];
	int end;

	for (;;) {
		struct pollfd fds[] = {{f->ends[0][1], POLLIN, 0},
				       {f->ends[1][1], POLLIN, 0}};

		(void)poll(fds, 2, -1);
		for (int i = 0; i < 2; i++) {
			ssize_t n = fds[i].revents ? recv(fds[i].fd, text,
							  sizeof(text) - 1, 0)
						   : -1;

			if (n < 0)
				continue;
			text[n] = '\0';
			if (n == 0 || strcmp(text, STOP) == 0)
				return 0;
			mtx_lock(&f->lock);
			note(f, text);
			end = 0;
			(void)sscanf(text, "by %127s %n", who, &end);
			if (!f->silent)
				answer(f, fds[i].fd, text + end);
			mtx_unlock(&f->lock);
		}
	}
}

/* ------------------------------------------------------------------ the board
 */

static void show_service(struct fake *f, unsigned i,
			 const struct service_config *s)
{
	struct board_service row = {
		.slot = s->slot,
		.n_backends = s->n_backends,
		.listen = s->listen,
		.scheduler = s->params.scheduler,
		.checked = s->params.checked,
		.check = s->params.check.kind,
	};

	memcpy(row.name, s->name, sizeof(row.name));
	for (unsigned k = 0; k < s->n_backends; k++) {
		const struct backend_config *b = &s->backends[k];
		struct board_backend backend = {
			.slot = b->slot,
			.addr = b->addr,
			.service = (uint16_t)i,
			.weight = b->params.weight,
			.backup = b->params.backup,
			.admin = b->params.admin,
			.health = BOARD_UP,
			.takes_flows = 1,
			.flows = b->slot == SLOT_LEAVING &&
						 b->leaves == LEAVE_KEEP
					 ? 7
					 : 0,
		};

		memcpy(backend.id, b->id, sizeof(backend.id));
		board_write_backend(f->board, i, k, &backend);
	}
	board_write_service(f->board, i, &row);
}

static void publish_head(struct fake *f, uint64_t rows_generation)
{
	const struct board_global row = {
		.published_ns = clock_now_ns(),
		.generation = f->generation,
		.rows_generation = rows_generation,
		.services = f->running.n_services,
		.flows_high = FAKE_FLOWS,
		.flows_size = FAKE_FLOWS,
		.datapath = "none",
	};

	board_write_global(f->board, &row);
}

static void publish(struct fake *f)
{
	for (unsigned i = 0; i < f->running.n_services; i++)
		show_service(f, i, &f->running.services[i]);
	publish_head(f, f->generation);
}

static void open_memory(struct fake *f)
{
	const struct board_spec spec = {
		.name = "fake",
		.services = CONFIG_SERVICES_MAX,
		.backends = CONFIG_BACKENDS_MAX,
		.pools = 16,
		.taps = 1,
		.flows = FAKE_FLOWS,
		.journal_records = JOURNAL_RECORDS_MIN,
		.started_ns = clock_now_ns(),
	};
	struct board_reader *board;
	struct journal_reader *journal;
	struct flows_reader *flows;
	struct err err;

	ck_assert_msg(!board_open(&f->board, &spec, &err), "%s", err.text);
	ck_assert_msg(!journal_open(&f->journal, JOURNAL_RECORDS_MIN, &err),
		      "%s", err.text);
	ck_assert_msg(!shared_map(board_fd(f->board), "board", 0, &f->at[0],
				  &f->bytes[0], &err),
		      "%s", err.text);
	ck_assert_msg(!shared_map(journal_fd(f->journal), "journal", 0,
				  &f->at[1], &f->bytes[1], &err),
		      "%s", err.text);
	f->flows = aligned_alloc(64, FAKE_FLOWS * sizeof(*f->flows));
	f->notes = calloc(FAKE_FLOWS, sizeof(*f->notes));
	memset(f->flows, 0, FAKE_FLOWS * sizeof(*f->flows));
	ck_assert_int_eq(board_reader_open(f->at[0], f->bytes[0], &board, &err),
			 0);
	ck_assert_int_eq(
		journal_reader_open(f->at[1], f->bytes[1], &journal, &err), 0);
	ck_assert_int_eq(
		flows_reader_open(f->flows, FAKE_FLOWS * sizeof(*f->flows),
				  f->notes, FAKE_FLOWS * sizeof(*f->notes),
				  FAKE_FLOWS, &flows, &err),
		0);
	f->api.board = board;
	f->api.journal = journal;
	f->api.flows = flows;
}

/* -------------------------------------------------------------- start and end
 */

void fake_start(struct fake *f, const char *text)
{
	struct err err;

	memset(f, 0, sizeof(*f));
	ck_assert_msg(!config_parse(&f->running, "t", text, &err), "%s",
		      err.text);
	ck_assert_int_eq(config_copy(&f->base, &f->running), 0);
	f->generation = 41;
	f->auth.writes = true;
	f->auth.token = f->auth.hosts = "";
	auth_init(&f->auth);
	open_memory(f);
	publish(f);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
					    f->ends[i]),
				 0);
	f->api.asks = channel_end_new(f->ends[0][0]);
	f->api.changes = channel_end_new(f->ends[1][0]);
	(void)mtx_init(&f->lock, mtx_plain);
	ck_assert_int_eq(thrd_create(&f->thread, serve, f), thrd_success);
}

void fake_stop(struct fake *f)
{
	(void)!send(f->ends[0][0], STOP, strlen(STOP), MSG_NOSIGNAL);
	(void)thrd_join(f->thread, NULL);
	channel_end_free(f->api.asks);
	channel_end_free(f->api.changes);
	board_reader_close((struct board_reader *)f->api.board);
	journal_reader_close((struct journal_reader *)f->api.journal);
	flows_reader_close((struct flows_reader *)f->api.flows);
	for (int i = 0; i < 2; i++) {
		(void)munmap((void *)f->at[i], f->bytes[i]);
		close(f->ends[i][0]);
		close(f->ends[i][1]);
	}
	board_close(f->board);
	journal_close(f->journal);
	give_up(f);
	config_free(&f->running);
	config_free(&f->base);
	free(f->flows);
	free(f->notes);
	mtx_destroy(&f->lock);
}

uint64_t fake_generation(struct fake *f)
{
	uint64_t generation;

	mtx_lock(&f->lock);
	generation = f->generation;
	mtx_unlock(&f->lock);
	return generation;
}

void fake_forget(struct fake *f)
{
	mtx_lock(&f->lock);
	f->said[0] = '\0';
	mtx_unlock(&f->lock);
}

/* --------------------------------------------------------------------- flows
 */

struct endpoint fake_endpoint(const char *addr, uint16_t port)
{
	struct endpoint e;
	struct in_addr v4;

	memset(&e, 0, sizeof(e));
	ck_assert_int_eq(inet_pton(AF_INET, addr, &v4), 1);
	e.addr = addr_from_v4(v4.s_addr);
	e.port = htons(port);
	return e;
}

void fake_open_flows(struct fake *f, unsigned n)
{
	static const uint8_t secret[FLOW_SECRET_BYTES] = {1};
	struct flow_table t;

	ck_assert_int_eq(flow_table_init(&t, f->flows, FAKE_FLOWS, secret, NULL,
					 f->notes),
			 0);
	for (unsigned i = 0; i < n; i++) {
		const struct flow_identity id = {
			.client = fake_endpoint("203.0.113.9",
						(uint16_t)(4000 + i)),
			.vip = fake_endpoint("198.18.0.1", 20000),
			.nat = fake_endpoint("198.18.0.1",
					     (uint16_t)(10240 + i)),
			.backend = fake_endpoint(
				i % 2 ? "198.18.0.12" : "198.18.0.11", 9001),
			.proto = 6,
			.backend_index = (uint16_t)(i % 2),
		};

		ck_assert_ptr_nonnull(flow_open(&t, &id, 1));
		f->notes[i].handshake_us = 410;
		f->notes[i].tries = 1;
	}
	flow_table_free(&t);
}

/* ------------------------------------------------------------------ a request
 */

static void collect(struct reply *reply, struct text *out)
{
	struct text part = {0};
	bool more = true;

	while (more) {
		more = reply->more(reply->state, &part);
		text_put(out, text_get(&part), part.len);
		if (part.len)
			text_cut(&part, 0);
	}
	text_free(&part);
}

struct told fake_ask(struct fake *f, const char *method, const char *uri,
		     const char *body, const char *if_match)
{
	const struct asked asked = {
		.method = method,
		.uri = uri,
		.caller = {.local = true, .has_uid = true},
		.content_type = !body	       ? NULL
				: *body == '{' ? "application/json"
					       : "text/plain",
		.if_match = if_match,
		.length = body ? strlen(body) : 0,
	};
	struct exchange x;
	struct told told = {0};

	exchange_begin(&x, &f->api, &f->auth, &asked);
	if (body)
		exchange_take(&x, body, strlen(body));
	exchange_finish(&x, &f->api);
	told.status = x.reply.status;
	told.generation = x.reply.generation;
	if (x.reply.allow)
		snprintf(told.allow, sizeof(told.allow), "%s", x.reply.allow);
	if (x.reply.more) {
		collect(&x.reply, &told.body);
	} else {
		told.body = x.reply.body;
		x.reply.body = (struct text){0};
	}
	told.json = json_loads(text_get(&told.body), 0, NULL);
	if (!x.reply.more && strcmp(x.reply.type, "application/json") == 0)
		ck_assert_msg(told.json, "%s %s: no JSON: %s", method, uri,
			      text_get(&told.body));
	exchange_free(&x);
	return told;
}

void told_free(struct told *t)
{
	text_free(&t->body);
	json_decref(t->json);
}
