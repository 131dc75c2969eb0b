/* SPDX-License-Identifier: MIT */
/*
 * The archive in SQLite (store.h): one file an instance, one thread that does
 * all of its work. Callers put what they want into a list; the thread takes the
 * list, writes its messages in one transaction and answers its questions within
 * it, so a question sees all that was appended before it.
 *
 * The disk may fail at any time. Then the file is closed, what is appended is
 * left out, questions are answered as failed, and the file is opened again
 * after RETRY_MS, for ever. The chat goes on meanwhile.
 */
#include "io/store.h"
#include "io/clock.h"
#include "io/report.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* A batch is written when it has so many, or is so old. */
#define BATCH_MESSAGES 200
#define BATCH_MS       250
/* Messages that wait for a slow disk; beyond, they are left out. */
#define WAITING_BYTES ((size_t)16 * 1024 * 1024)
#define RETRY_MS      60000
/* Retention is looked after so often, in slices, so that nobody waits long. */
#define PRUNE_MS       60000
#define PRUNE_MESSAGES 5000
#define SLICE_ROWS     500
/* "l4ch": so that no other program's file is taken for ours. */
#define APPLICATION_ID 0x6c346368
#define VERSION	       2

/* Every entry has its row, also a repeat: else ids would seem to be missing. */
#define SCHEMA                                                              \
	"CREATE TABLE IF NOT EXISTS message("                               \
	"room TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL," \
	"mid TEXT NOT NULL, ts INTEGER NOT NULL, sender TEXT NOT NULL,"     \
	"json TEXT NOT NULL, PRIMARY KEY(room,epoch,seq,mid));"             \
	"CREATE INDEX IF NOT EXISTS message_mid "                           \
	"ON message(room,mid,epoch,seq);"                                   \
	"CREATE INDEX IF NOT EXISTS message_ts ON message(ts);"             \
	"PRAGMA application_id=0x6c346368;"                                 \
	"PRAGMA user_version=2;"

static const char schema[] = SCHEMA;

/*
 * Version 1 had UNIQUE(room,mid), which SQLite can only drop with the table. If
 * this fails half-way, closing the file undoes it.
 */
static const char upgrade[] =
	"BEGIN IMMEDIATE;"
	"DROP INDEX message_ts;"
	"ALTER TABLE message RENAME TO message_1;" SCHEMA
	"INSERT INTO message SELECT room,epoch,seq,mid,ts,sender,json "
	"FROM message_1;"
	"DROP TABLE message_1;"
	"COMMIT;";

enum query {
	ADD,
	AFTER,
	BEFORE,
	BY_MID,
	DROP_AGED,
	DROP_OLDEST,
	CROWDED_ROOM,
	DROP_OF_ROOM,
	USED,
	QUERIES
};

/* True for a row that is not the first of its mid. */
#define IS_REPEAT                                             \
	"EXISTS(SELECT 1 FROM message f WHERE f.room=m.room " \
	"AND f.mid=m.mid AND (f.epoch,f.seq)<(m.epoch,m.seq))"

/* LIMIT ... the slice: a long transaction would hold up those who ask. */
static const char *const sql[QUERIES] = {
	[ADD] = "INSERT OR IGNORE INTO message(room,epoch,seq,mid,ts,sender,"
		"json) VALUES(?1,?2,?3,?4,?5,?6,?7)",
	[AFTER] = "SELECT epoch,seq,json," IS_REPEAT
		  " FROM message m WHERE room=?1 "
		  "AND (epoch,seq)>(?2,?3) ORDER BY epoch,seq,mid",
	[BEFORE] = "SELECT epoch,seq,json," IS_REPEAT
		   " FROM message m WHERE room=?1 "
		   "AND (epoch,seq)<(?2,?3) "
		   "ORDER BY epoch DESC,seq DESC,mid DESC",
	[BY_MID] = "SELECT epoch,seq,json,0 FROM message WHERE room=?1 "
		   "AND mid=?2 ORDER BY epoch,seq LIMIT 1",
	[DROP_AGED] = "DELETE FROM message WHERE rowid IN (SELECT rowid FROM "
		      "message WHERE ts<?1 ORDER BY ts LIMIT ?2)",
	[DROP_OLDEST] = "DELETE FROM message WHERE rowid IN (SELECT rowid "
			"FROM message ORDER BY ts LIMIT ?1)",
	[CROWDED_ROOM] = "SELECT room,count(*)-?1 FROM message GROUP BY room "
			 "HAVING count(*)>?1 LIMIT 1",
	[DROP_OF_ROOM] = "DELETE FROM message WHERE rowid IN (SELECT rowid "
			 "FROM message WHERE room=?1 "
			 "ORDER BY epoch,seq,mid LIMIT ?2)",
	[USED] = "SELECT (p.page_count-f.freelist_count)*s.page_size FROM "
		 "pragma_page_count p,pragma_freelist_count f,"
		 "pragma_page_size s",
};

/* What a caller wants. */
struct item {
	struct item *next;
	struct msg *msg; /* to be written, a reference; NULL: a question */
	struct page_question question;
	struct slice mid; /* of a question: this one, if not empty */
	struct page_reader reader;
	char text[]; /* of the slices */
};

struct archive {
	struct store store;
	struct store_options options;
	char *path;
	struct report *report;
	pthread_t thread;
	atomic_bool works;

	pthread_mutex_t lock; /* guards the list, .stopping */
	pthread_cond_t wake;
	struct item *first, **end;
	unsigned messages; /* of the list */
	size_t bytes;	   /* of these messages */
	bool asked;	   /* the list has a question: do not wait */
	bool stopping;

	/* Of the thread. */
	sqlite3 *db; /* NULL: failed */
	sqlite3_stmt *queries[QUERIES];
	bool in_batch;
	bool pruning;	      /* there may be more to be dropped */
	unsigned since_prune; /* messages */
	int64_t prune_ms, retry_ms;
};

static int64_t now_ms(void)
{
	return clock_us() / 1000;
}

static struct archive *archive(struct store *s)
{
	return (struct archive *)s;
}

/* ---------------------------------------------------------------- file */

static void file_close(struct archive *a)
{
	for (unsigned i = 0; i < QUERIES; i++) {
		sqlite3_finalize(a->queries[i]);
		a->queries[i] = NULL;
	}
	sqlite3_close(a->db);
	a->db = NULL;
	a->in_batch = false;
}

static bool run_sql(struct archive *a, const char *text)
{
	return sqlite3_exec(a->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static bool read_number(struct archive *a, const char *text, int64_t *out)
{
	sqlite3_stmt *query = NULL;
	bool ok = sqlite3_prepare_v2(a->db, text, -1, &query, NULL) ==
			  SQLITE_OK &&
		  sqlite3_step(query) == SQLITE_ROW;

	if (ok)
		*out = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	return ok;
}

/* NULL if the file may be ours, else why it is not. */
static const char *why_foreign(struct archive *a)
{
	int64_t id = 0, version = 0, tables = 0;

	if (!read_number(a, "PRAGMA application_id", &id) ||
	    !read_number(a, "PRAGMA user_version", &version) ||
	    !read_number(a, "SELECT count(*) FROM sqlite_schema", &tables))
		return NULL; /* an error, which shows by itself */
	if (version > VERSION && id == APPLICATION_ID)
		return "it was made by a newer chat_serv";
	if (id != APPLICATION_ID && tables > 0)
		return "it is the database of another program";
	return NULL;
}

/* The file is ours, or empty. */
static bool prepare_tables(struct archive *a)
{
	int64_t version = 0;

	return read_number(a, "PRAGMA user_version", &version) &&
	       (version != 1 || run_sql(a, upgrade)) && run_sql(a, schema);
}

/* Returns an SQLite code; foreign: see why_foreign(). */
static int file_open(struct archive *a, const char **foreign)
{
	int code = sqlite3_open_v2(a->path, &a->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOMUTEX,
				   NULL);

	*foreign = NULL;
	if (code != SQLITE_OK)
		return code;
	sqlite3_busy_timeout(a->db, 5000);
	*foreign = why_foreign(a);
	if (*foreign)
		return SQLITE_NOTADB;
	if (!run_sql(a, "PRAGMA journal_mode=WAL") ||
	    !run_sql(a, a->options.full ? "PRAGMA synchronous=FULL"
					: "PRAGMA synchronous=NORMAL") ||
	    !prepare_tables(a))
		return sqlite3_errcode(a->db);
	for (unsigned i = 0; i < QUERIES && code == SQLITE_OK; i++)
		code = sqlite3_prepare_v3(a->db, sql[i], -1,
					  SQLITE_PREPARE_PERSISTENT,
					  &a->queries[i], NULL);
	return code;
}

/* The file cannot be used: says so once, and is tried again later. */
static void fail(struct archive *a)
{
	if (atomic_exchange(&a->works, false))
		report_line(a->report,
			    "history: %s: %s; nothing is archived until it "
			    "works again",
			    a->path,
			    a->db ? sqlite3_errmsg(a->db) : "out of memory");
	file_close(a);
	a->retry_ms = now_ms() +
		      (a->options.retry_ms ? a->options.retry_ms : RETRY_MS);
}

static void retry(struct archive *a)
{
	const char *foreign;

	if (file_open(a, &foreign) != SQLITE_OK) {
		fail(a);
		return;
	}
	atomic_store(&a->works, true);
	report_line(a->report, "history: %s works again", a->path);
}

/* ------------------------------------------------------------- queries */

static void bind_text(sqlite3_stmt *query, int at, struct slice text)
{
	sqlite3_bind_text(query, at, text.at ? text.at : "", (int)text.len,
			  SQLITE_STATIC);
}

/* A query that gives no rows. Fails the file if it fails. */
static bool finish(struct archive *a, sqlite3_stmt *query)
{
	const int code = sqlite3_step(query);

	if (code == SQLITE_DONE) {
		sqlite3_reset(query);
		return true;
	}
	fail(a);
	return false;
}

static bool begin(struct archive *a)
{
	if (a->in_batch)
		return true;
	a->in_batch = run_sql(a, "BEGIN IMMEDIATE");
	if (!a->in_batch)
		fail(a);
	return a->in_batch;
}

static void commit(struct archive *a)
{
	if (!a->in_batch)
		return;
	a->in_batch = false;
	if (!run_sql(a, "COMMIT"))
		fail(a);
}

/* Ids beyond SQLite's integers are no ids of ours. */
static bool is_storable(struct msgid id)
{
	return id.epoch <= INT64_MAX && id.seq <= INT64_MAX;
}

static void add(struct archive *a, struct msg *m)
{
	struct slice record = msg_record(m);
	sqlite3_stmt *query = a->queries[ADD];

	if (!a->db || record.len == 0 || !is_storable(m->id) || !begin(a))
		return;
	bind_text(query, 1, m->room);
	sqlite3_bind_int64(query, 2, (int64_t)m->id.epoch);
	sqlite3_bind_int64(query, 3, (int64_t)m->id.seq);
	bind_text(query, 4, m->mid);
	sqlite3_bind_int64(query, 5, m->ts_ms);
	bind_text(query, 6, m->sender);
	bind_text(query, 7, record);
	if (finish(a, query))
		a->since_prune++;
}

static sqlite3_stmt *bind_question(struct archive *a, const struct item *item)
{
	const struct page_question *q = &item->question;
	struct msgid id = q->id;
	sqlite3_stmt *query;

	if (item->mid.len > 0) {
		query = a->queries[BY_MID];
		bind_text(query, 2, item->mid);
	} else {
		if (!is_storable(id) || (q->before && msgid_is_none(id)))
			id = (struct msgid){INT64_MAX, INT64_MAX};
		query = a->queries[q->before ? BEFORE : AFTER];
		sqlite3_bind_int64(query, 2, (int64_t)id.epoch);
		sqlite3_bind_int64(query, 3, (int64_t)id.seq);
	}
	bind_text(query, 1, q->room);
	return query;
}

static struct msg *read_row(sqlite3_stmt *query)
{
	const struct msgid id = {(uint64_t)sqlite3_column_int64(query, 0),
				 (uint64_t)sqlite3_column_int64(query, 1)};
	const char *text = (const char *)sqlite3_column_text(query, 2);
	const struct slice record = {text,
				     (size_t)sqlite3_column_bytes(query, 2)};
	char why[MSG_WHY_MAX];
	struct msg *m;

	if (!text || msg_parse(&m, record, id, MSGID_NONE, why) != 0)
		return NULL;
	m->repeat = sqlite3_column_int(query, 3) != 0;
	return m;
}

/* A row that cannot be read any more is left out. */
static void read_page(struct archive *a, const struct item *item,
		      struct page_maker *page)
{
	sqlite3_stmt *query = bind_question(a, item);
	struct msg *m;
	int code;

	while ((code = sqlite3_step(query)) == SQLITE_ROW) {
		m = read_row(query);
		if (m && !page_put(page, m))
			break;
	}
	page->page.failed = code != SQLITE_ROW && code != SQLITE_DONE;
	if (page->page.failed)
		fail(a);
	else
		sqlite3_reset(query);
}

static void answer(struct archive *a, const struct item *item)
{
	struct page_maker page;

	page_begin(&page, &item->question);
	page.page.failed = !a->db;
	if (a->db)
		read_page(a, item, &page);
	page_end(&page, item->reader);
}

/* ----------------------------------------------------------- retention */

/* Rows that the query dropped; 0 also if the file failed. */
static unsigned drop(struct archive *a, sqlite3_stmt *query)
{
	return finish(a, query) ? (unsigned)sqlite3_changes(a->db) : 0;
}

static unsigned drop_aged(struct archive *a)
{
	sqlite3_stmt *query = a->queries[DROP_AGED];
	const int64_t day_ms = INT64_C(24) * 3600 * 1000;

	if (a->options.keep_days == 0)
		return 0;
	sqlite3_bind_int64(query, 1, wall_ms() - a->options.keep_days * day_ms);
	sqlite3_bind_int64(query, 2, SLICE_ROWS);
	return drop(a, query);
}

static unsigned drop_crowd(struct archive *a)
{
	sqlite3_stmt *find = a->queries[CROWDED_ROOM];
	sqlite3_stmt *query = a->queries[DROP_OF_ROOM];
	unsigned dropped = 0;
	int64_t excess;
	int code;

	if (a->options.max_per_room == 0)
		return 0;
	sqlite3_bind_int64(find, 1, a->options.max_per_room);
	code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		excess = sqlite3_column_int64(find, 1);
		sqlite3_bind_value(query, 1, sqlite3_column_value(find, 0));
		sqlite3_bind_int64(query, 2,
				   excess < SLICE_ROWS ? excess : SLICE_ROWS);
		dropped = drop(a, query);
	}
	if (a->db)
		sqlite3_reset(find);
	if (a->db && code != SQLITE_ROW && code != SQLITE_DONE)
		fail(a);
	return dropped;
}

static unsigned drop_excess(struct archive *a)
{
	const int64_t max = (int64_t)a->options.max_mib * 1024 * 1024;
	sqlite3_stmt *used = a->queries[USED];
	bool over;

	if (max == 0)
		return 0;
	over = sqlite3_step(used) == SQLITE_ROW &&
	       sqlite3_column_int64(used, 0) > max;
	sqlite3_reset(used);
	if (!over)
		return 0;
	sqlite3_bind_int64(a->queries[DROP_OLDEST], 1, SLICE_ROWS);
	return drop(a, a->queries[DROP_OLDEST]);
}

/* One slice of what is too much, if there is anything. */
static void prune(struct archive *a)
{
	unsigned dropped = 0;

	a->pruning = false;
	if (!a->db || !begin(a))
		return;
	dropped = drop_aged(a);
	if (a->db && dropped == 0)
		dropped = drop_crowd(a);
	if (a->db && dropped == 0)
		dropped = drop_excess(a);
	commit(a);
	a->pruning = a->db && dropped > 0;
}

/* A small limit is watched more closely. */
static unsigned prune_after(const struct archive *a)
{
	const unsigned part = a->options.max_per_room / 16 + 1;

	return a->options.max_per_room && part < PRUNE_MESSAGES
		       ? part
		       : PRUNE_MESSAGES;
}

static void look_after(struct archive *a)
{
	const int64_t now = now_ms();

	if (!a->pruning && now < a->prune_ms && a->since_prune < prune_after(a))
		return;
	a->prune_ms = now + PRUNE_MS;
	a->since_prune = 0;
	prune(a);
}

/* -------------------------------------------------------------- thread */

static void process(struct archive *a, struct item *list)
{
	if (!a->db && now_ms() >= a->retry_ms)
		retry(a);
	while (list) {
		struct item *item = list;

		list = item->next;
		if (item->msg)
			add(a, item->msg);
		else
			answer(a, item);
		msg_unref(item->msg);
		free(item);
	}
	commit(a);
	look_after(a);
}

static void wait_until(struct archive *a, int64_t at_ms)
{
	struct timespec at = {at_ms / 1000, at_ms % 1000 * 1000000};

	pthread_cond_timedwait(&a->wake, &a->lock, &at);
}

/* A full batch, an old one, a question, or the time to look after the file. */
static void wait_for_work(struct archive *a)
{
	const int64_t begin_ms = now_ms();
	int64_t until = a->db ? a->prune_ms : a->retry_ms;

	while (!a->stopping && !a->asked && !a->pruning &&
	       a->messages < BATCH_MESSAGES && now_ms() < until) {
		if (a->messages > 0 && until > begin_ms + BATCH_MS)
			until = begin_ms + BATCH_MS;
		else
			wait_until(a, until);
	}
}

static void *run(void *arg)
{
	struct archive *a = arg;
	bool stopping = false;

	while (!stopping) {
		struct item *list;

		pthread_mutex_lock(&a->lock);
		wait_for_work(a);
		stopping = a->stopping;
		list = a->first;
		a->first = NULL;
		a->end = &a->first;
		a->messages = 0;
		a->bytes = 0;
		a->asked = false;
		pthread_mutex_unlock(&a->lock);
		process(a, list);
	}
	file_close(a);
	return NULL;
}

/* ------------------------------------------------------------- callers */

/* The caller holds the lock. */
static void enqueue(struct archive *a, struct item *item)
{
	*a->end = item;
	a->end = &item->next;
	pthread_cond_signal(&a->wake);
}

static void store_append(struct store *s, struct msg *m)
{
	struct archive *a = archive(s);
	struct item *item;

	if (!atomic_load(&a->works))
		return;
	item = calloc(1, sizeof(*item));
	if (!item)
		return;
	pthread_mutex_lock(&a->lock);
	if (a->bytes > WAITING_BYTES) {
		free(item);
	} else {
		item->msg = msg_ref(m);
		a->messages++;
		a->bytes += msg_bytes(m);
		enqueue(a, item);
	}
	pthread_mutex_unlock(&a->lock);
}

static int ask(struct archive *a, const struct page_question *q,
	       struct slice mid, struct page_reader reader)
{
	struct item *item = calloc(1, sizeof(*item) + q->room.len + mid.len);

	if (!item)
		return -ENOMEM;
	memcpy(item->text, q->room.at, q->room.len);
	if (mid.len > 0)
		memcpy(item->text + q->room.len, mid.at, mid.len);
	item->question = *q;
	item->question.room = (struct slice){item->text, q->room.len};
	item->mid = (struct slice){item->text + q->room.len, mid.len};
	item->reader = reader;
	if (item->question.limit > PAGE_MAX)
		item->question.limit = PAGE_MAX;
	pthread_mutex_lock(&a->lock);
	a->asked = true;
	enqueue(a, item);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

static int store_read(struct store *s, const struct page_question *q,
		      struct page_reader reader)
{
	return ask(archive(s), q, SLICE(""), reader);
}

static int store_find(struct store *s, struct slice room, struct slice mid,
		      struct page_reader reader)
{
	const struct page_question q = {.room = room, .limit = 1};

	return ask(archive(s), &q, mid, reader);
}

static bool store_works(struct store *s)
{
	return atomic_load(&archive(s)->works);
}

static void archive_free(struct archive *a)
{
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->wake);
	free(a->path);
	free(a);
}

static void store_free(struct store *s)
{
	struct archive *a = archive(s);

	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	archive_free(a);
}

static void init_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(wake, &attr);
	pthread_condattr_destroy(&attr);
}

/*
 * A path that cannot be right stops the program at its start; a file that is
 * damaged, or a disk that is full, does not: people shall be able to talk.
 */
static int first_open(struct archive *a, char *why, size_t why_len)
{
	const char *foreign;
	const int code = file_open(a, &foreign);

	atomic_store(&a->works, true);
	if (code == SQLITE_OK)
		return 0;
	if (code == SQLITE_CANTOPEN || code == SQLITE_NOTADB ||
	    code == SQLITE_READONLY || code == SQLITE_PERM) {
		snprintf(why, why_len, "history = %s: %s", a->path,
			 foreign ? foreign : sqlite3_errstr(code));
		return code == SQLITE_NOTADB ? -EINVAL : -EACCES;
	}
	fail(a);
	return 0;
}

int store_new(struct store **out, const struct store_options *options,
	      struct report *report, char *why, size_t why_len)
{
	struct archive *a = calloc(1, sizeof(*a));
	int ret = -ENOMEM;

	snprintf(why, why_len, "history: out of memory");
	if (!a)
		return ret;
	a->store = (struct store){.append = store_append,
				  .read = store_read,
				  .find = store_find,
				  .works = store_works,
				  .free = store_free};
	a->options = *options;
	a->report = report;
	a->end = &a->first;
	pthread_mutex_init(&a->lock, NULL);
	init_wake(&a->wake);
	a->path = strdup(options->path);
	if (a->path)
		ret = first_open(a, why, why_len);
	if (!ret) {
		a->pruning = a->db; /* the limits may have changed */
		ret = -pthread_create(&a->thread, NULL, run, a);
		snprintf(why, why_len, "history: cannot start its thread");
	}
	if (ret) {
		file_close(a);
		archive_free(a);
		return ret;
	}
	*out = &a->store;
	return 0;
}
