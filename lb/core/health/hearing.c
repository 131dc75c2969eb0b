/* SPDX-License-Identifier: MIT */
#include "core/health/hearing.h"

void hearing_init(struct hearing *h)
{
	*h = (struct hearing){.heard_ns = UINT64_MAX};
}

void hearing_note_all_until(struct hearing *h, uint64_t until_ns)
{
	h->heard_ns = until_ns;
}

void hearing_note_lost(struct hearing *h, uint64_t seen, uint64_t lost,
		       uint64_t now_ns)
{
	if (now_ns - h->window_ns >= HEARING_WINDOW_NS) {
		h->window_ns = now_ns;
		h->seen = h->lost = 0;
	}
	h->seen += seen;
	h->lost += lost;
	if (h->lost * 100 > (h->seen + h->lost) * HEARING_LOSS_PERCENT)
		h->lossy_ns = now_ns;
}

uint64_t hearing_now_ns(const struct hearing *h, uint64_t now_ns)
{
	uint64_t heard_ns = h->heard_ns;

	if (heard_ns > now_ns)
		return now_ns;
	if (now_ns - heard_ns > HEARING_LATE_MAX_NS)
		heard_ns = now_ns - HEARING_LATE_MAX_NS;
	return heard_ns;
}

bool hearing_excuses(const struct hearing *h, uint64_t sent_ns,
		     uint64_t *since_ns, uint64_t now_ns)
{
	if (!h->lossy_ns || h->lossy_ns < sent_ns)
		return false;
	if (*since_ns == 0)
		*since_ns = now_ns;
	return now_ns - *since_ns < HEARING_PATIENCE_NS;
}
