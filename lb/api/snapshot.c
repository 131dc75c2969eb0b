/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/snapshot.h"
#include "core/health/passive.h"
#include "core/slot.h"

#define FIRST_ROWS 16

/* Room for one more element in a table that has @n; false: no memory. */
static bool make_room(void **table, unsigned n, size_t element)
{
	void *larger;

	/* It was enlarged when it had 16, 32, 64... */
	if (n && (n < FIRST_ROWS || (n & (n - 1)) != 0))
		return true;
	larger = reallocarray(*table, n ? 2 * n : FIRST_ROWS, element);
	if (!larger)
		return false;
	*table = larger;
	return true;
}

/* ------------------------------------------------- backends of one service */

static bool has_backend(const struct snapshot *s, const struct board_backend *b,
			unsigned from)
{
	for (unsigned i = from; i < s->n_backends; i++) {
		const struct board_backend *other = &s->backends[i].row;

		if (strcmp(other->id, b->id) == 0 &&
		    endpoint_equal(&other->addr, &b->addr))
			return true;
	}
	return false;
}

static int take_backends(struct snapshot *s, const struct board_reader *board,
			 const struct snapshot_service *service,
			 enum slot wanted)
{
	for (unsigned k = 0; k < service->row.n_backends; k++) {
		struct snapshot_backend b = {.slot = k};

		if (!board_read_backend(board, service->slot, k, &b.row) ||
		    b.row.slot != wanted ||
		    (wanted != SLOT_LIVE &&
		     has_backend(s, &b.row, service->first)))
			continue;
		if (!make_room((void **)&s->backends, s->n_backends, sizeof(b)))
			return -ENOMEM;
		s->backends[s->n_backends++] = b;
	}
	return 0;
}

/* ---------------------------------------------------------------- services */

static bool has_service(const struct snapshot *s, const char *name)
{
	for (unsigned i = 0; i < s->n_services; i++) {
		if (strcmp(s->services[i].row.name, name) == 0)
			return true;
	}
	return false;
}

static int take_service(struct snapshot *s, const struct board_reader *board,
			unsigned slot, enum slot wanted)
{
	struct snapshot_service service = {.slot = slot,
					   .first = s->n_backends};
	int ret;

	if (!board_read_service(board, slot, &service.row) ||
	    service.row.slot != wanted ||
	    (wanted != SLOT_LIVE && has_service(s, service.row.name)))
		return 0;
	ret = take_backends(s, board, &service, SLOT_LIVE);
	if (ret == 0)
		ret = take_backends(s, board, &service, SLOT_LEAVING);
	service.n = s->n_backends - service.first;
	if (ret ||
	    !make_room((void **)&s->services, s->n_services, sizeof(service)))
		return -ENOMEM;
	s->services[s->n_services++] = service;
	return 0;
}

/* What lives first: it hides those that leave and have its name. */
static int take_services(struct snapshot *s, const struct board_reader *board,
			 enum slot wanted)
{
	int ret = 0;

	for (unsigned i = 0; i < s->global.services && ret == 0; i++)
		ret = take_service(s, board, i, wanted);
	return ret;
}

/* -------------------------------------------------------------- the others */

static int take_pools(struct snapshot *s, const struct board_reader *board)
{
	for (unsigned i = 0; i < s->global.pools; i++) {
		struct board_pool row;

		if (!board_read_pool(board, i, &row) || !row.holders)
			continue;
		if (!make_room((void **)&s->pools, s->n_pools, sizeof(row)))
			return -ENOMEM;
		s->pools[s->n_pools++] = row;
	}
	return 0;
}

static int take_taps(struct snapshot *s, const struct board_reader *board)
{
	for (unsigned i = 0; i < s->global.taps; i++) {
		struct board_tap row;

		if (!board_read_tap(board, i, &row))
			continue;
		if (!make_room((void **)&s->taps, s->n_taps, sizeof(row)))
			return -ENOMEM;
		s->taps[s->n_taps++] = row;
	}
	return 0;
}

int snapshot_take(struct snapshot *out, const struct board_reader *board)
{
	int ret;

	*out = (struct snapshot){.head = board_reader_head(board)};
	if (!board_read_global(board, &out->global))
		return -EAGAIN;
	ret = take_services(out, board, SLOT_LIVE);
	if (ret == 0)
		ret = take_services(out, board, SLOT_LEAVING);
	if (ret == 0)
		ret = take_pools(out, board);
	if (ret == 0)
		ret = take_taps(out, board);
	return ret;
}

void snapshot_free(struct snapshot *s)
{
	free(s->services);
	free(s->backends);
	free(s->pools);
	free(s->taps);
	*s = (struct snapshot){0};
}

/* -------------------------------------------------- where a backend stands */

enum standing backend_standing(const struct board_backend *b)
{
	if (b->slot == SLOT_LEAVING)
		return STANDING_LEAVING;
	if (b->admin == ADMIN_DISABLED)
		return STANDING_DISABLED;
	if (b->health == BOARD_DOWN)
		return STANDING_DOWN;
	if (b->health == BOARD_UNPROVEN)
		return STANDING_UNPROVEN;
	if (b->admin == ADMIN_DRAIN || b->weight == 0)
		return STANDING_DRAIN;
	return b->breaker == BREAKER_OPEN ? STANDING_EJECTED : STANDING_UP;
}

const char *standing_name(enum standing standing)
{
	static const char *const names[] = {
		[STANDING_LEAVING] = "leaving",
		[STANDING_DISABLED] = "disabled",
		[STANDING_DOWN] = "down",
		[STANDING_UNPROVEN] = "unproven",
		[STANDING_DRAIN] = "drain",
		[STANDING_EJECTED] = "ejected",
		[STANDING_UP] = "up",
	};

	return names[standing];
}
