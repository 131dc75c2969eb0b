/* SPDX-License-Identifier: MIT */
/* See listener.h. */
#include "io/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int listen_on(const struct sockaddr *address, socklen_t len)
{
	const int on = 1, off = 0;
	int fd = socket(address->sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd == -1)
		return -1;
	/* Do not wait for TIME_WAIT sockets of the previous server. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* No byte is lost, also of telnet's urgent ones. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	if (address->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, address, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* One socket accepts both families; without IPv6 in the kernel, only IPv4. */
static int listen_everywhere(unsigned port)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
	};
	struct sockaddr_in four = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
	};
	int fd = listen_on((struct sockaddr *)&six, sizeof(six));

	if (fd == -1 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = listen_on((struct sockaddr *)&four, sizeof(four));
	return fd;
}

/* Returns the socket; -1 with errno; or -2, why set, if the name is unknown. */
static int listen_at(const char *address, unsigned port, char *why,
		     size_t why_len)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *found, *a;
	char service[8];
	int fd = -1, error;

	snprintf(service, sizeof(service), "%u", port);
	error = getaddrinfo(address, service, &hints, &found);
	if (error) {
		snprintf(why, why_len,
			 "--bind %s: %s; give an address of this host", address,
			 error == EAI_SYSTEM ? strerror(errno)
					     : gai_strerror(error));
		return -2;
	}
	for (a = found; a && fd == -1; a = a->ai_next)
		fd = listen_on(a->ai_addr, a->ai_addrlen);
	error = errno;
	freeaddrinfo(found);
	errno = error;
	return fd;
}

static const char *advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another program has it: choose another port, or find "
		       "the program with ss -ltnp";
	case EACCES:
		return "choose a port above 1023, or start with the right to "
		       "use this one";
	case EADDRNOTAVAIL:
		return "give --bind an address of this host (see ip address)";
	default: return "choose another port or address";
	}
}

static unsigned port_of(int fd, unsigned fallback)
{
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);

	if (getsockname(fd, (struct sockaddr *)&self, &len) == -1)
		return fallback;
	if (self.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&self)->sin6_port);
	return ntohs(((struct sockaddr_in *)&self)->sin_port);
}

int listener_open(const char *address, unsigned *port, char *why,
		  size_t why_len)
{
	int fd = address ? listen_at(address, *port, why, why_len)
			 : listen_everywhere(*port);

	if (fd == -1)
		snprintf(why, why_len, "cannot listen on %s port %u: %s; %s",
			 address ? address : "every address,", *port,
			 strerror(errno), advice(errno));
	if (fd < 0)
		return -1;
	*port = port_of(fd, *port);
	return fd;
}

void peer_name(const struct sockaddr_storage *peer, char name[PEER_NAME_MAX])
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *four = (const struct sockaddr_in *)peer;
	char text[INET6_ADDRSTRLEN] = "?";

	if (peer->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], text,
			  sizeof(text));
		snprintf(name, PEER_NAME_MAX, "%s:%u", text,
			 ntohs(six->sin6_port));
	} else if (peer->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
		snprintf(name, PEER_NAME_MAX, "[%s]:%u", text,
			 ntohs(six->sin6_port));
	} else {
		inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
		snprintf(name, PEER_NAME_MAX, "%s:%u", text,
			 ntohs(four->sin_port));
	}
}
