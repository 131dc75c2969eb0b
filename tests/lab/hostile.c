/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - what somebody could do who took over l4lb-api
 *
 * Installed as l4lb-api beside an l4lb, which starts it and hands over what the
 * real one gets. It goes the same way, by the functions of lb/api, up to where
 * the real one begins to listen to others. The name of the instance says what
 * follows:
 *
 *   breakout   tries one thing after the other, "tried THING: done", or the
 *              error, or the signal that ended it
 *   flood      sends rubbish and commands by the channel as fast as it can;
 *              says now and then "flooded N", the datagrams so far
 *
 * Both end with l4lb.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/handed.h"
#include "api/powerless.h"

static struct handover told;
static struct api_setup setup;

/* ----------------------------------------------------------------- breakout */

static int try_store_into_flows(void)
{
	*(volatile uint8_t *)setup.flows.at = 1;
	return 0;
}

static int try_store_into_board(void)
{
	*(volatile uint8_t *)setup.board.at = 1;
	return 0;
}

static int make_writable(const struct api_memory *m)
{
	return mprotect((void *)(uintptr_t)m->at, 4096, PROT_READ | PROT_WRITE);
}

static int try_flows_writable(void)
{
	return make_writable(&setup.flows);
}

static int try_board_writable(void)
{
	return make_writable(&setup.board);
}

static int try_journal_writable(void)
{
	return make_writable(&setup.journal);
}

static int open_ours(const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), "/run/l4lb/%s.%s", told.name, what);
	return open(path, O_RDONLY);
}

static int try_open_flows(void)
{
	return open_ours("flows");
}

static int try_open_ports(void)
{
	return open_ours("ports");
}

static int try_list_folder(void)
{
	return open("/run/l4lb", O_RDONLY | O_DIRECTORY);
}

static int try_open_shadow(void)
{
	return open("/etc/shadow", O_RDONLY);
}

/* By a descriptor that is still open: it would keep the next l4lb out. */
static int try_lock_something(void)
{
	struct stat st;

	for (int fd = 3; fd < 256; fd++)
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
	errno = EBADF;
	return -1;
}

static int try_connect_control(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/run/l4lb/%s.control",
		 told.name);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

static pid_t balancer;

static int try_kill_l4lb(void)
{
	return kill(balancer, 0); /* needs what any other signal needs */
}

static int try_ptrace_l4lb(void)
{
	return (int)ptrace(PTRACE_ATTACH, balancer, NULL, NULL);
}

static int try_exec(void)
{
	return execl("/bin/true", "true", NULL);
}

static int try_setuid(void)
{
	return setuid(told.uid);
}

static int try_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int try_code(void)
{
	return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int try_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int try_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int try_raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW, 6);
}

static const struct {
	const char *name;
	int (*try)(void);
} things[] = {
	{"store-into-flows", try_store_into_flows},
	{"store-into-board", try_store_into_board},
	{"flows-writable", try_flows_writable},
	{"board-writable", try_board_writable},
	{"journal-writable", try_journal_writable},
	{"open-flows", try_open_flows},
	{"open-ports", try_open_ports},
	{"list-folder", try_list_folder},
	{"open-shadow", try_open_shadow},
	{"lock-something", try_lock_something},
	{"connect-control", try_connect_control},
	{"kill-l4lb", try_kill_l4lb},
	{"ptrace-l4lb", try_ptrace_l4lb},
	{"exec", try_exec},
	{"setuid", try_setuid},
	{"namespace", try_namespace},
	{"code", try_code},
	{"packet-socket", try_packet_socket},
	{"raw-socket", try_raw_socket},
	{"vsock", try_vsock},
};

/* Each in a child, as some end it. */
static void try_all(void)
{
	balancer = getppid();
	for (size_t i = 0; i < sizeof(things) / sizeof(*things); i++) {
		int status = 0;
		const pid_t child = fork();

		if (child == 0) {
			errno = 0;
			_exit(things[i].try() == -1 ? errno : 0);
		}
		if (waitpid(child, &status, 0) != child)
			continue;
		fprintf(stderr, "tried %s: %s\n", things[i].name,
			WIFSIGNALED(status)   ? strsignal(WTERMSIG(status))
			: WEXITSTATUS(status) ? strerror(WEXITSTATUS(status))
					      : "done");
	}
	fprintf(stderr, "tried all\n");
}

/* -------------------------------------------------------------------- flood */

/* What would change a packet's fate, if it were carried out. */
static const char *const commands[] = {
	"stop",
	"by uid:0 stop",
	"begin",
	"commit",
	"reload reset",
	"save",
	"flow kill 1",
	"flow kill 2",
	"service remove flood then=reset",
	"backend remove 20000 backend1 then=reset",
	"backend disable 20000 backend1 then=reset",
	"set idle_timeout=1",
	"show",
	"show base",
	"status",
	"generation",
	"loop",
	"by x show",
	"by  show",
	"by",
	"sync",
	"sync %s%n%n",
};

static uint32_t dice(void)
{
	static uint32_t state = 2463534242u; /* xorshift32 */

	state ^= state << 13;
	state ^= state >> 17;
	return state ^= state << 5;
}

static size_t make_datagram(uint8_t *out, size_t size)
{
	const size_t n = sizeof(commands) / sizeof(*commands);
	size_t len;

	switch (dice() % 4) {
	case 0: /* any bytes */
		len = dice() % size;
		for (size_t i = 0; i < len; i++)
			out[i] = (uint8_t)dice();
		return len;
	case 1: /* a command with a wrong byte */
		len = (size_t)snprintf((char *)out, size, "%s",
				       commands[dice() % n]);
		out[dice() % len] = (uint8_t)dice();
		return len;
	case 2: /* too long */ memset(out, 'x', size); return size;
	default:
		return (size_t)snprintf((char *)out, size, "%s",
					commands[dice() % n]);
	}
}

/* False: l4lb is gone. */
static bool flood_once(int fd)
{
	static uint8_t datagram[4096];
	static char reply[65536];
	const size_t len = make_datagram(datagram, sizeof(datagram));

	if (send(fd, datagram, len, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 &&
	    errno != EAGAIN)
		return false;
	/* Now and then nobody reads for a while. */
	while (dice() % 64)
		if (recv(fd, reply, sizeof(reply), MSG_DONTWAIT) <= 0)
			break;
	return true;
}

static void flood(void)
{
	struct pollfd ends[] = {{.fd = setup.asks}, {.fd = setup.changes}};

	for (unsigned long n = 0;; n++) {
		if (!flood_once(setup.asks) || !flood_once(setup.changes))
			return;
		if (n % 4096 == 0)
			fprintf(stderr, "flooded %lu\n", 2 * n);
		if (n % 1024 == 0 && poll(ends, 2, 0) > 0)
			return;
	}
}

int main(void)
{
	struct pollfd end;
	struct err err;

	signal(SIGTERM, SIG_IGN);
	if (handed_take(&told, &setup, &err) || powerless_become(&told, &err)) {
		fprintf(stderr, "hostile: %s\n", err.text);
		return 1;
	}
	if (strcmp(told.name, "flood") == 0)
		flood();
	else
		try_all();
	end = (struct pollfd){.fd = setup.asks};
	while (poll(&end, 1, -1) == -1 && errno == EINTR)
		continue;
	return 0;
}
