/* SPDX-License-Identifier: MIT */
/*
 * board.c - shows what a running l4lb shows to l4lb-api, without l4lb-api
 *
 *	board PID			the rows of the board and the flows,
 *once board PID follow		the journal, until that process is gone board
 *PID check SECONDS	reads all rows all the time, and counts those that
 *contradict themselves
 *
 * Finds the memory by the names of PID's descriptors. Needs to be root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "board/board.h"
#include "board/flows_read.h"
#include "board/journal.h"
#include "board/shared.h"
#include "core/drop.h"
#include "core/flow_end.h"
#include "host/state_file.h"

struct seen {
	struct board_reader *board;
	struct journal_reader *journal;
	struct flows_reader *flows;
};

static void die(const char *why)
{
	fprintf(stderr, "board: %s\n", why);
	exit(1);
}

/* A descriptor of @pid whose name begins with @name, opened here; or -1. */
static int find(pid_t pid, const char *name)
{
	char folder[64], path[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	while (dir && fd == -1 && (entry = readdir(dir))) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strncmp(target, name, strlen(name)) == 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

static const void *map(pid_t pid, const char *name, size_t from, size_t *bytes)
{
	const int fd = find(pid, name);
	const void *at;
	struct err err;

	if (fd == -1)
		die(name);
	if (shared_map(fd, name, from, &at, bytes, &err))
		die(err.text);
	close(fd);
	return at;
}

static struct seen look(pid_t pid)
{
	const struct board_head *head;
	const void *at, *notes;
	size_t bytes, n_notes;
	struct seen s;
	struct err err;

	at = map(pid, "/memfd:l4lb-board", 0, &bytes);
	if (board_reader_open(at, bytes, &s.board, &err))
		die(err.text);
	at = map(pid, "/memfd:l4lb-journal", 0, &bytes);
	if (journal_reader_open(at, bytes, &s.journal, &err))
		die(err.text);
	notes = map(pid, "/memfd:l4lb-notes", 0, &n_notes);
	at = map(pid, "/run/l4lb/", STATE_FLOWS_AT, &bytes);
	head = board_reader_head(s.board);
	if (flows_reader_open(at, bytes, notes, n_notes, head->flows, &s.flows,
			      &err))
		die(err.text);
	return s;
}

/* --------------------------------------------------------------------- rows */

static void show_requests(const struct service_counters *c)
{
	printf(" requests=%" PRIu64 " succeeded=%" PRIu64 " failed=%" PRIu64
	       " pending=%" PRIu64 "\n",
	       c->requests, c->succeeded, c->failed, c->pending);
}

static void show_backend(const struct seen *s, unsigned i, unsigned k)
{
	struct board_backend b;
	char addr[ENDPOINT_TEXT_MAX];
	uint64_t ends = 0;

	if (!board_read_backend(s->board, i, k, &b) && !b.id[0])
		return;
	for (unsigned why = 0; why < FLOW_ENDS; why++)
		ends += b.counters.ends[why];
	printf("backend %u %s %s slot=%u admin=%u weight=%u health=%s "
	       "takes_flows=%u flows=%u total=%" PRIu64 " answered=%" PRIu64
	       " ends=%" PRIu64 " c2s=%" PRIu64 "/%" PRIu64 " s2c=%" PRIu64
	       "/%" PRIu64 "\n",
	       i, b.id, endpoint_format(&b.addr, addr), b.slot, b.admin,
	       b.weight, board_health_name(b.health), b.takes_flows, b.flows,
	       b.counters.total, b.counters.answered, ends,
	       b.counters.packets[FLOW_ORIG], b.counters.bytes[FLOW_ORIG],
	       b.counters.packets[FLOW_REPLY], b.counters.bytes[FLOW_REPLY]);
}

static void show_flows(const struct seen *s, const struct board_global *g)
{
	const uint32_t end = flows_reader_end(s->flows, g->flows_high);

	for (uint32_t i = 0; i < end; i++) {
		struct flow_note note;
		struct flow f;
		struct endpoint client, nat;
		char c[ENDPOINT_TEXT_MAX], n[ENDPOINT_TEXT_MAX];

		if (!flows_read(s->flows, i, &f, &note))
			continue;
		client = flow_client(&f);
		nat = flow_nat(&f);
		printf("flow %" PRIu64 " client=%s nat=%s state=%s "
		       "handshake_us=%u tries=%u end=%s\n",
		       f.id, endpoint_format(&client, c),
		       endpoint_format(&nat, n), tcp_state_name(f.tcp.state),
		       note.handshake_us, note.tries, flow_end_name(note.end));
	}
}

static void show(const struct seen *s)
{
	const struct board_head *h = board_reader_head(s->board);
	struct board_service service;
	struct board_global g;
	struct board_pool pool;
	struct board_tap tap;
	char addr[ENDPOINT_TEXT_MAX];

	if (!board_read_global(s->board, &g))
		die("there is no global row");
	printf("global %s %s generation=%" PRIu64 " hups=%" PRIu64
	       " reloads=%" PRIu64 "/%" PRIu64 " flows=%u/%u journal=%" PRIu64
	       " received=%" PRIu64 " captured=%" PRIu64 " dropped=%" PRIu64
	       " busy_ppm=%u changed=%s",
	       h->name, h->release, g.generation, g.hups, g.reloads_ok,
	       g.reloads_failed, g.flows_used, g.flows_size, g.journal_written,
	       g.engine.received, g.rings[0].captured + g.rings[1].captured,
	       g.rings[0].dropped + g.rings[1].dropped, g.loop.busy_ppm,
	       g.changed[0] ? g.changed : "-");
	show_requests(&g.requests);
	for (unsigned i = 0; i < g.services; i++) {
		if (!board_read_service(s->board, i, &service) &&
		    !service.name[0])
			continue;
		printf("service %u %s %s slot=%u live=%u up=%u takes_flows=%u "
		       "flows=%u",
		       i, service.name, endpoint_format(&service.listen, addr),
		       service.slot, service.live, service.up,
		       service.takes_flows, service.flows);
		show_requests(&service.counters);
		for (unsigned k = 0; k < service.n_backends; k++)
			show_backend(s, i, k);
	}
	for (unsigned i = 0; i < g.pools; i++)
		if (board_read_pool(s->board, i, &pool))
			printf("pool %s size=%u used=%u holders=%u\n",
			       endpoint_format(&pool.backend, addr), pool.size,
			       pool.used, pool.holders);
	for (unsigned i = 0; i < g.taps; i++)
		if (board_read_tap(s->board, i, &tap))
			printf("tap %s captured=%" PRIu64 "\n", tap.interface,
			       tap.captured[0] + tap.captured[1]);
	show_flows(s, &g);
}

/* ------------------------------------------------------------------ journal */

static void show_record(const struct journal_record *r)
{
	char client[ENDPOINT_TEXT_MAX], nat[ENDPOINT_TEXT_MAX];

	printf("%" PRIu64 " %s", r->seq, journal_kind_name(r->kind));
	if (r->kind == JOURNAL_OPERATOR)
		printf(" %s by=%s text=%s\n", journal_operator_name(r->reason),
		       r->event.by, r->event.text);
	else if (r->kind == JOURNAL_BACKEND)
		printf(" what=%u service=%u backend=%u text=%s\n", r->reason,
		       r->service, r->backend, r->event.text);
	else
		printf(" why=%s id=%" PRIu64 " client=%s nat=%s c2s=%" PRIu64
		       "/%" PRIu64 " s2c=%" PRIu64 "/%" PRIu64 "\n",
		       r->kind == JOURNAL_REFUSED ? drop_name(r->reason)
						  : flow_end_name(r->reason),
		       r->id, endpoint_format(&r->flow.client, client),
		       endpoint_format(&r->flow.nat, nat),
		       r->flow.packets[FLOW_ORIG], r->flow.bytes[FLOW_ORIG],
		       r->flow.packets[FLOW_REPLY], r->flow.bytes[FLOW_REPLY]);
}

static void follow(const struct seen *s, pid_t pid)
{
	struct journal_cursor c = journal_seek(s->journal, 1);
	bool last;

	do {
		struct journal_record r;
		enum journal_got got;
		uint64_t lost;

		last = kill(pid, 0) == -1 && errno == ESRCH;
		while ((got = journal_next(s->journal, &c, &r, &lost)) !=
		       JOURNAL_NONE)
			if (got == JOURNAL_RECORD)
				show_record(&r);
		fflush(stdout);
		usleep(10000);
	} while (!last);
	printf("over read=%" PRIu64 " lost=%" PRIu64 " ends=%" PRIu64 "\n",
	       c.next - 1 - c.lost, c.lost, c.ends);
}

/* -------------------------------------------------------------------- check */

static bool is_right(const struct service_counters *c)
{
	return c->requests == c->succeeded + c->failed + c->pending;
}

/* What core/counters.h and core/view.h promise of the numbers of a row. */
static uint64_t contradictions(const struct seen *s, uint64_t *rows)
{
	struct board_service service;
	struct board_backend b;
	struct board_global g;
	uint64_t wrong = 0, sum;

	if (!board_read_global(s->board, &g))
		die("there is no global row");
	sum = g.engine.forwarded + g.engine.consumed;
	for (unsigned why = 0; why < DROP_REASONS; why++)
		sum += g.engine.dropped[why];
	wrong += sum != g.engine.received;
	wrong += !is_right(&g.requests);
	for (unsigned i = 0; i < g.services; i++) {
		if (!board_read_service(s->board, i, &service))
			continue;
		wrong += !is_right(&service.counters);
		for (unsigned k = 0; k < service.n_backends; k++) {
			if (!board_read_backend(s->board, i, k, &b))
				continue;
			sum = b.counters.redispatched + b.counters.ended_before;
			for (unsigned why = 0; why < FLOW_ENDS; why++)
				sum += b.counters.ends[why];
			wrong += b.counters.total + b.counters.revived !=
				 sum + b.flows;
			wrong += b.refs < b.flows;
			++*rows;
		}
		++*rows;
	}
	++*rows;
	return wrong;
}

static void check(const struct seen *s, unsigned seconds)
{
	const time_t until = time(NULL) + (time_t)seconds;
	uint64_t rows = 0, wrong = 0;
	struct board_global g;

	while (time(NULL) < until)
		wrong += contradictions(s, &rows);
	(void)board_read_global(s->board, &g);
	printf("checked rows=%" PRIu64 " wrong=%" PRIu64 " requests=%" PRIu64
	       "\n",
	       rows, wrong, g.requests.requests);
}

int main(int argc, char *argv[])
{
	const pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	struct seen s;

	if (pid <= 0)
		die("usage: board PID [follow | check SECONDS]");
	s = look(pid);
	if (argc == 2)
		show(&s);
	else if (strcmp(argv[2], "follow") == 0)
		follow(&s, pid);
	else
		check(&s, argc > 3 ? (unsigned)atoi(argv[3]) : 1);
	return 0;
}
