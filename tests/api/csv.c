/* SPDX-License-Identifier: MIT */
/* csv.c - HAProxy's columns, read by their names as collectors do */
#include "api/csv.h"
#include "showcase.h"
#include "unit.h"

#define COLUMNS_MAX 128
#define ROWS_MAX    32

static struct showcase show;
static struct text out;
static char *header[COLUMNS_MAX], *rows[ROWS_MAX][COLUMNS_MAX];
static size_t n_columns, n_rows;

/* Splits @line in place; what is after the last comma does not count. */
static size_t split(char *line, char *cells[COLUMNS_MAX])
{
	size_t n = 0;

	for (char *comma; (comma = strchr(line, ',')); line = comma + 1) {
		ck_assert_uint_lt(n, COLUMNS_MAX);
		*comma = '\0';
		cells[n++] = line;
	}
	ck_assert_str_eq(line, "");
	return n;
}

static void begin(void)
{
	struct snapshot shot;
	char *rest, *line;

	showcase_open(&show);
	ck_assert_int_eq(snapshot_take(&shot, show.reader), 0);
	csv_print(&out, &shot, SHOW_NOW_NS);
	ck_assert(!out.failed);
	snapshot_free(&shot);
	line = strtok_r(out.bytes, "\n", &rest);
	ck_assert(strncmp(line, "# pxname,svname,qcur,qmax,scur,smax,slim,",
			  41) == 0);
	n_columns = split(line + 2, header);
	n_rows = 0;
	while ((line = strtok_r(NULL, "\n", &rest))) {
		ck_assert_uint_eq(split(line, rows[n_rows]), n_columns);
		n_rows++;
	}
}

static void end(void)
{
	showcase_close(&show);
	text_free(&out);
	out = (struct text){0};
}

static const char *cell(const char *service, const char *name,
			const char *column)
{
	for (size_t r = 0; r < n_rows; r++) {
		if (strcmp(rows[r][0], service) != 0 ||
		    strcmp(rows[r][1], name) != 0)
			continue;
		for (size_t c = 0; c < n_columns; c++) {
			if (strcmp(header[c], column) == 0)
				return rows[r][c];
		}
	}
	ck_abort_msg("no %s of %s/%s", column, service, name);
}

#define is(service, name, column, value) \
	ck_assert_str_eq(cell(service, name, column), value)

START_TEST(a_service_is_a_frontend_its_servers_and_a_backend)
{
	static const char *const names[][2] = {
		{"web", "FRONTEND"}, {"web", "web1"},	   {"web", "web2"},
		{"web", "BACKEND"},  {"chat", "FRONTEND"}, {"chat", "chat1"},
		{"chat", "BACKEND"},
	};

	begin();
	ck_assert_uint_eq(n_rows, ARRAY_LEN(names));
	for (size_t i = 0; i < n_rows; i++) {
		ck_assert_str_eq(rows[i][0], names[i][0]);
		ck_assert_str_eq(rows[i][1], names[i][1]);
	}
	end();
}
END_TEST

START_TEST(the_columns_are_those_of_haproxy)
{
	/* Places of columns that collectors read by number. */
	static const struct {
		size_t place;
		const char *name;
	} known[] = {
		{4, "scur"},	{7, "stot"},	      {8, "bin"},
		{17, "status"}, {18, "weight"},	      {21, "chkfail"},
		{32, "type"},	{36, "check_status"}, {55, "lastsess"},
		{59, "ctime"},	{73, "addr"},	      {75, "mode"},
		{82, "dses"},
	};

	begin();
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		ck_assert_str_eq(header[known[i].place], known[i].name);
	end();
}
END_TEST

START_TEST(numbers_are_in_their_columns)
{
	begin();
	is("web", "FRONTEND", "status", "OPEN");
	is("web", "FRONTEND", "type", "0");
	is("web", "FRONTEND", "stot", "100");
	is("web", "FRONTEND", "scur", "11");
	is("web", "FRONTEND", "addr", "198.18.0.1:80");
	is("web", "web1", "type", "2");
	is("web", "web1", "scur", "7");
	is("web", "web1", "stot", "60");
	is("web", "web1", "bin", "2120");
	is("web", "web1", "bout", "11400");
	is("web", "web1", "econ", "2");
	is("web", "web1", "wredis", "1");
	is("web", "web1", "status", "UP");
	is("web", "web1", "weight", "3");
	is("web", "web1", "act", "1");
	is("web", "web1", "chkfail", "4");
	is("web", "web1", "chkdown", "1");
	is("web", "web1", "lastchg", "41");
	is("web", "web1", "downtime", "12");
	is("web", "web1", "check_status", "L7OK");
	is("web", "web1", "check_duration", "2");
	is("web", "web1", "ctime", "1");
	is("web", "web1", "cli_abrt", "3");
	is("web", "web1", "addr", "198.18.0.11:9001");
	is("web", "web1", "mode", "tcp");
	is("web", "web1", "qcur", ""); /* there are no queues */
	is("web", "web2", "status", "DRAIN");
	is("web", "web2", "bck", "1");
	is("web", "BACKEND", "status", "UP");
	is("web", "BACKEND", "type", "1");
	is("web", "BACKEND", "act", "1");
	is("web", "BACKEND", "bck", "0");
	is("web", "BACKEND", "stot", "120");
	is("web", "BACKEND", "algo", "roundrobin");
	is("chat", "chat1", "status", "DOWN");
	is("chat", "chat1", "check_status", "L4CON");
	is("chat", "chat1", "check_desc", "connection refused");
	is("chat", "BACKEND", "status", "DOWN");
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_service_is_a_frontend_its_servers_and_a_backend, 0},
		{the_columns_are_those_of_haproxy, 0},
		{numbers_are_in_their_columns, 0},
	};

	return unit_run("csv", tests, ARRAY_LEN(tests));
}
