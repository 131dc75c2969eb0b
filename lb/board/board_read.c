/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board/board.h"
#include "board/layout.h"

struct board_reader {
	const char *memory;
	struct board_head head; /* a copy: it was checked */
	struct board_layout at;
};

const char *board_health_name(enum board_health health)
{
	static const char *const names[] = {
		[BOARD_UP] = "up",
		[BOARD_DOWN] = "down",
		[BOARD_UNPROVEN] = "unproven",
	};
	static_assert(sizeof(names) / sizeof(*names) == BOARD_HEALTHS,
		      "a name for each");

	return health < BOARD_HEALTHS ? names[health] : "?";
}

static bool is_of_this_build(const struct board_head *h)
{
	return h->global_bytes == sizeof(struct board_global) &&
	       h->service_bytes == sizeof(struct board_service) &&
	       h->backend_bytes == sizeof(struct board_backend) &&
	       h->pool_bytes == sizeof(struct board_pool) &&
	       h->tap_bytes == sizeof(struct board_tap) &&
	       h->drop_reasons == DROP_REASONS && h->flow_ends == FLOW_ENDS;
}

/* No more than l4lb ever has, so that no product is too large. */
static bool has_room(const struct board_head *h)
{
	return h->services <= BOARD_SERVICES && h->backends <= BOARD_BACKENDS &&
	       h->pools <= BOARD_POOLS_MAX && h->taps <= BOARD_TAPS;
}

static int check(const struct board_head *h, size_t bytes, struct err *err)
{
	if (memcmp(h->magic, BOARD_MAGIC, sizeof(h->magic)) != 0)
		return err_set(err, -EINVAL, "this is not the board of a l4lb");
	if (h->version != BOARD_VERSION || h->head_bytes != sizeof(*h))
		return err_set(err, -EINVAL,
			       "the board is of version %u, and this program "
			       "reads version %u: l4lb and l4lb-api are of "
			       "different releases; install both anew, then "
			       "restart l4lb",
			       h->version, BOARD_VERSION);
	if (!is_of_this_build(h))
		return err_set(err, -EINVAL,
			       "the board is of another build of version %u: "
			       "l4lb and l4lb-api do not belong together; "
			       "install both anew, then restart l4lb",
			       h->version);
	if (!has_room(h) || bytes < board_layout(h).bytes)
		return err_set(
			err, -EINVAL,
			"the board has %zu bytes, which is too short for "
			"%u services of %u backends",
			bytes, h->services, h->backends);
	return 0;
}

int board_reader_open(const void *at, size_t bytes, struct board_reader **out,
		      struct err *err)
{
	struct board_reader *r;
	struct board_head head;
	int ret;

	if (bytes < sizeof(head))
		return err_set(err, -EINVAL,
			       "the board has %zu bytes, which is too short",
			       bytes);
	memcpy(&head, at, sizeof(head));
	head.name[sizeof(head.name) - 1] = 0;
	head.release[sizeof(head.release) - 1] = 0;
	ret = check(&head, bytes, err);
	if (ret)
		return ret;
	r = malloc(sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	*r = (struct board_reader){at, head, board_layout(&head)};
	*out = r;
	return 0;
}

void board_reader_close(struct board_reader *r)
{
	free(r);
}

const struct board_head *board_reader_head(const struct board_reader *r)
{
	return &r->head;
}

/* Zeros if the row was never written. */
static bool read_row(const struct board_reader *r, size_t table, size_t i,
		     void *out, size_t bytes)
{
	const char *latch = r->memory + table + i * latch_bytes(bytes);

	if (latch_read((const struct latch *)latch, out, bytes))
		return true;
	memset(out, 0, bytes);
	return false;
}

/* Texts end, whoever wrote them. */
#define END(text) ((text)[sizeof(text) - 1] = 0)

bool board_read_global(const struct board_reader *r, struct board_global *out)
{
	const bool whole = read_row(r, r->at.global, 0, out, sizeof(*out));

	END(out->changed);
	END(out->datapath);
	return whole;
}

bool board_read_service(const struct board_reader *r, unsigned service,
			struct board_service *out)
{
	if (service >= r->head.services) {
		memset(out, 0, sizeof(*out));
		return false;
	}
	if (!read_row(r, r->at.services, service, out, sizeof(*out)))
		return false;
	END(out->name);
	return out->slot != SLOT_FREE;
}

bool board_read_backend(const struct board_reader *r, unsigned service,
			unsigned backend, struct board_backend *out)
{
	if (service >= r->head.services || backend >= r->head.backends) {
		memset(out, 0, sizeof(*out));
		return false;
	}
	if (!read_row(r, r->at.backends,
		      (size_t)service * r->head.backends + backend, out,
		      sizeof(*out)))
		return false;
	END(out->id);
	return out->slot != SLOT_FREE;
}

bool board_read_pool(const struct board_reader *r, unsigned pool,
		     struct board_pool *out)
{
	if (pool < r->head.pools)
		return read_row(r, r->at.pools, pool, out, sizeof(*out));
	memset(out, 0, sizeof(*out));
	return false;
}

bool board_read_tap(const struct board_reader *r, unsigned tap,
		    struct board_tap *out)
{
	bool whole;

	memset(out, 0, sizeof(*out));
	if (tap >= r->head.taps)
		return false;
	whole = read_row(r, r->at.taps, tap, out, sizeof(*out));
	END(out->interface);
	return whole;
}
