/* SPDX-License-Identifier: MIT */
/*
 * See session.h. One poll() over signals, input and socket. The socket never
 * blocks: if both ends waited until the other one reads, neither would go on.
 */
#include "session.h"

#include "frame.h"
#include "outbox.h"
#include "screen.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* bytes; while more wait to be sent, no input is read. */
#define UNSENT_MAX 65536
/* Time that the server has after our goodbye to send the rest and close. */
#define GOODBYE_PLAIN_MS    5000
#define GOODBYE_TERMINAL_MS 1000

struct session {
	int fd, signals;
	char prefix[NICK_MAX + 4]; /* "[NICK] " */
	size_t prefix_len;
	bool on_terminal;

	struct framer typed, received;
	struct outbox outbox;
	bool leaving, shut;	 /* no more input; our side is shut down */
	int64_t deadline_ms;	 /* of a leaving session */
	unsigned long said, own; /* our lines: sent, and received back */
	bool noticed;		 /* the last line came from the server itself */

	bool unseen; /* output failed: discard what arrives */
	bool over, failed;
	char *why;
	size_t why_len;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Keeps the first reason: later errors follow from it. */
static void session_fail(struct session *s, const char *what, int error)
{
	s->over = true;
	if (s->failed)
		return;
	s->failed = true;
	snprintf(s->why, s->why_len, "%s%s%s", what, error ? ": " : "",
		 error ? strerror(error) : "");
}

static void session_leave(struct session *s)
{
	if (s->leaving)
		return;
	s->leaving = true;
	s->deadline_ms = now_ms() + (s->on_terminal ? GOODBYE_TERMINAL_MS
						    : GOODBYE_PLAIN_MS);
}

/* Fails, but leaves properly: what was said until now is still sent. */
static void session_fail_politely(struct session *s, const char *what,
				  int error)
{
	session_fail(s, what, error);
	s->over = false;
	session_leave(s);
}

static void lose_output(struct session *s, int error)
{
	s->unseen = true;
	if (s->on_terminal)
		session_fail_politely(s, "the terminal is gone", 0);
	else if (error == EPIPE)
		session_fail_politely(s, "nobody reads the output any more", 0);
	else
		session_fail_politely(s, "cannot write the output", error);
}

static void say(struct session *s, const char *text, size_t len)
{
	if (!outbox_append(&s->outbox, s->prefix, s->prefix_len, SIZE_MAX) ||
	    !outbox_append(&s->outbox, text, len, SIZE_MAX) ||
	    !outbox_append(&s->outbox, "\n", 1, SIZE_MAX)) {
		session_fail(s, "cannot keep what is to be sent", ENOMEM);
		return;
	}
	s->said++;
}

/* In input from a program, a line "q" leaves too. */
static void say_lines(struct session *s, const char *in, size_t len)
{
	const char *end = in + len;

	while (!s->leaving && framer_next(&s->typed, &in, end) == FRAME_LINE) {
		if (framer_line_quits(&s->typed))
			session_leave(s);
		else
			say(s, s->typed.line, s->typed.line_len);
	}
}

static void take_plain_input(struct session *s)
{
	char in[4096];
	ssize_t got = read(STDIN_FILENO, in, sizeof(in));

	if (got == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got > 0) {
		say_lines(s, in, (size_t)got);
		return;
	}
	if (got == -1)
		session_fail_politely(s, "cannot read the input", errno);
	if (framer_end(&s->typed) == FRAME_LINE &&
	    !framer_line_quits(&s->typed))
		say(s, s->typed.line, s->typed.line_len);
	session_leave(s);
}

/* Enter on an empty line says nothing; pasted text may be several lines. */
static void take_typed_input(struct session *s)
{
	char *entered;
	bool more = screen_key(&entered);

	if (entered && entered[0]) {
		say_lines(s, entered, strlen(entered));
		say_lines(s, "\n", 1);
	}
	free(entered);
	if (!more)
		session_leave(s);
}

static void show_line(struct session *s)
{
	const char *line = s->received.line;
	size_t len = s->received.line_len;
	char clean[TEXT_CLEAN_MAX(CHAT_LINE_MAX) + 1];

	s->noticed = len >= strlen(CHAT_SERVER_NICK) &&
		     !memcmp(line, CHAT_SERVER_NICK, strlen(CHAT_SERVER_NICK));
	if (len >= s->prefix_len && !memcmp(line, s->prefix, s->prefix_len))
		s->own++;
	len = text_clean(line, len, clean);
	clean[len++] = '\n';
	if (!s->unseen && !screen_show(clean, len))
		lose_output(s, errno);
}

/*
 * The server closed. After our goodbye this is the proper end, unless the
 * server sent us away before it took what we said.
 */
static void take_end(struct session *s)
{
	if (framer_end(&s->received) == FRAME_LINE)
		show_line(s);
	s->over = true;
	if (!s->leaving)
		session_fail(s, "the server closed the connection", 0);
	else if (s->outbox.len > 0 || (s->noticed && s->own < s->said))
		session_fail(s,
			     "the server closed the connection before all "
			     "was said",
			     0);
}

static void take_arrived(struct session *s)
{
	char bytes[16384];
	const char *in = bytes;
	ssize_t got = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got == -1 && errno != EAGAIN && errno != EINTR)
		session_fail(s, "the connection to the server broke", errno);
	if (got == 0)
		take_end(s);
	if (got <= 0)
		return;
	while (!s->over &&
	       framer_next(&s->received, &in, bytes + got) == FRAME_LINE)
		show_line(s);
}

static void take_signal(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		screen_resized();
	else if (info.ssi_signo == SIGTSTP)
		screen_suspend();
	else if (s->leaving)
		s->over = true; /* asked twice: do not wait */
	else
		session_leave(s);
}

static void send_waiting(struct session *s)
{
	/* The next read reports an error, after the server's last lines. */
	(void)outbox_flush(&s->outbox, s->fd);
	if (s->leaving && !s->shut && s->outbox.len == 0) {
		shutdown(s->fd, SHUT_WR);
		s->shut = true;
	}
}

static void session_step(struct session *s)
{
	bool wants_input = !s->leaving && s->outbox.len < UNSENT_MAX;
	struct pollfd polled[] = {
		{.fd = s->signals, .events = POLLIN},
		{.fd = s->fd, .events = POLLIN},
		{.fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN},
		/*
		 * Polled only for errors: perhaps no line comes whose write
		 * would fail.
		 */
		{.fd = s->unseen ? -1 : STDOUT_FILENO},
	};
	int64_t wait = -1;

	if (s->outbox.len > 0)
		polled[1].events |= POLLOUT;
	if (s->leaving)
		wait = s->deadline_ms - now_ms();
	if (s->leaving && wait <= 0) {
		s->over = true;
		return;
	}
	if (poll(polled, 4, (int)wait) == -1)
		return;
	if (polled[3].revents)
		lose_output(s, EPIPE);
	if (polled[0].revents)
		take_signal(s);
	if (polled[1].revents & ~POLLOUT)
		take_arrived(s);
	if (s->over || s->leaving || !polled[2].revents)
		; /* nothing more can be said */
	else if (s->on_terminal)
		take_typed_input(s);
	else
		take_plain_input(s);
	if (!s->over)
		send_waiting(s);
}

static int open_signals(bool on_terminal)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	if (on_terminal) {
		sigaddset(&signals, SIGWINCH);
		sigaddset(&signals, SIGTSTP);
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool session_run(int fd, const char *nick, bool on_terminal, char *why,
		 size_t why_len)
{
	struct session s = {
		.fd = fd,
		.signals = open_signals(on_terminal),
		.on_terminal = on_terminal,
		.why = why,
		.why_len = why_len,
	};
	char prompt[NICK_MAX + 3];

	s.prefix_len =
		(size_t)snprintf(s.prefix, sizeof(s.prefix), "[%s] ", nick);
	snprintf(prompt, sizeof(prompt), "%s> ", nick);
	framer_init(&s.typed, CHAT_LINE_MAX - s.prefix_len, false);
	framer_init(&s.received, CHAT_LINE_MAX, false);
	screen_open(on_terminal ? prompt : NULL);
	while (!s.over)
		session_step(&s);
	screen_close();
	outbox_clear(&s.outbox);
	close(s.signals);
	return !s.failed;
}
