/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/csv.h"
#include "core/flow_end.h"
#include "core/health/ask.h"
#include "core/slot.h"
#include "core/time.h"

/* In HAProxy's order, as of its version 2.2; it only ever adds to the end. */
/* clang-format off */
#define COLUMNS(X) \
	X(pxname) X(svname) X(qcur) X(qmax) X(scur) X(smax) X(slim) X(stot) \
	X(bin) X(bout) X(dreq) X(dresp) X(ereq) X(econ) X(eresp) X(wretr) \
	X(wredis) X(status) X(weight) X(act) X(bck) X(chkfail) X(chkdown) \
	X(lastchg) X(downtime) X(qlimit) X(pid) X(iid) X(sid) X(throttle) \
	X(lbtot) X(tracked) X(type) X(rate) X(rate_lim) X(rate_max) \
	X(check_status) X(check_code) X(check_duration) X(hrsp_1xx) \
	X(hrsp_2xx) X(hrsp_3xx) X(hrsp_4xx) X(hrsp_5xx) X(hrsp_other) \
	X(hanafail) X(req_rate) X(req_rate_max) X(req_tot) X(cli_abrt) \
	X(srv_abrt) X(comp_in) X(comp_out) X(comp_byp) X(comp_rsp) \
	X(lastsess) X(last_chk) X(last_agt) X(qtime) X(ctime) X(rtime) \
	X(ttime) X(agent_status) X(agent_code) X(agent_duration) \
	X(check_desc) X(agent_desc) X(check_rise) X(check_fall) \
	X(check_health) X(agent_rise) X(agent_fall) X(agent_health) X(addr) \
	X(cookie) X(mode) X(algo) X(conn_rate) X(conn_rate_max) X(conn_tot) \
	X(intercepted) X(dcon) X(dses) X(wrew) X(connect) X(reuse) \
	X(cache_lookups) X(cache_hits) X(srv_icur) X(src_ilim) X(qtime_max) \
	X(ctime_max) X(rtime_max) X(ttime_max) X(eint) X(idle_conn_cur) \
	X(safe_conn_cur) X(used_conn_cur) X(need_conn_est)
/* clang-format on */

#define NUMBER(column) CSV_##column,
enum column { COLUMNS(NUMBER) CSV_COLUMNS };

#define NAME(column) #column ","
static const char header[] = "# " COLUMNS(NAME) "\n";

#define CELL_MAX 64

struct row {
	char cells[CSV_COLUMNS][CELL_MAX];
};

__attribute__((format(printf, 3, 4))) static void set(struct row *row,
						      enum column column,
						      const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(row->cells[column], CELL_MAX, fmt, args);
	va_end(args);
}

static void set_number(struct row *row, enum column column, uint64_t value)
{
	set(row, column, "%" PRIu64, value);
}

static void print_row(struct text *out, const struct row *row)
{
	for (unsigned i = 0; i < CSV_COLUMNS; i++)
		text_add(out, "%s,", row->cells[i]);
	text_add(out, "\n");
}

static uint64_t seconds_since(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns > since_ns ? (now_ns - since_ns) / NS_PER_S : 0;
}

/* -------------------------------------------------------- words of HAProxy */

static const char *status_of(const struct board_backend *b)
{
	switch (backend_standing(b)) {
	case STANDING_LEAVING:
	case STANDING_DRAIN: return "DRAIN";
	case STANDING_DISABLED: return "MAINT";
	case STANDING_DOWN:
	case STANDING_EJECTED: return "DOWN";
	case STANDING_UNPROVEN: return "NOLB";
	case STANDING_UP:
	case STANDINGS: break;
	}
	return b->checked ? "UP" : "no check";
}

static const char *check_status_of(const struct board_service *s,
				   const struct board_backend *b)
{
	const bool is_http = s->check == CHECK_HTTP;
	const bool is_talk = is_http || s->check == CHECK_EXPECT;

	switch ((enum check_result)b->last) {
	case CHECK_OK: return is_talk ? "L7OK" : "L4OK";
	case CHECK_TIMEOUT: return is_talk ? "L7TOUT" : "L4TOUT";
	case CHECK_REFUSED:
	case CHECK_UNREACHABLE: return "L4CON";
	case CHECK_CLOSED:
	case CHECK_WRONG_ANSWER: return "L7RSP";
	case CHECK_WRONG_STATUS: return "L7STS";
	case CHECK_LOCAL:
	case CHECK_RESULTS: break;
	}
	return "UNK";
}

static const char *algo_of(enum sched_kind kind)
{
	switch (kind) {
	case SCHED_RR:
	case SCHED_WRR: return "roundrobin";
	case SCHED_LC:
	case SCHED_WLC: return "leastconn";
	case SCHED_HASH:
	case SCHED_MAGLEV: return "source";
	case SCHED_P2C: return "random";
	case SCHED_KINDS: break;
	}
	return "";
}

/* -------------------------------------------------------------------- rows */

/* What all rows of a service have. */
static void begin_row(struct row *row, const struct snapshot_service *s,
		      const char *name, unsigned sid, unsigned type)
{
	memset(row, 0, sizeof(*row));
	set(row, CSV_pxname, "%s", s->row.name);
	set(row, CSV_svname, "%s", name);
	set_number(row, CSV_pid, 1);
	set_number(row, CSV_iid, s->slot + 1);
	set_number(row, CSV_sid, sid);
	set_number(row, CSV_type, type);
	set(row, CSV_mode, "tcp");
}

struct sums {
	uint64_t total, failed, redispatched, bytes[FLOW_SIDES];
	uint64_t client_resets, backend_resets, shakes, shakes_ns, weight;
	unsigned active, backup;
};

static void add_to(struct sums *sums, const struct board_backend *b)
{
	const struct backend_counters *c = &b->counters;

	sums->total += c->total;
	sums->failed += c->failed;
	sums->redispatched += c->redispatched;
	sums->bytes[FLOW_ORIG] += c->bytes[FLOW_ORIG];
	sums->bytes[FLOW_REPLY] += c->bytes[FLOW_REPLY];
	sums->client_resets += c->ends[FLOW_END_CLIENT_RESET];
	sums->backend_resets += c->ends[FLOW_END_BACKEND_RESET];
	sums->shakes += histogram_total(&c->handshake);
	sums->shakes_ns += c->handshake.sum_ns;
	if (!b->takes_flows)
		return;
	sums->weight += b->weight;
	sums->active += !b->backup;
	sums->backup += b->backup;
}

static void set_sums(struct row *row, const struct sums *sums)
{
	set_number(row, CSV_stot, sums->total);
	set_number(row, CSV_lbtot, sums->total);
	set_number(row, CSV_bin, sums->bytes[FLOW_ORIG]);
	set_number(row, CSV_bout, sums->bytes[FLOW_REPLY]);
	set_number(row, CSV_econ, sums->failed);
	set_number(row, CSV_wredis, sums->redispatched);
	set_number(row, CSV_cli_abrt, sums->client_resets);
	set_number(row, CSV_srv_abrt, sums->backend_resets);
	if (sums->shakes)
		set_number(row, CSV_ctime,
			   sums->shakes_ns / sums->shakes / NS_PER_MS);
}

static void print_frontend(struct text *out, const struct snapshot_service *s,
			   const struct sums *sums)
{
	const struct service_counters *c = &s->row.counters;
	char address[ENDPOINT_TEXT_MAX];
	struct row row;

	begin_row(&row, s, "FRONTEND", 0, 0);
	set_number(&row, CSV_scur, s->row.flows);
	set_number(&row, CSV_stot, c->requests);
	set_number(&row, CSV_conn_tot, c->requests);
	set_number(&row, CSV_bin, sums->bytes[FLOW_ORIG]);
	set_number(&row, CSV_bout, sums->bytes[FLOW_REPLY]);
	set(&row, CSV_status, "%s", s->row.slot == SLOT_LIVE ? "OPEN" : "STOP");
	set(&row, CSV_addr, "%s", endpoint_format(&s->row.listen, address));
	print_row(out, &row);
}

static void print_server(struct text *out, const struct snapshot_service *s,
			 const struct snapshot_backend *backend,
			 uint64_t now_ns)
{
	const struct board_backend *b = &backend->row;
	char address[ENDPOINT_TEXT_MAX];
	struct sums sums = {0};
	struct row row;

	add_to(&sums, b);
	begin_row(&row, s, b->id, backend->slot + 1, 2);
	set_sums(&row, &sums);
	set_number(&row, CSV_scur, b->flows);
	set(&row, CSV_status, "%s", status_of(b));
	set_number(&row, CSV_weight, b->weight);
	set_number(&row, CSV_act, !b->backup);
	set_number(&row, CSV_bck, b->backup);
	set_number(&row, CSV_lastchg, seconds_since(b->since_ns, now_ns));
	set_number(&row, CSV_downtime, b->downtime_ns / NS_PER_S);
	set(&row, CSV_addr, "%s", endpoint_format(&b->addr, address));
	if (b->checked) {
		set_number(&row, CSV_chkfail, b->counters.checks_failed);
		set_number(&row, CSV_chkdown, b->counters.downs);
		set(&row, CSV_check_status, "%s", check_status_of(&s->row, b));
		set_number(&row, CSV_check_duration,
			   b->counters.last_check_ns / NS_PER_MS);
		set(&row, CSV_check_desc, "%s", check_result_text(b->last));
		set_number(&row, CSV_check_rise, s->row.rise);
		set_number(&row, CSV_check_fall, s->row.fall);
	}
	print_row(out, &row);
}

static void print_backend(struct text *out, const struct snapshot_service *s,
			  const struct sums *sums, uint64_t now_ns)
{
	const bool up = sums->active || sums->backup;
	struct row row;

	begin_row(&row, s, "BACKEND", 0, 1);
	set_sums(&row, sums);
	set_number(&row, CSV_scur, s->row.flows);
	set(&row, CSV_status, "%s", up ? "UP" : "DOWN");
	set_number(&row, CSV_weight, sums->weight);
	set_number(&row, CSV_act, sums->active);
	set_number(&row, CSV_bck, sums->backup);
	set_number(&row, CSV_lastchg, seconds_since(s->row.since_ns, now_ns));
	set(&row, CSV_algo, "%s", algo_of(s->row.scheduler));
	print_row(out, &row);
}

void csv_print(struct text *out, const struct snapshot *shot, uint64_t now_ns)
{
	text_add(out, "%s", header);
	for (unsigned i = 0; i < shot->n_services; i++) {
		const struct snapshot_service *s = &shot->services[i];
		struct sums sums = {0};

		for (unsigned k = s->first; k < s->first + s->n; k++)
			add_to(&sums, &shot->backends[k].row);
		print_frontend(out, s, &sums);
		for (unsigned k = s->first; k < s->first + s->n; k++)
			print_server(out, s, &shot->backends[k], now_ns);
		print_backend(out, s, &sums, now_ns);
	}
}
