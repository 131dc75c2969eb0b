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
#define SYN_SLOTS	SYN_GATE_WAITING /* thousands may come back at once */
#define SYN_SNAPLEN	(SETUP_SYN_MAX + 18) /* link header, a VLAN tag */

/* Read in one turn of one ring: then the others have theirs. */
#define FRAMES_A_TURN 512

#define LOOK_AT_DROPS_NS 10000000ull /* this often, while packets come */

static unsigned ring_slots(const struct taps *t, const struct link *link)
{
	return link->loopback && !setup_has_local_backend(t->setup, t->netlink)
		       ? RING_SLOTS_IDLE
		       : RING_SLOTS;
}

static void close_tap(struct taps *t, struct tap *tap)
{
	for (int i = 0; i < TAP_RINGS; i++) {
		capture_close(tap->capture[i]);
		tap->capture[i] = NULL;
	}
	inject_forget_link(t->inject, tap->ifindex);
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
	tap->ifindex = link->ifindex;
	slots = ring_slots(t, link);
	/* TCP within this host makes segments of the whole MTU of lo. */
	if (link->loopback && setup_has_local_backend(t->setup, t->netlink))
		tap->long_frames = true;
	tap->snaplen = tap->long_frames && !tap->stays_short
			       ? NIC_FRAME_MAX
			       : nic_snaplen(link);
	ret = capture_open(&tap->capture[TAP_FLOWS], tap->ifname,
			   t->filter[TAP_FLOWS], slots, tap->snaplen, err);
	if (!ret)
		ret = capture_open(&tap->capture[TAP_SYNS], tap->ifname,
				   t->filter[TAP_SYNS], SYN_SLOTS, SYN_SNAPLEN,
				   err);
	if (ret) {
		close_tap(t, tap);
		return ret;
	}
	memset(tap->drops_told, 0, sizeof(tap->drops_told));
	memset(tap->judged, 0, sizeof(tap->judged));
	log_info("capturing on %s ring_slots=%u+%u ring_memory=%zuKiB",
		 tap->ifname, slots, SYN_SLOTS,
		 (capture_memory(tap->capture[TAP_FLOWS]) +
		  capture_memory(tap->capture[TAP_SYNS])) /
			 1024);
	return 0;
}

/*
 * Not the first time: without memory for longer slots it gets the usual ones.
 * What fits into these is worth more than a capture that waits for memory.
 */
static int reopen_tap(struct taps *t, struct tap *tap, struct err *err)
{
	int ret = open_tap(t, tap, err);

	if (ret != -ENOMEM || !tap->long_frames || tap->stays_short)
		return ret;
	log_warn("%s: no memory for a ring with longer slots, its longest "
		 "frames are lost; raise the limit (ulimit -v, or that of the "
		 "container) and restart",
		 tap->ifname);
	tap->stays_short = true;
	return open_tap(t, tap, err);
}

static void release_tap(struct taps *t, struct tap *tap)
{
	close_tap(t, tap);
	if (tap->lro_was_on)
		nic_lro_restore(tap->ifname);
}

/* Interfaces to capture on. */
struct wanted {
	char name[SETUP_INTERFACES_MAX][IF_NAMESIZE];
	unsigned n;
};

static bool is_wanted(const struct wanted *w, const char *ifname)
{
	for (unsigned i = 0; i < w->n; i++)
		if (strcmp(w->name[i], ifname) == 0)
			return true;
	return false;
}

/*
 * A place for one more. When all are taken, one whose interface is not wanted
 * any more, if possible because it is gone, gives up its own. Not earlier: it
 * may come back, and until then what still comes by it is forwarded.
 */
static struct tap *new_place(struct taps *t, const struct wanted *w)
{
	struct tap *place = NULL;

	if (t->n < SETUP_INTERFACES_MAX)
		return &t->tap[t->n++];
	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];

		if (!is_wanted(w, tap->ifname) &&
		    (!place || !tap->capture[TAP_FLOWS]))
			place = tap;
	}
	if (!place)
		return NULL;
	if (place->capture[TAP_FLOWS])
		log_info("no longer capturing on %s, its place goes to another "
			 "interface",
			 place->ifname);
	release_tap(t, place);
	return place;
}

/* The place of that interface, new or not; NULL when there is no room. */
static struct tap *find_tap(struct taps *t, const struct wanted *w,
			    const char *ifname)
{
	struct tap *tap;

	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->tap[i].ifname, ifname) == 0)
			return &t->tap[i];
	tap = new_place(t, w);
	if (!tap)
		return NULL;
	*tap = (struct tap){0};
	memcpy(tap->ifname, ifname, IF_NAMESIZE);
	return tap;
}

/* Of an interface that is gone, and whose name another one has now. */
static void forget_name(struct taps *t, const char *ifname)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];

		if (tap->capture[TAP_FLOWS] || strcmp(tap->ifname, ifname) != 0)
			continue;
		tap->ifname[0] = '\0';
		tap->lro_was_on = false;
	}
}

/* A capture stays with its interface, whatever that is called now. */
static void follow_renames(struct taps *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];
		const struct link *link =
			netlink_link(t->netlink, tap->ifindex);

		if (!tap->capture[TAP_FLOWS] || !link ||
		    strcmp(link->name, tap->ifname) == 0)
			continue;
		log_info("interface %s is called %s now", tap->ifname,
			 link->name);
		forget_name(t, link->name);
		memcpy(tap->ifname, link->name, IF_NAMESIZE);
	}
}

/* Said once, until they have room again. */
static void warn_too_many(struct taps *t)
{
	if (!t->too_many_told)
		log_warn("clients and backends are behind more than %d "
			 "interfaces, the others are not captured on; restart "
			 "with -i for those that matter",
			 SETUP_INTERFACES_MAX);
	t->too_many_told = true;
}

int taps_refresh(struct taps *t, bool strict, struct err *err)
{
	struct wanted w;
	bool too_many;

	follow_renames(t);
	w.n = setup_interfaces(t->setup, t->netlink, w.name);
	too_many = w.n > SETUP_INTERFACES_MAX;
	if (too_many && strict)
		return err_set(err, -E2BIG,
			       "clients and backends are behind more than %d "
			       "interfaces, the most that l4lb captures on; "
			       "name those that matter with -i",
			       SETUP_INTERFACES_MAX);
	if (too_many)
		w.n = SETUP_INTERFACES_MAX;
	t->incomplete = false;
	for (unsigned i = 0; i < w.n; i++) {
		struct tap *tap = find_tap(t, &w, w.name[i]);
		int ret;

		too_many |= !tap;
		if (!tap || tap->capture[TAP_FLOWS])
			continue;
		ret = strict ? open_tap(t, tap, err) : reopen_tap(t, tap, err);
		if (ret && strict)
			return ret;
		if (ret && ret != -ENODEV && ret != -ENETDOWN) {
			log_warn("%s", err->text);
			t->incomplete = true;
		}
	}
	if (too_many)
		warn_too_many(t);
	else
		t->too_many_told = false;
	return 0;
}

void taps_close(struct taps *t)
{
	for (unsigned i = 0; i < t->n; i++)
		release_tap(t, &t->tap[i]);
	t->n = 0;
}

void taps_link_changed(struct taps *t, const char *ifname, bool up)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];

		if (strcmp(tap->ifname, ifname) != 0)
			continue;
		if (up)
			log_info("interface %s is up", ifname);
		else
			log_warn("interface %s is down", ifname);
		/* Opened anew when up: it may be another device. */
		if (tap->capture[TAP_FLOWS])
			close_tap(t, tap);
	}
}

/* All of one kind, then all of the other: place @i of @ring. */
static unsigned fd_place(const struct taps *t, enum tap_ring ring, unsigned i)
{
	return ring * t->n + i;
}

unsigned taps_poll(const struct taps *t, struct pollfd fds[TAPS_FDS])
{
	for (unsigned i = 0; i < t->n; i++) {
		for (int ring = 0; ring < TAP_RINGS; ring++) {
			const struct capture *c = t->tap[i].capture[ring];

			fds[fd_place(t, ring, i)] = (struct pollfd){
				c ? capture_fd(c) : -1, POLLIN, 0};
		}
	}
	return t->n * TAP_RINGS;
}

/* A frame was longer than any slot: TCP sends it again, into longer ones. */
static void lengthen(struct taps *t, struct tap *tap)
{
	struct err err;

	log_info("%s: a frame longer than %u bytes came, the ring is opened "
		 "anew with longer slots",
		 tap->ifname, tap->snaplen);
	close_tap(t, tap);
	tap->long_frames = true;
	if (reopen_tap(t, tap, &err) == 0)
		return;
	log_warn("%s", err.text);
	t->incomplete = true;
}

/* Frames read, at most @max; -ENETDOWN. */
static int read_ring(struct taps *t, struct tap *tap, enum tap_ring ring,
		     int max, bool *lost)
{
	int n = forward_read(t->forward, tap->capture[ring], max);

	if (n < 0) {
		log_warn("%s: capture stopped, the interface went away",
			 tap->ifname);
		close_tap(t, tap);
		*lost = true;
	} else if (ring == TAP_FLOWS && !tap->long_frames &&
		   capture_truncated(tap->capture[ring])) {
		lengthen(t, tap);
	}
	return n;
}

static void tell_lost(struct taps *t, struct tap *tap, uint64_t now_ns)
{
	struct capture_stats is[TAP_RINGS], *was = tap->judged;
	uint64_t seen[TAP_RINGS], lost[TAP_RINGS];

	for (int ring = 0; ring < TAP_RINGS; ring++) {
		capture_get_stats(tap->capture[ring], &is[ring]);
		lost[ring] = is[ring].dropped - was[ring].dropped;
		/* What was received counts what was dropped, too. */
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
	for (unsigned i = 0; i < t->n; i++)
		if (t->tap[i].capture[TAP_FLOWS])
			tell_lost(t, &t->tap[i], forward_now_ns());
}

unsigned taps_read(struct taps *t, const struct pollfd *fds, uint64_t before_ns,
		   bool *lost)
{
	const int max[TAP_RINGS] = {FRAMES_A_TURN,
				    (int)engine_syn_turn(t->engine, before_ns)};
	unsigned frames = 0;
	bool all = true;

	for (unsigned ring = 0; ring < TAP_RINGS; ring++) {
		for (unsigned i = 0; i < t->n; i++) {
			struct tap *tap = &t->tap[i];
			int n;

			if (!tap->capture[ring] ||
			    !fds[fd_place(t, ring, i)].revents)
				continue;
			n = read_ring(t, tap, ring, max[ring], lost);
			if (n > 0)
				frames += (unsigned)n;
			if (ring == TAP_FLOWS && n == max[ring])
				all = false;
		}
	}
	tell_engine(t, all, before_ns);
	return frames;
}

void taps_tell_drops(struct taps *t)
{
	static const char *const what[TAP_RINGS] = {"frames", "SYNs"};

	for (unsigned i = 0; i < t->n; i++) {
		struct tap *tap = &t->tap[i];

		for (int ring = 0; ring < TAP_RINGS; ring++) {
			uint64_t *told = &tap->drops_told[ring];
			struct capture_stats stats;

			if (!tap->capture[ring])
				continue;
			capture_get_stats(tap->capture[ring], &stats);
			if (stats.dropped == *told)
				continue;
			log_warn("%s: more than can be carried, the ring "
				 "dropped %" PRIu64 " %s",
				 tap->ifname, stats.dropped - *told,
				 what[ring]);
			*told = stats.dropped;
		}
	}
}

void taps_tell_counters(const struct taps *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		struct capture_stats stats[TAP_RINGS];

		if (!t->tap[i].capture[TAP_FLOWS])
			continue;
		for (int ring = 0; ring < TAP_RINGS; ring++)
			capture_get_stats(t->tap[i].capture[ring],
					  &stats[ring]);
		log_info("capture %s received=%" PRIu64 " ring_drops=%" PRIu64
			 " syns=%" PRIu64 " syn_drops=%" PRIu64,
			 t->tap[i].ifname, stats[TAP_FLOWS].received,
			 stats[TAP_FLOWS].dropped, stats[TAP_SYNS].received,
			 stats[TAP_SYNS].dropped);
	}
}
