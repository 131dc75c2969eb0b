/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/listener.h"

#define BACKLOG	     64
#define TCP_RETRY_MS 5
/* Each try is a connection that the other one will find. */
#define LOCAL_RETRY_MS 50

static int open_socket(int family)
{
	const int fd =
		socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd == -1 ? -errno : fd;
}

/* Does @listen again as long as the address is taken, or we lose patience. */
static int wait_for(int fd, int (*try)(int fd, const void *address),
		    const void *address, int retry_ms)
{
	int ret = try(fd, address);

	for (int ms = 0; ret == -EADDRINUSE && ms < LISTENER_PATIENCE_MS;
	     ms += retry_ms) {
		(void)poll(NULL, 0, retry_ms);
		ret = try(fd, address);
	}
	return ret;
}

/* --------------------------------------------------------------------- TCP */

static int try_tcp(int fd, const void *address)
{
	return bind(fd, address, sizeof(struct sockaddr_in)) ||
			       listen(fd, BACKLOG)
		       ? -errno
		       : 0;
}

int listener_tcp(int *out, const struct endpoint *at, struct err *err)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = at->port,
		.sin_addr.s_addr = addr_to_v4(&at->addr),
	};
	const int fd = open_socket(AF_INET), on = 1;
	char text[ENDPOINT_TEXT_MAX];
	int ret = fd < 0 ? fd : 0;

	*out = -1;
	if (!ret) {
		/* What is left of old connections does not matter. */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		/* As for services: the address may come later. */
		(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
		ret = wait_for(fd, try_tcp, &address, TCP_RETRY_MS);
	}
	if (!ret) {
		*out = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return err_set(err, ret, "the API cannot listen at %s: %s%s",
		       endpoint_format(at, text), strerror(-ret),
		       ret == -EADDRINUSE ? "; choose another port, or find "
					    "who has it with ss -ltnp"
					  : "");
}

/* ------------------------------------------------------------- UNIX socket */

/* 0, or -EADDRINUSE: somebody listens there; -EEXIST: that is no socket. */
static int remove_dead(const struct sockaddr_un *address, bool ours)
{
	struct stat st;
	int fd, ret;

	if (lstat(address->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = open_socket(AF_UNIX);
	if (fd < 0)
		return fd;
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	ret = ret == -1 && errno == ECONNREFUSED ? 0 : -EADDRINUSE;
	close(fd);
	if (ret && !ours)
		return ret;
	return unlink(address->sun_path) == -1 && errno != ENOENT ? -errno : 0;
}

static int bind_private(int fd, const void *address)
{
	/* The mode of a socket is that of its creation. */
	const mode_t before = umask(0177);
	const int ret =
		bind(fd, address, sizeof(struct sockaddr_un)) ? -errno : 0;

	(void)umask(before);
	return ret;
}

static int try_local(int fd, const void *address)
{
	const int ret = remove_dead(address, false);

	return ret ? ret : bind_private(fd, address);
}

static int listen_as(int fd, const struct sockaddr_un *address,
		     const struct owner *owner)
{
	/* Not through a link; in a folder of others the socket stays root's. */
	if (geteuid() == 0 &&
	    lchown(address->sun_path, owner->uid, owner->gid) == -1 &&
	    errno != EPERM)
		return -errno;
	return listen(fd, BACKLOG) ? -errno : 0;
}

static int say(struct err *err, const char *path, int ret)
{
	const char *why = ret == -EEXIST ? "there is something else of that "
					   "name"
			  : ret == -EADDRINUSE ? "another program listens there"
					       : strerror(-ret);

	return err_set(err, ret,
		       "the API cannot listen at %s: %s; choose another path "
		       "with api_socket, or none",
		       path, why);
}

int listener_local(int *out, const char *path, const struct owner *owner,
		   bool ours, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, ret;

	*out = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return say(err, path, -ENAMETOOLONG);
	strcpy(address.sun_path, path);
	fd = open_socket(AF_UNIX);
	if (fd < 0)
		return say(err, path, fd);
	if (ours) {
		ret = remove_dead(&address, true);
		if (!ret)
			ret = bind_private(fd, &address);
	} else {
		ret = wait_for(fd, try_local, &address, LOCAL_RETRY_MS);
	}
	if (!ret)
		ret = listen_as(fd, &address, owner);
	if (ret) {
		close(fd);
		return say(err, path, ret);
	}
	*out = fd;
	return 0;
}
