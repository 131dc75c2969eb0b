/* SPDX-License-Identifier: MIT */
/* metrics_own.c - the metrics whose numbers are in no row as they are */
#include <inttypes.h>

#include "api/metrics_table.h"
#include "core/time.h"

void metric_build_info(struct text *out, const struct metrics_source *from,
		       const char *name)
{
	const struct snapshot *s = from->shot;

	text_add(out, "%s{version=\"%s\",datapath=\"%s\"} 1\n", name,
		 s->head->release, s->global.datapath);
}

void metric_start_time(struct text *out, const struct metrics_source *from,
		       const char *name)
{
	text_add(out, "%s ", name);
	metric_add_seconds(out, from->shot->head->started_wall_ns);
	text_add(out, "\n");
}

void metric_loop_busy(struct text *out, const struct metrics_source *from,
		      const char *name)
{
	text_add(out, "%s %.6f\n", name,
		 from->shot->global.loop.busy_ppm / 1e6);
}

/* ----------------------------------------------------------------- packets */

void metric_packets(struct text *out, const struct metrics_source *from,
		    const char *name)
{
	const struct engine_counters *c = &from->shot->global.engine;
	uint64_t dropped = 0;

	for (unsigned i = 0; i < DROP_REASONS; i++)
		dropped += c->dropped[i];
	text_add(out, "%s{verdict=\"forwarded\"} %" PRIu64 "\n", name,
		 c->forwarded);
	text_add(out, "%s{verdict=\"consumed\"} %" PRIu64 "\n", name,
		 c->consumed);
	text_add(out, "%s{verdict=\"dropped\"} %" PRIu64 "\n", name, dropped);
}

void metric_silences(struct text *out, const struct metrics_source *from,
		     const char *name)
{
	const struct engine_counters *c = &from->shot->global.engine;

	text_add(out, "%s{reason=\"unheard\"} %" PRIu64 "\n", name, c->unheard);
	text_add(out, "%s{reason=\"unreached\"} %" PRIu64 "\n", name,
		 c->unreached);
	text_add(out, "%s{reason=\"cut-off\"} %" PRIu64 "\n", name, c->cut_off);
}

static void print_rings(struct text *out, const char *name, uint64_t flows,
			uint64_t syns)
{
	text_add(out, "%s{ring=\"flows\"} %" PRIu64 "\n", name, flows);
	text_add(out, "%s{ring=\"syns\"} %" PRIu64 "\n", name, syns);
}

void metric_ring_captured(struct text *out, const struct metrics_source *from,
			  const char *name)
{
	const struct board_ring *rings = from->shot->global.rings;

	print_rings(out, name, rings[0].captured, rings[1].captured);
}

void metric_ring_dropped(struct text *out, const struct metrics_source *from,
			 const char *name)
{
	const struct board_ring *rings = from->shot->global.rings;

	print_rings(out, name, rings[0].dropped, rings[1].dropped);
}

/* ------------------------------------ what is counted outside of the board */

void metric_flows(struct text *out, const struct metrics_source *from,
		  const char *name)
{
	if (!from->flows)
		return;
	for (unsigned i = 0; i < TCP_STATES; i++)
		text_add(out, "%s{state=\"%s\"} %" PRIu64 "\n", name,
			 tcp_state_name((enum tcp_state)i), from->flows[i]);
}

void metric_journal_lost(struct text *out, const struct metrics_source *from,
			 const char *name)
{
	if (from->log)
		text_add(out, "%s{reader=\"flow-log\"} %" PRIu64 "\n", name,
			 from->log->records);
}

void metric_log_lines(struct text *out, const struct metrics_source *from,
		      const char *name)
{
	if (from->log)
		text_add(out, "%s %" PRIu64 "\n", name, from->log->lines);
}

void metric_log_lost(struct text *out, const struct metrics_source *from,
		     const char *name)
{
	if (from->log)
		text_add(out, "%s %" PRIu64 "\n", name, from->log->lost);
}

void metric_log_errors(struct text *out, const struct metrics_source *from,
		       const char *name)
{
	if (from->log)
		text_add(out, "%s %" PRIu64 "\n", name, from->log->errors);
}

void metric_log_failing(struct text *out, const struct metrics_source *from,
			const char *name)
{
	if (from->log)
		text_add(out, "%s %d\n", name, from->log->failing);
}

/* Each status that was answered once; never a series for all of them. */
void metric_requests(struct text *out, const struct metrics_source *from,
		     const char *name)
{
	for (unsigned i = 0; from->replies && i < from->n_replies; i++) {
		const uint64_t n = atomic_load_explicit(&from->replies[i],
							memory_order_relaxed);

		if (n)
			text_add(out, "%s{code=\"%u\"} %" PRIu64 "\n", name, i,
				 n);
	}
}

/* --------------------------------------------------- services and backends */

void metric_service_backends(struct text *out,
			     const struct metrics_source *from,
			     const char *name)
{
	for (unsigned i = 0; i < from->shot->n_services; i++) {
		const struct snapshot_service *s = &from->shot->services[i];
		unsigned n[STANDINGS] = {0};

		for (unsigned k = s->first; k < s->first + s->n; k++)
			n[backend_standing(&from->shot->backends[k].row)]++;
		for (unsigned k = 0; k < STANDINGS; k++)
			text_add(out, "%s{service=\"%s\",state=\"%s\"} %u\n",
				 name, s->row.name,
				 standing_name((enum standing)k), n[k]);
	}
}
