/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "core/syn_gate.h"
#include "core/time.h"
#include "io/ring_size.h"
#include "log.h"
#include "taps.h"

#define SYN_SLOTS SYN_GATE_WAITING /* thousands may be sent again at once */

#define ETH_MTU		1500
#define SUPER_SNAPLEN	(65536 - CAPTURE_SLOT_HEADER)
#define LONGEST_SNAPLEN 65535

/* Frames per turn and ring: then the other ring has its turn. */
#define FRAMES_A_TURN 512

#define LOOK_AT_DROPS_NS (10 * NS_PER_MS) /* interval, while packets come */

static_assert(TAP_RINGS == (int)ARRIVALS_KINDS, "one kind a ring");

/* Updates the names of interfaces that brought packets, for the log. */
static void follow_renames(struct taps *t)
{
	for (unsigned i = 0; i < t->arrivals.n; i++) {
		struct arrival *a = &t->arrivals.at[i];
		const struct link *link = netlink_link(t->netlink, a->ifindex);

		if (!link || strcmp(link->name, a->name) == 0)
			continue;
		if (a->name[0])
			log_info("interface %s is called %s now", a->name,
				 link->name);
		memcpy(a->name, link->name, IF_NAMESIZE);
	}
	t->arrivals.fresh = false;
}

/* ----------------------------------------------------------------- rings */

static void close_ring(struct taps *t, enum tap_ring ring)
{
	capture_close(t->capture[ring]);
	t->capture[ring] = NULL;
}

static uint32_t snaplen_of(const struct taps *t, enum tap_slots slots)
{
	switch (slots) {
	case SLOTS_WIRE: return t->wire_mtu;
	case SLOTS_SUPER: return SUPER_SNAPLEN;
	case SLOTS_LONGEST: break;
	}
	return LONGEST_SNAPLEN;
}

static void size_rings(struct taps *t)
{
	size_t slot, syns;

	t->has = t->wants < t->most ? t->wants : t->most;
	t->slots[TAP_SYNS] = SYN_SLOTS;
	t->snaplen[TAP_SYNS] = TAP_SYN_MAX;
	syns = capture_memory(t->slots[TAP_SYNS], t->snaplen[TAP_SYNS]);
	t->snaplen[TAP_FLOWS] = snaplen_of(t, t->has);
	slot = capture_slot(t->snaplen[TAP_FLOWS]);
	t->slots[TAP_FLOWS] = ring_slots(t->machine_memory, slot, syns);
}

static int open_ring(struct taps *t, enum tap_ring ring, struct err *err)
{
	const struct capture_spec spec = {
		.match = t->match,
		.ring = ring,
		.arrivals = &t->arrivals,
		.slots = t->slots[ring],
		.snaplen = t->snaplen[ring],
	};
	int ret = capture_open(&t->capture[ring], &spec, &t->interfaces->links,
			       err);

	if (ret)
		return ret;
	t->drops_told[ring] = 0;
	t->closed[ring].received += t->judged[ring].received;
	t->closed[ring].dropped += t->judged[ring].dropped;
	t->judged[ring] = (struct capture_stats){0};
	return 0;
}

/* Opens all rings that are closed. */
static int open_rings(struct taps *t, struct err *err)
{
	int ret = 0;

	size_rings(t);
	for (int ring = 0; ring < TAP_RINGS && !ret; ring++)
		if (!t->capture[ring])
			ret = open_ring(t, ring, err);
	return ret;
}

static void rings_opened(struct taps *t)
{
	char names[INTERFACES_TEXT_MAX];
	size_t memory = 0;

	t->had = t->has;
	interfaces_format(t->interfaces, names, sizeof(names));
	for (int ring = 0; ring < TAP_RINGS; ring++)
		memory += capture_memory(t->slots[ring], t->snaplen[ring]);
	log_info("capturing on %s ring_slots=%u+%u ring_memory=%zuKiB", names,
		 t->slots[TAP_FLOWS], t->slots[TAP_SYNS], memory / 1024);
}

static bool is_open(const struct taps *t)
{
	return t->capture[TAP_FLOWS] && t->capture[TAP_SYNS];
}

/*
 * If there is no memory for longer slots, opens the rings with the former ones,
 * except the first time. Forwarding what fits is better than waiting for
 * memory.
 */
static void reopen_rings(struct taps *t)
{
	struct err err;
	int ret = open_rings(t, &err);

	if (ret == -ENOMEM && t->has > t->had) {
		t->most = t->had;
		log_warn("no memory for a ring with longer slots, the longest "
			 "frames are lost; raise the limit (ulimit -v, or that "
			 "of the container) and restart");
		ret = open_rings(t, &err);
	}
	if (ret)
		log_warn("%s", err.text);
	else
		rings_opened(t);
}

/* Notes how long packets from the link may be; switches its LRO off. */
static void look_at(struct taps *t, const struct link *link)
{
	if (!interfaces_are_fed_by(t->interfaces, link->ifindex))
		return;
	nic_lro_off(&t->lro, link);
	if (link->loopback)
		return;
	if (link->mtu > t->wire_mtu)
		t->wire_mtu = link->mtu;
	if (t->wire_mtu > SUPER_SNAPLEN)
		t->wire_mtu = SUPER_SNAPLEN;
	if (t->wants == SLOTS_WIRE && nic_brings_supers(link))
		t->wants = SLOTS_SUPER;
}

static void look(void *arg, const struct netlink_event *event)
{
	look_at(arg, event->link);
}

int taps_open(struct taps *t, const struct tap_match *m, bool local_backend,
	      struct err *err)
{
	int ret = tap_match_copy(&t->match, m);

	if (ret)
		return err_set(err, ret, "out of memory");
	t->most = SLOTS_LONGEST;
	t->wire_mtu = ETH_MTU;
	t->machine_memory = ring_machine_memory();
	/* TCP within this host makes segments of the full MTU of lo. */
	if (local_backend)
		t->wants = SLOTS_LONGEST;
	netlink_for_each_link(t->netlink, look, t);
	ret = open_rings(t, err);
	if (ret)
		taps_close(t);
	else
		rings_opened(t);
	return ret;
}

int taps_set_match(struct taps *t, const struct tap_match *m, struct err *err)
{
	struct tap_match copy;
	struct err ignored;
	int ret = tap_match_copy(&copy, m);

	if (ret)
		return err_set(err, ret, "out of memory");
	for (int ring = 0; ring < TAP_RINGS && !ret; ring++)
		if (t->capture[ring])
			ret = capture_set_match(t->capture[ring], &copy, err);
	/* One that refuses keeps its filter; if no other works, it is closed.
	 */
	for (int ring = 0; ring < TAP_RINGS && ret; ring++)
		if (t->capture[ring] &&
		    capture_set_match(t->capture[ring], &t->match, &ignored))
			close_ring(t, ring);
	if (ret) {
		tap_match_free(&copy);
		return ret;
	}
	tap_match_free(&t->match);
	t->match = copy;
	return 0;
}

void taps_close(struct taps *t)
{
	for (int ring = 0; ring < TAP_RINGS; ring++)
		close_ring(t, ring);
	tap_match_free(&t->match);
	nic_lro_restore(&t->lro);
}

void taps_refresh(struct taps *t)
{
	follow_renames(t);
	for (int ring = 0; ring < TAP_RINGS; ring++)
		if (t->capture[ring])
			capture_set_links(t->capture[ring],
					  &t->interfaces->links);
	/* Before the first super-packet comes, if that can be foreseen. */
	if (t->wants == SLOTS_SUPER && t->has == SLOTS_WIRE &&
	    t->most > SLOTS_WIRE)
		close_ring(t, TAP_FLOWS);
	if (!is_open(t))
		reopen_rings(t);
}

/* Passes on what is known of a deleted interface of the same name. */
static void inherit(struct taps *t, const struct link *link)
{
	for (unsigned i = 0; i < t->arrivals.n; i++) {
		struct arrival *a = &t->arrivals.at[i];

		if (a->ifindex == link->ifindex ||
		    strcmp(a->name, link->name) != 0 ||
		    netlink_link(t->netlink, a->ifindex))
			continue;
		arrivals_inherit(&t->arrivals, link->ifindex, a);
		return;
	}
}

/* Logs changes of links that brought packets or were named. */
static void tell_link(struct taps *t, const struct link *link, bool up)
{
	struct arrival *a = arrivals_find(&t->arrivals, link->ifindex);

	if ((!a && !interfaces_have(t->interfaces, link->ifindex)) ||
	    (a && a->down == !up))
		return;
	if (a)
		a->down = !up;
	if (up)
		log_info("interface %s is up", link->name);
	else
		log_warn("interface %s is down", link->name);
}

void taps_link_changed(struct taps *t, const struct link *link, bool up)
{
	if (up)
		inherit(t, link);
	tell_link(t, link, up);
	if (up)
		look_at(t, link);
	/* Closed: the link may be another device when it returns. */
	inject_forget_link(t->inject, link->ifindex);
}

/* --------------------------------------------------------------- reading */

unsigned taps_poll(const struct taps *t, struct pollfd fds[TAPS_FDS])
{
	for (int ring = 0; ring < TAP_RINGS; ring++) {
		const struct capture *c = t->capture[ring];

		fds[ring] = (struct pollfd){c ? capture_fd(c) : -1, POLLIN, 0};
	}
	return TAPS_FDS;
}

/* A frame was longer than any slot: lengthens them. TCP sends it again. */
static void lengthen(struct taps *t)
{
	log_info("a packet longer than %u bytes came, the ring is opened anew "
		 "with longer slots",
		 t->snaplen[TAP_FLOWS]);
	close_ring(t, TAP_FLOWS);
	t->wants = t->has + 1;
	reopen_rings(t);
}

/* Returns the number of frames read, at most @max. */
static unsigned read_ring(struct taps *t, enum tap_ring ring, int max)
{
	int n = forward_read(t->forward, t->capture[ring], max);

	if (n < 0) {
		log_warn("the capture stopped and is opened anew");
		close_ring(t, ring);
		reopen_rings(t);
		return 0;
	}
	if (ring == TAP_FLOWS && t->has < t->most &&
	    capture_truncated(t->capture[ring]))
		lengthen(t);
	return (unsigned)n;
}

static void tell_lost(struct taps *t, uint64_t now_ns)
{
	struct capture_stats is[TAP_RINGS], *was = t->judged;
	uint64_t seen[TAP_RINGS], lost[TAP_RINGS];

	for (int ring = 0; ring < TAP_RINGS; ring++) {
		capture_get_stats(t->capture[ring], &is[ring]);
		lost[ring] = is[ring].dropped - was[ring].dropped;
		/* The received frames include the dropped ones. */
		seen[ring] =
			is[ring].received - was[ring].received - lost[ring];
		was[ring] = is[ring];
	}
	engine_lost(t->engine, seen[TAP_FLOWS], lost[TAP_FLOWS], now_ns);
	if (lost[TAP_SYNS])
		engine_syns_lost(t->engine, now_ns);
}

static void tell_engine(struct taps *t, bool all, uint64_t before_ns)
{
	if (all)
		engine_heard(t->engine, before_ns);
	if (before_ns - t->looked_ns < LOOK_AT_DROPS_NS)
		return;
	t->looked_ns = before_ns;
	if (is_open(t))
		tell_lost(t, clock_now_ns());
}

unsigned taps_read(struct taps *t, const struct pollfd *fds, uint64_t before_ns)
{
	const unsigned max[TAP_RINGS] = {FRAMES_A_TURN,
					 engine_syn_turn(t->engine, before_ns)};
	unsigned n[TAP_RINGS] = {0};

	t->arrivals.now_ns = clock_now_ns();
	for (int ring = 0; ring < TAP_RINGS; ring++)
		if (t->capture[ring] && fds[ring].revents)
			n[ring] = read_ring(t, ring, (int)max[ring]);
	if (t->arrivals.fresh)
		follow_renames(t);
	tell_engine(t, n[TAP_FLOWS] < max[TAP_FLOWS], before_ns);
	return n[TAP_FLOWS] + n[TAP_SYNS];
}

uint64_t taps_captured(const struct taps *t)
{
	uint64_t frames = 0;

	for (int ring = 0; ring < TAP_RINGS; ring++) {
		struct capture_stats stats;

		if (!t->capture[ring])
			continue;
		capture_get_stats(t->capture[ring], &stats);
		frames += stats.received;
	}
	return frames;
}

void taps_stats(const struct taps *t, enum tap_ring ring,
		struct capture_stats *out)
{
	const struct capture_stats *closed = &t->closed[ring],
				   *open = &t->judged[ring];

	*out = (struct capture_stats){
		.received = closed->received + open->received,
		.dropped = closed->dropped + open->dropped,
	};
}

uint64_t taps_heard_ns(const struct taps *t, int ifindex)
{
	return arrivals_heard_ns(&t->arrivals, ifindex);
}

/* -------------------------------------------------------------- counters */

void taps_tell_drops(struct taps *t)
{
	static const char *const what[TAP_RINGS] = {"frames", "SYNs"};

	for (int ring = 0; ring < TAP_RINGS; ring++) {
		uint64_t *told = &t->drops_told[ring];
		struct capture_stats stats;

		if (!t->capture[ring])
			continue;
		capture_get_stats(t->capture[ring], &stats);
		if (stats.dropped == *told)
			continue;
		log_warn("more than can be carried, the ring dropped %" PRIu64
			 " %s",
			 stats.dropped - *told, what[ring]);
		*told = stats.dropped;
	}
}

void taps_tell_counters(struct taps *t)
{
	struct capture_stats stats[TAP_RINGS] = {0};

	for (unsigned i = 0; i < t->arrivals.n; i++) {
		const struct arrival *a = &t->arrivals.at[i];

		log_info("capture %s received=%" PRIu64 " syns=%" PRIu64,
			 a->name[0] ? a->name : "?", a->frames[TAP_FLOWS],
			 a->frames[TAP_SYNS]);
	}
	if (!is_open(t))
		return;
	for (int ring = 0; ring < TAP_RINGS; ring++)
		capture_get_stats(t->capture[ring], &stats[ring]);
	log_info("capture total received=%" PRIu64 " ring_drops=%" PRIu64
		 " syns=%" PRIu64 " syn_drops=%" PRIu64,
		 stats[TAP_FLOWS].received, stats[TAP_FLOWS].dropped,
		 stats[TAP_SYNS].received, stats[TAP_SYNS].dropped);
}
