/* SPDX-License-Identifier: MIT */
/* metrics.c - the numbers of a board in Prometheus's text format */
#include <errno.h>

#include "api/metrics.h"
#include "core/time.h"
#include "showcase.h"
#include "unit.h"

static struct showcase show;
static struct text out;
static struct snapshot shot;
static const uint64_t flows[TCP_STATES] = {
	[TCP_ESTABLISHED] = 9, [TCP_TIME_WAIT] = 3};
static _Atomic uint64_t replies[600];
static const struct flow_log_status flow_log = {
	.lines = 48, .lost = 2, .records = 5, .errors = 1, .failing = true};

static void print(unsigned what)
{
	const struct metrics_source from = {
		.shot = &shot,
		.now_ns = SHOW_NOW_NS,
		.flows = flows,
		.log = &flow_log,
		.replies = replies,
		.n_replies = ARRAY_LEN(replies),
	};

	text_cut(&out, 0);
	metrics_print(&out, &from, what);
	ck_assert(!out.failed);
}

static void begin(void)
{
	showcase_open(&show);
	ck_assert_int_eq(snapshot_take(&shot, show.reader), 0);
	replies[200] = 31;
	replies[404] = 2;
	text_put(&out, "", 0);
	print(METRICS_ALL);
}

static void end(void)
{
	snapshot_free(&shot);
	showcase_close(&show);
	text_free(&out);
	out = (struct text){0};
}

/* True if @line is a whole line of the text. */
static bool has_line(const char *line)
{
	const size_t len = strlen(line);

	for (const char *at = text_get(&out); (at = strstr(at, line)); at++) {
		if ((at == out.bytes || at[-1] == '\n') && at[len] == '\n')
			return true;
	}
	return false;
}

#define has(line) ck_assert_msg(has_line(line), "no line: %s", line)
#define has_no(part) \
	ck_assert_msg(!strstr(text_get(&out), part), "it has: %s", part)

START_TEST(each_number_of_the_board_is_shown)
{
	begin();
	has("l4lb_build_info{version=\"" L4LB_VERSION
	    "\",datapath=\"pcap\"} 1");
	has("l4lb_start_time_seconds 1799997800.250000000");
	has("l4lb_config_generation 7");
	has("l4lb_config_reloads_total{result=\"ok\"} 3");
	has("l4lb_config_reloads_total{result=\"failed\"} 1");
	has("l4lb_loop_busy_ratio 0.125000");
	has("l4lb_loop_longest_seconds 0.001500000");
	has("l4lb_connections_total 150");
	has("l4lb_connections_succeeded_total 140");
	has("l4lb_connections_failed_total 8");
	has("l4lb_connections_pending 2");
	has("l4lb_packets_received_total 1000");
	has("l4lb_packets_total{verdict=\"forwarded\"} 900");
	has("l4lb_packets_total{verdict=\"dropped\"} 40");
	has("l4lb_dropped_total{reason=\"bad-checksum\"} 30");
	has("l4lb_dropped_total{reason=\"no-backend\"} 10");
	has("l4lb_dropped_total{reason=\"martian\"} 0");
	has("l4lb_recycled_total{state=\"half-open\"} 5");
	has("l4lb_ring_dropped_total{ring=\"syns\"} 17");
	has("l4lb_interface_captured_total{interface=\"eth0\",ring=\"flows\"} "
	    "990");
	has("l4lb_flows{state=\"ESTABLISHED\"} 9");
	has("l4lb_flows{state=\"SYN_SENT\"} 0");
	has("l4lb_flow_table_size 65536");
	has("l4lb_journal_lost_total{reader=\"flow-log\"} 5");
	has("l4lb_flow_log_lines_total 48");
	has("l4lb_flow_log_lost_total 2");
	has("l4lb_flow_log_errors_total 1");
	has("l4lb_flow_log_failing 1");
	has("l4lb_api_requests_total{code=\"200\"} 31");
	has("l4lb_api_requests_total{code=\"404\"} 2");
	has_no("code=\"500\"");
	has("l4lb_service_flows{service=\"web\"} 11");
	has("l4lb_service_connections_total{service=\"chat\"} 102");
	has("l4lb_service_refused_total{service=\"web\",reason=\"no-backend\"} "
	    "4");
	has("l4lb_service_backends{service=\"web\",state=\"up\"} 1");
	has("l4lb_service_backends{service=\"web\",state=\"drain\"} 1");
	has("l4lb_service_backends{service=\"chat\",state=\"down\"} 1");
	has("l4lb_nat_ports_used{source=\"198.18.0.1\",backend=\"198.18.0.11:"
	    "9001\"} 65");
	end();
}
END_TEST

#define WEB1 "{service=\"web\",backend=\"web1\",address=\"198.18.0.11:9001\""
#define CHAT "{service=\"chat\",backend=\"chat1\",address=\"198.18.0.13:9001\""

START_TEST(an_interface_with_an_odd_name_is_one_label)
{
	const struct board_tap tap = {.interface = "a\"b\\c}",
				      .captured = {7, 1}};

	begin();
	board_write_tap(show.board, 0, &tap);
	snapshot_free(&shot);
	ck_assert_int_eq(snapshot_take(&shot, show.reader), 0);
	print(METRICS_ALL);
	has("l4lb_interface_captured_total{interface=\"a\\\"b\\\\c}\",ring="
	    "\"flows\"} 7");
	end();
}
END_TEST

START_TEST(each_number_of_a_backend_is_shown)
{
	begin();
	has("l4lb_backend_flows" WEB1 "} 7");
	has("l4lb_backend_connections_total" WEB1 "} 60");
	has("l4lb_backend_failures_total" WEB1 ",kind=\"refused\"} 2");
	has("l4lb_backend_redispatched_total" WEB1 "} 1");
	has("l4lb_backend_bytes_total" WEB1 ",direction=\"to_backend\"} 2120");
	has("l4lb_backend_bytes_total" WEB1
	    ",direction=\"from_backend\"} 11400");
	has("l4lb_backend_retransmits_total" WEB1
	    ",direction=\"from_backend\"} 2");
	has("l4lb_backend_ends_total" WEB1 ",reason=\"closed\"} 50");
	has("l4lb_backend_ends_total" WEB1 ",reason=\"client-reset\"} 3");
	has("l4lb_backend_up" WEB1 "} 1");
	has("l4lb_backend_up" CHAT "} 0");
	has("l4lb_backend_breaker_open" CHAT "} 1");
	has("l4lb_backend_admin{service=\"web\",backend=\"web2\",address="
	    "\"198.18.0.12:9001\",state=\"drain\"} 1");
	has("l4lb_backend_admin" WEB1 ",state=\"drain\"} 0");
	has("l4lb_backend_checks_total" WEB1 ",result=\"failed\"} 4");
	has("l4lb_backend_last_check_seconds" WEB1 "} 0.002500000");
	has("l4lb_backend_down_seconds_total" WEB1 "} 12.500000000");
	has("l4lb_backend_handshake_seconds_bucket" WEB1 ",le=\"0.0001\"} 10");
	has("l4lb_backend_handshake_seconds_bucket" WEB1 ",le=\"0.0005\"} 15");
	has("l4lb_backend_handshake_seconds_bucket" WEB1 ",le=\"5\"} 15");
	has("l4lb_backend_handshake_seconds_bucket" WEB1 ",le=\"+Inf\"} 16");
	has("l4lb_backend_handshake_seconds_count" WEB1 "} 16");
	has("l4lb_backend_handshake_seconds_sum" WEB1 "} 0.016000000");
	end();
}
END_TEST

/* Two lines of one series would make a scrape fail as a whole. */
START_TEST(no_series_appears_twice)
{
	char *lines[8192], *copy, *rest;
	size_t n = 0;

	begin();
	copy = strdup(text_get(&out));
	for (char *line = strtok_r(copy, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *value = strrchr(line, ' ');

		if (*line == '#')
			continue;
		ck_assert_ptr_nonnull(value);
		*value = '\0';
		for (size_t i = 0; i < n; i++)
			unit_check(strcmp(lines[i], line) != 0, "twice: %s",
				   line);
		lines[n++] = line;
		ck_assert_uint_lt(n, ARRAY_LEN(lines));
	}
	ck_assert_uint_gt(n, 200);
	has_no("} 999"); /* of the web1 that has left */
	has_no("l4lb_service_connections_total{service=\"chat\"} 103");
	free(copy);
	end();
}
END_TEST

/* Each line of numbers stands below the HELP and TYPE of its own name. */
START_TEST(every_metric_is_introduced)
{
	char name[128] = "", line[512];
	const char *at;
	unsigned families = 0;

	begin();
	at = text_get(&out);
	while (text_next_line(&at, line, sizeof(line))) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			sscanf(line, "# HELP %127s", name);
			families++;
			unit_check(line[strlen(line) - 1] == '.', "%s", line);
			continue;
		}
		if (strncmp(line, "# TYPE ", 7) == 0) {
			unit_check(strncmp(line + 7, name, strlen(name)) == 0,
				   "%s", line);
			continue;
		}
		unit_check(strncmp(line, name, strlen(name)) == 0,
			   "%s is not below its own TYPE", line);
	}
	ck_assert_uint_gt(families, 60);
	end();
}
END_TEST

START_TEST(a_scrape_may_ask_for_less)
{
	unsigned what;
	struct err err;

	begin();
	ck_assert_int_eq(metrics_what("service,global", NULL, &what, &err), 0);
	print(what);
	has("l4lb_connections_total 150");
	has("l4lb_service_flows{service=\"web\"} 11");
	has_no("l4lb_backend_");
	ck_assert_int_eq(metrics_what("backend", "0", &what, &err), 0);
	print(what);
	has("l4lb_backend_flows" WEB1 "} 7");
	has_no("l4lb_connections_total");
	has_no("histogram");
	ck_assert_int_eq(metrics_what(NULL, "1", &what, &err), 0);
	ck_assert_uint_eq(what, METRICS_ALL);
	end();
}
END_TEST

START_TEST(a_wrong_word_is_named)
{
	static const char *const scopes[] = {
		"",	   "all",	    "global,",
		",global", "global,servic", "global service"};
	unsigned what;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		ck_assert_int_eq(metrics_what(scopes[i], NULL, &what, &err),
				 -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "expected global"));
	}
	ck_assert_int_eq(metrics_what(NULL, "no", &what, &err), -EINVAL);
	ck_assert_str_eq(err.text, "histograms \"no\": expected 0 or 1");
}
END_TEST

/* docs/metrics.md has the table of all metrics, and no other. */
START_TEST(the_manual_names_every_metric)
{
	FILE *file = fopen(METRICS_MD, "r");
	char *manual = NULL, line[512];
	struct text table = {0};
	size_t size = 0;
	unsigned rows = 0, shown = 0;
	const char *at;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_gt(getdelim(&manual, &size, '\0', file), 0);
	fclose(file);
	metrics_describe(&table);
	at = text_get(&table);
	while (text_next_line(&at, line, sizeof(line))) {
		ck_assert_msg(strstr(manual, line), "not in the manual:\n%s",
			      line);
		rows++;
	}
	for (at = manual; (at = strstr(at, "\n| l4lb_")); at++)
		shown++;
	ck_assert_uint_eq(shown, rows);
	text_free(&table);
	free(manual);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{each_number_of_the_board_is_shown, 0},
		{an_interface_with_an_odd_name_is_one_label, 0},
		{each_number_of_a_backend_is_shown, 0},
		{no_series_appears_twice, 0},
		{every_metric_is_introduced, 0},
		{a_scrape_may_ask_for_less, 0},
		{a_wrong_word_is_named, 0},
		{the_manual_names_every_metric, 0},
	};

	return unit_run("metrics", tests, ARRAY_LEN(tests));
}
