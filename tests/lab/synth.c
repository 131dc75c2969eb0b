/* SPDX-License-Identifier: MIT */
/*
 * synth.c - very many TCP connections from nobody to nobody
 *
 *	synth answer INTERFACE PORT
 *	synth open INTERFACE MAC ADDRESS PORT FIRST_SOURCE COUNT
 *
 * `open` opens COUNT connections to ADDRESS:PORT, whose next hop is MAC, from
 * FIRST_SOURCE and the addresses after it, 10,000 ports each, and prints
 *	opened N refused N unanswered N
 * `answer` accepts every connection to PORT. Neither keeps any state of the
 * kernel's: a hundred thousand connections cost no socket. So the kernel on
 * either side must be kept quiet: by a drop rule at the backend, and at the
 * client by using addresses it does not have.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#define PORT_FIRST     10000
#define PORTS	       10000 /* of one source address */
#define WINDOW	       256   /* SYNs in flight */
#define TRIES	       8
#define RETRY_MS       250
#define QUIET_MS       300 /* without a word: nothing more will come */
#define RECEIVE_BUFFER (16 << 20)

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t mss[4]; /* of a SYN only */
} __attribute__((packed));

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "synth: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t sum(const void *data, size_t len, uint32_t total)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		total += (uint32_t)p[i] << 8 | p[i + 1];
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static int open_link(const char *interface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP)};
	int size = RECEIVE_BUFFER;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));

	at.sll_ifindex = (int)if_nametoindex(interface);
	if (fd == -1 || !at.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1)
		die(interface);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

/* Addresses, ports, seq, ack and flags are the caller's; the rest is done here.
 */
static void send_frame(int fd, struct frame *f)
{
	size_t tcp_len = sizeof(f->tcp) + (f->tcp.syn ? sizeof(f->mss) : 0);
	size_t len = sizeof(f->eth) + sizeof(f->ip) + tcp_len;
	static const uint8_t mss[4] = {TCPOPT_MAXSEG, 4, 1460 >> 8, 1460 & 255};

	f->eth.ether_type = htons(ETHERTYPE_IP);
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_TCP;
	f->ip.frag_off = htons(IP_DF);
	f->ip.tot_len = htons((uint16_t)(sizeof(f->ip) + tcp_len));
	f->ip.check = 0;
	f->ip.check = htons((uint16_t)~sum(&f->ip, sizeof(f->ip), 0));
	f->tcp.doff = (uint8_t)(tcp_len / 4) & 15;
	f->tcp.window = htons(65535);
	memcpy(f->mss, mss, sizeof(mss));
	f->tcp.check = 0;
	f->tcp.check = htons((uint16_t)~sum(
		(uint8_t *)f + offsetof(struct frame, tcp), tcp_len,
		sum((uint8_t *)f + offsetof(struct frame, ip.saddr), 8,
		    IPPROTO_TCP + (uint32_t)tcp_len)));
	while (send(fd, f, len, 0) == -1) {
		if (errno != ENOBUFS && errno != EINTR)
			die("send");
	}
}

/* The next TCP frame that came in (not one of ours); false if there is none. */
static bool receive(int fd, struct frame *f)
{
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t n;

	for (;;) {
		from_len = sizeof(from);
		n = recvfrom(fd, f, sizeof(*f), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_len);
		if (n == -1)
			return false;
		if (n >= (ssize_t)offsetof(struct frame, mss) &&
		    from.sll_pkttype != PACKET_OUTGOING && f->ip.ihl == 5 &&
		    f->ip.protocol == IPPROTO_TCP)
			return true;
	}
}

/* Turns a segment round: to its sender, acknowledging its sequence + 1. */
static struct frame answer_to(const struct frame *in)
{
	struct frame out = {0};

	memcpy(out.eth.ether_dhost, in->eth.ether_shost, ETH_ALEN);
	memcpy(out.eth.ether_shost, in->eth.ether_dhost, ETH_ALEN);
	out.ip.saddr = in->ip.daddr;
	out.ip.daddr = in->ip.saddr;
	out.tcp.source = in->tcp.dest;
	out.tcp.dest = in->tcp.source;
	out.tcp.seq = in->tcp.ack_seq;
	out.tcp.ack_seq = htonl(ntohl(in->tcp.seq) + 1);
	out.tcp.ack = 1;
	return out;
}

static int answer(int fd, uint16_t port)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct frame in, out;
	unsigned answered = 0;

	printf("answering\n");
	fflush(stdout);
	while (!ended) {
		if (!receive(fd, &in)) {
			poll(&wait, 1, 100);
			continue;
		}
		if (in.tcp.dest != htons(port) || !in.tcp.syn || in.tcp.ack)
			continue;
		out = answer_to(&in);
		out.tcp.seq = htonl(ntohl(in.tcp.seq) ^ 0x5a5a5a5a);
		out.tcp.syn = 1;
		send_frame(fd, &out);
		answered++;
	}
	printf("answered %u\n", answered);
	return 0;
}

enum state { NEW, SENT, OPENED, REFUSED, UNANSWERED, STATES };

struct attempt {
	uint32_t flow;
	unsigned tries;
	uint64_t sent_ms;
};

struct opener {
	int fd;
	struct frame syn; /* all of it but source address, port and sequence */
	uint32_t first;	  /* source address, host order */
	uint32_t count;
	uint8_t *state; /* enum state, by flow */
	uint32_t n[STATES];
};

static void send_syn(struct opener *o, uint32_t flow)
{
	struct frame f = o->syn;

	f.ip.saddr = htonl(o->first + flow / PORTS);
	f.tcp.source = htons((uint16_t)(PORT_FIRST + flow % PORTS));
	f.tcp.seq = htonl(flow * 7919);
	send_frame(o->fd, &f);
}

static void settle(struct opener *o, uint32_t flow, enum state to)
{
	o->n[o->state[flow]]--;
	o->state[flow] = (uint8_t)to;
	o->n[to]++;
}

/*
 * What comes back: SYN-ACK is acknowledged each time, RST ends the attempt,
 * also of one that was open: it is no longer.
 */
static void take_answers(struct opener *o)
{
	struct frame in, ack;
	uint32_t flow;

	while (receive(o->fd, &in)) {
		uint32_t port = ntohs(in.tcp.dest);

		flow = (ntohl(in.ip.daddr) - o->first) * PORTS + port -
		       PORT_FIRST;
		if (in.tcp.source != o->syn.tcp.dest || port < PORT_FIRST ||
		    port >= PORT_FIRST + PORTS || flow >= o->count ||
		    o->state[flow] == NEW)
			continue;
		if (in.tcp.rst) {
			settle(o, flow, REFUSED);
		} else if (in.tcp.syn && in.tcp.ack) {
			ack = answer_to(&in);
			send_frame(o->fd, &ack);
			settle(o, flow, OPENED);
		}
	}
}

static int open_flows(struct opener *o)
{
	struct pollfd wait = {.fd = o->fd, .events = POLLIN};
	struct attempt window[WINDOW];
	uint32_t next = 0;
	unsigned used = 0;

	o->n[NEW] = o->count;
	while (o->n[NEW] + o->n[SENT] && !ended) {
		uint64_t now = now_ms();

		/* Leave room for those settled, then resend or give up. */
		for (unsigned i = 0; i < used;) {
			struct attempt *a = &window[i];

			if (o->state[a->flow] == SENT &&
			    now - a->sent_ms >= RETRY_MS) {
				if (a->tries == TRIES)
					settle(o, a->flow, UNANSWERED);
				else
					send_syn(o, a->flow);
				a->tries++;
				a->sent_ms = now;
			}
			if (o->state[a->flow] == SENT)
				i++;
			else
				*a = window[--used];
		}
		while (used < WINDOW && next < o->count) {
			window[used++] = (struct attempt){next, 1, now};
			settle(o, next, SENT);
			send_syn(o, next++);
		}
		poll(&wait, 1, 10);
		take_answers(o);
	}
	/* A last refusal may still be on its way. */
	while (poll(&wait, 1, QUIET_MS) > 0 && !ended)
		take_answers(o);
	printf("opened %u refused %u unanswered %u\n", o->n[OPENED],
	       o->n[REFUSED], o->n[UNANSWERED]);
	return 0;
}

static void own_mac(const char *interface, uint8_t mac[ETH_ALEN])
{
	char path[64], text[32];
	struct ether_addr a;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/address", interface);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f) || !ether_aton_r(text, &a))
		die(path);
	fclose(f);
	memcpy(mac, &a, ETH_ALEN);
}

int main(int argc, char *argv[])
{
	struct sigaction action = {.sa_handler = end};
	struct opener o = {0};
	struct ether_addr to;
	int status;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (argc == 4 && !strcmp(argv[1], "answer"))
		return answer(open_link(argv[2]), (uint16_t)atoi(argv[3]));

	if (argc != 8 || strcmp(argv[1], "open") ||
	    !ether_aton_r(argv[3], &to)) {
		fprintf(stderr, "usage: synth answer INTERFACE PORT\n"
				"       synth open INTERFACE MAC ADDRESS PORT"
				" FIRST_SOURCE COUNT\n");
		return 2;
	}
	o.fd = open_link(argv[2]);
	memcpy(o.syn.eth.ether_dhost, &to, ETH_ALEN);
	own_mac(argv[2], o.syn.eth.ether_shost);
	o.syn.ip.daddr = inet_addr(argv[4]);
	o.syn.tcp.dest = htons((uint16_t)atoi(argv[5]));
	o.syn.tcp.syn = 1;
	o.first = ntohl(inet_addr(argv[6]));
	o.count = (uint32_t)strtoul(argv[7], NULL, 10);
	o.state = calloc(o.count, 1);
	if (!o.state)
		die("flows");
	status = open_flows(&o);
	free(o.state);
	return status;
}
