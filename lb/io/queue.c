/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "io/queue.h"

#define TCP_CSUM_OFFSET 16
#define MERGE_LOOKBACK	8 /* queued packets that may still be merged with */

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

static void finish_merges(struct queue *q)
{
	for (unsigned i = 0; i < q->used; i++) {
		struct merge *m = &q->merge[i];

		if (m->segments < 2)
			continue;
		merge_finish(m);
		q->vnet_hdr[i] = offload_of(m->first, m->size);
		q->counters->merged += m->segments - 1;
	}
}

void queue_send(struct queue *q)
{
	unsigned sent = 0;

	if (q->lane.vnet)
		finish_merges(q);
	while (sent < q->used) {
		int n = sendmmsg(q->lane.fd, q->msgs + sent, q->used - sent,
				 MSG_DONTWAIT);

		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		q->lost[reason_of(errno)] +=
			q->lane.vnet ? q->merge[sent].segments : 1;
		sent++;
	}
	q->used = 0;
}

/* Queues one packet; @gso_size 0: no segmentation. */
static void add(struct queue *q, struct packet *p, const struct hop *hop,
		uint32_t gso_size)
{
	unsigned at, n = 0;
	struct iovec *iov;
	struct msghdr *msg;

	if (q->used == INJECT_BATCH)
		queue_send(q);
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
		q->counters->by_link++;
	} else {
		lane_address_raw(msg, &q->address[at], &p->out_src,
				 &p->out_dst);
		q->counters->by_raw++;
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

void queue_add(struct queue *q, struct packet *p, const struct hop *hop)
{
	add(q, p, hop, 0);
}

void queue_add_super(struct queue *q, struct packet *p, const struct hop *hop,
		     uint32_t size)
{
	packet_partial_csum(p);
	q->counters->supers++;
	add(q, p, hop, size);
	merge_start(&q->merge[q->used - 1], p, 0);
}

void queue_merge(struct queue *q, struct packet *p, const struct hop *hop,
		 uint32_t size)
{
	if (merge_into(q, p))
		return;
	add(q, p, hop, 0);
	merge_start(&q->merge[q->used - 1], p, size);
}
