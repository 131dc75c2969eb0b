/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/cut.h"
#include "io/inject.h"
#include "io/lane.h"
#include "io/originate.h"
#include "io/queue.h"

#define LINKS_MAX 32

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

static void set_up(struct queue *q, struct inject *inj)
{
	q->counters = &inj->counters;
	q->lost = inj->lost;
}

static struct queue *link_open(struct inject *inj)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (q && lane_open_link(&q->lane)) {
		set_up(q, inj);
		return q;
	}
	free(q);
	return NULL;
}

static struct queue *find_link(const struct inject *inj, int ifindex)
{
	for (unsigned i = 0; i < inj->n_links; i++)
		if (inj->links[i]->lane.ifindex == ifindex)
			return inj->links[i];
	return NULL;
}

/* Returns NULL if there is no room for it; then raw IP must do. */
static struct queue *link_queue(struct inject *inj, int ifindex)
{
	struct queue *q = find_link(inj, ifindex);

	if (q)
		return q;
	q = find_link(inj, 0);
	if (!q) {
		if (inj->n_links == LINKS_MAX)
			return NULL;
		q = link_open(inj);
		if (!q)
			return NULL;
		inj->links[inj->n_links++] = q;
	}
	lane_use_link(&q->lane, ifindex);
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

/* To close its descriptor would take milliseconds: the next link has it. */
void inject_forget_link(struct inject *inj, int ifindex)
{
	struct queue *q = find_link(inj, ifindex);

	if (!q)
		return;
	queue_send(q);
	lane_use_link(&q->lane, 0);
}

int inject_open(struct inject **out, struct err *err)
{
	struct inject *inj = calloc(1, sizeof(*inj));
	int ret = 0;

	if (!inj)
		return err_set(err, -ENOMEM, "out of memory");
	for (int i = 0; i < RAW_LANES && !ret; i++) {
		set_up(&inj->raw[i], inj);
		ret = lane_open_raw(&inj->raw[i].lane, err);
	}
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
	for (unsigned i = 0; i < inj->n_links; i++) {
		lane_close(&inj->links[i]->lane);
		free(inj->links[i]);
	}
	for (int i = 0; i < RAW_LANES; i++)
		lane_close(&inj->raw[i].lane);
	originator_free(inj->originator);
	free(inj);
}

/* ---------------------------------------------------------------- sending */

void inject_flush(struct inject *inj)
{
	for (int i = 0; i < RAW_LANES; i++)
		if (inj->raw[i].used)
			queue_send(&inj->raw[i]);
	for (unsigned i = 0; i < inj->n_links; i++)
		if (inj->links[i]->used)
			queue_send(inj->links[i]);
}

/* Cuts here where nothing behind us will do it. */
static void send_cut(struct inject *inj, struct queue *q,
		     const struct packet *p, const struct hop *hop,
		     uint32_t size)
{
	struct packet piece;
	struct cut cut;

	queue_send(q); /* keeps the order */
	cut_start(&cut, p, size);
	while (cut_next(&cut, &piece)) {
		queue_add(q, &piece, hop);
		queue_send(q); /* the piece is valid only until here */
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
	if (q->lane.vnet) {
		if (p->payload_len > size)
			queue_add_super(q, p, hop, size);
		else
			queue_merge(q, p, hop, size);
		return;
	}
	/* Loopback carries a super-packet whole. */
	if (packet_len(p) > hop->mtu ||
	    (p->payload_len > size && (q->lane.ifindex || p->out_mtu))) {
		send_cut(inj, q, p, hop, size);
		return;
	}
	packet_complete_csum(p);
	queue_add(q, p, hop);
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
