/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "ctl/backend_table.h"
#include "ctl/json_get.h"
#include "ctl/table.h"
#include "ctl/units.h"

enum {
	ID,
	ADDRESS,
	WEIGHT,
	ADMIN,
	HEALTH,
	FLOWS,
	TOTAL,
	MBIT,
	FAIL,
	SHAKE,
	RETX,
	COLUMNS
};

static const struct column totals[COLUMNS] = {
	[ID] = {"ID", .shrink_to = 8},
	[ADDRESS] = {"ADDRESS", .right = false},
	[WEIGHT] = {"W", .right = true},
	[ADMIN] = {"ADMIN", .right = false},
	[HEALTH] = {"HEALTH", .right = false},
	[FLOWS] = {"FLOWS", .right = true},
	[TOTAL] = {"TOTAL", .right = true},
	[MBIT] = {"BYTES", .right = true, .drop = 3},
	[FAIL] = {"FAIL", .right = true},
	[SHAKE] = {"SHAKE", .right = true, .drop = 1},
	[RETX] = {"RETX", .right = true, .drop = 2},
};

static const struct column rates[COLUMNS] = {
	[ID] = {"ID", .shrink_to = 8},
	[ADDRESS] = {"ADDRESS", .right = false},
	[WEIGHT] = {"W", .right = true},
	[ADMIN] = {"ADMIN", .right = false},
	[HEALTH] = {"HEALTH", .right = false},
	[FLOWS] = {"FLOWS", .right = true},
	[TOTAL] = {"CONN/S", .right = true},
	[MBIT] = {"Mbit/s", .right = true},
	[FAIL] = {"FAIL", .right = true, .drop = 2},
	[SHAKE] = {"SHAKE", .right = true, .drop = 1},
	[RETX] = {"RETX", .right = true, .drop = 3},
};

const json_t *backend_in(const json_t *backends, const char *service,
			 const char *id)
{
	const json_t *backend;
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		if (strcmp(get_text(backend, "id"), id) == 0 &&
		    strcmp(get_text(backend, "service"), service) == 0)
			return backend;
	}
	return NULL;
}

const char *backend_health(const json_t *backend, char text[BACKEND_HEALTH_MAX])
{
	const char *health = get_text(backend, "health");
	char age[UNITS_TEXT_MAX];

	if (strcmp(get_text(backend, "state"), "leaving") == 0)
		return "leaving";
	if (strcmp(health, "down") != 0)
		return health;
	snprintf(text, BACKEND_HEALTH_MAX, "DOWN %s",
		 units_age(get_number(backend, "since_s"), age));
	return text;
}

/* A backup that is enabled is called one: there is no column for it. */
static const char *backend_admin(const json_t *backend)
{
	const char *admin = get_text(backend, "admin");

	return get_bool(backend, "backup") && strcmp(admin, "enabled") == 0
		       ? "backup"
		       : admin;
}

static double both(const json_t *backend, const char *a, const char *b)
{
	return get_number(backend, a) + get_number(backend, b);
}

/* Of all bytes, in both directions. */
static double bytes(const json_t *backend)
{
	return both(backend, "bytes.to", "bytes.from");
}

static void rate_cells(struct table *t, const json_t *now, const json_t *before,
		       double seconds)
{
	static const char total[] = "total_connections";
	char text[UNITS_TEXT_MAX];

	table_cell(t, "%s",
		   units_rate((get_number(now, total) -
			       get_number(before, total)) /
				      seconds,
			      text));
	table_cell(t, "%s",
		   units_rate(8e-6 * (bytes(now) - bytes(before)) / seconds,
			      text));
}

static void total_cells(struct table *t, const json_t *backend)
{
	char text[UNITS_TEXT_MAX];

	table_cell(t, "%s",
		   units_count(get_number(backend, "total_connections"), text));
	table_cell(t, "%s", units_bytes(bytes(backend), text));
}

static void add_row(struct table *t, const json_t *backend,
		    const json_t *before, double seconds)
{
	char text[UNITS_TEXT_MAX], health[BACKEND_HEALTH_MAX];

	table_cell(t, "%s", get_text(backend, "id"));
	table_cell(t, "%s", get_text(backend, "address"));
	table_cell(t, "%s", get_any(backend, "weight", text, sizeof(text)));
	table_cell(t, "%s", backend_admin(backend));
	table_cell(t, "%s", backend_health(backend, health));
	table_cell(
		t, "%s",
		units_count(get_number(backend, "active_connections"), text));
	if (before)
		rate_cells(t, backend,
			   backend_in(before, get_text(backend, "service"),
				      get_text(backend, "id")),
			   seconds);
	else
		total_cells(t, backend);
	table_cell(
		t, "%s",
		units_count(get_number(backend, "failed_connections"), text));
	table_cell(t, "%s",
		   units_ms(get_number(backend, "handshake_ms.p50"), text));
	table_cell(
		t, "%s",
		units_share(both(backend, "retransmits.to", "retransmits.from"),
			    both(backend, "packets.to", "packets.from"), text));
}

struct table *backend_table_new(const struct ctl *c, bool with_rates)
{
	return table_new(with_rates ? rates : totals, COLUMNS, 2, c->width,
			 c->utf8);
}

unsigned backend_table_add(struct table *t, const json_t *backends,
			   const char *service, const json_t *before,
			   double seconds)
{
	const unsigned rows = table_rows(t);
	const json_t *backend;
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		if (!service ||
		    strcmp(get_text(backend, "service"), service) == 0)
			add_row(t, backend, before, seconds);
	}
	return table_rows(t) - rows;
}
