/* SPDX-License-Identifier: MIT */
/*
 * command_socket.h - the control channel: commands come in, replies go out
 *
 * A UNIX socket of type SOCK_SEQPACKET. One datagram is one command. A reply is
 * one datagram or more: those that begin with '+' hold lines of text and are
 * followed by others; the last one begins with "ok" or "error". Nothing here
 * waits for a peer: one whose replies find no room is dropped. Only root and
 * the user of this process are served, and who holds the other end of a socket
 * pair that was adopted.
 *
 * What a command means is not known here (channel.h).
 */
#ifndef L4LB_COMMAND_SOCKET_H
#define L4LB_COMMAND_SOCKET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define ASKED_MAX	    2048  /* bytes of a command */
#define ANSWER_MAX	    16384 /* bytes of a datagram of a reply */
#define COMMAND_PEERS	    8	  /* who connect */
#define COMMAND_ADOPTED	    2
#define COMMAND_CONNECTIONS (COMMAND_PEERS + COMMAND_ADOPTED)
#define COMMAND_FDS	    (1 + COMMAND_CONNECTIONS)

struct command_socket;

/* Who asked: the connection, and which one it is of those it ever was. */
struct asker {
	unsigned connection;
	uint32_t number;
};

/*
 * True if we are root and only root may create a socket at @path: whoever gives
 * up root has to do it before.
 */
bool command_socket_is_roots(const char *path);

/*
 * Creates the socket, with mode 0600. One that a dead process has left is
 * replaced. -EADDRINUSE: another process listens there. -EEXIST: there is
 * something else of that name. Others as of bind(2).
 */
int command_socket_open(struct command_socket **out, const char *path,
			struct err *err);

/*
 * Serves @fd, one end of a pair of such sockets, too, as long as there is an
 * other end; takes it over. It is never given up to make room, nor because its
 * peer does not read: what waits for that is forgotten then. At most
 * COMMAND_ADOPTED.
 */
void command_socket_adopt(struct command_socket *s, int fd);

/* True if the connection of @who was adopted. */
bool command_socket_is_adopted(const struct command_socket *s,
			       const struct asker *who);

/* The user who connected; of one that was adopted, our own. */
uint32_t command_socket_uid(const struct command_socket *s,
			    const struct asker *who);

/* Closes all connections and removes the socket. Accepts NULL. */
void command_socket_close(struct command_socket *s);

/* Fills COMMAND_FDS entries; those that are not used get a descriptor of -1. */
void command_socket_poll(const struct command_socket *s, struct pollfd *fds);

/*
 * Call it after poll(). Sends what waits for room, accepts one connection, and
 * takes at most one command: without its line end, and with a final 0. False:
 * there is none. What is no command (too long, not text) is answered here.
 */
bool command_socket_take(struct command_socket *s, const struct pollfd *fds,
			 uint64_t now_ns, struct asker *who,
			 char text[ASKED_MAX + 1]);

/* True as long as the connection of @who is open. */
bool command_socket_serves(const struct command_socket *s,
			   const struct asker *who);

/*
 * Sends lines of text, each with its line end, in as many datagrams as needed.
 * They are copied and sent as the peer reads them; until then no command of it
 * is taken. One that reads nothing for COMMAND_PATIENCE_S is dropped.
 */
void command_socket_lines(struct command_socket *s, const struct asker *who,
			  const char *text, size_t len, uint64_t now_ns);
#define COMMAND_PATIENCE_S 2

/* True if lines for @who still wait for room. */
bool command_socket_waits(const struct command_socket *s,
			  const struct asker *who);

/* The last datagram of a reply: one line, without its end. */
__attribute__((format(printf, 3, 4))) void command_socket_end(
	struct command_socket *s, const struct asker *who, const char *format,
	...);

#endif
