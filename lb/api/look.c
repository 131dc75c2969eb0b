/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "api/look.h"
#include "core/time.h"

static bool is_there(uint32_t slot)
{
	return slot == SLOT_LIVE || slot == SLOT_LEAVING;
}

bool look_service(const struct api *api, unsigned service,
		  struct board_service *out)
{
	return board_read_service(api->board, service, out) &&
	       is_there(out->slot);
}

bool look_backend(const struct api *api, unsigned service, unsigned backend,
		  struct board_backend *out)
{
	return board_read_backend(api->board, service, backend, out) &&
	       is_there(out->slot);
}

unsigned look_services(const struct api *api)
{
	struct board_global global;

	return board_read_global(api->board, &global) ? global.services : 0;
}

bool look_service_named(const struct api *api, const char *name,
			unsigned *service, struct board_service *out)
{
	const unsigned n = look_services(api);

	for (unsigned i = 0; i < n; i++)
		if (look_service(api, i, out) && out->slot == SLOT_LIVE &&
		    strcmp(out->name, name) == 0) {
			*service = i;
			return true;
		}
	return false;
}

const char *look_service_names(const struct api *api,
			       char names[LOOK_NAMES_MAX])
{
	const unsigned n = look_services(api);
	struct board_service s;
	size_t len = 0;

	snprintf(names, LOOK_NAMES_MAX, "none");
	for (unsigned i = 0; i < n && len < LOOK_NAMES_MAX - 48; i++)
		if (look_service(api, i, &s) && s.slot == SLOT_LIVE)
			len += (size_t)snprintf(names + len,
						LOOK_NAMES_MAX - len, "%s%s",
						len ? ", " : "", s.name);
	return names;
}

bool look_is_healthy(const struct board_backend *b)
{
	return b->health == BOARD_UP && b->breaker != BREAKER_OPEN;
}

uint64_t look_uptime_s(const struct api *api, uint64_t now_ns)
{
	const uint64_t started_ns = board_reader_head(api->board)->started_ns;

	return now_ns > started_ns ? (now_ns - started_ns) / NS_PER_S : 0;
}

const char *look_admin_name(unsigned admin)
{
	static const char *const names[] = {"enabled", "drain", "disabled"};

	return admin < sizeof(names) / sizeof(*names) ? names[admin] : "?";
}

const char *look_breaker_name(unsigned breaker)
{
	static const char *const names[] = {"closed", "open", "half_open"};

	return breaker < sizeof(names) / sizeof(*names) ? names[breaker] : "?";
}
