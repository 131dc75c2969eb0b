/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "control/dump.h"
#include "core/time.h"
#include "core/view.h"

static const char *backend_state(const struct backend_view *b)
{
	if (b->gone)
		return "GONE";
	if (!b->up)
		return "DOWN";
	if (b->params.admin == ADMIN_DISABLED)
		return "DISABLED";
	if (b->params.weight == 0 || b->params.admin == ADMIN_DRAIN)
		return "DRAIN";
	if (b->ejected)
		return "EJECTED";
	return b->params.backup ? "BACKUP" : "UP";
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / NS_PER_S : 0.0;
}

static void dump_flow(FILE *out, const struct flow *f, uint64_t now_ns)
{
	const struct endpoint ends[4] = {flow_client(f), flow_vip(f),
					 flow_nat(f), flow_backend(f)};
	char text[4][ENDPOINT_TEXT_MAX];

	for (int i = 0; i < 4; i++)
		endpoint_format(&ends[i], text[i]);
	fprintf(out,
		"%" PRIu64 " %s %s %s %s %s %.1f %.1f %" PRIu64 " %" PRIu64
		" %" PRIu64 " %" PRIu64 "\n",
		f->id, text[0], text[1], text[2], text[3],
		tcp_state_name(f->tcp.state), seconds(f->opened_ns, now_ns),
		seconds(f->seen_ns, now_ns), f->packets[FLOW_ORIG],
		f->bytes[FLOW_ORIG], f->packets[FLOW_REPLY],
		f->bytes[FLOW_REPLY]);
}

static void dump_backends(FILE *out, const struct engine *e, uint64_t now_ns)
{
	fprintf(out, "# backend weight state flows total failed\n");
	for (unsigned s = 0; s < engine_services(e); s++) {
		for (unsigned i = 0; i < engine_backends(e, s); i++) {
			const struct backend_view b =
				engine_view_backend(e, s, i, now_ns);
			char text[ENDPOINT_TEXT_MAX];

			if (b.slot == SLOT_FREE)
				continue;
			fprintf(out, "%s %u %s %u %" PRIu64 " %" PRIu64 "\n",
				endpoint_format(&b.addr, text), b.params.weight,
				backend_state(&b), b.flows, b.total, b.failed);
		}
	}
}

int dump_flows(FILE *out, const struct engine *e, uint64_t now_ns,
	       uint64_t started_ns)
{
	const struct flow_table *flows = engine_flows(e);
	unsigned up = 0, all = 0;
	struct flow *f;

	for (unsigned s = 0; s < engine_services(e); s++) {
		for (unsigned i = 0; i < engine_backends(e, s); i++) {
			const struct backend_view b =
				engine_view_backend(e, s, i, now_ns);

			all += b.slot != SLOT_FREE;
			up += b.up;
		}
	}
	fprintf(out, "# l4lb flows %u/%u backends %u/%u uptime %.0fs\n",
		flows->used, flows->size, up, all, seconds(started_ns, now_ns));
	fprintf(out, "# id client vip nat backend state age_s idle_s "
		     "c2s_packets c2s_bytes s2c_packets s2c_bytes\n");
	for (f = flow_next(flows, 0); f;
	     f = flow_next(flows, flow_index(flows, f) + 1))
		dump_flow(out, f, now_ns);
	dump_backends(out, e, now_ns);
	return fflush(out) || ferror(out) ? -1 : 0;
}

void dump_counters(const struct engine *e, char *text, size_t size)
{
	const struct engine_counters *c = engine_counters(e);
	const char *separator = " (";
	uint64_t dropped = 0;
	size_t at;

	for (unsigned why = 0; why < DROP_REASONS; why++)
		dropped += c->dropped[why];
	at = (size_t)snprintf(
		text, size,
		"received=%" PRIu64 " forwarded=%" PRIu64 " consumed=%" PRIu64
		" originated=%" PRIu64 " redispatched=%" PRIu64
		" repaired=%" PRIu64 " reset=%" PRIu64 " out-of-window=%" PRIu64
		" bad-rst=%" PRIu64 " recycled=%" PRIu64
		" recycled-half-closed=%" PRIu64 " expired=%" PRIu64
		" unheard=%" PRIu64 " unreached=%" PRIu64 " cut-off=%" PRIu64
		" dropped=%" PRIu64,
		c->received, c->forwarded, c->consumed, c->originated,
		c->redispatched, c->repaired, c->reset, c->out_of_window,
		c->bad_rst, c->recycled_closed + c->recycled_half_open,
		c->recycled_half_closed, c->expired, c->unheard, c->unreached,
		c->cut_off, dropped);
	for (unsigned why = 0; why < DROP_REASONS && at < size; why++) {
		if (!c->dropped[why])
			continue;
		at += (size_t)snprintf(text + at, size - at, "%s%s %" PRIu64,
				       separator, drop_name(why),
				       c->dropped[why]);
		separator = ", ";
	}
	if (dropped && at < size)
		snprintf(text + at, size - at, ")");
}
