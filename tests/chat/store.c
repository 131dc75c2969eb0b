/* SPDX-License-Identifier: MIT */
/*
 * The archive: what is kept, what is dropped, and what a disk that fails does.
 * A question sees what was appended before it, so nothing here waits for time.
 */
#include "io/clock.h"
#include "io/report.h"
#include "io/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char folder[] = "/tmp/chat_store.XXXXXX", path[64];
static struct report *report;
static struct store *store;

/* The answer to the last question. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t came;
	unsigned answers;
	char ids[8192]; /* "1 2r 3": 2 is a repeat; "+" more, "!" a gap */
	bool failed;
} got = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static void take(void *arg, uint64_t ticket, const struct page *page)
{
	(void)arg;
	(void)ticket;
	pthread_mutex_lock(&got.lock);
	got.ids[0] = '\0';
	for (unsigned i = 0; i < page->count; i++)
		snprintf(got.ids + strlen(got.ids),
			 sizeof(got.ids) - strlen(got.ids), "%s%" PRIu64 "%s",
			 i ? " " : "", page->items[i]->id.seq,
			 page->items[i]->repeat ? "r" : "");
	if (page->gap)
		strcat(got.ids, "!");
	if (page->more)
		strcat(got.ids, "+");
	got.failed = page->failed;
	got.answers++;
	pthread_cond_signal(&got.came);
	pthread_mutex_unlock(&got.lock);
}

static const struct page_reader reader = {take, NULL, 0};

static const char *answer(unsigned before)
{
	pthread_mutex_lock(&got.lock);
	while (got.answers == before)
		pthread_cond_wait(&got.came, &got.lock);
	pthread_mutex_unlock(&got.lock);
	return got.failed ? "failed" : got.ids;
}

static const char *ask_question(const struct page_question *q)
{
	const unsigned answers = got.answers;

	ck_assert_int_eq(store->read(store, q, reader), 0);
	return answer(answers);
}

static const char *ask(const char *room, bool before, uint64_t epoch,
		       uint64_t seq, unsigned limit)
{
	const struct page_question q = {.room = slice_of(room),
					.before = before,
					.id = {epoch, seq},
					.limit = limit};

	return ask_question(&q);
}

/* What people get who want the last ones. */
static const char *ask_once(unsigned limit)
{
	const struct page_question q = {.room = SLICE("ops"),
					.before = true,
					.limit = limit,
					.once = true};

	return ask_question(&q);
}

static const char *find(const char *room, const char *mid)
{
	const unsigned answers = got.answers;

	ck_assert_int_eq(
		store->find(store, slice_of(room), slice_of(mid), reader), 0);
	return answer(answers);
}

static struct msg *make(const char *room, uint64_t epoch, uint64_t seq,
			const char *mid, int64_t ts_ms, size_t len)
{
	static char text[MSG_TEXT_MAX];
	struct msg_fields f = {.id = {epoch, seq},
			       .mid = slice_of(mid),
			       .room = slice_of(room),
			       .sender = SLICE("lan"),
			       .text = {text, len},
			       .instance = SLICE("pi1-9001"),
			       .ts_ms = ts_ms};
	struct msg *m;

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(msg_new(&m, &f), 0);
	return m;
}

static void append_as(const char *room, uint64_t epoch, uint64_t seq,
		      const char *mid, int64_t ts_ms, size_t len)
{
	struct msg *m = make(room, epoch, seq, mid, ts_ms, len);

	store->append(store, m);
	msg_unref(m);
}

static void append(const char *room, uint64_t epoch, uint64_t seq)
{
	char mid[40];

	snprintf(mid, sizeof(mid), "0a1b2c.%010u%010u", (unsigned)epoch,
		 (unsigned)seq);
	append_as(room, epoch, seq, mid, wall_ms(), 20);
}

static void open_with(struct store_options options)
{
	char why[256];

	options.path = path;
	ck_assert_msg(store_new(&store, &options, report, why, sizeof(why)) ==
			      0,
		      "%s", why);
}

static void reopen(void)
{
	store->free(store);
	open_with((struct store_options){.keep_days = 30});
}

static void remove_file(void)
{
	char name[80];

	unlink(path);
	snprintf(name, sizeof(name), "%s-wal", path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
}

static void end(void)
{
	store->free(store);
	remove_file();
}

START_TEST(pages_in_both_directions)
{
	open_with((struct store_options){.keep_days = 30});
	ck_assert_str_eq(ask("ops", true, 0, 0, 10), "");
	for (unsigned i = 1; i <= 9; i++)
		append("ops", 1, i);
	append("else", 1, 77);
	ck_assert_str_eq(ask("ops", true, 0, 0, 3), "7 8 9+");
	ck_assert_str_eq(ask("ops", true, 1, 7, 3), "4 5 6+");
	ck_assert_str_eq(ask("ops", true, 1, 4, 3), "1 2 3");
	ck_assert_str_eq(ask("ops", false, 0, 0, 4), "1 2 3 4+");
	ck_assert_str_eq(ask("ops", false, 1, 4, 500), "5 6 7 8 9");
	ck_assert_str_eq(ask("ops", false, 1, 9, 5), "");
	ck_assert_str_eq(ask("else", false, 0, 0, 5), "77");
	end();
}
END_TEST

START_TEST(what_is_missing_is_said)
{
	open_with((struct store_options){.keep_days = 30});
	append("ops", 1, 1);
	append("ops", 1, 2);
	append("ops", 1, 4);
	append("ops", 2, 1); /* where epoch 1 ended, nobody knows */
	ck_assert_str_eq(ask("ops", true, 0, 0, 9), "1 2 4 1!");
	ck_assert_str_eq(ask("ops", true, 0, 0, 2), "4 1!+");
	ck_assert_str_eq(ask("ops", false, 1, 2, 1), "4!+");
	ck_assert_str_eq(ask("ops", false, 1, 1, 1), "2+");
	end();
}
END_TEST

#define FIRST "0a1b2c.first-message-0001"
#define OTHER "0a1b2c.other-message-0001"

START_TEST(an_entry_is_kept_once)
{
	open_with((struct store_options){0});
	append_as("ops", 1, 1, FIRST, 1, 5);
	append_as("ops", 1, 1, FIRST, 1, 5);
	/* An id that a log gave twice: both are kept. */
	append_as("ops", 1, 1, OTHER, 1, 5);
	store->free(store);
	open_with((struct store_options){0});
	append_as("ops", 1, 1, FIRST, 1, 5);
	append_as("ops", 1, 1, OTHER, 1, 5);
	ck_assert_str_eq(ask("ops", false, 0, 0, 9), "1 1");
	ck_assert_str_eq(find("ops", FIRST), "1");
	ck_assert_str_eq(find("else", FIRST), "");
	ck_assert_str_eq(find("ops", "0a1b2c.never-said-0000001"), "");
	end();
}
END_TEST

/* Without the repeats the page would have gaps where nothing is missing. */
START_TEST(repeats_are_kept_and_the_first_is_the_message)
{
	open_with((struct store_options){0});
	append_as("ops", 1, 2, FIRST, 1, 5);
	append_as("ops", 1, 3, OTHER, 1, 5);
	append_as("ops", 1, 4, FIRST, 1, 5);
	ck_assert_str_eq(ask("ops", false, 1, 1, 9), "2 3 4r");
	ck_assert_str_eq(ask("ops", true, 0, 0, 2), "3 4r+");
	ck_assert_str_eq(find("ops", FIRST), "2");
	/* An earlier entry may be fetched later. */
	append_as("ops", 1, 1, FIRST, 1, 5);
	ck_assert_str_eq(ask("ops", false, 0, 0, 9), "1 2r 3 4r");
	ck_assert_str_eq(find("ops", FIRST), "1");
	append_as("else", 1, 9, FIRST, 1, 5);
	ck_assert_str_eq(ask("else", false, 0, 0, 9), "9");
	end();
}
END_TEST

START_TEST(people_get_as_many_as_they_want_without_repeats)
{
	open_with((struct store_options){0});
	for (unsigned i = 1; i <= 8; i++)
		if (i == 1 || i == 4 || i == 5 || i == 7)
			append_as("ops", 1, i, FIRST, 1, 5);
		else
			append("ops", 1, i);
	ck_assert_str_eq(ask("ops", true, 0, 0, 4), "5r 6 7r 8+");
	ck_assert_str_eq(ask_once(2), "6 8+");
	ck_assert_str_eq(ask_once(4), "2 3 6 8+");
	ck_assert_str_eq(ask_once(5), "1 2 3 6 8");
	end();
}
END_TEST

START_TEST(repeats_are_no_more)
{
	open_with((struct store_options){0});
	append_as("else", 1, 1, FIRST, 1, 5);
	append_as("ops", 1, 1, FIRST, 1, 5);
	append_as("ops", 1, 2, FIRST, 1, 5);
	append("ops", 1, 3);
	append_as("ops", 1, 4, FIRST, 1, 5);
	ck_assert_str_eq(ask_once(2), "1 3");
	end();
}
END_TEST

/* What version 1 wrote, with one row of its own. */
static void write_version_1(void)
{
	struct msg *m = make("ops", 1, 1, FIRST, 1, 5);
	const struct slice record = msg_record(m);
	char row[512];
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(db,
			     "CREATE TABLE message(room TEXT NOT NULL,"
			     "epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
			     "mid TEXT NOT NULL, ts INTEGER NOT NULL,"
			     "sender TEXT NOT NULL, json TEXT NOT NULL,"
			     "PRIMARY KEY(room,epoch,seq,mid),"
			     "UNIQUE(room,mid));"
			     "CREATE INDEX message_ts ON message(ts);"
			     "PRAGMA application_id=0x6c346368;"
			     "PRAGMA user_version=1;",
			     NULL, NULL, NULL),
		SQLITE_OK);
	snprintf(row, sizeof(row),
		 "INSERT INTO message VALUES('ops',1,1,'" FIRST
		 "',1,'lan','%.*s')",
		 SLICE_ARG(record));
	ck_assert_int_eq(sqlite3_exec(db, row, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	msg_unref(m);
}

START_TEST(a_file_of_version_1_is_converted)
{
	write_version_1();
	for (unsigned start = 0; start < 2; start++) {
		open_with((struct store_options){0});
		append_as("ops", 1, 2, FIRST, 1, 5);
		ck_assert_str_eq(ask("ops", false, 0, 0, 9), "1 2r");
		store->free(store);
	}
	remove_file();
}
END_TEST

START_TEST(it_is_there_after_a_restart)
{
	open_with((struct store_options){.full = true});
	for (unsigned i = 1; i <= 1000; i++)
		append("ops", 1, i);
	reopen();
	ck_assert_str_eq(ask("ops", true, 0, 0, 3), "998 999 1000+");
	end();
}
END_TEST

/* Asks until the answer is the one: retention works in slices. */
static void await(const char *room, unsigned limit, const char *expected)
{
	const int64_t end_us = clock_us() + 20000000;

	while (strcmp(ask(room, false, 0, 0, limit), expected) != 0)
		ck_assert_msg(clock_us() < end_us, "%s", got.ids);
}

START_TEST(the_count_of_a_room_is_limited)
{
	open_with((struct store_options){.max_per_room = 50});
	append("else", 1, 1);
	for (unsigned i = 1; i <= 2000; i++)
		append("ops", i <= 1000 ? 1 : 2, i);
	await("ops", 1, "1951+");
	ck_assert_str_eq(ask("else", false, 0, 0, 2), "1");
	end();
}
END_TEST

START_TEST(the_age_is_limited)
{
	const int64_t day_ms = INT64_C(24) * 3600 * 1000;

	open_with((struct store_options){0});
	append_as("ops", 1, 1, "0a1b2c.of-31-days-ago", wall_ms() - 31 * day_ms,
		  5);
	append_as("ops", 1, 2, "0a1b2c.of-29-days-ago", wall_ms() - 29 * day_ms,
		  5);
	ck_assert_str_eq(ask("ops", false, 0, 0, 9), "1 2");
	reopen();
	await("ops", 9, "2");
	end();
}
END_TEST

START_TEST(the_size_is_limited)
{
	struct stat size;
	char mid[40];

	open_with((struct store_options){.max_mib = 1, .max_per_room = 10000});
	for (unsigned i = 1; i <= 3000; i++) {
		snprintf(mid, sizeof(mid), "0a1b2c.%020u", i);
		append_as("ops", 1, i, mid, i, 1000);
		/* As a disk does, at its pace. */
		if (i % 500 == 0)
			ask("ops", true, 0, 0, 1);
	}
	ck_assert_str_eq(ask("ops", true, 0, 0, 2), "2999 3000+");
	reopen();
	store->free(store);
	open_with((struct store_options){.max_mib = 1});
	while (strncmp(ask("ops", false, 0, 0, 1), "1+", 2) == 0)
		continue;
	store->free(store);
	ck_assert_int_eq(stat(path, &size), 0);
	ck_assert_int_lt(size.st_size, 6 * 1024 * 1024);
	remove_file();
}
END_TEST

static void write_file(const char *bytes, size_t len, off_t at)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

static void check_refused(const char *file, const char *expected)
{
	struct store_options options = {.path = file};
	char why[256] = "";

	ck_assert_int_lt(store_new(&store, &options, report, why, sizeof(why)),
			 0);
	ck_assert_msg(strstr(why, expected), "%s", why);
}

START_TEST(a_path_that_cannot_be_right_is_refused)
{
	static const char text[] = "This is a letter to my aunt, who has no "
				   "computer, and not a database at all.\n"
				   "This is a letter to my aunt, who has no ";
	sqlite3 *db;

	check_refused("/tmp/no/such/folder/chat.db", "unable to open");
	write_file(text, sizeof(text), 0);
	check_refused(path, "not a database");
	remove_file();
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE bookmarks(url)", NULL, NULL, NULL);
	sqlite3_close(db);
	check_refused(path, "another program");
	remove_file();
	open_with((struct store_options){0});
	store->free(store);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version=3", NULL, NULL, NULL);
	sqlite3_close(db);
	check_refused(path, "newer");
	remove_file();
}
END_TEST

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Appends until it fails or works, as expected. */
static void append_until(bool works)
{
	const int64_t end_us = clock_us() + 20000000;
	static unsigned seq = 10000;

	while (store->works(store) != works) {
		char mid[40];

		snprintf(mid, sizeof(mid), "0a1b2c.%020u", ++seq);
		append_as("ops", 1, seq, mid, wall_ms(), 4000);
		ask("ops", true, 0, 0, 1);
		ck_assert(clock_us() < end_us);
	}
}

START_TEST(a_full_disk_stops_the_archive_until_there_is_room)
{
	signal(SIGXFSZ, SIG_IGN);
	open_with((struct store_options){.retry_ms = 20});
	append("ops", 1, 1);
	ck_assert_str_eq(ask("ops", true, 0, 0, 1), "1");
	ck_assert(store->works(store));
	limit_files(300000);
	append_until(false);
	limit_files(RLIM_INFINITY);
	append_until(true);
	append("ops", 2, 7);
	ck_assert_str_eq(ask("ops", true, 0, 0, 1), "7+");
	ck_assert_str_eq(ask("ops", false, 0, 0, 1), "1+");
	end();
}
END_TEST

START_TEST(a_damaged_file_does_not_stop_the_chat)
{
	static const char noise[4096] = "noise";

	open_with((struct store_options){0});
	for (unsigned i = 1; i <= 300; i++)
		append("ops", 1, i);
	store->free(store);
	for (unsigned page = 1; page < 8; page++)
		write_file(noise, sizeof(noise), page * 4096);
	open_with((struct store_options){.retry_ms = 3600000});
	append("ops", 1, 301);
	ck_assert_str_eq(ask("ops", false, 0, 0, 500), "failed");
	ck_assert(!store->works(store));
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{pages_in_both_directions, 1},
		{what_is_missing_is_said, 1},
		{an_entry_is_kept_once, 1},
		{repeats_are_kept_and_the_first_is_the_message, 1},
		{people_get_as_many_as_they_want_without_repeats, 1},
		{repeats_are_no_more, 1},
		{a_file_of_version_1_is_converted, 1},
		{it_is_there_after_a_restart, 1},
		{the_count_of_a_room_is_limited, 1},
		{the_age_is_limited, 1},
		{the_size_is_limited, 1},
		{a_path_that_cannot_be_right_is_refused, 1},
		{a_full_disk_stops_the_archive_until_there_is_room, 1},
		{a_damaged_file_does_not_stop_the_chat, 1},
	};
	int result;

	/* Threads do not survive a fork. */
	setenv("CK_FORK", "no", 1);
	if (!mkdtemp(folder) || report_new(&report, NULL) != 0)
		return 1;
	snprintf(path, sizeof(path), "%s/chat.db", folder);
	result = unit_run("store", tests, ARRAY_LEN(tests));
	report_free(report);
	rmdir(folder);
	return result;
}
