/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/cut.h"
#include "io/inject.h"
#include "io/lane.h"
#include "io/merge.h"
#include "io/originate.h"

#define LINKS_MAX	32
#define TCP_CSUM_OFFSET 16
#define MERGE_LOOKBACK	8 /* queued packets that may still be merged with */
#define IOV_MAX_USED	(3 + MERGE_MAX)

/* Packets that wait for one lane. */
struct queue {
	struct lane lane;
	unsigned used;
	struct mmsghdr msgs[INJECT_BATCH];
	struct iovec iov[INJECT_BATCH][IOV_MAX_USED];
	struct merge merge[INJECT_BATCH]; /* only for a link with vnet */
	struct virtio_net_hdr vnet_hdr[INJECT_BATCH];
	uint8_t eth[INJECT_BATCH][ETH_HEADER_LEN];
	struct raw_address address[INJECT_BATCH];
};

/*
 * Packets that wait in the kernel for a neighbour fill their socket, for
 * seconds if the neighbour is dead. So these packets have sockets of their own,
 * and those toward clients do not wait behind those toward backends.
 */
enum raw_lane {
	RAW_PLAIN,
	RAW_RESOLVES_CLIENT,
	RAW_RESOLVES_BACKEND,
	RAW_LANES
};

struct inject {
	struct queue raw[RAW_LANES];
	struct originator *originator;
	unsigned n_links;
	struct queue *links[LINKS_MAX];
	uint64_t lost[DROP_REASONS];
	struct inject_counters counters;
};

/* ------------------------------------------------------------ descriptors */

static struct queue *link_open(int ifindex)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (q && lane_open_link(&q->lane, ifindex))
		return q;
	free(q);
	return NULL;
}

static void link_close(struct queue *q)
{
	lane_close(&q->lane);
	free(q);
}

/* Returns NULL if the link is gone or cannot send; then raw IP must do. */
static struct queue *link_queue(struct inject *inj, int ifindex)
{
	struct queue *q;

	for (unsigned i = 0; i < inj->n_links; i++)
		if (inj->links[i]->lane.ifindex == ifindex)
			return inj->links[i];
	if (inj->n_links == LINKS_MAX)
		return NULL;
	q = link_open(ifindex);
	if (q)
		inj->links[inj->n_links++] = q;
	return q;
}

static struct queue *queue_for(struct inject *inj, const struct hop *hop,
			       bool to_backend)
{
	struct queue *q = NULL;

	if (hop->link)
		q = link_queue(inj, hop->ifindex);
	if (q)
		return q;
	if (!hop->unresolved)
		return &inj->raw[RAW_PLAIN];
	return &inj->raw[to_backend ? RAW_RESOLVES_BACKEND
				    : RAW_RESOLVES_CLIENT];
}

static void send_queue(struct inject *inj, struct queue *q);

void inject_forget_link(struct inject *inj, int ifindex)
{
	for (unsigned i = 0; i < inj->n_links; i++) {
		if (inj->links[i]->lane.ifindex != ifindex)
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
	int ret = 0;

	if (!inj)
		return err_set(err, -ENOMEM, "out of memory");
	for (int i = 0; i < RAW_LANES && !ret; i++)
		ret = lane_open_raw(&inj->raw[i].lane, err);
	inj->raw[RAW_RESOLVES_CLIENT].lane.resolves = true;
	inj->raw[RAW_RESOLVES_BACKEND].lane.resolves = true;
	if (!ret)
		ret = originator_new(&inj->originator, err);
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
	for (int i = 0; i < RAW_LANES; i++)
		lane_close(&inj->raw[i].lane);
	originator_free(inj->originator);
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

/* Sends the whole queue; counts packets that fail and continues. */
static void send_queue(struct inject *inj, struct queue *q)
{
	unsigned sent = 0;

	if (q->lane.vnet)
		finish_merges(inj, q);
	while (sent < q->used) {
		int n = sendmmsg(q->lane.fd, q->msgs + sent, q->used - sent,
				 MSG_DONTWAIT);

		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		inj->lost[reason_of(errno)] +=
			q->lane.vnet ? q->merge[sent].segments : 1;
		sent++;
	}
	q->used = 0;
}

void inject_flush(struct inject *inj)
{
	for (int i = 0; i < RAW_LANES; i++)
		if (inj->raw[i].used)
			send_queue(inj, &inj->raw[i]);
	for (unsigned i = 0; i < inj->n_links; i++)
		if (inj->links[i]->used)
			send_queue(inj, inj->links[i]);
}

/* What the kernel must do: complete the checksum, and cut if @gso_size > 0. */
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

/* Queues one packet; @gso_size 0: no segmentation. */
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

	if (q->lane.ifindex) {
		if (q->lane.vnet) {
			q->vnet_hdr[at] = offload_of(p, gso_size);
			iov[n++] = (struct iovec){&q->vnet_hdr[at],
						  sizeof(q->vnet_hdr[at])};
		}
		memcpy(q->eth[at], hop->eth, ETH_HEADER_LEN);
		iov[n++] = (struct iovec){q->eth[at], ETH_HEADER_LEN};
		msg->msg_name = &q->lane.link;
		msg->msg_namelen = sizeof(q->lane.link);
		inj->counters.by_link++;
	} else {
		lane_address_raw(msg, &q->address[at], &p->out_src,
				 &p->out_dst);
		inj->counters.by_raw++;
	}
	iov[n++] = (struct iovec){p->hdr, p->hdr_len};
	if (p->payload_len)
		iov[n++] = (struct iovec){(void *)p->payload, p->payload_len};
	msg->msg_iov = iov;
	msg->msg_iovlen = n;
}

/* Appends @p to a queued packet that it continues, if there is one. */
static bool merge_into(struct queue *q, const struct packet *p)
{
	for (unsigned n = 1; n <= MERGE_LOOKBACK && n <= q->used; n++) {
		unsigned at = q->used - n;
		struct msghdr *msg = &q->msgs[at].msg_hdr;

		if (!merge_same_flow(q->merge[at].first, p))
			continue;
		/* Do not pass a packet of the same flow: keep the order. */
		if (!merge_add(&q->merge[at], p))
			return false;
		q->iov[at][msg->msg_iovlen++] =
			(struct iovec){(void *)p->payload, p->payload_len};
		return true;
	}
	return false;
}

/* Cuts here where nothing behind us will do it. */
static void send_cut(struct inject *inj, struct queue *q,
		     const struct packet *p, const struct hop *hop,
		     uint32_t size)
{
	struct packet piece;
	struct cut cut;

	send_queue(inj, q); /* keeps the order */
	cut_start(&cut, p, size);
	while (cut_next(&cut, &piece)) {
		enqueue(inj, q, &piece, hop, 0);
		send_queue(inj, q); /* the piece is valid only until here */
	}
	inj->counters.cut++;
}

/*
 * The payload of one segment: the smaller of the receiver's MSS and what the
 * next hop carries, less the TCP options of this segment (RFC 6691).
 */
static uint32_t segment_size(const struct packet *p, uint32_t mtu)
{
	uint32_t mss = mtu - IP_HEADER_LEN - TCP_HEADER_MIN;

	if (p->out_mss && p->out_mss < mss)
		mss = p->out_mss;
	return mss - (packet_tcp_len(p) - TCP_HEADER_MIN);
}

/* Below this, options leave no room for data; Linux has the same minimum. */
#define MSS_MIN 88
#define MTU_MIN (MSS_MIN + IP_HEADER_LEN + TCP_HEADER_MIN)

void inject_packet(struct inject *inj, struct packet *p, const struct hop *hop)
{
	struct queue *q;
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
	q = queue_for(inj, hop, p->to_backend);

	size = segment_size(p, p->out_mtu && p->out_mtu < hop->mtu ? p->out_mtu
								   : hop->mtu);
	cut_syn(p, size); /* now it is no super-packet */
	if (p->payload_len > size && q->lane.vnet) {
		packet_partial_csum(p);
		inj->counters.supers++;
		enqueue(inj, q, p, hop, size);
		merge_start(&q->merge[q->used - 1], p, 0);
		return;
	}
	if (q->lane.vnet) {
		if (merge_into(q, p))
			return;
		enqueue(inj, q, p, hop, 0);
		merge_start(&q->merge[q->used - 1], p, size);
		return;
	}
	/* Loopback carries a super-packet whole. */
	if (packet_len(p) > hop->mtu ||
	    (p->payload_len > size && (q->lane.ifindex || p->out_mtu))) {
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

unsigned inject_segments(struct inject *inj, struct outgoing *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		out[i].lane =
			&queue_for(inj, &out[i].hop, out[i].seg.to_backend)
				 ->lane;
	return originator_send(inj->originator, out, n, &inj->counters);
}

void inject_message(struct inject *inj, const struct icmp_message *m)
{
	struct iovec iov = {(void *)m->ip, m->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct raw_address address;

	lane_address_raw(&msg, &address, &m->src, &m->dst);
	if (sendmsg(inj->raw[RAW_PLAIN].lane.fd, &msg, MSG_DONTWAIT) == m->len)
		inj->counters.originated++;
	else
		inj->counters.originate_failed++;
}
