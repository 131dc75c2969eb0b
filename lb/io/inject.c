/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libnet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/cut.h"
#include "io/inject.h"
#include "io/merge.h"

#define LINKS_MAX	32
#define SEND_BUFFER	(4 << 20) /* bytes asked for; wmem_max may limit it */
#define ETH_P_UNUSED	0x88b5	  /* IEEE 802 local experimental */
#define TCP_CSUM_OFFSET 16
#define MERGE_LOOKBACK	8 /* queued packets that may still grow */
#define IOV_MAX_USED	(3 + MERGE_MAX)

/* Packets waiting for one descriptor. */
struct queue {
	libnet_t *net;
	int ifindex; /* 0: raw IP */
	bool vnet;   /* a virtio_net_hdr precedes every frame */
	unsigned used;
	struct mmsghdr msgs[INJECT_BATCH];
	struct iovec iov[INJECT_BATCH][IOV_MAX_USED];
	struct merge merge[INJECT_BATCH]; /* of a link with vnet only */
	struct virtio_net_hdr vnet_hdr[INJECT_BATCH];
	uint8_t eth[INJECT_BATCH][ETH_HEADER_LEN];
	struct sockaddr_in to[INJECT_BATCH];
	struct sockaddr_ll link;
};

struct inject {
	struct queue raw;
	libnet_t *build; /* raw IP too, for originated segments */
	unsigned n_links;
	struct queue *links[LINKS_MAX];
	uint64_t lost[DROP_REASONS];
	struct inject_counters counters;
};

/* ------------------------------------------------------------ descriptors */

static int raw_open(libnet_t **out, struct err *err)
{
	char why[LIBNET_ERRBUF_SIZE];
	int size = SEND_BUFFER;

	*out = libnet_init(LIBNET_RAW4, NULL, why);
	if (!*out)
		return err_set(err, -EPERM,
			       "cannot open a raw socket: %s; run as root or "
			       "with CAP_NET_RAW",
			       why);
	setsockopt(libnet_getfd(*out), SOL_SOCKET, SO_SNDBUF, &size,
		   sizeof(size));
	if (fcntl(libnet_getfd(*out), F_SETFL, O_NONBLOCK) == -1)
		return err_set(err, -errno, "raw socket: %s", strerror(errno));
	return 0;
}

/*
 * libnet's link socket receives every frame of every interface. A filter that
 * takes none and a protocol that nobody uses stop that; each message names the
 * protocol it is sent with.
 */
static void stop_receiving(int fd, int ifindex)
{
	struct sock_filter reject = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = {.len = 1, .filter = &reject};
	struct sockaddr_ll nowhere = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_UNUSED),
		.sll_ifindex = ifindex,
	};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
	bind(fd, (struct sockaddr *)&nowhere, sizeof(nowhere));
}

static struct queue *link_open(int ifindex)
{
	char ifname[IF_NAMESIZE], why[LIBNET_ERRBUF_SIZE];
	int fd, on = 1, size = SEND_BUFFER;
	struct queue *q;

	if (!if_indextoname((unsigned)ifindex, ifname))
		return NULL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->net = libnet_init(LIBNET_LINK, ifname, why);
	if (!q->net) {
		free(q);
		return NULL;
	}
	fd = libnet_getfd(q->net);
	stop_receiving(fd, ifindex);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	q->vnet = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on,
			     sizeof(on)) == 0;
	q->ifindex = ifindex;
	q->link = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = ifindex,
		.sll_halen = 6,
	};
	return q;
}

static void link_close(struct queue *q)
{
	if (!q)
		return;
	libnet_destroy(q->net);
	free(q);
}

/* NULL: no such link, or it cannot be sent on; raw IP is left. */
static struct queue *link_queue(struct inject *inj, int ifindex)
{
	struct queue *q;

	for (unsigned i = 0; i < inj->n_links; i++)
		if (inj->links[i]->ifindex == ifindex)
			return inj->links[i];
	if (inj->n_links == LINKS_MAX)
		return NULL;
	q = link_open(ifindex);
	if (q)
		inj->links[inj->n_links++] = q;
	return q;
}

static void send_queue(struct inject *inj, struct queue *q);

void inject_forget_link(struct inject *inj, int ifindex)
{
	for (unsigned i = 0; i < inj->n_links; i++) {
		if (inj->links[i]->ifindex != ifindex)
			continue;
		send_queue(inj, inj->links[i]);
		link_close(inj->links[i]);
		inj->links[i] = inj->links[--inj->n_links];
		return;
	}
}

int inject_open(struct inject **out, struct err *err)
{
	struct inject *inj = calloc(1, sizeof(*inj));
	int ret;

	if (!inj)
		return err_set(err, -ENOMEM, "out of memory");
	ret = raw_open(&inj->raw.net, err);
	if (!ret)
		ret = raw_open(&inj->build, err);
	if (ret) {
		inject_close(inj);
		return ret;
	}
	*out = inj;
	return 0;
}

void inject_close(struct inject *inj)
{
	if (!inj)
		return;
	for (unsigned i = 0; i < inj->n_links; i++)
		link_close(inj->links[i]);
	if (inj->raw.net)
		libnet_destroy(inj->raw.net);
	if (inj->build)
		libnet_destroy(inj->build);
	free(inj);
}

/* ---------------------------------------------------------------- sending */

static enum drop_reason reason_of(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS: return DROP_SEND_FULL;
	case EMSGSIZE: return DROP_TOO_BIG;
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENODEV:
	case ENXIO: return DROP_NO_ROUTE;
	default: return DROP_SEND_FAILED;
	}
}

static struct virtio_net_hdr offload_of(const struct packet *p,
					uint32_t gso_size);

static void finish_merges(struct inject *inj, struct queue *q)
{
	for (unsigned i = 0; i < q->used; i++) {
		struct merge *m = &q->merge[i];

		if (m->segments < 2)
			continue;
		merge_finish(m);
		q->vnet_hdr[i] = offload_of(m->first, m->size);
		inj->counters.merged += m->segments - 1;
	}
}

/* All that waits; a packet that fails is counted and the next one tried. */
static void send_queue(struct inject *inj, struct queue *q)
{
	int fd = libnet_getfd(q->net);
	unsigned sent = 0;

	if (q->vnet)
		finish_merges(inj, q);
	while (sent < q->used) {
		int n = sendmmsg(fd, q->msgs + sent, q->used - sent,
				 MSG_DONTWAIT);

		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		inj->lost[reason_of(errno)] +=
			q->vnet ? q->merge[sent].segments : 1;
		sent++;
	}
	q->used = 0;
}

void inject_flush(struct inject *inj)
{
	if (inj->raw.used)
		send_queue(inj, &inj->raw);
	for (unsigned i = 0; i < inj->n_links; i++)
		if (inj->links[i]->used)
			send_queue(inj, inj->links[i]);
}

/* What the kernel must do to the frame: checksum, and cut if @gso_size. */
static struct virtio_net_hdr offload_of(const struct packet *p,
					uint32_t gso_size)
{
	struct virtio_net_hdr h = {0};

	if (p->csum == CSUM_FULL)
		return h;
	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h.csum_start = ETH_HEADER_LEN + IP_HEADER_LEN;
	h.csum_offset = TCP_CSUM_OFFSET;
	if (gso_size == 0)
		return h;
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	if (p->tcp.flags & TCP_CWR)
		h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	h.gso_size = (uint16_t)gso_size;
	h.hdr_len = (uint16_t)(ETH_HEADER_LEN + p->hdr_len);
	return h;
}

/* Adds one packet to a queue; @gso_size 0: it goes as it is. */
static void enqueue(struct inject *inj, struct queue *q, struct packet *p,
		    const struct hop *hop, uint32_t gso_size)
{
	unsigned at, n = 0;
	struct iovec *iov;
	struct msghdr *msg;

	if (q->used == INJECT_BATCH)
		send_queue(inj, q);
	at = q->used++;
	iov = q->iov[at];
	msg = &q->msgs[at].msg_hdr;
	memset(msg, 0, sizeof(*msg));

	if (q->ifindex) {
		if (q->vnet) {
			q->vnet_hdr[at] = offload_of(p, gso_size);
			iov[n++] = (struct iovec){&q->vnet_hdr[at],
						  sizeof(q->vnet_hdr[at])};
		}
		memcpy(q->eth[at], hop->eth, ETH_HEADER_LEN);
		iov[n++] = (struct iovec){q->eth[at], ETH_HEADER_LEN};
		msg->msg_name = &q->link;
		msg->msg_namelen = sizeof(q->link);
		inj->counters.by_link++;
	} else {
		q->to[at] = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_addr.s_addr = addr_to_v4(&p->out_dst),
		};
		msg->msg_name = &q->to[at];
		msg->msg_namelen = sizeof(q->to[at]);
		inj->counters.by_raw++;
	}
	iov[n++] = (struct iovec){p->hdr, p->hdr_len};
	if (p->payload_len)
		iov[n++] = (struct iovec){(void *)p->payload, p->payload_len};
	msg->msg_iov = iov;
	msg->msg_iovlen = n;
}

/* Onto an earlier packet of the batch, if it continues it. */
static bool merge_into(struct queue *q, const struct packet *p)
{
	for (unsigned n = 1; n <= MERGE_LOOKBACK && n <= q->used; n++) {
		unsigned at = q->used - n;
		struct msghdr *msg = &q->msgs[at].msg_hdr;

		if (!merge_same_flow(q->merge[at].first, p))
			continue;
		/* Never past one of the same flow: order is kept. */
		if (!merge_add(&q->merge[at], p))
			return false;
		q->iov[at][msg->msg_iovlen++] =
			(struct iovec){(void *)p->payload, p->payload_len};
		return true;
	}
	return false;
}

/* Sends in pieces what nobody behind us will cut. */
static void send_cut(struct inject *inj, struct queue *q,
		     const struct packet *p, const struct hop *hop,
		     uint32_t size)
{
	struct packet piece;
	struct cut cut;

	send_queue(inj, q); /* what came before goes before */
	cut_start(&cut, p, size);
	while (cut_next(&cut, &piece)) {
		enqueue(inj, q, &piece, hop, 0);
		send_queue(inj, q); /* the piece lives until here */
	}
	inj->counters.cut++;
}

/*
 * Payload that fits one segment: what the receiver announced and what the
 * next hop carries, less this segment's TCP options (RFC 6691).
 */
static uint32_t segment_size(const struct packet *p, uint32_t mtu)
{
	uint32_t mss = mtu - IP_HEADER_LEN - TCP_HEADER_MIN;

	if (p->out_mss && p->out_mss < mss)
		mss = p->out_mss;
	return mss - (packet_tcp_len(p) - TCP_HEADER_MIN);
}

/* Below this, options would leave no room for data; Linux asks the same. */
#define MSS_MIN 88
#define MTU_MIN (MSS_MIN + IP_HEADER_LEN + TCP_HEADER_MIN)

void inject_packet(struct inject *inj, struct packet *p, const struct hop *hop)
{
	struct queue *q = NULL;
	uint32_t size;

	if (hop->ifindex == HOP_NO_ROUTE) {
		inj->lost[DROP_NO_ROUTE]++;
		return;
	}
	if (hop->mtu < MTU_MIN) {
		inj->lost[DROP_TOO_BIG]++;
		return;
	}
	if (p->out_mtu && p->out_mtu < MTU_MIN)
		p->out_mtu = MTU_MIN;
	if (p->out_mss && p->out_mss < MSS_MIN)
		p->out_mss = MSS_MIN;
	if (hop->link)
		q = link_queue(inj, hop->ifindex);
	if (!q)
		q = &inj->raw;

	size = segment_size(p, p->out_mtu && p->out_mtu < hop->mtu ? p->out_mtu
								   : hop->mtu);
	if (p->payload_len > size && q->vnet) {
		packet_partial_csum(p);
		inj->counters.supers++;
		enqueue(inj, q, p, hop, size);
		merge_start(&q->merge[q->used - 1], p, 0);
		return;
	}
	if (q->vnet) {
		if (merge_into(q, p))
			return;
		enqueue(inj, q, p, hop, 0);
		merge_start(&q->merge[q->used - 1], p, size);
		return;
	}
	/* On loopback a super-packet fits as it is. */
	if (packet_len(p) > hop->mtu ||
	    (p->payload_len > size && (q->ifindex || p->out_mtu))) {
		send_cut(inj, q, p, hop, size);
		return;
	}
	packet_complete_csum(p);
	enqueue(inj, q, p, hop, 0);
}

void inject_take_lost(struct inject *inj, uint64_t lost[DROP_REASONS])
{
	memcpy(lost, inj->lost, sizeof(inj->lost));
	memset(inj->lost, 0, sizeof(inj->lost));
}

const struct inject_counters *inject_counters(const struct inject *inj)
{
	return &inj->counters;
}

/* ------------------------------------------------------------ originating */

static bool build_segment(libnet_t *l, const struct segment *seg)
{
	const uint16_t tcp_len = LIBNET_TCP_H + seg->options_len;
	const uint16_t len = LIBNET_IPV4_H + tcp_len;

	if (seg->options_len &&
	    libnet_build_tcp_options(seg->options, seg->options_len, l, 0) ==
		    -1)
		return false;
	return libnet_build_tcp(ntohs(seg->src.port), ntohs(seg->dst.port),
				seg->seq, seg->ack, seg->flags, seg->window, 0,
				0, tcp_len, NULL, 0, l, 0) != -1 &&
	       libnet_build_ipv4(len, 0, 0, IP_DF, 64, IPPROTO_TCP, 0,
				 addr_to_v4(&seg->src.addr),
				 addr_to_v4(&seg->dst.addr), NULL, 0, l,
				 0) != -1 &&
	       libnet_write(l) == len;
}

void inject_segment(struct inject *inj, const struct segment *seg)
{
	if (build_segment(inj->build, seg))
		inj->counters.originated++;
	else
		inj->counters.originate_failed++;
	libnet_clear_packet(inj->build);
}

void inject_message(struct inject *inj, const struct icmp_message *m)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = addr_to_v4(&m->dst),
	};

	if (sendto(libnet_getfd(inj->build), m->ip, m->len, MSG_DONTWAIT,
		   (const struct sockaddr *)&to, sizeof(to)) == m->len)
		inj->counters.originated++;
	else
		inj->counters.originate_failed++;
}
