/* SPDX-License-Identifier: MIT */
#include "api/metrics_table.h"
#include "core/flow_end.h"
#include "core/health/passive.h"
#include "core/drop.h"

/* ------------------------------------------------------------------ labels */

static const char *drop_label(unsigned i)
{
	return drop_name((enum drop_reason)i);
}

static const char *end_label(unsigned i)
{
	return flow_end_name((enum flow_end)i);
}

static const char *failure_label(unsigned i)
{
	return backend_failure_name((enum backend_failure)i);
}

static const char *result_label(unsigned i)
{
	return i == 0 ? "ok" : "failed";
}

/* The side that packets come from, said by where they go. */
static const char *direction_label(unsigned side)
{
	return side == FLOW_ORIG ? "to_backend" : "from_backend";
}

static const char *ring_label(unsigned i)
{
	return i == 0 ? "flows" : "syns";
}

static const char *recycled_label(unsigned i)
{
	static const char *const names[] = {"closed", "half-open",
					    "half-closed"};

	return names[i];
}

static const char *admin_label(unsigned i)
{
	static const char *const names[] = {
		[ADMIN_ENABLED] = "enabled",
		[ADMIN_DRAIN] = "drain",
		[ADMIN_DISABLED] = "disabled",
	};

	return names[i];
}

/* --------------------------------------------- what lies beside each other */

#define NEXT_TO(type, a, b) \
	static_assert(offsetof(type, b) == offsetof(type, a) + 8, "a label")
NEXT_TO(struct board_global, reloads_ok, reloads_failed);
NEXT_TO(struct board_global, engine.recycled_closed, engine.recycled_half_open);
NEXT_TO(struct board_global, engine.recycled_half_open,
	engine.recycled_half_closed);
NEXT_TO(struct board_backend, counters.checks_ok, counters.checks_failed);

/* --------------------------------------------------------------- the table */

#define COUNTER(n) .name = (n), .type = METRIC_COUNTER
#define GAUGE(n)   .name = (n), .type = METRIC_GAUGE

#define GLOBAL(field)                             \
	.scope = METRICS_GLOBAL, .of = OF_GLOBAL, \
	.offset = offsetof(struct board_global, field)
#define SERVICE(field)                              \
	.scope = METRICS_SERVICE, .of = OF_SERVICE, \
	.offset = offsetof(struct board_service, field)
#define BACKEND(field)                              \
	.scope = METRICS_BACKEND, .of = OF_BACKEND, \
	.offset = offsetof(struct board_backend, field)
#define POOL(field)                              \
	.scope = METRICS_BACKEND, .of = OF_POOL, \
	.offset = offsetof(struct board_pool, field)
#define TAP(field)                             \
	.scope = METRICS_GLOBAL, .of = OF_TAP, \
	.offset = offsetof(struct board_tap, field)
#define OWN(s, function, l) \
	.scope = (s), .of = OF_NOTHING, .print = (function), .labels = (l)

#define BY(l, name, first, count) \
	.label = (l), .label_name = (name), .from = (first), .n = (count)
#define EACH_DROP      BY("reason", drop_label, 0, DROP_REASONS)
#define EACH_DIRECTION BY("direction", direction_label, 0, FLOW_SIDES)
#define U32	       .form = FORM_U32
#define NS	       .form = FORM_NS
#define HISTOGRAM(n) \
	.name = (n), .type = METRIC_HISTOGRAM, .form = FORM_HISTOGRAM
#define HELP .help =

/* clang-format off */
const struct metric metrics_table[] = {
	/* the program */
	{GAUGE("build_info"), OWN(METRICS_GLOBAL, metric_build_info, "version, datapath"),
	 HELP "Always 1; the labels say what runs"},
	{GAUGE("start_time_seconds"), OWN(METRICS_GLOBAL, metric_start_time, ""),
	 HELP "When this process of l4lb started, in seconds since 1970"},
	{GAUGE("config_generation"), GLOBAL(generation),
	 HELP "Changes of the configuration since the start"},
	{COUNTER("config_reloads_total"), GLOBAL(reloads_ok),
	 BY("result", result_label, 0, 2),
	 HELP "Reloads of the configuration file"},
	{GAUGE("loop_busy_ratio"), OWN(METRICS_GLOBAL, metric_loop_busy, ""),
	 HELP "Part of the last second in which the packet thread worked, 0 to 1"},
	{COUNTER("loop_busy_seconds_total"), GLOBAL(loop.busy_ns), NS,
	 HELP "Time in which the packet thread worked"},
	{GAUGE("loop_longest_seconds"), GLOBAL(loop.longest_ns), NS,
	 HELP "Longest turn of the packet thread since the start"},

	/* connections, of all services that there ever were */
	{COUNTER("connections_total"), GLOBAL(requests.requests),
	 HELP "Connections that clients tried to open: succeeded + failed + pending"},
	{COUNTER("connections_succeeded_total"), GLOBAL(requests.succeeded),
	 HELP "Connections that a backend answered"},
	{COUNTER("connections_failed_total"), GLOBAL(requests.failed),
	 HELP "Connections that were refused, or ended before a backend answered"},
	{GAUGE("connections_pending"), GLOBAL(requests.pending),
	 HELP "Connections that no backend has answered yet"},
	{COUNTER("refused_total"), GLOBAL(requests.refused), EACH_DROP,
	 HELP "SYNs to a service that opened no connection, also copies"},

	/* packets */
	{COUNTER("packets_received_total"), GLOBAL(engine.received),
	 HELP "Packets captured: forwarded + consumed + dropped"},
	{COUNTER("packets_total"), OWN(METRICS_GLOBAL, metric_packets, "verdict"),
	 HELP "Packets by what became of them"},
	{COUNTER("dropped_total"), GLOBAL(engine.dropped), EACH_DROP,
	 HELP "Packets that were not forwarded, by reason"},
	{COUNTER("originated_total"), GLOBAL(engine.originated),
	 HELP "Segments of our own: resets, challenges, probes"},
	{COUNTER("originated_lost_total"), GLOBAL(engine.outbox_lost),
	 HELP "Segments of our own that had no room in the outbox"},
	{COUNTER("answers_limited_total"), GLOBAL(engine.answers_limited),
	 HELP "Resets and ACKs that were not sent, above the limit of answers"},
	{COUNTER("out_of_window_total"), GLOBAL(engine.out_of_window),
	 HELP "Segments outside of the window: forwarded, but believed in nothing"},
	{COUNTER("bad_resets_total"), GLOBAL(engine.bad_rst),
	 HELP "The same for resets, which may be forged"},
	{COUNTER("ring_captured_total"), OWN(METRICS_GLOBAL, metric_ring_captured, "ring"),
	 HELP "Frames that the kernel had for us, by ring"},
	{COUNTER("ring_dropped_total"), OWN(METRICS_GLOBAL, metric_ring_dropped, "ring"),
	 HELP "Of these, frames that were lost because the ring was full"},
	{COUNTER("interface_captured_total"), TAP(captured), BY("ring", ring_label, 0, BOARD_RINGS),
	 HELP "Frames for us by interface and ring"},

	/* the flow table */
	{GAUGE("flows"), OWN(METRICS_GLOBAL, metric_flows, "state"),
	 HELP "Connections in the flow table by state"},
	{GAUGE("flow_table_used"), GLOBAL(flows_used), U32,
	 HELP "Places of the flow table in use, closed connections included"},
	{GAUGE("flow_table_size"), GLOBAL(flows_size), U32,
	 HELP "Places of the flow table"},
	{COUNTER("flows_opened_total"), GLOBAL(flows_opened),
	 HELP "Connections given a place, those of earlier processes included"},
	{COUNTER("recycled_total"), GLOBAL(engine.recycled_closed), BY("state", recycled_label, 0, 3),
	 HELP "Connections whose place or port was given to a new one"},
	{COUNTER("expired_total"), GLOBAL(engine.expired),
	 HELP "Connections ended because they were idle for too long"},
	{COUNTER("reset_total"), GLOBAL(engine.reset),
	 HELP "Connections that we ended by resets to both sides"},
	{COUNTER("redispatched_total"), GLOBAL(engine.redispatched),
	 HELP "SYNs sent to another backend because one did not answer"},
	{COUNTER("repaired_total"), GLOBAL(engine.repaired),
	 HELP "Answers of backends that belonged to an earlier connection"},
	{COUNTER("silences_excused_total"), OWN(METRICS_GLOBAL, metric_silences, "reason"),
	 HELP "Silences of backends that were not held against them"},

	/* the journal and the API */
	{COUNTER("journal_records_total"), GLOBAL(journal_written),
	 HELP "Records written to the journal"},
	{COUNTER("journal_skipped_total"), GLOBAL(journal_skipped),
	 HELP "Refused connections that were counted without a record"},
	{COUNTER("journal_lost_total"), OWN(METRICS_GLOBAL, metric_journal_lost, "reader"),
	 HELP "Records that were overwritten before their reader had them"},
	{COUNTER("flow_log_lines_total"), OWN(METRICS_GLOBAL, metric_log_lines, ""),
	 HELP "Lines of ended connections in the flow log"},
	{COUNTER("flow_log_lost_total"), OWN(METRICS_GLOBAL, metric_log_lost, ""),
	 HELP "Ended connections that the flow log lacks"},
	{COUNTER("flow_log_errors_total"), OWN(METRICS_GLOBAL, metric_log_errors, ""),
	 HELP "Times that the flow log became unwritable"},
	{GAUGE("flow_log_failing"), OWN(METRICS_GLOBAL, metric_log_failing, ""),
	 HELP "1 while the flow log cannot be written, else 0"},
	{COUNTER("api_requests_total"), OWN(METRICS_GLOBAL, metric_requests, "code"),
	 HELP "Requests that the API has answered, by status"},

	/* services */
	{GAUGE("service_flows"), SERVICE(flows), U32,
	 HELP "Connections open now"},
	{COUNTER("service_connections_total"), SERVICE(counters.requests),
	 HELP "Connections that clients tried to open: succeeded + failed + pending"},
	{COUNTER("service_connections_succeeded_total"), SERVICE(counters.succeeded),
	 HELP "Connections that a backend answered"},
	{COUNTER("service_connections_failed_total"), SERVICE(counters.failed),
	 HELP "Connections that were refused, or ended before a backend answered"},
	{GAUGE("service_connections_pending"), SERVICE(counters.pending),
	 HELP "Connections that no backend has answered yet"},
	{COUNTER("service_refused_total"), SERVICE(counters.refused), EACH_DROP,
	 HELP "SYNs that opened no connection, also copies"},
	{GAUGE("service_backends"), OWN(METRICS_SERVICE, metric_service_backends, "service, state"),
	 HELP "Backends by where they stand; each counts once"},
	{GAUGE("service_half_open"), SERVICE(half_open), U32,
	 HELP "Connections whose client has not acknowledged the SYN-ACK yet"},
	{GAUGE("service_half_open_limit"), SERVICE(half_open_limit), U32,
	 HELP "How many of these there may be"},
	{GAUGE("service_away"), SERVICE(away), .form = FORM_U8,
	 HELP "1 while this host does not have the address of the service, else 0"},

	/* backends */
	{GAUGE("backend_flows"), BACKEND(flows), U32,
	 HELP "Connections open now"},
	{COUNTER("backend_connections_total"), BACKEND(counters.total),
	 HELP "Connections given to the backend"},
	{COUNTER("backend_answered_total"), BACKEND(counters.answered),
	 HELP "Of these, connections that it answered"},
	{COUNTER("backend_failures_total"), BACKEND(counters.failed_by), BY("kind", failure_label, 0, BACKEND_FAILURES),
	 HELP "Of these, connections that it did not answer, and why"},
	{COUNTER("backend_redispatched_total"), BACKEND(counters.redispatched),
	 HELP "Of these, connections that another backend got instead"},
	{COUNTER("backend_ends_total"), BACKEND(counters.ends), BY("reason", end_label, 1, FLOW_ENDS - 1),
	 HELP "Connections that ended at the backend, and why"},
	{COUNTER("backend_revived_total"), BACKEND(counters.revived),
	 HELP "Of these, connections that went on: a reset was not believed"},
	{COUNTER("backend_packets_total"), BACKEND(counters.packets), EACH_DIRECTION,
	 HELP "Packets forwarded"},
	{COUNTER("backend_bytes_total"), BACKEND(counters.bytes), EACH_DIRECTION,
	 HELP "Bytes of these packets, IP headers included"},
	{COUNTER("backend_retransmits_total"), BACKEND(counters.retransmits), EACH_DIRECTION,
	 HELP "Segments that repeated only data sent before"},
	{GAUGE("backend_up"), BACKEND(health), .form = FORM_IS, .from = BOARD_UP,
	 HELP "1 if the backend is up by its checks, else 0"},
	{GAUGE("backend_takes_connections"), BACKEND(takes_flows), .form = FORM_U8,
	 HELP "1 if new connections may go to the backend now, else 0"},
	{GAUGE("backend_admin"), BACKEND(admin), .form = FORM_IS, BY("state", admin_label, 0, 3),
	 HELP "1 for what the administrator wants of the backend, 0 for the rest"},
	{GAUGE("backend_breaker_open"), BACKEND(breaker), .form = FORM_IS, .from = BREAKER_OPEN,
	 HELP "1 while failed handshakes keep connections away, else 0"},
	{GAUGE("backend_weight"), BACKEND(weight), U32,
	 HELP "Weight"},
	{COUNTER("backend_checks_total"), BACKEND(counters.checks_ok), BY("result", result_label, 0, 2),
	 HELP "Checks that counted"},
	{GAUGE("backend_last_check_seconds"), BACKEND(counters.last_check_ns), NS,
	 HELP "How long the latest check took; 0: there was none"},
	{COUNTER("backend_downs_total"), BACKEND(counters.downs),
	 HELP "Times that checks took the backend down"},
	{COUNTER("backend_down_seconds_total"), BACKEND(downtime_ns), NS,
	 HELP "Time in which the backend was down by its checks"},
	{HISTOGRAM("backend_handshake_seconds"), BACKEND(counters.handshake),
	 HELP "From the SYN to the SYN-ACK of the backend"},
	{HISTOGRAM("backend_first_byte_seconds"), BACKEND(counters.first_byte),
	 HELP "From the SYN-ACK to the first byte of data of the backend"},
	{GAUGE("nat_ports_used"), POOL(used), U32,
	 HELP "NAT ports in use of one of our addresses toward a backend, closed connections included"},
	{GAUGE("nat_ports_recyclable"), POOL(recyclable), U32,
	 HELP "Of these, ports that are taken back when they are needed"},
	{GAUGE("nat_ports_size"), POOL(size), U32,
	 HELP "NAT ports of one of our addresses toward a backend"},
};
/* clang-format on */
const unsigned metrics_table_len =
	sizeof(metrics_table) / sizeof(metrics_table[0]);
