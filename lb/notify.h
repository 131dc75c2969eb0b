/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells whoever supervises l4lb how it is: sd_notify(3)
 *
 * The protocol is one datagram of lines KEY=VALUE to the socket in
 * $NOTIFY_SOCKET. libsystemd would bring its libraries along for that, and its
 * sd_notify() opens a socket at each call, of a type that the list of system
 * calls forbids after the start. So the socket is connected at the start,
 * before any privilege is dropped.
 *
 * Nothing here ever waits: what finds no room is sent in a later turn, in its
 * order. Without $NOTIFY_SOCKET all calls do nothing.
 */
#ifndef L4LB_NOTIFY_H
#define L4LB_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_STATUS_MAX 200 /* with its 0; longer ones are cut */
#define NOTIFY_LINE_MAX	  320
#define NOTIFY_WAITING	  8

/* Zeroed: nobody supervises us. */
struct notify {
	bool is_open;
	int fd; /* connected */
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t feed_every_ns; /* half of the watchdog's time; 0: none */
	uint64_t feed_at_ns;
	char waiting[NOTIFY_WAITING][NOTIFY_LINE_MAX]; /* oldest first */
	unsigned n_waiting;
	char status[NOTIFY_STATUS_MAX]; /* the last that was told */
};

/*
 * Connects to $NOTIFY_SOCKET and reads $WATCHDOG_USEC and $WATCHDOG_PID. Takes
 * all three out of the environment: a child has nothing to tell. -errno if
 * there is a socket that cannot be used; then nobody is told anything.
 */
int notify_open(struct notify *n);
void notify_close(struct notify *n);

/*
 * Each of these also tells @status: one line, what `systemctl status` shows.
 * After notify_reloading() comes notify_ready(), whatever became of it.
 */
void notify_ready(struct notify *n, const char *status);
void notify_reloading(struct notify *n, const char *status);
void notify_stopping(struct notify *n, const char *status);

/* Sends nothing if it is what was told last. */
void notify_status(struct notify *n, const char *status);

/*
 * Call it in each turn of the loop that forwards packets: a process whose loop
 * stands still must look dead. Feeds the watchdog when it is time, and sends
 * what has waited. Returns when it wants to be called again, UINT64_MAX: no
 * matter when. @now_ns: of clock_now_ns().
 */
uint64_t notify_turn(struct notify *n, uint64_t now_ns);

#endif
