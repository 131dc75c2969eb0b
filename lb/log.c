/* SPDX-License-Identifier: MIT */
/*
 * log.c - one line per event on stderr, without ever waiting for it
 *
 * stderr is shared with the shell and with whatever else writes to the same
 * pipe. O_NONBLOCK belongs to the open file description: set on descriptor 2,
 * it would make all of them fail with EAGAIN. So the method depends on the type
 * of stderr:
 *
 *   pipe, terminal   opened again through /proc/self/fd/2. That is a new
 *                    description with an O_NONBLOCK of its own. A line is
 *                    shorter than PIPE_BUF, so a pipe takes all or nothing
 *                    (pipe(7)); a terminal may take a part, see broken.
 *   socket           (the journal) send() with MSG_DONTWAIT, which affects
 *                    this call only.
 *   file             write(), which waits for the disk at most, as all file
 *                    I/O does. Not opened again: a second offset would
 *                    overwrite the log.
 *
 * If the second open() is refused (a terminal of another user after su, no
 * /proc), poll() without a timeout comes before each write. A pipe is writable
 * only if a page of it is free. That is PIPE_BUF, so our line fits. A terminal
 * is writable only if it is not stopped. Another writer can still fill the pipe
 * between poll() and write(); nothing better exists on a shared blocking
 * description.
 *
 * The state is process-wide, as stderr is.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LINE_SIZE 1024 /* with the newline; longer lines are cut */

static_assert(LINE_SIZE <= PIPE_BUF, "a pipe takes all of a line");
static_assert(PIPE_BUF <= 4096, "poll() on a pipe promises one page");

enum sink {
	SINK_UNKNOWN, /* before the first line */
	SINK_NONE,    /* stderr is closed; 2 may be another file now */
	SINK_OWN,     /* @fd is non-blocking, and ours */
	SINK_SOCKET,
	SINK_FILE,
	SINK_SHARED, /* ask poll() first */
};

static struct {
	int level;
	enum sink sink;
	int fd;
	bool journal;	    /* prefix <N>, no time: the journal adds it */
	bool broken;	    /* only a part of the last line was written */
	unsigned long lost; /* lines dropped since the last one written */
} log_state = {.fd = STDERR_FILENO};

/* Of the threads of l4lb-api; l4lb has one. */
static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

/*
 * systemd.exec(5): JOURNAL_STREAM is DEVICE:INODE of the journal's socket. A
 * child whose stderr was redirected inherits the variable too, so compare.
 */
static bool is_journal(const struct stat *st)
{
	const char *value = getenv("JOURNAL_STREAM");
	char expected[48];

	snprintf(expected, sizeof(expected), "%ju:%ju", (uintmax_t)st->st_dev,
		 (uintmax_t)st->st_ino);
	return value && strcmp(value, expected) == 0;
}

static void open_sink(void)
{
	struct stat st;
	int own;

	if (log_state.sink != SINK_UNKNOWN)
		return;
	if (fstat(STDERR_FILENO, &st) == -1) {
		/* Decide now: later, descriptor 2 may be any other socket. */
		log_state.sink = SINK_NONE;
		return;
	}
	log_state.journal = is_journal(&st);
	if (S_ISSOCK(st.st_mode)) {
		log_state.sink = SINK_SOCKET;
		return;
	}
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)) {
		log_state.sink = SINK_FILE;
		return;
	}
	own = open("/proc/self/fd/2",
		   O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	log_state.sink = own == -1 ? SINK_SHARED : SINK_OWN;
	if (own != -1)
		log_state.fd = own;
}

static ssize_t write_now(const char *line, size_t len)
{
	struct pollfd p = {.fd = log_state.fd, .events = POLLOUT};

	switch (log_state.sink) {
	case SINK_OWN:
	case SINK_FILE: return write(log_state.fd, line, len);
	case SINK_SOCKET:
		return send(log_state.fd, line, len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	case SINK_SHARED:
		if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
			return -1;
		return write(log_state.fd, line, len);
	case SINK_UNKNOWN:
	case SINK_NONE: break;
	}
	return -1;
}

/* True if the whole line was written. */
static bool put(const char *line, size_t len)
{
	ssize_t n;

	if (log_state.broken) {
		if (write_now("\n", 1) != 1)
			return false;
		log_state.broken = false;
	}
	n = write_now(line, len);
	if (n > 0 && (size_t)n < len)
		log_state.broken = true;
	return n == (ssize_t)len;
}

/* @priority as in syslog(3). Returns the bytes written, at most @size - 1. */
static size_t format_prefix(char *line, size_t size, int priority)
{
	struct timespec now;
	struct tm tm;
	char date[32] = "", zone[8] = "";

	if (log_state.journal)
		return (size_t)snprintf(line, size, "<%d>", priority);
	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &tm)) {
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
	}
	return (size_t)snprintf(line, size, "%s.%03ld%s l4lb: ", date,
				now.tv_nsec / 1000000, zone);
}

/* Makes one line of one event, whatever characters it contains. */
static size_t finish_line(char *line, size_t len)
{
	if (len > LINE_SIZE - 1) {
		len = LINE_SIZE - 1;
		memcpy(line + len - 3, "...", 3);
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f)
			line[i] = '?';
	}
	line[len] = '\n';
	return len + 1;
}

/* Reports the number of dropped lines, if there is room for it now. */
static bool put_lost(void)
{
	char line[LINE_SIZE];
	size_t len = format_prefix(line, sizeof(line), 4);

	len += (size_t)snprintf(line + len, sizeof(line) - len,
				"warning: %lu log lines were dropped, because "
				"stderr was blocked",
				log_state.lost);
	len = finish_line(line, len);
	if (!put(line, len))
		return false;
	log_state.lost = 0;
	return true;
}

__attribute__((format(printf, 3, 0))) static void log_line(int priority,
							   const char *kind,
							   const char *fmt,
							   va_list args)
{
	char line[LINE_SIZE + 1]; /* room for snprintf()'s 0 */
	int saved = errno;	  /* the caller's errno must not change */
	size_t len;

	pthread_mutex_lock(&log_mutex);
	open_sink();
	len = format_prefix(line, sizeof(line), priority);
	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s", kind);
	len += (size_t)vsnprintf(line + len, sizeof(line) - len, fmt, args);
	len = finish_line(line, len);
	if ((log_state.lost && !put_lost()) || !put(line, len))
		log_state.lost++;
	pthread_mutex_unlock(&log_mutex);
	errno = saved;
}

void log_set_level(int level)
{
	log_state.level = level;
	open_sink();
}

bool log_wants(int level)
{
	return level <= log_state.level;
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(4, "warning: ", fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	if (!log_wants(0))
		return;
	va_start(args, fmt);
	log_line(6, "", fmt, args);
	va_end(args);
}

void log_flow(const char *fmt, ...)
{
	va_list args;

	if (!log_wants(1))
		return;
	va_start(args, fmt);
	log_line(6, "", fmt, args);
	va_end(args);
}

void log_debug(const char *fmt, ...)
{
	va_list args;

	if (!log_wants(2))
		return;
	va_start(args, fmt);
	log_line(7, "", fmt, args);
	va_end(args);
}
