/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <threads.h>
#include <unistd.h>

#include "api/flow_log.h"
#include "api/flow_log_file.h"
#include "api/flow_log_line.h"
#include "clock.h"
#include "core/time.h"
#include "log.h"

#define LOOK_MS	  50
#define RETRY_NS  NS_PER_S
#define FINISH_NS (8 * NS_PER_S)
/* The l4lb-api of the l4lb before us may still write: longer than it may. */
#define GRACE_NS (12 * NS_PER_S)

struct flow_log {
	struct flow_log_spec spec;
	struct flow_log_file file;
	struct flow_log_batch batch;
	unsigned own_hups;   /* that were followed */
	uint64_t board_hups; /* the same, of l4lb */
	uint64_t retry_ns;   /* not opened before */
	uint64_t locked_ns;  /* another process has the file since; 0: none */
	int stop;	     /* an eventfd: it is time to end */
	thrd_t thread;

	mtx_t mutex;		    /* of what follows */
	char trouble[ERR_TEXT_MAX]; /* the last one */
};

static _Atomic unsigned hups;

void flow_log_hup(int signal)
{
	(void)signal;
	hups++;
}

/* ----------------------------------------------------------------- trouble */

/* Said once, until it works again. */
static void has_failed(struct flow_log *log, const struct err *err)
{
	struct flow_log_state *state = log->spec.state;

	log->retry_ns = clock_now_ns() + RETRY_NS;
	mtx_lock(&log->mutex);
	memcpy(log->trouble, err->text, sizeof(log->trouble));
	mtx_unlock(&log->mutex);
	if (atomic_exchange(&state->failing, 1))
		return;
	state->errors++;
	log_warn("%s; lines wait in the journal for room, the oldest are lost "
		 "first; balancing goes on",
		 err->text);
}

/* True: whoever writes to the file now may end by itself. */
static bool is_patient(struct flow_log *log)
{
	const uint64_t now_ns = clock_now_ns();

	if (!log->locked_ns)
		log->locked_ns = now_ns;
	return now_ns - log->locked_ns < GRACE_NS;
}

static void works(struct flow_log *log)
{
	if (atomic_exchange(&log->spec.state->failing, 0))
		log_info("flow log %s: it is written again", log->spec.path);
}

/* ------------------------------------------ from the journal into the file */

/*
 * Records were lost before @r, which was read just now. If the disk has room
 * for that line alone, the next one to be read is @r again.
 */
static void add_lost_before(struct flow_log_batch *b, uint64_t lost,
			    const struct journal_record *r,
			    const struct flow_log_style *style)
{
	const struct flow_log_mark after = b->mark;
	struct flow_log_mark before = after;
	char line[FLOW_LOG_LINE_MAX];

	before.at.next = r->seq;
	before.at.ends = r->ends;
	flow_log_batch_add(b, line,
			   flow_log_lost_line(line, lost, r->time_ns, style),
			   &before);
	b->mark = after;
}

static void add_end(struct flow_log *log, const struct journal_record *r,
		    const struct flow_log_style *style)
{
	struct board_service service = {0};
	struct board_backend backend = {0};
	char line[FLOW_LOG_LINE_MAX];
	size_t len;

	/* Also of a slot that is free by now: it keeps its names. */
	(void)board_read_service(log->spec.board, r->service, &service);
	(void)board_read_backend(log->spec.board, r->service, r->backend,
				 &backend);
	len = flow_log_line(line, r, service.name, backend.id, style);
	log->batch.mark.lines++;
	flow_log_batch_add(&log->batch, line, len, &log->batch.mark);
}

/* False: the journal has no more. */
static bool fill(struct flow_log *log, const struct flow_log_style *style)
{
	struct flow_log_batch *b = &log->batch;
	struct journal_record record;
	uint64_t lost, told;

	flow_log_batch_begin(b, log->spec.state);
	if (!b->mark.at.next)
		b->mark.at = journal_seek(log->spec.journal, 1);
	told = b->mark.at.lost_ends;
	while (flow_log_batch_has_room(b)) {
		switch (journal_next(log->spec.journal, &b->mark.at, &record,
				     &lost)) {
		case JOURNAL_NONE: return false;
		case JOURNAL_LOST: continue;
		case JOURNAL_RECORD: break;
		}
		if (b->mark.at.lost_ends != told)
			add_lost_before(b, b->mark.at.lost_ends - told, &record,
					style);
		told = b->mark.at.lost_ends;
		if (record.kind == JOURNAL_ENDED)
			add_end(log, &record, style);
	}
	return true;
}

static bool is_to_reopen(struct flow_log *log, const struct board_global *g)
{
	const unsigned own = hups;

	if (own == log->own_hups && g->hups == log->board_hups)
		return false;
	log->own_hups = own;
	log->board_hups = g->hups;
	return true;
}

/* True: there is more to be written, at once. */
static bool turn(struct flow_log *log)
{
	struct flow_log_style style = {.json = log->spec.json};
	struct board_global global = {0};
	struct err err;
	bool more;
	int ret;

	(void)board_read_global(log->spec.board, &global);
	style.wall_offset_ns = global.wall_offset_ns;
	if (is_to_reopen(log, &global)) {
		flow_log_file_close(&log->file);
		log->retry_ns = 0;
	}
	if (log->file.fd == -1) {
		if (clock_now_ns() < log->retry_ns)
			return false;
		ret = flow_log_file_open(&log->file, &err);
		if (ret == -EAGAIN && is_patient(log))
			return false;
		if (ret) {
			has_failed(log, &err);
			return false;
		}
		log->locked_ns = 0;
	}
	more = fill(log, &style);
	if (flow_log_file_write(&log->file, &log->batch, &err)) {
		has_failed(log, &err);
		return false;
	}
	works(log);
	return more;
}

/* -------------------------------------------------------------- the thread */

/* True: it is time to end. */
static bool wait_a_little(const struct flow_log *log)
{
	struct pollfd stop = {.fd = log->stop, .events = POLLIN};

	return poll(&stop, 1, LOOK_MS) == 1;
}

static void write_the_rest(struct flow_log *log)
{
	const uint64_t until_ns = clock_now_ns() + FINISH_NS;
	struct flow_log_status left;

	log->retry_ns = 0;
	while (turn(log) && clock_now_ns() < until_ns)
		continue;
	flow_log_status(log, &left);
	if (left.waiting)
		log_warn("flow log %s: %llu records of the journal were not "
			 "written any more: %s",
			 log->spec.path, (unsigned long long)left.waiting,
			 left.failing ? left.trouble : "there were too many");
	flow_log_file_close(&log->file);
}

static int run(void *arg)
{
	struct flow_log *log = arg;

	do
		while (turn(log))
			continue;
	while (!wait_a_little(log));
	write_the_rest(log);
	return 0;
}

/* ------------------------------------------------------------ from outside */

/* Signals are for the main thread. */
static bool start_thread(struct flow_log *log)
{
	sigset_t all, before;
	bool started;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	started = thrd_create(&log->thread, run, log) == thrd_success;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return started;
}

void flow_log_free(struct flow_log *log)
{
	if (!log)
		return;
	if (log->stop != -1)
		close(log->stop);
	mtx_destroy(&log->mutex);
	free(log);
}

int flow_log_start(struct flow_log **out, const struct flow_log_spec *spec,
		   struct err *err)
{
	struct flow_log *log = calloc(1, sizeof(*log));
	struct board_global global = {0};

	if (!log)
		return err_set(err, -ENOMEM, "flow log: out of memory");
	(void)board_read_global(spec->board, &global);
	log->spec = *spec;
	log->own_hups = hups;
	log->board_hups = global.hups;
	log->file = (struct flow_log_file){
		.path = log->spec.path,
		.fd = -1,
		.state = log->spec.state,
	};
	mtx_init(&log->mutex, mtx_plain);
	log->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (log->stop == -1 || !start_thread(log)) {
		flow_log_free(log);
		return err_set(err, -EAGAIN,
			       "flow log: no descriptor or no thread left");
	}
	*out = log;
	return 0;
}

void flow_log_finish(struct flow_log *log)
{
	if (!log)
		return;
	(void)eventfd_write(log->stop, 1);
	(void)thrd_join(log->thread, NULL);
}

void flow_log_status(struct flow_log *log, struct flow_log_status *out)
{
	const struct flow_log_state *state = log->spec.state;
	const uint64_t written = journal_reader_written(log->spec.journal);
	const uint64_t next = state->done.next;

	*out = (struct flow_log_status){
		.lines = state->done.lines,
		.lost = state->done.lost_ends,
		.records = state->done.lost,
		.waiting =
			written >= next ? written + 1 - (next ? next : 1) : 0,
		.errors = state->errors,
		.failing = state->failing,
	};
	if (!out->failing)
		return;
	mtx_lock(&log->mutex);
	memcpy(out->trouble, log->trouble, sizeof(out->trouble));
	mtx_unlock(&log->mutex);
}
