/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

#define PATIENCE_MS 10000
#define SKIPPED	    77

static int netns[2] = {-1, -1};

int run(const char *fmt, ...)
{
	char command[8192];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return system(command);
}

static char *read_all(FILE *file)
{
	size_t len = 0, n;
	char *text = NULL;

	do {
		text = realloc(text, len + 4097);
		ck_assert_ptr_nonnull(text);
		n = fread(text + len, 1, 4096, file);
		len += n;
	} while (n > 0);
	text[len] = '\0';
	return text;
}

char *output_of(const char *fmt, ...)
{
	char command[8192], *text;
	va_list args;
	FILE *file;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	file = popen(command, "r");
	ck_assert_ptr_nonnull(file);
	text = read_all(file);
	pclose(file);
	return text;
}

char *contents_of(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text;

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	text = read_all(file);
	fclose(file);
	return text;
}

static void build_or_skip(const char *command)
{
	if (run("%s", command) == 0)
		return;
	printf("skipped: this kernel cannot do: %s\n", command);
	exit(SKIPPED);
}

static void must_be_private(void)
{
	if (getenv("L4LB_IN_NAMESPACE"))
		return;
	printf("skipped: this changes the network: start it as "
	       "tests/kernel/in_namespace.sh PROGRAM\n");
	exit(SKIPPED);
}

void host_build(void)
{
	must_be_private();
	build_or_skip("ip netns add peer");
	build_or_skip("ip link add veth0 type veth peer name veth1 netns peer");
	build_or_skip("ip address add " VIP "/24 dev veth0"
		      " && ip link set veth0 up");
	build_or_skip("ip -n peer link set lo up"
		      " && ip -n peer address add " PEER "/24 dev veth1"
		      " && ip -n peer address add " PEER2 "/24 dev veth1"
		      " && ip -n peer link set veth1 up");
	netns[HERE] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	netns[PEER_HOST] = open("/run/netns/peer", O_RDONLY | O_CLOEXEC);
	if (netns[HERE] == -1 || netns[PEER_HOST] == -1)
		build_or_skip("false");
}

static void keep_capabilities(uint32_t bits)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {{0}};

	data[0].permitted = data[0].effective = bits;
	ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
}

void keep_net_capabilities(void)
{
	keep_capabilities(1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW);
}

void drop_capabilities(void)
{
	keep_capabilities(0);
}

struct ip_addr ip(const char *text)
{
	struct in_addr v4;

	ck_assert_int_eq(inet_pton(AF_INET, text, &v4), 1);
	return addr_from_v4(v4.s_addr);
}

struct endpoint at(const char *addr, unsigned port)
{
	return (struct endpoint){ip(addr), htons((uint16_t)port)};
}

static struct sockaddr_in to_sockaddr(const struct endpoint *ep)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = ep->port,
		.sin_addr.s_addr = addr_to_v4(&ep->addr),
	};
}

/* A socket belongs to the namespace it was made in. */
static int socket_in(enum where where, int family, int type, int protocol)
{
	int fd;

	if (where != HERE)
		ck_assert_int_eq(setns(netns[where], CLONE_NEWNET), 0);
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (where != HERE)
		ck_assert_int_eq(setns(netns[HERE], CLONE_NEWNET), 0);
	ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
	return fd;
}

int tcp_socket(enum where where, const struct endpoint *local)
{
	const int fd = socket_in(where, AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in sa;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (local) {
		sa = to_sockaddr(local);
		ck_assert_msg(bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0,
			      "bind: %s", strerror(errno));
	}
	return fd;
}

int tcp_listen(enum where where, struct endpoint local)
{
	const int fd = tcp_socket(where, &local);

	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

int tcp_connect(enum where where, const struct endpoint *local,
		struct endpoint to)
{
	const int fd = tcp_socket(where, local);
	const struct sockaddr_in sa = to_sockaddr(&to);
	int code;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	code = connect(fd, (const struct sockaddr *)&sa, sizeof(sa));
	ck_assert_msg(code == 0 || errno == EINPROGRESS ||
			      errno == ECONNREFUSED,
		      "connect: %s", strerror(errno));
	return fd;
}

int tcp_outcome(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&p, 1, wait_ms) == 0)
		return -EINPROGRESS;
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return -error;
}

bool tcp_readable(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, wait_ms) == 1;
}

void tcp_abort(int fd)
{
	const struct linger abort = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	close(fd);
}

int tcp_try(enum where where, const struct endpoint *local, struct endpoint to)
{
	const int fd = tcp_connect(where, local, to);
	const int outcome = tcp_outcome(fd, PATIENCE_MS);

	tcp_abort(fd);
	return outcome;
}

/* Raw segments */

struct wire {
	struct iphdr ip;
	struct tcphdr tcp;
};

static uint32_t sum_words(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static struct wire wire_of(const struct segment *s)
{
	struct wire w = {
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .id = htons(0x1234),
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(struct wire)),
		       .saddr = addr_to_v4(&s->from.addr),
		       .daddr = addr_to_v4(&s->to.addr)},
		.tcp = {.source = s->from.port,
			.dest = s->to.port,
			.seq = htonl(s->seq),
			.ack_seq = htonl(s->ack),
			.doff = 5,
			.window = htons(65535)},
	};

	w.tcp.th_flags = s->flags;
	w.tcp.check = fold(sum_words(
		&w.tcp, sizeof(w.tcp),
		sum_words(&w.ip.saddr, 8, IPPROTO_TCP + sizeof(w.tcp))));
	return w;
}

int raw_socket(enum where where)
{
	return socket_in(where, AF_INET, SOCK_RAW, IPPROTO_RAW);
}

static void send_ip(int fd, const void *packet, size_t len,
		    const struct segment *s)
{
	struct sockaddr_in sa = to_sockaddr(&s->to);

	sa.sin_port = 0;
	ck_assert_int_eq(
		sendto(fd, packet, len, 0, (struct sockaddr *)&sa, sizeof(sa)),
		(ssize_t)len);
}

void raw_send(int fd, const struct segment *s)
{
	const struct wire w = wire_of(s);

	send_ip(fd, &w, sizeof(w), s);
}

/* The ports and the sequence number in the first, the rest in the second */
void raw_send_in_fragments(int fd, const struct segment *s)
{
	const struct wire whole = wire_of(s);
	struct {
		struct iphdr ip;
		uint8_t data[12];
	} part = {.ip = whole.ip};

	part.ip.frag_off = htons(IP_MF);
	memcpy(part.data, &whole.tcp, 8);
	send_ip(fd, &part, sizeof(part.ip) + 8, s);

	part.ip.frag_off = htons(1);
	memcpy(part.data, (const uint8_t *)&whole.tcp + 8, 12);
	send_ip(fd, &part, sizeof(part.ip) + 12, s);
}

int sniffer_open(const char *interface)
{
	const int fd = socket_in(HERE, AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
	const struct sockaddr_ll sa = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(interface),
	};

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

bool sniffer_wait(int fd, const struct endpoint *to, uint8_t flags,
		  struct segment *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct wire w;

	while (poll(&p, 1, PATIENCE_MS) == 1) {
		if (recv(fd, &w, sizeof(w), 0) != sizeof(w) ||
		    w.ip.protocol != IPPROTO_TCP || w.tcp.dest != to->port ||
		    w.ip.daddr != addr_to_v4(&to->addr) ||
		    (w.tcp.th_flags & flags) != flags)
			continue;
		out->from.addr = addr_from_v4(w.ip.saddr);
		out->from.port = w.tcp.source;
		out->to = *to;
		out->seq = ntohl(w.tcp.seq);
		out->ack = ntohl(w.tcp.ack_seq);
		out->flags = w.tcp.th_flags;
		return true;
	}
	return false;
}

unsigned long out_rsts(void)
{
	char *text = contents_of("/proc/net/snmp"), *line, *rest = text;
	unsigned long count = 0;

	/* The second Tcp: line has the values; OutRsts is the 14th of them. */
	while ((line = strsep(&rest, "\n"))) {
		if (sscanf(line,
			   "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d "
			   "%*d %*d %lu",
			   &count) == 1)
			break;
	}
	free(text);
	return count;
}
