/* SPDX-License-Identifier: MIT */
/* See accept.h. */
#include "io/accept.h"
#include "io/hub.h"
#include "io/listener.h"
#include "io/report.h"
#include "io/signals.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

/* After a failed accept(): long enough not to spin, short enough to serve. */
#define ACCEPT_PAUSE_MS 100

static void tune_socket(int fd)
{
	const int on = 1;

	/* Sends each line without delay. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/*
	 * A client may be silent for ever, but one that vanished must not stay
	 * for ever.
	 */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Returns false if a pause is needed before the next accept(). */
static bool accept_one(const struct listener *l, struct hub *hub,
		       struct report *report, bool failed_before)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	char name[PEER_NAME_MAX];
	int fd = accept4(l->fd, (struct sockaddr *)&peer, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		tune_socket(fd);
		peer_name(&peer, name);
		hub_admit(hub, fd, name, l->port);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return true;
	if (!failed_before)
		report_line(report, "cannot accept clients now: %s",
			    strerror(errno));
	return false;
}

void accept_until(struct signals *signals, const struct listener *listeners,
		  unsigned count, struct hub *hub, struct report *report)
{
	struct pollfd polled[1 + LISTENERS_MAX] = {
		{.fd = signals->fd, .events = POLLIN}};
	bool failing = false;

	for (unsigned i = 0; i < count; i++)
		polled[1 + i] = (struct pollfd){.fd = listeners[i].fd,
						.events = POLLIN};
	for (;;) {
		bool failed = false;

		/*
		 * A connection that cannot be accepted stays readable: do not
		 * poll the listeners for a while.
		 */
		for (unsigned i = 0; i < count; i++)
			polled[1 + i].revents = 0;
		if (poll(polled, failing ? 1 : 1 + count,
			 failing ? ACCEPT_PAUSE_MS : -1) == -1)
			continue;
		if (polled[0].revents && signals_take(signals))
			return;
		for (unsigned i = 0; i < count; i++)
			if (failing || polled[1 + i].revents)
				failed |= !accept_one(&listeners[i], hub,
						      report, failing);
		failing = failed;
	}
}
