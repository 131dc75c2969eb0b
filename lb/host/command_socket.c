/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/time.h"
#include "host/command_socket.h"

struct connection {
	int fd;		 /* -1: not in use */
	uint32_t number; /* of all that there ever were */
	bool asked;	 /* a command was taken and is not answered yet */
	bool unread;	 /* the last datagram found no room */
	bool adopted;
	uint32_t uid;	  /* the peer's */
	uint64_t used_ns; /* last command; then since when it reads nothing */
	char *lines;	  /* those to send, owned; NULL: none */
	size_t at, len;	  /* the next of them; all */
};

struct command_socket {
	int fd;
	uint32_t numbers; /* connections so far */
	unsigned next;	  /* whose turn it is first */
	struct connection connections[COMMAND_CONNECTIONS];
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* ------------------------------------------------------ opening and closing */

/* True if nobody else can make anything in the folder of @path. */
static bool is_private(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;
	struct stat st;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		return false;
	slash[slash == folder] = '\0';
	return stat(folder, &st) == 0 && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

bool command_socket_is_roots(const char *path)
{
	return geteuid() == 0 && is_private(path);
}

/*
 * True if the socket of that name is nobody's any more. One that we may not
 * connect to is of another user: in a folder that is ours now, that is an
 * earlier l4lb that ran as somebody else.
 */
static bool is_stale(const struct sockaddr_un *sa)
{
	const int fd = socket(AF_UNIX,
			      SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale = false;

	if (fd == -1)
		return false;
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == -1)
		stale = errno == ECONNREFUSED ||
			(errno == EACCES && is_private(sa->sun_path));
	close(fd);
	return stale;
}

static int explain(struct err *err, const char *path, int ret)
{
	return err_set(
		err, ret,
		"control socket %s: cannot create it: %s; choose another "
		"path with --control, in a folder that the user of l4lb "
		"may write to",
		path, strerror(-ret));
}

static int bind_socket(int fd, const struct sockaddr_un *sa)
{
	/* The mode of a socket is that of its creation. */
	const mode_t before = umask(0177);
	const int ret =
		bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) ? -errno : 0;

	(void)umask(before);
	return ret;
}

static int bind_anew(int fd, const struct sockaddr_un *sa, struct err *err)
{
	struct stat st;
	int ret = bind_socket(fd, sa);

	if (ret != -EADDRINUSE)
		return ret ? explain(err, sa->sun_path, ret) : 0;
	if (lstat(sa->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST,
			       "control socket %s: there is something else of "
			       "that name; choose another path with --control, "
			       "or move it away",
			       sa->sun_path);
	if (!is_stale(sa))
		return err_set(err, -EADDRINUSE,
			       "control socket %s: another program listens "
			       "there; choose another path with --control",
			       sa->sun_path);
	if (unlink(sa->sun_path) == -1 && errno != ENOENT)
		return explain(err, sa->sun_path, -errno);
	ret = bind_socket(fd, sa);
	return ret ? explain(err, sa->sun_path, ret) : 0;
}

int command_socket_open(struct command_socket **out, const char *path,
			struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct command_socket *s = calloc(1, sizeof(*s));
	int ret;

	*out = NULL;
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < COMMAND_CONNECTIONS; i++)
		s->connections[i].fd = -1;
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (s->fd == -1) {
		ret = explain(err, path, -errno);
	} else if (strlen(path) >= sizeof(sa.sun_path)) {
		ret = explain(err, path, -ENAMETOOLONG);
	} else {
		strcpy(sa.sun_path, path);
		ret = bind_anew(s->fd, &sa, err);
	}
	if (!ret) {
		strcpy(s->path, path);
		ret = listen(s->fd, COMMAND_PEERS) ? explain(err, path, -errno)
						   : 0;
	}
	if (ret)
		command_socket_close(s);
	else
		*out = s;
	return ret;
}

static void drop(struct connection *c)
{
	if (c->fd != -1)
		close(c->fd);
	free(c->lines);
	*c = (struct connection){.fd = -1};
}

/* Who does not read loses what waits; then it may ask again. */
static void give_up_on(struct command_socket *s, struct connection *c)
{
	struct connection kept = {
		.fd = c->fd,
		.number = ++s->numbers,
		.adopted = true,
		.uid = c->uid,
	};

	if (!c->adopted) {
		drop(c);
		return;
	}
	free(c->lines);
	*c = kept;
}

void command_socket_adopt(struct command_socket *s, int fd)
{
	for (unsigned i = COMMAND_PEERS; i < COMMAND_CONNECTIONS; i++) {
		struct connection *c = &s->connections[i];

		if (c->fd != -1)
			continue;
		*c = (struct connection){
			.fd = fd,
			.number = ++s->numbers,
			.adopted = true,
			.uid = geteuid(),
		};
		return;
	}
	assert(!"more were adopted than COMMAND_ADOPTED");
}

void command_socket_close(struct command_socket *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < COMMAND_CONNECTIONS; i++)
		drop(&s->connections[i]);
	if (s->path[0])
		(void)unlink(s->path);
	if (s->fd != -1)
		close(s->fd);
	free(s);
}

/* ----------------------------------------------------------------- replies */

/* The connection that asked, or NULL: it is gone. */
static struct connection *find(const struct command_socket *s,
			       const struct asker *who)
{
	const struct connection *c = &s->connections[who->connection];

	return c->fd != -1 && c->number == who->number ? (struct connection *)c
						       : NULL;
}

bool command_socket_is_adopted(const struct command_socket *s,
			       const struct asker *who)
{
	const struct connection *c = find(s, who);

	return c && c->adopted;
}

uint32_t command_socket_uid(const struct command_socket *s,
			    const struct asker *who)
{
	const struct connection *c = find(s, who);

	return c ? c->uid : UINT32_MAX;
}

/* 0, -EAGAIN: no room; or another error, and the connection is dropped. */
static int send_datagram(struct connection *c, const char *text, size_t len)
{
	if (send(c->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		return 0;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		return -EAGAIN;
	drop(c);
	return -ECONNRESET;
}

/* The length of the next datagram: as many whole lines as fit, at least one. */
static size_t next_lines(const struct connection *c)
{
	const size_t left = c->len - c->at;
	size_t n = left < ANSWER_MAX - 1 ? left : ANSWER_MAX - 1;
	size_t end = n;

	if (n == left)
		return n;
	while (end > 0 && c->lines[c->at + end - 1] != '\n')
		end--;
	return end ? end : n;
}

/* Sends what finds room. */
static void send_lines(struct connection *c, uint64_t now_ns)
{
	char datagram[ANSWER_MAX] = "+";

	while (c->lines) {
		const size_t n = next_lines(c);

		memcpy(datagram + 1, c->lines + c->at, n);
		switch (send_datagram(c, datagram, n + 1)) {
		case 0: break;
		case -EAGAIN: c->unread = true; return;
		default: return;
		}
		c->used_ns = now_ns;
		c->unread = false;
		c->at += n;
		if (c->at < c->len)
			continue;
		free(c->lines);
		c->lines = NULL;
		c->at = c->len = 0;
	}
}

bool command_socket_serves(const struct command_socket *s,
			   const struct asker *who)
{
	return find(s, who) != NULL;
}

bool command_socket_waits(const struct command_socket *s,
			  const struct asker *who)
{
	const struct connection *c = find(s, who);

	return c && c->lines;
}

void command_socket_lines(struct command_socket *s, const struct asker *who,
			  const char *text, size_t len, uint64_t now_ns)
{
	struct connection *c = find(s, who);
	char *lines;

	if (!c || len == 0)
		return;
	lines = realloc(c->lines, c->len + len);
	if (!lines) {
		give_up_on(s, c);
		return;
	}
	memcpy(lines + c->len, text, len);
	c->lines = lines;
	c->len += len;
	send_lines(c, now_ns);
}

void command_socket_end(struct command_socket *s, const struct asker *who,
			const char *format, ...)
{
	struct connection *c = find(s, who);
	char text[ASKED_MAX];
	va_list args;
	int n;

	if (!c)
		return;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	c->asked = false;
	/* Lines that still wait, or no room: it asks and does not read. */
	if (c->lines || n < 0 || send_datagram(c, text, (size_t)n) == -EAGAIN)
		give_up_on(s, c);
}

/* ---------------------------------------------------------------- commands */

static bool is_allowed(int fd, uint32_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return false;
	*uid = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}

/* A free place, or that of the connection which said nothing for longest. */
static struct connection *make_place(struct command_socket *s)
{
	struct connection *oldest = &s->connections[0];

	for (unsigned i = 0; i < COMMAND_PEERS; i++) {
		struct connection *c = &s->connections[i];

		if (c->fd == -1)
			return c;
		if (c->used_ns < oldest->used_ns)
			oldest = c;
	}
	drop(oldest);
	return oldest;
}

static void accept_one(struct command_socket *s, uint64_t now_ns)
{
	static const char denied[] =
		"error denied only root and the user of l4lb are served";
	const int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c;
	uint32_t uid;

	if (fd == -1)
		return;
	if (!is_allowed(fd, &uid)) {
		(void)send(fd, denied, sizeof(denied) - 1,
			   MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	c = make_place(s);
	*c = (struct connection){
		.fd = fd,
		.number = ++s->numbers,
		.used_ns = now_ns,
		.uid = uid,
	};
}

/* Cuts the line end off. False: it is not one line of text. */
static bool is_command(char *text, size_t n)
{
	text[n] = '\0';
	if (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' && text[i] != '\t')
			return false;
	return n > 0;
}

/* Reads one datagram; true if it is a command. @events: what poll() said. */
static bool take(struct command_socket *s, unsigned i, short events,
		 uint64_t now_ns, char text[ASKED_MAX + 1])
{
	struct connection *c = &s->connections[i];
	const struct asker who = {i, c->number};
	const ssize_t n =
		recv(c->fd, text, ASKED_MAX + 1, MSG_DONTWAIT | MSG_TRUNC);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* An empty datagram looks as the end does. */
	if (n == -1 || (n == 0 && events & (POLLRDHUP | POLLHUP))) {
		drop(c);
		return false;
	}
	c->used_ns = now_ns;
	c->asked = true;
	if (n > ASKED_MAX)
		command_socket_end(s, &who,
				   "error too-long a command has at most %d "
				   "bytes, this one %zd",
				   ASKED_MAX, n);
	else if (!is_command(text, (size_t)n))
		command_socket_end(s, &who,
				   "error bad-command a command is one line of "
				   "text");
	else
		return true;
	return false;
}

void command_socket_poll(const struct command_socket *s, struct pollfd *fds)
{
	for (unsigned i = 0; i < COMMAND_FDS; i++)
		fds[i] = (struct pollfd){-1, POLLIN, 0};
	if (!s)
		return;
	fds[0].fd = s->fd;
	for (unsigned i = 0; i < COMMAND_CONNECTIONS; i++) {
		const struct connection *c = &s->connections[i];

		fds[1 + i].fd = c->fd;
		fds[1 + i].events = POLLIN | POLLRDHUP;
		if (c->lines)
			fds[1 + i].events = POLLOUT;
		else if (c->asked) /* only whether it is gone */
			fds[1 + i].events = 0;
	}
}

/* Sends what waits; drops those that are gone or do not read. */
static void look_after(struct command_socket *s, struct connection *c,
		       short events, uint64_t now_ns)
{
	if (c->fd == -1)
		return;
	if (c->lines && events & POLLOUT)
		send_lines(c, now_ns);
	if (c->unread && now_ns - c->used_ns > COMMAND_PATIENCE_S * NS_PER_S)
		give_up_on(s, c);
	else if (events & (POLLHUP | POLLERR) && !(events & POLLIN))
		drop(c);
}

bool command_socket_take(struct command_socket *s, const struct pollfd *fds,
			 uint64_t now_ns, struct asker *who,
			 char text[ASKED_MAX + 1])
{
	bool taken = false;

	if (!s)
		return false;
	for (unsigned i = 0; i < COMMAND_CONNECTIONS; i++)
		look_after(s, &s->connections[i], fds[1 + i].revents, now_ns);
	for (unsigned n = 0; n < COMMAND_CONNECTIONS; n++) {
		const unsigned i = (s->next + n) % COMMAND_CONNECTIONS;
		struct connection *c = &s->connections[i];

		if (c->fd == -1 || c->asked || c->lines ||
		    !(fds[1 + i].revents & POLLIN))
			continue;
		*who = (struct asker){i, c->number};
		taken = take(s, i, fds[1 + i].revents, now_ns, text);
		s->next = i + 1;
		break;
	}
	if (fds[0].revents & POLLIN)
		accept_one(s, now_ns);
	return taken;
}
