/* SPDX-License-Identifier: MIT */
/*
 * probe.c - see probe.h
 *
 * The child that writes a dump may hold copies of all descriptors. So close()
 * alone ends neither a connection nor the registration with epoll; both are
 * ended explicitly before it.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/probe.h"

#define EVENTS_MAX 64
#define READ_BYTES 4096
#define READS_MAX  16 /* per probe, before the next one's turn */
#define PORT_TRIES 64
#define PORT_LO	   1024u
#define PORT_HI	   65535u
#define PROBE_NONE UINT32_MAX

enum phase {
	PHASE_FREE,
	/* SYN sent. When connected -> ASKED, with a result -> FREE. */
	PHASE_CONNECTING,
	/* Request sent. With an answer -> LEAVING, without -> FREE. */
	PHASE_ASKED,
	/* Reported; waits until the other side closes -> FREE. */
	PHASE_LEAVING,
	/* Failed in probe_start(); probe_read() reports it -> FREE. */
	PHASE_FAILED,
};

struct slot {
	enum phase phase;
	int fd;		     /* -1: FREE, FAILED */
	uint32_t generation; /* tells events of an earlier use of the slot */
	uint32_t next_free;
	int error;	  /* if FAILED */
	uint32_t drained; /* bytes, while LEAVING */
	uint64_t deadline_ns;
	struct check_reader reader;
	struct probe probe;
};

struct prober {
	int epoll;
	uint16_t nat_lo, nat_hi;
	uint16_t port; /* chosen last by us, not by the kernel */
	unsigned capacity;
	unsigned taken; /* slots that are in use */
	unsigned used;	/* slots that were ever in use: the others are no memory
			 */
	uint32_t first_free;
	uint64_t next_ns;    /* not later than any deadline */
	struct slot *slots;  /* capacity; none ever moves */
	probe_result_fn *fn; /* set during probe_read() */
	void *arg;
	uint64_t now_ns;
};

/* -------------------------------------------------------------- sockets */

static bool in_nat_range(const struct prober *p, unsigned port)
{
	return port >= p->nat_lo && port <= p->nat_hi;
}

/* Counts down from the top: the kernel's own choices are mostly lower. */
static uint16_t next_port(struct prober *p)
{
	unsigned port = p->port;

	do
		port = port > PORT_LO ? port - 1 : PORT_HI;
	while (in_nat_range(p, port));
	p->port = (uint16_t)port;
	return p->port;
}

static struct sockaddr_in sockaddr_of(const struct ip_addr *a, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = addr_to_v4(a),
		.sin_port = port,
	};
}

/* A socket bound to @source and @port (host byte order, 0: any), or -errno. */
static int socket_bound(const struct ip_addr *source, uint16_t port)
{
	struct sockaddr_in sa = sockaddr_of(source, htons(port));
	const int on = 1;
	int fd, ret;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -errno;
	/* Allows a port whose TIME_WAIT is toward another backend. */
	if (port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == -1) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/*
 * False for a port of the NAT range: the kernel skips reserved ports, but ours
 * may not be reserved there (read-only /proc/sys). False also for a socket
 * connected to itself: it would pass for a backend that is always up.
 */
static bool port_will_do(const struct prober *p, int fd,
			 const struct probe *probe)
{
	struct sockaddr_in sa = {0};
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1)
		return false;
	return !in_nat_range(p, ntohs(sa.sin_port)) &&
	       sa.sin_port != probe->backend.port;
}

/*
 * Linux delays the ACK that completes a handshake if data may follow soon. Our
 * reset then comes before that ACK, and accept() never returns a tcp probe.
 */
static void hold_ack_back(int fd)
{
	const int off = 0;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
}

/* Returns a socket that is connecting, or -errno. */
static int socket_connecting(struct prober *p, const struct probe *probe)
{
	struct sockaddr_in to =
		sockaddr_of(&probe->backend.addr, probe->backend.port);

	for (int tries = 0; tries < PORT_TRIES; tries++) {
		int ret, fd = socket_bound(&probe->source,
					   tries ? next_port(p) : 0);

		if (fd == -EADDRINUSE)
			continue;
		if (fd < 0)
			return fd;
		if (!port_will_do(p, fd, probe)) {
			close(fd);
			continue;
		}
		if (probe->spec.kind == CHECK_TCP)
			hold_ack_back(fd);
		if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		ret = -errno;
		if (ret == -EINPROGRESS)
			return fd;
		close(fd);
		/* TIME_WAIT toward this backend: try the next port. */
		if (ret != -EADDRNOTAVAIL && ret != -EADDRINUSE)
			return ret;
	}
	return -EADDRINUSE;
}

/* Sends a RST unless both sides have closed, even if a child has a copy. */
static void reset(int fd)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	(void)connect(fd, &nobody, sizeof(nobody));
}

/* Classifies an errno of connect(), send() or recv(). */
static enum check_result result_of(int error)
{
	switch (error) {
	case ECONNREFUSED: return CHECK_REFUSED;
	case ETIMEDOUT: return CHECK_TIMEOUT;
	case ECONNRESET:
	case EPIPE: return CHECK_CLOSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENONET:
	case ENOPROTOOPT: return CHECK_UNREACHABLE;
	default: return CHECK_LOCAL;
	}
}

/* ---------------------------------------------------------------- slots */

static void slot_free(struct prober *p, struct slot *s)
{
	if (s->fd != -1) {
		epoll_ctl(p->epoll, EPOLL_CTL_DEL, s->fd, NULL);
		close(s->fd);
	}
	s->fd = -1;
	s->phase = PHASE_FREE;
	s->generation++;
	s->next_free = p->first_free;
	p->first_free = (uint32_t)(s - p->slots);
	p->taken--;
}

static void slot_abort(struct prober *p, struct slot *s)
{
	if (s->fd != -1)
		reset(s->fd);
	slot_free(p, s);
}

/* A new probe may take the slot of one that is already reported. */
static struct slot *slot_take(struct prober *p)
{
	struct slot *s;

	if (p->first_free == PROBE_NONE && p->used < p->capacity) {
		s = &p->slots[p->used++];
		s->fd = -1;
		p->taken++;
		return s;
	}
	for (unsigned i = 0; i < p->used; i++) {
		if (p->first_free != PROBE_NONE)
			break;
		if (p->slots[i].phase == PHASE_LEAVING)
			slot_abort(p, &p->slots[i]);
	}
	if (p->first_free == PROBE_NONE)
		return NULL;
	s = &p->slots[p->first_free];
	p->first_free = s->next_free;
	p->taken++;
	return s;
}

static void set_deadline(struct prober *p, struct slot *s, uint64_t at_ns)
{
	s->deadline_ns = at_ns;
	if (at_ns < p->next_ns)
		p->next_ns = at_ns;
}

static int watch(struct prober *p, struct slot *s, int op, uint32_t events)
{
	struct epoll_event e = {
		.events = events,
		.data.u64 = (uint64_t)s->generation << 32 |
			    (uint64_t)(s - p->slots),
	};

	return epoll_ctl(p->epoll, op, s->fd, &e) == -1 ? -errno : 0;
}

/* -------------------------------------------------------------- results */

static struct probe_result result_of_probe(const struct slot *s,
					   enum check_result result, int detail)
{
	return (struct probe_result){
		.id = s->probe.id,
		.result = result,
		.detail = detail,
	};
}

/* Free the slot first: the callback may start another probe in it. */
static void finish(struct prober *p, struct slot *s, enum check_result result,
		   int detail)
{
	struct probe_result r = result_of_probe(s, result, detail);

	slot_abort(p, s);
	p->fn(p->arg, &r);
}

/* The backend has answered: report it, then wait until it closes. */
static void finish_politely(struct prober *p, struct slot *s,
			    enum check_result result)
{
	struct probe_result r = result_of_probe(s, result, s->reader.status);

	if (s->probe.spec.kind == CHECK_EXPECT)
		shutdown(s->fd, SHUT_WR);
	s->phase = PHASE_LEAVING;
	s->drained = 0;
	set_deadline(p, s, p->now_ns + s->probe.timeout_ns);
	p->fn(p->arg, &r);
}

static void connected(struct prober *p, struct slot *s)
{
	char request[CHECK_REQUEST_MAX];
	size_t len = check_request(&s->probe.spec, &s->probe.backend, request);
	ssize_t sent;
	int ret;

	if (s->probe.spec.kind == CHECK_TCP) {
		finish(p, s, CHECK_OK, 0);
		return;
	}
	/* An empty send buffer always has room for the whole request. */
	sent = send(s->fd, request, len, MSG_NOSIGNAL);
	if (sent != (ssize_t)len) {
		ret = sent == -1 ? errno : ENOBUFS;
		finish(p, s, result_of(ret), ret);
		return;
	}
	s->phase = PHASE_ASKED;
	ret = watch(p, s, EPOLL_CTL_MOD, EPOLLIN);
	if (ret)
		finish(p, s, CHECK_LOCAL, -ret);
}

static void on_connecting(struct prober *p, struct slot *s, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error)
		finish(p, s, result_of(error), error);
	else if (events & EPOLLOUT)
		connected(p, s);
}

/* Returns true to go on reading. */
static bool on_answer(struct prober *p, struct slot *s, const char *bytes,
		      ssize_t n)
{
	enum check_result result;

	if (n <= 0) {
		result = n == 0 ? CHECK_CLOSED : result_of(errno);
		finish(p, s, result, n == 0 ? 0 : errno);
		return false;
	}
	if (!check_read(&s->probe.spec, &s->reader, bytes, (size_t)n, &result))
		return true;
	if (result == CHECK_WRONG_ANSWER)
		finish(p, s, result, 0);
	else
		finish_politely(p, s, result);
	return false; /* epoll reports the rest again */
}

static bool on_leaving(struct prober *p, struct slot *s, ssize_t n)
{
	s->drained += n > 0 ? (uint32_t)n : 0;
	if (n > 0 && s->drained <= CHECK_ANSWER_MAX)
		return true;
	/* With expect both sides have closed, so nothing is reset. */
	slot_abort(p, s);
	return false;
}

static void on_readable(struct prober *p, struct slot *s)
{
	char bytes[READ_BYTES];
	bool more = true;

	for (int i = 0; more && i < READS_MAX; i++) {
		ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		more = s->phase == PHASE_ASKED ? on_answer(p, s, bytes, n)
					       : on_leaving(p, s, n);
	}
}

/* -------------------------------------------------------------- turning */

static void on_event(struct prober *p, const struct epoll_event *e)
{
	struct slot *s = &p->slots[(uint32_t)e->data.u64];

	if (s->generation != e->data.u64 >> 32)
		return;
	switch (s->phase) {
	case PHASE_CONNECTING: on_connecting(p, s, e->events); break;
	case PHASE_ASKED:
	case PHASE_LEAVING: on_readable(p, s); break;
	case PHASE_FREE:
	case PHASE_FAILED: break;
	}
}

static void expire(struct prober *p, struct slot *s)
{
	switch (s->phase) {
	case PHASE_CONNECTING:
	case PHASE_ASKED: finish(p, s, CHECK_TIMEOUT, 0); break;
	case PHASE_LEAVING: slot_abort(p, s); break;
	case PHASE_FAILED: finish(p, s, result_of(s->error), s->error); break;
	case PHASE_FREE: break;
	}
}

static void expire_all(struct prober *p)
{
	uint64_t next_ns = PROBE_IDLE;

	p->next_ns = PROBE_IDLE; /* callbacks may set it */
	for (unsigned i = 0; i < p->used; i++) {
		struct slot *s = &p->slots[i];

		if (s->phase == PHASE_FREE)
			continue;
		if (s->deadline_ns <= p->now_ns)
			expire(p, s);
		else if (s->deadline_ns < next_ns)
			next_ns = s->deadline_ns;
	}
	if (next_ns < p->next_ns)
		p->next_ns = next_ns;
}

void probe_read(struct prober *p, probe_result_fn *fn, void *arg,
		uint64_t now_ns)
{
	struct epoll_event events[EVENTS_MAX];
	int n;

	if (p->taken == 0) /* most balancers have no such check */
		return;
	p->fn = fn;
	p->arg = arg;
	p->now_ns = now_ns;
	/*
	 * Answers before timeouts: an answer that has arrived is in time,
	 * however late we are.
	 */
	for (unsigned turn = 0; turn <= p->used / EVENTS_MAX; turn++) {
		n = epoll_wait(p->epoll, events, EVENTS_MAX, 0);
		for (int i = 0; i < n; i++)
			on_event(p, &events[i]);
		if (n < EVENTS_MAX)
			break;
	}
	if (now_ns >= p->next_ns)
		expire_all(p);
}

int probe_ports_left(uint16_t nat_lo, uint16_t nat_hi, struct err *err)
{
	if (nat_lo > PORT_LO || nat_hi < PORT_HI)
		return 0;
	return err_set(err, -EINVAL,
		       "NAT ports %u-%u leave no port for health checks; take "
		       "fewer, for example 10240-32767",
		       nat_lo, nat_hi);
}

int probe_start(struct prober *p, const struct probe *probe, uint64_t now_ns)
{
	struct err ignored;
	struct slot *s;
	int fd, ret;

	assert(probe->spec.kind != CHECK_SYN);
	if (!addr_is_v4(&probe->backend.addr))
		return -EAFNOSUPPORT;
	if (probe_ports_left(p->nat_lo, p->nat_hi, &ignored))
		return -EADDRINUSE;
	s = slot_take(p);
	if (!s)
		return -EBUSY;
	s->probe = *probe;
	s->reader = (struct check_reader){0};
	fd = socket_connecting(p, probe);
	if (fd < 0 && result_of(-fd) == CHECK_LOCAL) {
		slot_free(p, s);
		return fd;
	}
	if (fd < 0) {
		s->phase = PHASE_FAILED;
		s->error = -fd;
		set_deadline(p, s, now_ns);
		return 0;
	}
	s->fd = fd;
	s->phase = PHASE_CONNECTING;
	set_deadline(p, s, now_ns + probe->timeout_ns);
	ret = watch(p, s, EPOLL_CTL_ADD, EPOLLOUT);
	if (ret)
		slot_abort(p, s);
	return ret;
}

/* --------------------------------------------------------------- open */

int probe_open(struct prober **out, unsigned capacity, uint16_t nat_lo,
	       uint16_t nat_hi, struct err *err)
{
	struct prober *p;
	int ret;

	assert(capacity >= 1);
	assert(capacity <= PROBES_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(err, -ENOMEM, "no memory for health checks");
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->capacity = capacity;
	p->slots = calloc(capacity, sizeof(*p->slots));
	p->nat_lo = nat_lo;
	p->nat_hi = nat_hi;
	p->port = PORT_LO;
	p->next_ns = PROBE_IDLE;
	p->first_free = PROBE_NONE;
	ret = p->epoll == -1 ? -errno : 0;
	if (!p->slots)
		ret = -ENOMEM;
	if (ret) {
		err_set(err, ret, "cannot start health checks: %s",
			strerror(-ret));
		probe_close(p);
		return ret;
	}
	*out = p;
	return 0;
}

void probe_close(struct prober *p)
{
	if (!p)
		return;
	for (unsigned i = 0; p->slots && i < p->used; i++)
		if (p->slots[i].phase != PHASE_FREE)
			slot_abort(p, &p->slots[i]);
	if (p->epoll != -1)
		close(p->epoll);
	free(p->slots);
	free(p);
}

int probe_fd(const struct prober *p)
{
	return p->epoll;
}

uint64_t probe_next_ns(const struct prober *p)
{
	return p->next_ns;
}
