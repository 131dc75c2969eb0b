/* SPDX-License-Identifier: MIT */
/*
 * blast.c - offers small data segments of many flows at a chosen rate
 *
 *	blast INTERFACE MAC ADDRESS PORT FIRST_SOURCE FLOWS PAYLOAD
 *
 * Opens FLOWS connections to ADDRESS:PORT, whose next hop is MAC, from
 * FIRST_SOURCE and the addresses after it, 10,000 ports each, says
 * `opened N lost N`, and then obeys the lines of its input:
 *
 *	rate PACKETS_PER_S SECONDS   paced; flows in random order
 *	each PACKETS_PER_S           one segment of every flow
 *
 * each answered by `sent N seconds S`. Every segment of a flow is the same one,
 * so in its window for ever though nobody acknowledges it. No sockets: the
 * client must not have these addresses, and `synth answer` (tests/lab) is the
 * other side while flows are opened.
 */
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>

#include "tool.h"

#define PORT_FIRST  10000
#define PORTS	    10000 /* of one source address */
#define BATCH	    32	  /* frames a system call */
#define IN_FLIGHT   256	  /* SYNs */
#define TRIES	    20
#define RETRY_MS    250
#define PAYLOAD_MAX 1400
#define PAUSE_NS    50000 /* between looks at the clock when nothing is due */
#define ARREARS_S   0.001 /* what may be caught up after not having run */

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t payload[];
} __attribute__((packed));

struct blast {
	int fd;
	struct ether_header eth;
	in_addr_t to;
	in_port_t port;
	uint32_t first; /* source address, host order */
	uint32_t flows;
	uint32_t opened;
	size_t len; /* of one frame */
	uint8_t *frames;
	bool *open;
	uint32_t *order;
};

static struct frame *frame_of(const struct blast *b, uint32_t flow)
{
	return (struct frame *)(b->frames + flow * b->len);
}

static uint32_t add(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Length and checksums, for @payload bytes of it. */
static size_t finish(struct frame *f, size_t payload)
{
	size_t tcp_len = sizeof(f->tcp) + payload;
	uint32_t sum;

	f->ip.tot_len = htons((uint16_t)(sizeof(f->ip) + tcp_len));
	f->ip.check = 0;
	f->ip.check = htons((uint16_t)~add(&f->ip, sizeof(f->ip), 0));
	sum = add((uint8_t *)f + offsetof(struct frame, ip.saddr), 8,
		  IPPROTO_TCP + (uint32_t)tcp_len);
	f->tcp.check = 0;
	sum = add((uint8_t *)f + offsetof(struct frame, tcp), tcp_len, sum);
	f->tcp.check = htons((uint16_t)~sum);
	return offsetof(struct frame, tcp) + tcp_len;
}

static void make_frames(struct blast *b)
{
	for (uint32_t i = 0; i < b->flows; i++) {
		struct frame *f = frame_of(b, i);

		f->eth = b->eth;
		f->ip = (struct iphdr){.version = 4,
				       .ihl = 5,
				       .ttl = 64,
				       .protocol = IPPROTO_TCP,
				       .frag_off = htons(IP_DF),
				       .saddr = htonl(b->first + i / PORTS),
				       .daddr = b->to};
		f->tcp.source = htons((uint16_t)(PORT_FIRST + i % PORTS));
		f->tcp.dest = b->port;
		f->tcp.seq = htonl(i * 2654435761u);
		f->tcp.doff = sizeof(f->tcp) / 4;
		f->tcp.window = htons(65535);
		f->tcp.syn = 1;
	}
}

/* Random, and the same each time. */
static void shuffle(struct blast *b)
{
	uint64_t state = 1;

	for (uint32_t i = 0; i < b->flows; i++)
		b->order[i] = i;
	for (uint32_t i = b->flows - 1; i > 0; i--) {
		uint32_t j, held = b->order[i];

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		j = (uint32_t)((state >> 32) % (i + 1));
		b->order[i] = b->order[j];
		b->order[j] = held;
	}
}

/* ------------------------------------------------------------------ opening */

static void send_one(struct blast *b, uint32_t flow, size_t payload)
{
	struct frame *f = frame_of(b, flow);
	size_t len = finish(f, payload);

	while (send(b->fd, f, len, 0) == -1)
		if (errno != ENOBUFS && errno != EINTR)
			die("send");
}

/* The SYN becomes the data segment that follows the handshake. */
static void take_answers(struct blast *b)
{
	uint8_t buffer[256];
	const struct frame *in = (const struct frame *)buffer;
	ssize_t n;

	while ((n = recv(b->fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		uint32_t port, flow;
		struct frame *f;

		if (n < (ssize_t)sizeof(*in) || in->ip.saddr != b->to ||
		    in->ip.protocol != IPPROTO_TCP ||
		    in->tcp.source != b->port || !in->tcp.syn || !in->tcp.ack)
			continue;
		port = ntohs(in->tcp.dest);
		flow = (ntohl(in->ip.daddr) - b->first) * PORTS + port -
		       PORT_FIRST;
		if (port < PORT_FIRST || port >= PORT_FIRST + PORTS ||
		    flow >= b->flows)
			continue;
		f = frame_of(b, flow);
		if (!b->open[flow]) {
			b->open[flow] = true;
			b->opened++;
			f->tcp.seq = htonl(ntohl(f->tcp.seq) + 1);
			f->tcp.ack_seq = htonl(ntohl(in->tcp.seq) + 1);
			f->tcp.syn = 0;
			f->tcp.ack = 1;
		}
		send_one(b, flow, 0);
	}
}

/* A window of flows after another; what is lost is sent again. */
static void open_window(struct blast *b, uint32_t from, uint32_t to)
{
	struct pollfd wait = {.fd = b->fd, .events = POLLIN};
	uint32_t before = b->opened;

	for (int try = 0; try < TRIES; try++) {
		uint64_t end = now_ns() + RETRY_MS * 1000000ull;

		for (uint32_t i = from; i < to; i++)
			if (!b->open[i])
				send_one(b, i, 0);
		while (b->opened - before < to - from && now_ns() < end) {
			poll(&wait, 1, 10);
			take_answers(b);
		}
		if (b->opened - before == to - from)
			return;
	}
}

static void open_flows(struct blast *b)
{
	struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = {.len = 1, .filter = &reject};

	for (uint32_t i = 0; i < b->flows; i += IN_FLIGHT)
		open_window(b, i,
			    i + IN_FLIGHT < b->flows ? i + IN_FLIGHT
						     : b->flows);
	printf("opened %u lost %u\n", b->opened, b->flows - b->opened);
	fflush(stdout);
	/* What comes now is of no interest: let the kernel not queue it. */
	setsockopt(b->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* ----------------------------------------------------------------- blasting */

static unsigned send_batch(struct blast *b, uint64_t at, uint64_t n)
{
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	int sent;

	for (unsigned i = 0; i < n; i++) {
		uint32_t flow = b->order[(at + i) % b->flows];

		iov[i] = (struct iovec){frame_of(b, flow), b->len};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(b->fd, msgs, (unsigned)n, 0);
	if (sent == -1 && errno != ENOBUFS && errno != EINTR)
		die("sendmmsg");
	return sent > 0 ? (unsigned)sent : 0;
}

/*
 * At @rate until @count were sent or @seconds went by, whichever is first. Not
 * to become a burst, what a busy machine kept us from sending is forgotten.
 */
static void blast(struct blast *b, double rate, uint64_t count, double seconds)
{
	double past = 0, skipped = 0; /* seconds */
	uint64_t begin = now_ns(), sent = 0;

	while (sent < count && past < seconds) {
		double due = (past - skipped) * rate - (double)sent;

		if (due > ARREARS_S * rate + BATCH) {
			skipped += due / rate - ARREARS_S;
			due = ARREARS_S * rate + BATCH;
		}
		if (due > (double)(count - sent))
			due = (double)(count - sent);
		if (due >= 1) {
			sent += send_batch(b, sent,
					   due < BATCH ? (uint64_t)due : BATCH);
		} else {
			struct timespec pause = {0, PAUSE_NS};

			nanosleep(&pause, NULL);
		}
		past = (double)(now_ns() - begin) / NS_PER_S;
	}
	printf("sent %llu seconds %.3f\n", (unsigned long long)sent, past);
	fflush(stdout);
}

static void obey(struct blast *b)
{
	double rate, seconds;
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "rate %lf %lf", &rate, &seconds) == 2)
			blast(b, rate, UINT64_MAX, seconds);
		else if (sscanf(line, "each %lf", &rate) == 1)
			blast(b, rate, b->flows, 3600);
		else
			fprintf(stderr, "blast: what is: %s", line);
	}
}

/* -------------------------------------------------------------------- start */

static void open_link(struct blast *b, const char *interface, const char *mac)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP)};
	struct ether_addr to;
	struct ifreq req = {0};
	int on = 1, size = 16 << 20;
	size_t len = strlen(interface);

	b->fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
	at.sll_ifindex = (int)if_nametoindex(interface);
	if (len >= sizeof(req.ifr_name))
		die(interface);
	memcpy(req.ifr_name, interface, len);
	if (b->fd == -1 || !at.sll_ifindex ||
	    bind(b->fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    ioctl(b->fd, SIOCGIFHWADDR, &req) == -1)
		die(interface);
	setsockopt(b->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(b->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	if (!ether_aton_r(mac, &to))
		die(mac);
	memcpy(b->eth.ether_dhost, &to, ETH_ALEN);
	memcpy(b->eth.ether_shost, req.ifr_hwaddr.sa_data, ETH_ALEN);
	b->eth.ether_type = htons(ETHERTYPE_IP);
}

int main(int argc, char *argv[])
{
	struct blast b = {0};
	size_t payload;

	if (argc != 8) {
		fprintf(stderr, "usage: blast INTERFACE MAC ADDRESS PORT "
				"FIRST_SOURCE FLOWS PAYLOAD\n");
		return 2;
	}
	end_well();
	open_link(&b, argv[1], argv[2]);
	b.to = inet_addr(argv[3]);
	b.port = htons((uint16_t)atoi(argv[4]));
	b.first = ntohl(inet_addr(argv[5]));
	b.flows = (uint32_t)strtoul(argv[6], NULL, 10);
	payload = strtoul(argv[7], NULL, 10);
	if (b.flows == 0 || payload > PAYLOAD_MAX) {
		errno = EINVAL;
		die("blast: flows or payload");
	}
	b.len = sizeof(struct frame) + payload;
	b.frames = calloc(b.flows, b.len);
	b.open = calloc(b.flows, sizeof(*b.open));
	b.order = calloc(b.flows, sizeof(*b.order));
	if (!b.frames || !b.open || !b.order)
		die("flows");
	make_frames(&b);
	shuffle(&b);
	open_flows(&b);
	for (uint32_t i = 0; i < b.flows; i++)
		finish(frame_of(&b, i), payload);
	obey(&b);
	return 0;
}
