/* SPDX-License-Identifier: MIT */
/* flow_log.c - a line for each connection that has ended, from journal to file
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "api/flow_log.h"
#include "api/flow_log_line.h"
#include "core/flow_end.h"
#include "showcase.h"
#include "unit.h"

static char dir[] = "/tmp/l4lb-flow-log-XXXXXX", path[64];
static struct showcase show;
static struct flow_log_state *state; /* shared with children */
static struct flow_log_spec spec;
static struct flow_log *log_;

static void begin(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/flows.log", dir);
	showcase_open(&show);
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(state, MAP_FAILED);
	spec = (struct flow_log_spec){
		.path = path,
		.board = show.reader,
		.journal = show.journal_reader,
		.state = state,
	};
}

static void end(void)
{
	showcase_close(&show);
	munmap(state, sizeof(*state));
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void start(void)
{
	struct err err = {""};

	ck_assert_msg(flow_log_start(&log_, &spec, &err) == 0, "%s", err.text);
}

static void finish(void)
{
	flow_log_finish(log_);
	flow_log_free(log_);
}

static void nap(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Waits until the log's status fulfils @condition of @s. */
#define wait_for(condition)                                   \
	do {                                                  \
		struct flow_log_status s;                     \
                                                              \
		for (flow_log_status(log_, &s); !(condition); \
		     flow_log_status(log_, &s))               \
			nap(2000);                            \
	} while (0)

/* ------------------------------------------------------------------- lines */

static const struct flow_log_style as_text = {.wall_offset_ns = SHOW_OFFSET_NS};
static const struct flow_log_style as_json = {.json = true,
					      .wall_offset_ns = SHOW_OFFSET_NS};

START_TEST(a_line_has_all_keys)
{
	const struct journal_record r = show_ended(17);
	char line[FLOW_LOG_LINE_MAX];
	size_t len;

	len = flow_log_line(line, &r, "web", "web1", &as_text);
	ck_assert_str_eq(
		line,
		"2027-01-15T09:23:20.017Z end=closed service=web "
		"client=198.18.0.2:40017 vip=198.18.0.1:80 "
		"nat=198.18.0.1:10257 backend=198.18.0.11:9001 id=web1 flow=17 "
		"dur_s=12.412 hs_ms=0.41 first_ms=3.20 c2s=4/212 s2c=9/1140 "
		"rtx=0/1 tries=1 why=wrr\n");
	ck_assert_uint_eq(len, strlen(line));
}
END_TEST

START_TEST(json_has_the_same_keys)
{
	static const char *const keys[] = {
		"time",	   "end", "service", "client", "vip",	"nat",
		"backend", "id",  "flow",    "dur_s",  "hs_ms", "first_ms",
		"c2s",	   "s2c", "rtx",     "tries",  "why"};
	const struct journal_record r = show_ended(17);
	char line[FLOW_LOG_LINE_MAX], text[FLOW_LOG_LINE_MAX];
	json_t *object;

	flow_log_line(line, &r, "web", "web1", &as_json);
	flow_log_line(text, &r, "web", "web1", &as_text);
	object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(object, "no JSON: %s", line);
	ck_assert_uint_eq(json_object_size(object), ARRAY_LEN(keys));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char assigned[32];

		ck_assert_msg(json_object_get(object, keys[i]), "no %s",
			      keys[i]);
		snprintf(assigned, sizeof(assigned), " %s=", keys[i]);
		ck_assert(i == 0 || strstr(text, assigned));
	}
	ck_assert_str_eq(json_string_value(json_object_get(object, "nat")),
			 "198.18.0.1:10257");
	json_decref(object);
}
END_TEST

/* After a restart nobody knows how long the handshake took. */
START_TEST(what_is_not_known_is_said_so)
{
	struct journal_record r = show_ended(1);
	char line[FLOW_LOG_LINE_MAX];

	r.flow.handshake_us = r.flow.first_byte_us = 0;
	r.flow.why = r.flow.tries = 0;
	flow_log_line(line, &r, "web", "", &as_text);
	ck_assert_ptr_nonnull(strstr(line, " id=- "));
	ck_assert_ptr_nonnull(strstr(line, " hs_ms=- first_ms=- "));
	ck_assert_ptr_nonnull(strstr(line, " tries=0 why=-\n"));
	flow_log_line(line, &r, "web", "web1", &as_json);
	ck_assert_ptr_nonnull(strstr(line, "\"hs_ms\":null,\"first_ms\":null"));
}
END_TEST

START_TEST(the_longest_line_has_room)
{
	struct journal_record r;
	char line[FLOW_LOG_LINE_MAX], name[BOARD_NAME_MAX];
	size_t len;

	memset(&r, 0xff, sizeof(r));
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (unsigned reason = 0; reason < 256; reason++) {
		r.reason = (uint8_t)reason;
		len = flow_log_line(line, &r, name, name, &as_json);
		ck_assert_uint_lt(len, FLOW_LOG_LINE_MAX - 1);
		ck_assert_int_eq(line[len - 1], '\n');
	}
}
END_TEST

/* ------------------------------------------------------- the file, checked */

/*
 * The file names the flows from 1 to @until in order, each once; lines of lost
 * ones stand where these are missing. Returns how many are lost.
 */
static uint64_t check_file(const char *name, uint64_t until)
{
	FILE *in = fopen(name, "r");
	char line[FLOW_LOG_LINE_MAX];
	uint64_t at = 0, lost = 0;

	ck_assert_ptr_nonnull(in);
	while (fgets(line, sizeof(line), in)) {
		uint64_t n;
		const char *flow = strstr(line, " flow=");

		ck_assert_msg(line[strlen(line) - 1] == '\n', "cut: %s", line);
		if (sscanf(line, "%*s lost=%" SCNu64, &n) == 1) {
			lost += n;
			at += n;
			continue;
		}
		ck_assert_msg(flow, "no flow: %s", line);
		n = strtoull(flow + 6, NULL, 10);
		unit_check(n == at + 1, "flow %" PRIu64 " after %" PRIu64, n,
			   at);
		at = n;
	}
	ck_assert_uint_eq(at, until);
	fclose(in);
	return lost;
}

START_TEST(each_end_is_one_line)
{
	begin();
	show_end_of_flow(&show, 1);
	start();
	for (uint64_t id = 2; id <= 5000; id++) {
		show_end_of_flow(&show, id);
		show_event(&show, JOURNAL_OPERATOR, OPERATOR_SAVED, "", "");
		if (id % 100 == 0)
			wait_for(s.waiting < SHOW_RECORDS / 4);
	}
	/* What comes right before the end is written, too. */
	finish();
	ck_assert_uint_eq(check_file(path, 5000), 0);
	ck_assert_uint_eq(state->done.lines, 5000);
	end();
}
END_TEST

START_TEST(a_renamed_file_is_left_alone)
{
	char old[80];
	uint64_t id = 0;
	struct stat st;

	begin();
	snprintf(old, sizeof(old), "%s.1", path);
	start();
	while (id < 10)
		show_end_of_flow(&show, ++id);
	wait_for(s.lines == 10);
	ck_assert_int_eq(rename(path, old), 0);
	/* Until it is told, it goes on with the file that it has. */
	show_end_of_flow(&show, ++id);
	wait_for(s.lines == 11);
	ck_assert_int_eq(stat(path, &st), -1);
	flow_log_hup(SIGHUP);
	while (stat(path, &st) == -1)
		nap(1000);
	ck_assert_uint_eq(check_file(old, 11), 0);

	/* The same by a SIGHUP of l4lb. */
	ck_assert_int_eq(rename(path, old), 0);
	show_hups(&show, 1);
	while (stat(path, &st) == -1)
		nap(1000);
	show_end_of_flow(&show, 1);
	finish();
	ck_assert_uint_eq(check_file(path, 1), 0);
	unlink(old);
	end();
}
END_TEST

/* The path is a folder at first, then it is gone. */
START_TEST(lines_wait_and_what_is_lost_is_counted)
{
	const uint64_t many = 3 * SHOW_RECORDS;
	struct flow_log_status status;
	uint64_t id, lost;

	begin();
	ck_assert_int_eq(mkdir(path, 0700), 0);
	start();
	wait_for(s.failing);
	flow_log_status(log_, &status);
	ck_assert_ptr_nonnull(strstr(status.trouble, "Is a directory"));
	for (id = 1; id <= many; id++) {
		show_end_of_flow(&show, id);
		show_event(&show, JOURNAL_OPERATOR, OPERATOR_SAVED, "", "");
	}
	ck_assert_int_eq(rmdir(path), 0);
	flow_log_hup(SIGHUP);
	wait_for(s.waiting == 0);
	flow_log_status(log_, &status);
	ck_assert(!status.failing);
	ck_assert_uint_eq(status.errors, 1);
	finish();
	lost = check_file(path, many);
	ck_assert_uint_ge(lost, many - SHOW_RECORDS / 2);
	ck_assert_uint_eq(status.lost, lost);
	ck_assert_uint_eq(status.lines + status.lost, many);
	ck_assert_uint_ge(status.records, 2 * lost - 1);
	end();
}
END_TEST

/*
 * The disk has room for the line that says how many are lost, and not for the
 * line after it.
 */
START_TEST(a_line_that_waits_is_not_lost)
{
	const uint64_t many = 3 * SHOW_RECORDS;
	struct rlimit limit, before;
	uint64_t id, lost;

	begin();
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	for (id = 1; id <= many; id++)
		show_end_of_flow(&show, id);
	limit = before;
	limit.rlim_cur = 100;
	setrlimit(RLIMIT_FSIZE, &limit);
	start();
	wait_for(s.failing && s.lost);
	setrlimit(RLIMIT_FSIZE, &before);
	flow_log_hup(SIGHUP);
	wait_for(s.waiting == 0);
	finish();
	lost = check_file(path, many);
	ck_assert_uint_eq(state->done.lost_ends, lost);
	ck_assert_uint_eq(state->done.lines, many - lost);
	end();
}
END_TEST

/* The l4lb-api of a l4lb that was restarted at once is not done yet. */
START_TEST(who_writes_to_the_file_still_is_waited_for)
{
	struct flow_log_status status;
	int other;

	begin();
	other = open(path, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(flock(other, LOCK_EX), 0);
	start();
	show_end_of_flow(&show, 1);
	nap(300000);
	flow_log_status(log_, &status);
	ck_assert(!status.failing);
	ck_assert_uint_eq(status.waiting, 1);
	close(other);
	wait_for(s.lines == 1);
	finish();
	ck_assert_uint_eq(check_file(path, 1), 0);
	ck_assert_uint_eq(state->errors, 0);
	end();
}
END_TEST

/*
 * Workers are killed at any instant, and others take over, while connections
 * end. The journal is never full: each line is there, once.
 */
START_TEST(killed_workers_lose_and_repeat_nothing)
{
	struct random r = unit_random(__func__);
	uint64_t id = 0;

	begin();
	for (unsigned worker = 0; worker < 300; worker++) {
		const long life_us = (long)random_below(&r, 4000);
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			start();
			for (;;)
				pause();
		}
		for (unsigned n = (unsigned)random_below(&r, 600); n; n--) {
			if (id - atomic_load(&state->done.lines) <
			    SHOW_RECORDS / 2)
				show_end_of_flow(&show, ++id);
		}
		nap(life_us);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
	start();
	finish();
	ck_assert_uint_gt(id, 2000);
	ck_assert_uint_eq(check_file(path, id), 0);
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_line_has_all_keys, 0},
		{json_has_the_same_keys, 0},
		{what_is_not_known_is_said_so, 0},
		{the_longest_line_has_room, 0},
		{each_end_is_one_line, 0},
		{a_renamed_file_is_left_alone, 0},
		{lines_wait_and_what_is_lost_is_counted, 0},
		{a_line_that_waits_is_not_lost, 0},
		{who_writes_to_the_file_still_is_waited_for, 0},
		{killed_workers_lose_and_repeat_nothing, 0},
	};

	return unit_run("flow_log", tests, ARRAY_LEN(tests));
}
