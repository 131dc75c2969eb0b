/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "io/nic.h"
#include "log.h"
#include "taps.h"

/* Frames a ring holds: see docs/bench/notes.md for the curve. */
#define RING_SLOTS	1024
#define RING_SLOTS_IDLE 512 /* of lo, when no backend is on this host */

static unsigned ring_slots(const struct taps *t, const struct link *link)
{
	return link->loopback && !setup_has_local_backend(t->setup, t->netlink)
		       ? RING_SLOTS_IDLE
		       : RING_SLOTS;
}

static int open_tap(struct taps *t, struct tap *tap, struct err *err)
{
	const struct link *link = netlink_link_by_name(t->netlink, tap->ifname);
	unsigned slots;
	int ret;

	if (!link)
		return err_set(err, -ENODEV,
			       "%s: there is no such interface; 'ip link' "
			       "lists them",
			       tap->ifname);
	tap->lro_was_on |= nic_lro_off(tap->ifname);
	slots = ring_slots(t, link);
	/* TCP within this host makes segments of the whole MTU of lo. */
	if (link->loopback && setup_has_local_backend(t->setup, t->netlink))
		tap->long_frames = true;
	ret = capture_open(&tap->capture, tap->ifname, t->filter, slots,
			   tap->long_frames ? NIC_FRAME_MAX : nic_snaplen(link),
			   err);
	if (ret)
		return ret;
	tap->ifindex = link->ifindex;
	tap->drops_told = 0;
	log_info("capturing on %s ring_slots=%u ring_memory=%zuKiB",
		 tap->ifname, slots, capture_memory(tap->capture) / 1024);
	return 0;
}

static void close_tap(struct taps *t, struct tap *tap)
{
	capture_close(tap->capture);
	tap->capture = NULL;
	inject_forget_link(t->inject, tap->ifindex);
}

/* The place of that interface, new or not; NULL when there is no room. */
static struct tap *find_tap(struct taps *t, const char *ifname)
{
	struct tap *tap;

	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->tap[i].ifname, ifname) == 0)
			return &t->tap[i];
	if (t->n == SETUP_INTERFACES_MAX)
		return NULL;
	tap = &t->tap[t->n++];
	*tap = (struct tap){0};
	memcpy(tap->ifname, ifname, IF_NAMESIZE);
	return tap;
}

int taps_refresh(struct taps *t, bool strict, struct err *err)
{
	char names[SETUP_INTERFACES_MAX][IF_NAMESIZE];
	unsigned n = setup_interfaces(t->setup, t->netlink, names);

	for (unsigned i = 0; i < n; i++) {
		struct tap *tap = find_tap(t, names[i]);
		int ret;

		if (!tap || tap->capture)
			continue;
		ret = open_tap(t, tap, err);
		if (ret && strict)
			return ret;
		if (ret && ret != -ENODEV && ret != -ENETDOWN)
			log_warn("%s", err->text);
	}
	return 0;
}

void taps_close(struct taps *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		capture_close(t->tap[i].capture);
		if (t->tap[i].lro_was_on)
			nic_lro_restore(t->tap[i].ifname);
	}
	t->n = 0;
}

void taps_link_changed(struct taps *t, const char *ifname, bool up)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];

		if (strcmp(tap->ifname, ifname) != 0)
			continue;
		log_info("interface %s is %s", ifname, up ? "up" : "down");
		/* Opened anew when up: it may be another device. */
		if (tap->capture)
			close_tap(t, tap);
	}
}

unsigned taps_poll(const struct taps *t,
		   struct pollfd fds[SETUP_INTERFACES_MAX])
{
	for (unsigned i = 0; i < t->n; i++) {
		const struct capture *c = t->tap[i].capture;

		fds[i] = (struct pollfd){c ? capture_fd(c) : -1, POLLIN, 0};
	}
	return t->n;
}

/* A frame was longer than any slot: TCP sends it again, into longer ones. */
static void lengthen(struct taps *t, struct tap *tap)
{
	struct err err;

	log_info("%s: a frame longer than %d bytes came, the ring is opened "
		 "anew with longer slots",
		 tap->ifname, NIC_SUPER_SNAPLEN);
	close_tap(t, tap);
	tap->long_frames = true;
	if (open_tap(t, tap, &err))
		log_warn("%s", err.text);
}

unsigned taps_read(struct taps *t, const struct pollfd *fds, int max,
		   bool *lost)
{
	unsigned frames = 0;

	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];
		int n;

		if (!tap->capture || !fds[i].revents)
			continue;
		n = forward_read(t->forward, tap->capture, max);
		if (n < 0) {
			log_warn("%s: capture stopped, the interface went away",
				 tap->ifname);
			close_tap(t, tap);
			*lost = true;
			continue;
		}
		frames += (unsigned)n;
		if (capture_truncated(tap->capture) && !tap->long_frames)
			lengthen(t, tap);
	}
	return frames;
}

void taps_tell_drops(struct taps *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];
		struct capture_stats stats;

		if (!tap->capture)
			continue;
		capture_get_stats(tap->capture, &stats);
		if (stats.dropped == tap->drops_told)
			continue;
		log_warn("%s: more than can be carried, the ring dropped "
			 "%" PRIu64 " frames",
			 tap->ifname, stats.dropped - tap->drops_told);
		tap->drops_told = stats.dropped;
	}
}

void taps_tell_counters(const struct taps *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct capture_stats stats;

		if (!t->tap[i].capture)
			continue;
		capture_get_stats(t->tap[i].capture, &stats);
		log_info("capture %s received=%" PRIu64 " ring_drops=%" PRIu64,
			 t->tap[i].ifname, stats.received, stats.dropped);
	}
}
