/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "api/ask.h"
#include "clock.h"
#include "control/words.h"
#include "core/time.h"

#define DATAGRAM_MAX 16384
#define LINES_MAX    (16u << 20) /* bytes: several times the largest */

struct channel_end {
	int fd;
	pthread_mutex_t lock;
	bool in_step; /* the next reply is to what we ask next */
	bool gone;    /* l4lb has closed its end */
};

struct channel_end *channel_end_new(int fd)
{
	struct channel_end *end = calloc(1, sizeof(*end));

	if (!end)
		return NULL;
	end->fd = fd;
	(void)pthread_mutex_init(&end->lock, NULL);
	return end;
}

void channel_end_free(struct channel_end *end)
{
	if (!end)
		return;
	(void)pthread_mutex_destroy(&end->lock);
	free(end);
}

void answer_free(struct answer *answer)
{
	text_free(&answer->lines);
}

static bool fail(struct answer *answer, const char *code, const char *sentence)
{
	answer_free(answer);
	*answer = (struct answer){0};
	snprintf(answer->code, sizeof(answer->code), "%s", code);
	snprintf(answer->sentence, sizeof(answer->sentence), "%s", sentence);
	return false;
}

static bool no_answer(struct channel_end *end, struct answer *answer)
{
	return fail(answer, ASK_SILENT,
		    end->gone ? "l4lb is not there any more"
			      : "l4lb did not answer in time");
}

/* ---------------------------------------------------------------- datagrams */

/* Waits for the next datagram; its length, or -1: none came in time. */
static ssize_t take(struct channel_end *end, char *bytes, uint64_t until_ns)
{
	for (;;) {
		struct pollfd fd = {.fd = end->fd, .events = POLLIN};
		const uint64_t now_ns = clock_now_ns();
		const int ms =
			now_ns < until_ns
				? (int)((until_ns - now_ns) / NS_PER_MS) + 1
				: 0;
		ssize_t n = recv(end->fd, bytes, DATAGRAM_MAX, MSG_DONTWAIT);

		if (n > 0)
			return n;
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			end->gone = true;
			return -1;
		}
		if (!ms || (poll(&fd, 1, ms) == -1 && errno != EINTR))
			return -1;
	}
}

static void read_last(struct answer *answer, const char *bytes, size_t len)
{
	static const char generation[] = "generation=";
	char line[DATAGRAM_MAX + 1], *at;
	int end = 0;

	memcpy(line, bytes, len);
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "ok", 2) == 0) {
		at = strstr(line, generation);
		if (at)
			answer->generation =
				strtoull(at + strlen(generation), NULL, 10);
		snprintf(answer->sentence, sizeof(answer->sentence), "%.500s",
			 line[2] ? line + 3 : "");
		return;
	}
	if (sscanf(line, "error %23s %n", answer->code, &end) != 1 || !end) {
		fail(answer, "unclear", "l4lb answered what is no reply");
		return;
	}
	snprintf(answer->sentence, sizeof(answer->sentence), "%.500s",
		 line + end);
}

static bool take_reply(struct channel_end *end, uint64_t until_ns,
		       struct answer *answer)
{
	char bytes[DATAGRAM_MAX];

	for (;;) {
		const ssize_t n = take(end, bytes, until_ns);

		if (n < 0) {
			end->in_step = false;
			return no_answer(end, answer);
		}
		if (bytes[0] != '+') {
			read_last(answer, bytes, (size_t)n);
			return !*answer->code;
		}
		text_put(&answer->lines, bytes + 1, (size_t)n - 1);
		if (answer->lines.failed || answer->lines.len > LINES_MAX) {
			end->in_step = false;
			return fail(answer, ASK_SILENT,
				    "there is no memory for the answer");
		}
	}
}

static bool say(struct channel_end *end, const char *line, uint64_t until_ns)
{
	for (;;) {
		struct pollfd fd = {.fd = end->fd, .events = POLLOUT};

		if (send(end->fd, line, strlen(line),
			 MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return true;
		if (errno != EAGAIN && errno != EINTR) {
			end->gone = true;
			return false;
		}
		if (clock_now_ns() >= until_ns)
			return false;
		(void)poll(&fd, 1, 10);
	}
}

/*
 * Skips replies that nobody has waited for, of this worker or an earlier one,
 * and gives up a change that it had begun: `sync` tells where ours begin.
 */
static bool get_in_step(struct channel_end *end, uint64_t until_ns)
{
	char line[32], bytes[DATAGRAM_MAX];
	unsigned long long word = 0;
	ssize_t n;
	int len;

	if (end->in_step)
		return true;
	if (getrandom(&word, sizeof(word), 0) != sizeof(word))
		return false;
	len = snprintf(line, sizeof(line), "sync %016llx", word);
	if (!say(end, "abort", until_ns) || !say(end, line, until_ns))
		return false;
	do {
		n = take(end, bytes, until_ns);
		if (n < 0)
			return false;
	} while (bytes[0] == '+' ||
		 !memmem(bytes, (size_t)n, line + 5, (size_t)len - 5));
	end->in_step = true;
	return true;
}

/* ---------------------------------------------------------------- questions */

bool ask_lock(struct channel_end *end, struct answer *answer)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ASK_LOCK_MS / 1000;
	*answer = (struct answer){0};
	if (pthread_mutex_clocklock(&end->lock, CLOCK_MONOTONIC, &until) == 0)
		return true;
	return fail(answer, ASK_WAITED,
		    "others are asking l4lb or changing it; try again");
}

void ask_unlock(struct channel_end *end)
{
	(void)pthread_mutex_unlock(&end->lock);
}

bool ask_locked(struct channel_end *end, const char *who, const char *command,
		unsigned wait_ms, struct answer *answer)
{
	const uint64_t until_ns = clock_now_ns() + wait_ms * NS_PER_MS;
	char line[WORDS_LINE_MAX + ASK_WHO_MAX + 8];

	*answer = (struct answer){0};
	if (strlen(command) > WORDS_LINE_MAX || strchr(command, '\n'))
		return fail(answer, "too-long",
			    "a command is one line of at most 2048 bytes");
	snprintf(line, sizeof(line), "%s%s%s%s", who ? "by " : "",
		 who ? who : "", who ? " " : "", command);
	if (!get_in_step(end, until_ns) || !say(end, line, until_ns))
		return no_answer(end, answer);
	return take_reply(end, until_ns, answer);
}

bool ask(struct channel_end *end, const char *who, const char *command,
	 unsigned wait_ms, struct answer *answer)
{
	bool ok;

	if (!ask_lock(end, answer))
		return false;
	ok = ask_locked(end, who, command, wait_ms, answer);
	ask_unlock(end);
	return ok;
}
