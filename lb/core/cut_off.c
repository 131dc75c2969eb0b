/* SPDX-License-Identifier: MIT */
/*
 * cut_off.c - whether a backend's silence is its own
 *
 * It is not where this host has no way to the backend; and it may not be where
 * nothing else is heard by that way either: a switch that starts anew takes
 * three seconds and more, in which no backend answers, and connections that
 * are reset for that would have outlived it.
 *
 * So a silence counts only if something was heard by the same way since the
 * question was asked: a frame, an answer to another check, a neighbour that the
 * kernel has just verified. An answer of another backend counts as well, by
 * whatever way: nobody is beside one that has a tunnel of its own, and it must
 * not be waited for while others can take its clients. Not so one on this host,
 * which answers when the wire is cut, too.
 *
 * Who has not answered what it was asked last is not asked again alone: so are
 * the neighbours on its link, and two others who did answer. If nobody answers
 * at all, we are cut off. Backends stay what they were then. When something
 * is heard again, one more silence is let go, as its question may have been
 * lost, and they are judged from there as if nothing had been.
 *
 * Who has never answered may hold the service's address itself, left from
 * direct routing: to him we are a martian then. If the route prefers another
 * address of ours he is asked from both, in turn, and keeps the one he answers.
 *
 * Who has never answered is no witness of the link: a backend that is away at
 * the start is found down as it is.
 */
#include "core/cut_off.h"
#include "core/source.h"
#include "core/state.h"

#define WITNESSES 2 /* two, as one of them may be dying as well */

static uint64_t way(struct engine *e, const struct backend *b,
		    enum way_wish wish)
{
	const struct pool *p = &e->pools[b->pools[0]];

	if (!e->way_heard_ns)
		return UINT64_MAX;
	return e->way_heard_ns(e->on_arg, &p->source, &p->backend.addr, wish);
}

/* A cable that is pulled out, or a route that is gone. */
static bool has_way(struct engine *e, const struct backend *b)
{
	if (!e->can_reach ||
	    e->can_reach(e->on_arg, &e->pools[b->pools[0]].source,
			 &b->addr.addr))
		return true;
	e->counters.unreached++;
	return false;
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

/* A whole fall period of silence, all around. */
static void tell(struct engine *e, struct backend *b, uint64_t now_ns)
{
	const uint32_t fall = e->services[b->service].checked
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
 * A few who answered what they were asked last are checked soon: the first ones
 * that would be missed if @b's link were gone, as far as the core can know.
 */
static unsigned ask_service(struct service *s, const struct backend *b,
			    unsigned n, uint64_t now_ns)
{
	for (unsigned i = 0; s->checked && i < s->n_backends && n > 0; i++) {
		struct backend *other = &s->backends[i];

		if (!other->answered_ns || other->unanswered ||
		    endpoint_equal(&other->addr, &b->addr))
			continue;
		health_hurry(&other->health, now_ns);
		n--;
	}
	return n;
}

static void ask_around(struct engine *e, struct backend *b, uint64_t now_ns)
{
	unsigned left = WITNESSES;

	b->around_ns = now_ns;
	way(e, b, WAY_ASK);
	if (!e->way_heard_ns)
		return;
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
	/* Told once, however many services it is of. */
	if (b->swapped && b->has_alternate && !e->pools[b->pools[0]].answered)
		engine_tell(e, BACKEND_SOURCE, b, CHECK_OK);
	e->pools[b->pools[0]].answered = true;
	b->has_alternate = false; /* it is decided */
	b->unanswered = false;
	b->cut = false;
	told_over(e, b, now_ns);
}

void engine_probed(struct engine *e, struct backend *b, uint64_t now_ns)
{
	engine_heard_from(e, b, now_ns);
	if (e->services[b->service].check.kind != CHECK_SYN)
		way(e, b, WAY_ANSWERED);
}

static bool may_swap(const struct engine *e, const struct backend *b)
{
	return !e->may_use ||
	       e->may_use(e->on_arg, &e->pools[b->alternate].source);
}

static bool another_answered(struct engine *e, uint64_t since_ns)
{
	for (unsigned i = 0; i < e->n_services; i++) {
		const struct service *s = &e->services[i];

		for (unsigned k = 0; k < s->n_backends; k++)
			if (s->backends[k].answered_ns > since_ns &&
			    way(e, &s->backends[k], WAY_LOOK) != UINT64_MAX)
				return true;
	}
	return false;
}

enum silence engine_silence(struct engine *e, struct backend *b,
			    uint64_t asked_ns, uint64_t now_ns)
{
	if (!has_way(e, b))
		return SILENCE_OURS;
	if (!e->pools[b->pools[0]].answered) {
		if (b->has_alternate && asked_ns >= b->swapped_ns &&
		    may_swap(e, b))
			engine_swap_source(b, now_ns);
		return SILENCE_OWN;
	}
	if (asked_ns < e->over_ns) /* it may have been lost before that */
		return SILENCE_OURS;
	b->unanswered = true;
	if (way(e, b, WAY_LOOK) > asked_ns || another_answered(e, asked_ns)) {
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
