/* SPDX-License-Identifier: MIT */
/* See report.h. */
#include "io/report.h"
#include "io/clock.h"
#include "write_out.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPORT_BYTES	65536
#define REPORT_LINE_MAX 256

struct report {
	struct report_options options;
	int fd;
	pthread_t writer;
	pthread_mutex_t lock; /* guards all fields below */
	pthread_cond_t filled;
	bool closing;
	unsigned long lost; /* lines dropped since one last found room */
	size_t len;
	char bytes[REPORT_BYTES];

	char writing[REPORT_BYTES]; /* owned by the writer thread */
};

static unsigned lines_of(const char *bytes, size_t len)
{
	unsigned lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	return lines;
}

static void *writer_main(void *arg)
{
	struct report *r = arg;
	bool closing;

	do {
		size_t len, left;

		pthread_mutex_lock(&r->lock);
		while (r->len == 0 && !r->closing)
			pthread_cond_wait(&r->filled, &r->lock);
		len = r->len;
		closing = r->closing;
		memcpy(r->writing, r->bytes, len);
		r->len = 0;
		pthread_mutex_unlock(&r->lock);
		if (write_to(r->fd, r->writing, len, &left))
			continue;
		/* Nobody reads it, or the disk is full: the chat continues. */
		pthread_mutex_lock(&r->lock);
		r->lost += lines_of(r->writing + len - left, left);
		pthread_mutex_unlock(&r->lock);
	} while (!closing);
	return NULL;
}

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
		    0640);
}

static void discard(struct report *r)
{
	if (r->options.path && r->fd != -1)
		close(r->fd);
	pthread_cond_destroy(&r->filled);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

int report_new(struct report **out, const struct report_options *options)
{
	struct report *r = calloc(1, sizeof(*r));
	int error = 0;

	if (!r)
		return -ENOMEM;
	r->options = options ? *options
			     : (struct report_options){.level = LEVEL_INFO};
	if (!r->options.instance)
		r->options.instance = "";
	r->fd = STDOUT_FILENO;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->filled, NULL);
	if (r->options.path)
		r->fd = open_file(r->options.path);
	if (r->fd == -1)
		error = errno;
	else
		error = pthread_create(&r->writer, NULL, writer_main, r);
	if (error) {
		discard(r);
		return -error;
	}
	*out = r;
	return 0;
}

int report_reopen(struct report *r)
{
	int fd, error = 0;

	if (!r->options.path)
		return 0;
	fd = open_file(r->options.path);
	/* In one step for the writer, which may be within a write. */
	if (fd == -1 || dup3(fd, r->fd, O_CLOEXEC) == -1)
		error = -errno;
	if (fd != -1)
		close(fd);
	return error;
}

static bool append(struct report *r, const char *line, size_t len)
{
	if (len > sizeof(r->bytes) - r->len)
		return false;
	memcpy(r->bytes + r->len, line, len);
	r->len += len;
	return true;
}

static struct logline line_at(const struct report *r, enum log_level level)
{
	return (struct logline){
		.format = r->options.format,
		.level = level,
		.time_ms = wall_ms(),
		.instance = slice_of(r->options.instance),
	};
}

/* In the format of the log; the caller frees w. */
static void put_line(struct report *r, struct writer *w, enum log_level level,
		     struct slice text)
{
	const struct logline l = line_at(r, level);

	writer_init(w, LOGLINE_MAX);
	if (r->options.dated || r->options.format == LOG_JSON) {
		logline_put(w, &l, text);
		return;
	}
	writer_put_slice(w, text);
	writer_put(w, "\n", 1);
}

/* The caller holds the lock. Says how many lines were lost, if any were. */
static void tell_lost(struct report *r)
{
	char text[80];
	struct writer w;

	if (r->lost == 0)
		return;
	snprintf(text, sizeof(text), "output stalled, lines_lost=%lu", r->lost);
	put_line(r, &w, LEVEL_NOTICE, slice_of(text));
	if (!w.failed && append(r, w.bytes, w.len))
		r->lost = 0;
	writer_free(&w);
}

/* Frees w. */
static void hand_over(struct report *r, struct writer *w)
{
	pthread_mutex_lock(&r->lock);
	tell_lost(r);
	if (r->lost > 0 || w->failed || !append(r, w->bytes, w->len))
		r->lost++;
	pthread_cond_signal(&r->filled);
	pthread_mutex_unlock(&r->lock);
	writer_free(w);
}

static void report(struct report *r, enum log_level level, const char *format,
		   va_list args) __attribute__((format(printf, 3, 0)));

static void report(struct report *r, enum log_level level, const char *format,
		   va_list args)
{
	char text[REPORT_LINE_MAX];
	struct writer w;

	if (!report_wants(r, level) ||
	    vsnprintf(text, sizeof(text), format, args) < 0)
		return;
	put_line(r, &w, level, slice_of(text));
	hand_over(r, &w);
}

void report_line(struct report *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(r, LEVEL_NOTICE, format, args);
	va_end(args);
}

void report_info(struct report *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(r, LEVEL_INFO, format, args);
	va_end(args);
}

void report_request(struct report *r, enum log_level level,
		    const struct logline_request *request)
{
	const struct logline l = line_at(r, level);
	struct writer w;

	if (!report_wants(r, level))
		return;
	writer_init(&w, LOGLINE_MAX);
	logline_put_request(&w, &l, request);
	hand_over(r, &w);
}

bool report_wants(const struct report *r, enum log_level level)
{
	return level <= r->options.level;
}

void report_free(struct report *r)
{
	struct timespec until;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->closing = true;
	pthread_cond_signal(&r->filled);
	pthread_mutex_unlock(&r->lock);

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	if (pthread_timedjoin_np(r->writer, NULL, &until) != 0)
		return; /* it is stuck in write() and uses r; exit() ends it */
	discard(r);
}
