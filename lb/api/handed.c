/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/handed.h"
#include "board/flows_read.h"
#include "board/shared.h"

static bool has(const struct handover *told, enum handover_fd fd)
{
	return told->has & 1u << fd;
}

/* The writer is done when it starts us, and the pipe holds all of it. */
static int read_told(struct handover *told, struct err *err)
{
	const ssize_t n = read(HANDOVER_TOLD, told, sizeof(*told));

	if (n < (ssize_t)sizeof(told->magic) ||
	    memcmp(told->magic, HANDOVER_MAGIC, sizeof(told->magic)) != 0)
		return err_set(err, -ENOTCONN,
			       "this program is started by l4lb, not by hand; "
			       "l4lb-api(8) says what it serves");
	if (n != sizeof(*told) || told->version != HANDOVER_VERSION ||
	    told->bytes != sizeof(*told) ||
	    strncmp(told->program, L4LB_VERSION, sizeof(told->program)) != 0)
		return err_set(err, -EPROTO,
			       "l4lb and l4lb-api are of different versions "
			       "(this one is " L4LB_VERSION "): install both "
			       "from one build");
	return 0;
}

static int map(const struct handover *told, struct api_memory *out,
	       enum handover_fd fd, const char *name, size_t from,
	       struct err *err)
{
	return has(told, fd)
		       ? shared_map(fd, name, from, &out->at, &out->bytes, err)
		       : 0;
}

static void close_mapped(const struct handover *told)
{
	static const enum handover_fd mapped[] = {
		HANDOVER_TOLD,	HANDOVER_BOARD, HANDOVER_JOURNAL,
		HANDOVER_FLOWS, HANDOVER_NOTES,
	};

	for (size_t i = 0; i < sizeof(mapped) / sizeof(*mapped); i++)
		if (mapped[i] == HANDOVER_TOLD || has(told, mapped[i]))
			(void)close(mapped[i]);
	/* Nor anything that whoever started l4lb has left open. */
	(void)close_range(HANDOVER_END, UINT_MAX, 0);
}

static int taken(const struct handover *told, enum handover_fd fd)
{
	if (!has(told, fd))
		return -1;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int handed_take(struct handover *told, struct api_setup *setup, struct err *err)
{
	int ret;

	memset(told, 0, sizeof(*told));
	*setup = (struct api_setup){.told = told};
	ret = read_told(told, err);
	if (!ret && (!has(told, HANDOVER_ASKS) || !has(told, HANDOVER_CHANGES)))
		ret = err_set(err, -EPROTO, "l4lb gave no channel");
	if (!ret)
		ret = map(told, &setup->board, HANDOVER_BOARD, "the board", 0,
			  err);
	if (!ret)
		ret = map(told, &setup->journal, HANDOVER_JOURNAL,
			  "the journal", 0, err);
	if (!ret)
		ret = map(told, &setup->notes, HANDOVER_NOTES, "the notes", 0,
			  err);
	/* Without the first page, which has the secret of the hashes. */
	if (!ret)
		ret = map(told, &setup->flows, HANDOVER_FLOWS, "the flow table",
			  FLOWS_READ_AT, err);
	if (ret)
		return ret;
	setup->shared =
		mmap(NULL, sizeof(*setup->shared), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (setup->shared == MAP_FAILED)
		return err_set(err, -ENOMEM, "out of memory");
	close_mapped(told);
	setup->asks = taken(told, HANDOVER_ASKS);
	setup->changes = taken(told, HANDOVER_CHANGES);
	setup->local_listener = taken(told, HANDOVER_LOCAL);
	setup->tcp_listener = taken(told, HANDOVER_TCP);
	return 0;
}
