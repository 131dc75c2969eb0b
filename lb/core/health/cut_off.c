/* SPDX-License-Identifier: MIT */
/*
 * cut_off.c - whether a backend is silent, or the link toward it
 *
 * Silence says nothing about a backend if this host has no route to it. It may
 * say nothing if nothing else is heard on that link either: a switch that
 * restarts takes three seconds or more, in which no backend answers.
 * Connections survive that, unless we reset them.
 *
 * So a silence counts only if something was heard on the same link since the
 * question was sent: a frame, an answer to another check, a neighbour that the
 * kernel has just verified. An answer of another backend counts as well, on any
 * link: a backend with a tunnel of its own has no neighbours there, and we must
 * not wait for it while others can take its clients. A backend on this host
 * does not count: it answers even when the cable is cut.
 *
 * If a backend has not answered the last question, its next one comes with
 * questions to the neighbours on its link and to two other backends that did
 * answer. If none of them answers, we are cut off, and all backends keep their
 * state. When something is heard again, each backend is forgiven one more
 * silence, since its question may have been lost. From then on failures are
 * counted from zero. The same holds after a time without a route: Linux asks
 * for a neighbour's address once a second, so a check by a socket that starts
 * with the link may wait for a second, or fail.
 *
 * A backend that has never answered may hold the service's address itself, left
 * from direct routing. Then it drops our packets as martians. If the route
 * prefers another address of ours, we ask from both in turn, and keep the one
 * that the backend answers.
 *
 * The silence of such a backend says nothing about the link: a backend that is
 * dead at the start is found down without delay.
 */
#include "core/health/cut_off.h"
#include "core/health/ways.h"
#include "core/source.h"
#include "core/state.h"

#define WITNESSES 2 /* one of them may be dying as well */

/* When its link was last heard. UINT64_MAX: there is no link to judge. */
static uint64_t link_heard_ns(struct engine *e, const struct backend *b)
{
	const struct way_link *link = ways_link(e, b);

	return link ? link->heard_ns : UINT64_MAX;
}

static void told_over(struct engine *e, struct backend *b, uint64_t now_ns)
{
	b->silences = 0;
	if (!b->cut_told)
		return;
	b->cut_told = false;
	e->over_ns = now_ns;
	e->cut_off--;
	if (e->cut_since_ns)
		engine_tell(e, BACKEND_HEARD, b, CHECK_OK);
	e->cut_since_ns = 0;
}

/* Reports the silence once it has lasted for a whole fall count. */
static void tell(struct engine *e, struct backend *b, uint64_t now_ns)
{
	const uint32_t fall = e->services[b->service].params.checked
				      ? b->health.params.fall
				      : SILENCES_TOLD;

	if (++b->silences < fall || b->cut_told)
		return;
	b->cut_told = true;
	if (e->cut_off++ > 0)
		return;
	e->cut_since_ns = now_ns;
	engine_tell(e, BACKEND_CUT_OFF, b, CHECK_TIMEOUT);
}

/*
 * Checks up to @n backends soon that answered their last question. They come
 * from @s in order: the core does not know which share @b's link. Returns how
 * many of @n are left.
 */
static unsigned ask_service(struct service *s, const struct backend *b,
			    unsigned n, uint64_t now_ns)
{
	for (unsigned i = 0; i < s->n_backends && n > 0; i++) {
		struct backend *other = &s->backends[i];

		if (!backend_is_checked(s, other) || !other->answered_ns ||
		    other->unanswered || endpoint_equal(&other->addr, &b->addr))
			continue;
		health_hurry(&other->health, now_ns);
		n--;
	}
	return n;
}

static void ask_around(struct engine *e, struct backend *b, uint64_t now_ns)
{
	struct way_link *link = ways_link(e, b);
	unsigned left = WITNESSES;

	b->around_ns = now_ns;
	if (!link)
		return;
	link->ask = true;
	for (unsigned i = 0; i < e->n_services && left > 0; i++)
		left = ask_service(
			&e->services[(b->service + i) % e->n_services], b, left,
			now_ns);
	e->checks_due_ns = 0;
}

void engine_asks(struct engine *e, struct backend *b, uint64_t now_ns)
{
	if (b->unanswered)
		ask_around(e, b, now_ns);
}

void engine_heard_from(struct engine *e, struct backend *b, uint64_t now_ns)
{
	/* Reported once, however many services share the backend. */
	if (b->swapped && b->has_alternate && !e->pools[b->pools[0]].answered)
		engine_tell(e, BACKEND_SOURCE, b, CHECK_OK);
	e->pools[b->pools[0]].answered = true;
	b->has_alternate = false; /* the source is decided */
	b->unanswered = false;
	b->cut = false;
	told_over(e, b, now_ns);
}

void engine_forget_silence(struct engine *e, struct backend *b)
{
	if (!b->cut_told)
		return;
	b->cut_told = false;
	if (--e->cut_off == 0)
		e->cut_since_ns = 0;
}

void engine_probed(struct engine *e, struct backend *b, uint64_t now_ns)
{
	struct way_link *link = ways_link(e, b);

	engine_heard_from(e, b, now_ns);
	/* Answers to checks by sockets are not captured. */
	if (link && e->services[b->service].params.check.kind != CHECK_SYN)
		link->heard_ns = now_ns;
}

static bool another_answered(struct engine *e, uint64_t since_ns)
{
	for (unsigned i = 0; i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		for (unsigned k = 0; k < s->n_backends; k++)
			if (s->backends[k].answered_ns > since_ns &&
			    ways_link(e, &s->backends[k]))
				return true;
	}
	return false;
}

enum silence engine_silence(struct engine *e, struct backend *b,
			    uint64_t asked_ns, uint64_t now_ns)
{
	if (ways_has_none(e, b)) {
		e->counters.unreached++;
		b->cut = true; /* its link comes back before its neighbour */
		return SILENCE_OURS;
	}
	if (!e->pools[b->pools[0]].answered) {
		if (b->has_alternate && asked_ns >= b->swapped_ns)
			engine_try_alternate(e, b, now_ns);
		return SILENCE_OWN;
	}
	if (asked_ns < e->over_ns) /* the question may have been lost */
		return SILENCE_OURS;
	b->unanswered = true;
	if (link_heard_ns(e, b) > asked_ns || another_answered(e, asked_ns)) {
		if (!b->cut)
			return SILENCE_OWN;
		b->cut = false;
		told_over(e, b, now_ns);
		health_forget(&b->health);
		breaker_forget(&b->breaker);
		return SILENCE_OURS;
	}
	if (b->around_ns < asked_ns) {
		ask_around(e, b, now_ns);
		return SILENCE_UNSURE;
	}
	e->counters.cut_off++;
	b->cut = true;
	tell(e, b, now_ns);
	return SILENCE_OURS;
}
