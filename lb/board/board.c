/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board/board.h"
#include "board/layout.h"
#include "board/shared.h"

struct board {
	struct shared memory;
	struct board_head head;
	struct board_layout at;
};

static void fill_head(struct board_head *h, const struct board_spec *spec)
{
	*h = (struct board_head){
		.version = BOARD_VERSION,
		.head_bytes = sizeof(*h),
		.global_bytes = sizeof(struct board_global),
		.service_bytes = sizeof(struct board_service),
		.backend_bytes = sizeof(struct board_backend),
		.pool_bytes = sizeof(struct board_pool),
		.tap_bytes = sizeof(struct board_tap),
		.services = spec->services,
		.backends = spec->backends,
		.pools = spec->pools,
		.taps = spec->taps,
		.drop_reasons = DROP_REASONS,
		.flow_ends = FLOW_ENDS,
		.flows = spec->flows,
		.journal_records = spec->journal_records,
		.pid = spec->pid,
		.started_ns = spec->started_ns,
		.started_wall_ns = spec->started_wall_ns,
	};
	memcpy(h->magic, BOARD_MAGIC, sizeof(h->magic));
	snprintf(h->name, sizeof(h->name), "%s", spec->name);
	snprintf(h->release, sizeof(h->release), "%s", L4LB_VERSION);
}

int board_open(struct board **out, const struct board_spec *spec,
	       struct err *err)
{
	struct board *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return err_set(err, -ENOMEM, "out of memory");
	fill_head(&b->head, spec);
	b->at = board_layout(&b->head);
	ret = shared_make(&b->memory, "l4lb-board", b->at.bytes, err);
	if (ret) {
		free(b);
		return ret;
	}
	memcpy(b->memory.at, &b->head, sizeof(b->head));
	*out = b;
	return 0;
}

void board_close(struct board *b)
{
	if (!b)
		return;
	shared_free(&b->memory);
	free(b);
}

int board_fd(const struct board *b)
{
	return b->memory.fd;
}

/* The @i-th latch of the table that begins at @table, for rows of @bytes. */
static struct latch *latch(const struct board *b, size_t table, size_t i,
			   size_t bytes)
{
	return (struct latch *)((char *)b->memory.at + table +
				i * latch_bytes(bytes));
}

static struct latch *backend_latch(const struct board *b, unsigned i,
				   unsigned k)
{
	assert(i < b->head.services);
	assert(k < b->head.backends);
	return latch(b, b->at.backends, (size_t)i * b->head.backends + k,
		     sizeof(struct board_backend));
}

void board_write_global(struct board *b, const struct board_global *row)
{
	latch_write(latch(b, b->at.global, 0, sizeof(*row)), row, sizeof(*row));
}

void board_write_service(struct board *b, unsigned i,
			 const struct board_service *row)
{
	assert(i < b->head.services);
	latch_write(latch(b, b->at.services, i, sizeof(*row)), row,
		    sizeof(*row));
}

void board_write_backend(struct board *b, unsigned i, unsigned k,
			 const struct board_backend *row)
{
	latch_write(backend_latch(b, i, k), row, sizeof(*row));
}

void board_write_pool(struct board *b, unsigned i, const struct board_pool *row)
{
	assert(i < b->head.pools);
	latch_write(latch(b, b->at.pools, i, sizeof(*row)), row, sizeof(*row));
}

void board_write_tap(struct board *b, unsigned i, const struct board_tap *row)
{
	assert(i < b->head.taps);
	latch_write(latch(b, b->at.taps, i, sizeof(*row)), row, sizeof(*row));
}

const struct board_service *board_last_service(const struct board *b,
					       unsigned i)
{
	const size_t bytes = sizeof(struct board_service);

	assert(i < b->head.services);
	return latch_last(latch(b, b->at.services, i, bytes), bytes);
}

const struct board_backend *board_last_backend(const struct board *b,
					       unsigned i, unsigned k)
{
	return latch_last(backend_latch(b, i, k), sizeof(struct board_backend));
}
