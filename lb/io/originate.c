/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libnet.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "io/lane.h"
#include "io/originate.h"

#define TTL 64
#define FRAME_MAX \
	(ETH_HEADER_LEN + LIBNET_IPV4_H + LIBNET_TCP_H + TCP_OPTIONS_MAX)
#define IOV_USED 2 /* virtio_net_hdr; frame or IP packet */

/*
 * A full queue has room a little later. A queue that is not full may refuse a
 * segment too, for instance by a filter behind it, and that segment must not
 * hold up those behind it. So each segment is tried a limited number of times,
 * and several are tried each time.
 */
#define REFUSALS_MAX   20 /* per segment */
#define REFUSALS_A_TRY 4  /* per lane; then the lane counts as full */

struct originator {
	struct lane builder;
	uint8_t frame[INJECT_SEGMENTS_MAX][FRAME_MAX];
	uint16_t len[INJECT_SEGMENTS_MAX];
	bool waits[INJECT_SEGMENTS_MAX]; /* to be given again */
	struct raw_address address[INJECT_SEGMENTS_MAX];
	/* The messages of one lane, and the index of each segment. */
	struct mmsghdr msgs[INJECT_SEGMENTS_MAX];
	struct iovec iov[INJECT_SEGMENTS_MAX][IOV_USED];
	unsigned which[INJECT_SEGMENTS_MAX];
};

int originator_new(struct originator **out, struct err *err)
{
	struct originator *o = calloc(1, sizeof(*o));
	int ret;

	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	ret = lane_open_builder(&o->builder, err);
	if (ret) {
		originator_free(o);
		return ret;
	}
	*out = o;
	return 0;
}

void originator_free(struct originator *o)
{
	if (!o)
		return;
	lane_close(&o->builder);
	free(o);
}

/* --------------------------------------------------------------- building */

static bool describe(libnet_t *l, const struct segment *seg,
		     const uint8_t eth[ETH_HEADER_LEN])
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
	       libnet_build_ipv4(len, 0, 0, IP_DF, TTL, IPPROTO_TCP, 0,
				 addr_to_v4(&seg->src.addr),
				 addr_to_v4(&seg->dst.addr), NULL, 0, l,
				 0) != -1 &&
	       libnet_build_ethernet(eth, eth + ETHER_ADDR_LEN, ETHERTYPE_IP,
				     NULL, 0, l, 0) != -1;
}

/* Returns the length of the frame in bytes; 0 if it cannot be built. */
static uint16_t build(libnet_t *l, const struct outgoing *out,
		      uint8_t frame[FRAME_MAX])
{
	static const uint8_t none[ETH_HEADER_LEN];
	uint8_t *built = NULL;
	uint32_t len = 0;

	if (!describe(l, &out->seg, out->lane->ifindex ? out->hop.eth : none) ||
	    libnet_adv_cull_packet(l, &built, &len) == -1 || len > FRAME_MAX)
		len = 0;
	if (len)
		memcpy(frame, built, len);
	if (built)
		libnet_adv_free_packet(l, built);
	libnet_clear_packet(l);
	return (uint16_t)len;
}

/* ---------------------------------------------------------------- sending */

static void address(struct originator *o, struct outgoing *out, unsigned i,
		    unsigned at)
{
	/* The checksum is complete, and there is nothing to cut. */
	static const struct virtio_net_hdr as_it_is;
	struct msghdr *msg = &o->msgs[at].msg_hdr;
	struct lane *lane = out->lane;
	struct iovec *iov = o->iov[at];
	unsigned n = 0, skip = 0;

	memset(msg, 0, sizeof(*msg));
	if (lane->vnet)
		iov[n++] = (struct iovec){(void *)&as_it_is, sizeof(as_it_is)};
	if (lane->ifindex) {
		msg->msg_name = &lane->link;
		msg->msg_namelen = sizeof(lane->link);
	} else {
		lane_address_raw(msg, &o->address[i], &out->seg.src.addr,
				 &out->seg.dst.addr);
		skip = ETH_HEADER_LEN;
	}
	iov[n++] = (struct iovec){o->frame[i] + skip, o->len[i] - skip};
	msg->msg_iov = iov;
	msg->msg_iovlen = n;
}

/* Gathers all segments of one lane in order; skips the others. */
static unsigned gather(struct originator *o, struct outgoing *out, unsigned n,
		       const struct lane *lane)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n; i++) {
		if (out[i].lane != lane)
			continue;
		address(o, &out[i], i, used);
		out[i].lane = NULL;
		o->which[used++] = i;
	}
	return used;
}

/*
 * A segment found no room. One that waits for a neighbour is dropped: if the
 * neighbour is dead, its socket stays full.
 */
static void keep(struct originator *o, const struct outgoing *out, unsigned i,
		 const struct lane *lane, struct inject_counters *counters)
{
	o->waits[i] = !lane->resolves && out[i].refused < REFUSALS_MAX;
	if (!o->waits[i])
		counters->originate_failed++;
}

static void send_lane(struct originator *o, struct outgoing *out, unsigned n,
		      const struct lane *lane, struct inject_counters *counters)
{
	unsigned used = gather(o, out, n, lane), done = 0, refusals = 0;

	while (done < used && refusals < REFUSALS_A_TRY) {
		int sent = sendmmsg(lane->fd, o->msgs + done, used - done,
				    MSG_DONTWAIT);
		unsigned i = o->which[done];

		if (sent > 0) {
			done += (unsigned)sent;
			counters->originated += (unsigned)sent;
			refusals = 0;
			continue;
		}
		if (errno == EINTR)
			continue;
		done++;
		if (errno != EAGAIN && errno != ENOBUFS) {
			counters->originate_failed++;
			continue;
		}
		/*
		 * EAGAIN: the socket is full for all. Else a queue may have
		 * refused only this segment.
		 */
		refusals += errno == EAGAIN ? REFUSALS_A_TRY : 1;
		out[i].refused++;
		keep(o, out, i, lane, counters);
	}
	for (; done < used; done++)
		keep(o, out, o->which[done], lane, counters);
}

unsigned originator_send(struct originator *o, struct outgoing *out, unsigned n,
			 struct inject_counters *counters)
{
	unsigned kept = 0;

	assert(n <= INJECT_SEGMENTS_MAX);
	for (unsigned i = 0; i < n; i++) {
		o->waits[i] = false;
		o->len[i] = build(o->builder.net, &out[i], o->frame[i]);
		if (o->len[i])
			continue;
		out[i].lane = NULL;
		counters->originate_failed++;
	}
	for (unsigned i = 0; i < n; i++)
		if (out[i].lane)
			send_lane(o, out, n, out[i].lane, counters);
	for (unsigned i = 0; i < n; i++)
		if (o->waits[i])
			out[kept++] = out[i];
	return kept;
}
