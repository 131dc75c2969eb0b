/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handed.h"
#include "core/flow.h"
#include "host/state_file.h"

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

static int map(struct api_memory *out, enum handover_fd fd, off_t at,
	       size_t bytes, struct err *err)
{
	void *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE,
			    fd, at);

	if (memory == MAP_FAILED)
		return err_set(err, -errno,
			       "cannot map what l4lb shares (descriptor %d): "
			       "%s",
			       fd, strerror(errno));
	*out = (struct api_memory){memory, bytes};
	return 0;
}

/* All of it, as large as it is. */
static int map_whole(const struct handover *told, struct api_memory *out,
		     enum handover_fd fd, struct err *err)
{
	struct stat st;

	if (!has(told, fd))
		return 0;
	if (fstat(fd, &st) == -1 || st.st_size <= 0)
		return err_set(err, -EPROTO,
			       "what l4lb shares (descriptor %d) is empty", fd);
	return map(out, fd, 0, (size_t)st.st_size, err);
}

/*
 * Without the first page, which has the secret of the flow table. Beyond the
 * end of the file an access would be a SIGBUS.
 */
static int map_flows(const struct handover *told, struct api_memory *out,
		     struct err *err)
{
	struct stat st;

	if (!has(told, HANDOVER_FLOWS) || told->flows == 0)
		return 0;
	if (fstat(HANDOVER_FLOWS, &st) == -1 ||
	    (uint64_t)st.st_size < state_file_bytes(told->flows))
		return err_set(err, -EPROTO,
			       "the flow table is smaller than %u flows",
			       told->flows);
	return map(out, HANDOVER_FLOWS, STATE_FLOWS_AT,
		   told->flows * sizeof(struct flow), err);
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
		ret = map_whole(told, &setup->board, HANDOVER_BOARD, err);
	if (!ret)
		ret = map_whole(told, &setup->journal, HANDOVER_JOURNAL, err);
	if (!ret)
		ret = map_whole(told, &setup->notes, HANDOVER_NOTES, err);
	if (!ret)
		ret = map_flows(told, &setup->flows, err);
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
