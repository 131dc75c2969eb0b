/* SPDX-License-Identifier: MIT */
/*
 * answers.c - what we answer tells nobody who else is connected
 *
 * The strategy of CVE-2016-5696: packets in a victim's name, then so many of
 * one's own that a limit is reached, and the answers to these are counted. If
 * their number depends on whether the victim's connection exists, ports and
 * sequences of a stranger can be searched for.
 */
#include <arpa/inet.h>
#include <math.h>

#include "core/answers.h"
#include "rig.h"
#include "unit.h"

#define S RIG_S

enum { SPOOFED = 200, OWN_FLOWS = 300 };

/* What is shared, and how an attacker uses it up. */
enum leak { CHALLENGE, STRAY, REPLY, REFUSED, KILLED, LEAKS };

/* More than are answered in a second. */
static const unsigned own_packets[] = {1500, 1500, 1500, 16000, 16000};
static const unsigned seconds[] = {64, 64, 64, 12, 12};

struct attack {
	struct rig *r;
	struct conn victim;
	struct conn own[OWN_FLOWS]; /* CHALLENGE, KILLED */
	struct frame spoofed;
};

static struct conn own_conn(const struct attack *a, unsigned n)
{
	struct conn c = a->own[n % OWN_FLOWS];

	if (!c.client.port) {
		c = conn_make(a->r, 20);
		c.client.port = htons((uint16_t)(1000 + n));
	}
	return c;
}

/* Attacker's own packet @n, of the kind that is answered. */
static struct frame own_packet(const struct attack *a, enum leak leak,
			       unsigned n)
{
	struct conn c = own_conn(a, n);
	struct frame f = conn_frame(&c, FLOW_ORIG, ACK, 10);

	if (leak == CHALLENGE || leak == REFUSED)
		f = conn_frame(&c, FLOW_ORIG, SYN, 0);
	f.seq += 0x40000000;
	if (leak == REPLY) /* of a backend that is his */
		f = (struct frame){
			.src = a->r->setup.backends[0][1].addr,
			.dst = frame_endpoint("198.18.0.1",
					      (uint16_t)(RIG_PORT_LO + n % 24)),
			.flags = ACK,
		};
	return f;
}

static void open_own(struct attack *a, bool kill)
{
	struct rig *r = a->r;

	for (unsigned i = 0; i < OWN_FLOWS; i++) {
		struct conn *c = &a->own[i];

		*c = conn_make(r, i + 1);
		conn_establish(r, c);
		if (kill)
			inside_reset(r->e, conn_flow(r, c), r->now);
		rig_drain(r);
	}
}

static struct attack *attack_new(enum leak leak, bool exists, unsigned run)
{
	static struct attack a;
	struct rig *r = rig_new(leak == REPLY ? 2 : 12);

	a = (struct attack){.r = r};
	r->setup.spec.n_flows = leak == REFUSED ? 1 : 4096;
	r->setup.spec.n_ports = leak == REPLY ? 32 : RIG_PORTS_MAX;
	r->setup.spec.timeouts.closed = 7200;
	r->setup.spec.seed = 1 + run;
	rig_start(r);
	a.victim = conn_make(r, 0);
	/* Else somebody else's, or none: the table is as full. */
	if (leak == REFUSED && !exists)
		a.victim.client.port = htons(9);
	if (exists || leak == REFUSED || leak == KILLED)
		conn_establish(r, &a.victim);
	a.spoofed = conn_frame(&a.victim, FLOW_ORIG, ACK, 10);
	if (leak == REPLY) {
		a.spoofed = conn_frame(&a.victim, FLOW_REPLY, ACK, 10);
		if (!exists) {
			a.spoofed.src = r->setup.backends[0][0].addr;
			a.spoofed.dst =
				frame_endpoint("198.18.0.1", RIG_PORT_LO + 30);
		}
	}
	if (leak == CHALLENGE || leak == REFUSED)
		a.spoofed = conn_frame(&a.victim, FLOW_ORIG, SYN, 0);
	if (leak == REFUSED && !exists)
		a.spoofed.src.port = conn_make(r, 0).client.port;
	a.spoofed.seq += 0x40000000;
	if (leak == KILLED && exists)
		inside_reset(r->e, conn_flow(r, &a.victim), r->now);
	if (leak == CHALLENGE || leak == KILLED)
		open_own(&a, leak == KILLED);
	rig_drain(r);
	return &a;
}

/* Answers to what is sent from now on. */
static unsigned answers(struct rig *r, const struct frame *f)
{
	rig_send(r, f);
	return rig_drain(r) > 0;
}

/* Mean and variance, over all seconds, of the answers that he gets. */
static void count(enum leak leak, bool exists, unsigned run, double *mean,
		  double *variance)
{
	struct attack *a = attack_new(leak, exists, run);
	double sum = 0, squares = 0;

	for (unsigned s = 0; s < seconds[leak]; s++) {
		unsigned n = 0;

		rig_wait(a->r, 2 * S);
		rig_drain(a->r);
		for (unsigned i = 0; i < SPOOFED; i++)
			answers(a->r, &a->spoofed);
		for (unsigned i = 0; i < own_packets[leak]; i++) {
			struct frame f = own_packet(a, leak, i);

			n += answers(a->r, &f);
		}
		sum += n;
		squares += (double)n * n;
	}
	*mean = sum / seconds[leak];
	*variance = squares / seconds[leak] - *mean * *mean;
	rig_free(a->r);
}

START_TEST(number_of_answers_does_not_tell_who_is_connected)
{
	double with, without, v1, v2, noise, seen;

	count((enum leak)_i, true, 1, &with, &v1);
	count((enum leak)_i, false, 2, &without, &v2);
	noise = sqrt((v1 + v2) / seconds[_i]);
	seen = fabs(with - without);
	/* Two minutes of it, and it could be chance; or nothing at all. */
	ck_assert_msg(seen <= 3 * noise + 2,
		      "leak %d: %.1f answers a second, %.1f without the "
		      "victim's connection, noise %.1f",
		      _i, with, without, noise);
	/* They were answered, so that there was something to see. */
	ck_assert(with > 20);
}
END_TEST

START_TEST(pair_of_ends_gets_a_few_answers_whatever_is_sent)
{
	struct random r = unit_random(__func__);
	static struct answers a;

	memset(&a, 0, sizeof(a));
	for (unsigned window = 1; window <= 100; window++) {
		const uint64_t now = window * ANSWERS_PAIR_NS;
		unsigned n = 0;

		for (unsigned i = 0; i < 10; i++)
			n += answers_pair(&a, &r, 4711, ANSWERS_RESETS, now);
		ck_assert_uint_eq(n, ANSWERS_RESETS);
		/* What is left for resets is none for a challenge. */
		ck_assert(!answers_pair(&a, &r, 4711, ANSWERS_ACKS,
					now + ANSWERS_PAIR_NS - 1));
	}
}
END_TEST

/* Else one pair could be watched by another one that is always its neighbour.
 */
START_TEST(pairs_that_share_a_place_do_so_once)
{
	struct random r = unit_random(__func__);
	static struct answers a;
	unsigned found = 0;

	memset(&a, 0, sizeof(a));
	for (uint32_t hash = 1; hash < 200000; hash++) {
		const uint64_t now = hash * 2ull * ANSWERS_PAIR_NS;

		if (hash >= 2000 && found == 0)
			break;
		answers_pair(&a, &r, 0, 1, now);
		found += !answers_pair(&a, &r, 77, 1, now);
	}
	ck_assert_uint_le(found, 20); /* of 200,000 with one of 65,536 */
}
END_TEST

/* From half of it to one and a half, and it is never the same. */
START_TEST(shared_limit_is_drawn_anew_each_second)
{
	struct random r = unit_random(__func__);
	struct answer_limit l = {.per_s = 1000};
	unsigned least = 10000, most = 0;
	uint64_t all = 0;

	for (unsigned s = 1; s <= 1000; s++) {
		unsigned n = 0;

		while (answers_all(&l, &r, s * ANSWERS_ALL_NS))
			n++;
		least = n < least ? n : least;
		most = n > most ? n : most;
		all += n;
	}
	ck_assert_uint_ge(least, 500);
	ck_assert_uint_le(least, 520);
	ck_assert_uint_le(most, 1500);
	ck_assert_uint_ge(most, 1480);
	ck_assert_uint_ge(all, 950 * 1000);
	ck_assert_uint_le(all, 1050 * 1000);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{number_of_answers_does_not_tell_who_is_connected, LEAKS},
		{pair_of_ends_gets_a_few_answers_whatever_is_sent, 0},
		{pairs_that_share_a_place_do_so_once, 0},
		{shared_limit_is_drawn_anew_each_second, 0},
	};

	return unit_run("answers", tests, ARRAY_LEN(tests));
}
