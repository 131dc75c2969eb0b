/* SPDX-License-Identifier: MIT */
/*
 * flow_log_file.c - the file of the flow log: whole lines, each of them once
 *
 * A worker may be killed at any instruction, and the kernel may end its write()
 * between two pages. So the intent comes first: which file, its size, how many
 * bytes, where the log is afterwards. The next worker compares. If the file has
 * grown by all of it, the write was made; if by less, it is cut to the size
 * before, and the records are read from the journal again.
 *
 * The one case left is a worker killed in its write() whose file is renamed
 * before the next worker opens it, a fifth of a second later. The write is then
 * made again, into the new file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/flow_log_file.h"

#define MODE 0640

static void set_position(struct flow_log_position *to,
			 const struct flow_log_mark *from)
{
	atomic_store(&to->next, from->at.next);
	atomic_store(&to->lost, from->at.lost);
	atomic_store(&to->ends, from->at.ends);
	atomic_store(&to->lost_ends, from->at.lost_ends);
	atomic_store(&to->lines, from->lines);
}

static struct flow_log_mark get_position(const struct flow_log_position *from)
{
	return (struct flow_log_mark){
		.at.next = atomic_load(&from->next),
		.at.lost = atomic_load(&from->lost),
		.at.ends = atomic_load(&from->ends),
		.at.lost_ends = atomic_load(&from->lost_ends),
		.lines = atomic_load(&from->lines),
	};
}

void flow_log_batch_begin(struct flow_log_batch *b,
			  const struct flow_log_state *state)
{
	b->len = 0;
	b->n = 0;
	b->mark = get_position(&state->done);
}

bool flow_log_batch_has_room(const struct flow_log_batch *b)
{
	return b->n + 2 <= FLOW_LOG_BATCH_LINES;
}

void flow_log_batch_add(struct flow_log_batch *b, const char *line, size_t len,
			const struct flow_log_mark *mark)
{
	memcpy(b->text + b->len, line, len);
	b->len += len;
	b->lines[b->n].end = b->len;
	b->lines[b->n].mark = *mark;
	b->n++;
	b->mark = *mark;
}

/* ----------------------------------------------------------------- intents */

/*
 * The intent that is under way stays as it is until the other one is complete:
 * one store changes which of them counts.
 */
static void intend(struct flow_log_state *state, const struct stat *before,
		   uint64_t bytes, const struct flow_log_mark *after)
{
	const unsigned other = atomic_load(&state->under_way) == 1 ? 1 : 0;
	struct flow_log_intent *intent = &state->intents[other];

	intent->device = before->st_dev;
	intent->inode = before->st_ino;
	intent->size = (uint64_t)before->st_size;
	intent->bytes = bytes;
	set_position(&intent->after, after);
	atomic_store(&state->under_way, other + 1);
}

/* The file has it. The position first: until the intent is over, it counts. */
static void is_made(struct flow_log_state *state)
{
	const uint32_t under_way = atomic_load(&state->under_way);
	struct flow_log_mark after;

	after = get_position(&state->intents[under_way - 1].after);
	set_position(&state->done, &after);
	atomic_store(&state->under_way, 0);
}

static void is_not_made(struct flow_log_state *state)
{
	atomic_store(&state->under_way, 0);
}

/* What an earlier worker was about to write: all of it, or nothing. */
static int settle(struct flow_log_file *f)
{
	const uint32_t under_way = atomic_load(&f->state->under_way);
	const struct flow_log_intent *intent;
	struct stat st;
	uint64_t size;

	if (!under_way)
		return 0;
	if (fstat(f->fd, &st) == -1)
		return -errno;
	size = (uint64_t)st.st_size;
	intent = &f->state->intents[under_way - 1];
	if (intent->device != st.st_dev || intent->inode != st.st_ino ||
	    size <= intent->size) {
		is_not_made(f->state);
		return 0;
	}
	if (size >= intent->size + intent->bytes) {
		is_made(f->state);
		return 0;
	}
	if (ftruncate(f->fd, (off_t)intent->size) == -1)
		return -errno;
	is_not_made(f->state);
	return 0;
}

/* ---------------------------------------------------------------- the file */

static int cannot(const struct flow_log_file *f, const char *what, int error,
		  struct err *err)
{
	return err_set(err, -error, "flow log %s: %s: %s", f->path, what,
		       strerror(error));
}

/* The user may not know as whom we run. */
static int cannot_open(const struct flow_log_file *f, int error,
		       struct err *err)
{
	struct stat st;

	if (error == ENOENT && lstat(f->path, &st) == 0)
		return err_set(err, -error,
			       "flow log %s: it is a link to what does not "
			       "exist; make that file for uid %u, or remove "
			       "the link",
			       f->path, (unsigned)geteuid());
	if (error == EACCES || error == EPERM)
		return err_set(err, -error,
			       "flow log %s: l4lb-api runs as uid %u, which is "
			       "not allowed to write it; let that user write "
			       "the file, and its folder if it is renamed",
			       f->path, (unsigned)geteuid());
	if (error == ENOENT || error == ENOTDIR)
		return err_set(err, -error,
			       "flow log %s: its folder does not exist; make "
			       "it, and let uid %u write there",
			       f->path, (unsigned)geteuid());
	return cannot(f, "it cannot be opened", error, err);
}

static int open_path(const char *path)
{
	const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(path, flags | O_CREAT | O_EXCL, MODE);

	if (fd == -1 && errno == EEXIST)
		return open(path, flags);
	/* Whatever the umask is, the group that owns the folder may read. */
	if (fd != -1)
		(void)fchmod(fd, MODE);
	return fd;
}

/*
 * A machine that crashed may have left half a line, and so may a file that
 * could not be cut. What follows begins on a line of its own.
 */
static int end_line(const struct flow_log_file *f)
{
	struct stat st;
	char last;

	if (fstat(f->fd, &st) == -1)
		return -errno;
	if (st.st_size == 0)
		return 0;
	if (pread(f->fd, &last, 1, st.st_size - 1) != 1)
		return -EIO;
	if (last == '\n')
		return 0;
	return write(f->fd, "\n", 1) == 1 ? 0 : -errno;
}

int flow_log_file_open(struct flow_log_file *f, struct err *err)
{
	struct stat st;
	int ret;

	f->fd = open_path(f->path);
	if (f->fd == -1)
		return cannot_open(f, errno, err);
	if (fstat(f->fd, &st) == -1) {
		ret = cannot(f, "it cannot be examined", errno, err);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = err_set(err, -EINVAL,
			      "flow log %s: it is not a regular file; name a "
			      "file that is one, or that does not exist yet",
			      f->path);
		goto fail;
	}
	if (flock(f->fd, LOCK_EX | LOCK_NB) == -1) {
		ret = err_set(err, -errno,
			      "flow log %s: another process writes to it; give "
			      "each balancer a file of its own",
			      f->path);
		goto fail;
	}
	ret = settle(f);
	if (ret == 0)
		ret = end_line(f);
	if (ret) {
		ret = cannot(f, "it cannot be continued", -ret, err);
		goto fail;
	}
	return 0;
fail:
	flow_log_file_close(f);
	return ret;
}

/*
 * Of the batch, @written bytes are in the file. What is left of a line there is
 * cut off; if that fails, end_line() makes a line of it. The cut comes first:
 * before the new intent, the old one still says that nothing was written.
 */
static void keep_whole_lines(struct flow_log_file *f,
			     const struct flow_log_batch *b,
			     const struct stat *before, size_t written)
{
	unsigned n = 0;
	size_t whole;

	while (n < b->n && b->lines[n].end <= written)
		n++;
	whole = n ? b->lines[n - 1].end : 0;
	if (written > whole &&
	    ftruncate(f->fd, before->st_size + (off_t)whole) == -1) {
		/* Nothing more can be done about it now. */
	}
	if (!n) {
		is_not_made(f->state);
		return;
	}
	intend(f->state, before, whole, &b->lines[n - 1].mark);
	is_made(f->state);
}

int flow_log_file_write(struct flow_log_file *f, const struct flow_log_batch *b,
			struct err *err)
{
	struct stat before;
	ssize_t written;
	int error;

	if (b->n == 0) {
		/* Records without a line: only .next has changed. */
		set_position(&f->state->done, &b->mark);
		return 0;
	}
	if (fstat(f->fd, &before) == -1) {
		error = cannot(f, "it cannot be examined", errno, err);
		flow_log_file_close(f);
		return error;
	}
	intend(f->state, &before, b->len, &b->mark);
	do
		written = write(f->fd, b->text, b->len);
	while (written == -1 && errno == EINTR);
	if (written == (ssize_t)b->len) {
		is_made(f->state);
		return 0;
	}
	error = written == -1 ? errno : ENOSPC;
	keep_whole_lines(f, b, &before, written == -1 ? 0 : (size_t)written);
	flow_log_file_close(f);
	return cannot(f, "it cannot be written to", error, err);
}

void flow_log_file_close(struct flow_log_file *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}
