/* SPDX-License-Identifier: MIT */
/* See report.h. */
#include "io/report.h"
#include "write_out.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPORT_BYTES	65536
#define REPORT_LINE_MAX 256

struct report {
	pthread_t writer;
	pthread_mutex_t lock; /* guards all fields below */
	pthread_cond_t filled;
	bool closing;
	unsigned long lost; /* lines dropped since one last found room */
	size_t len;
	char bytes[REPORT_BYTES];

	char writing[REPORT_BYTES]; /* owned by the writer thread */
};

static void *writer_main(void *arg)
{
	struct report *r = arg;
	bool closing;

	do {
		size_t len;

		pthread_mutex_lock(&r->lock);
		while (r->len == 0 && !r->closing)
			pthread_cond_wait(&r->filled, &r->lock);
		len = r->len;
		closing = r->closing;
		memcpy(r->writing, r->bytes, len);
		r->len = 0;
		pthread_mutex_unlock(&r->lock);
		/* Nobody reads it: the chat continues. */
		(void)write_out(r->writing, len);
	} while (!closing);
	return NULL;
}

int report_new(struct report **out)
{
	struct report *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->filled, NULL);
	error = pthread_create(&r->writer, NULL, writer_main, r);
	if (error) {
		free(r);
		return -error;
	}
	*out = r;
	return 0;
}

static bool report_append(struct report *r, const char *line, size_t len)
{
	if (len > sizeof(r->bytes) - r->len)
		return false;
	memcpy(r->bytes + r->len, line, len);
	r->len += len;
	return true;
}

void report_line(struct report *r, const char *format, ...)
{
	char line[REPORT_LINE_MAX + 1], lost[80];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, REPORT_LINE_MAX, format, args);
	va_end(args);
	if (len < 0)
		return;
	if (len >= REPORT_LINE_MAX)
		len = REPORT_LINE_MAX - 1;
	line[len++] = '\n';

	pthread_mutex_lock(&r->lock);
	if (r->lost > 0) {
		int lost_len =
			snprintf(lost, sizeof(lost),
				 "output stalled, lines_lost=%lu\n", r->lost);

		if (report_append(r, lost, (size_t)lost_len))
			r->lost = 0;
	}
	if (r->lost > 0 || !report_append(r, line, (size_t)len))
		r->lost++;
	pthread_cond_signal(&r->filled);
	pthread_mutex_unlock(&r->lock);
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
	pthread_cond_destroy(&r->filled);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
