/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "core/random.h"
#include "core/sched/maglev.h"

#define NOBODY UINT16_MAX

/* Insertion: no more than 256, and qsort() may allocate. */
static void sort(struct maglev_member *m, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		const struct maglev_member moved = m[i];
		unsigned k = i;

		for (; k > 0 && m[k - 1].token > moved.token; k--)
			m[k] = m[k - 1];
		m[k] = moved;
	}
}

/*
 * Who has a turn in which round: the heaviest in every one, the others in
 * proportion. So there are at most as many rounds as places. A list for each
 * round, of the members whose next turn is in it.
 */
struct calendar {
	uint16_t first[MAGLEV_PLACES]; /* by round; NOBODY: none */
	uint16_t next[MAGLEV_MEMBERS_MAX];
	uint32_t turns[MAGLEV_MEMBERS_MAX]; /* that each has had */
	uint64_t heaviest, all;		    /* weights */
};

/* The round, from 0, of its turn number calendar.turns. */
static uint64_t round_of(const struct calendar *c,
			 const struct maglev_member *m, unsigned i)
{
	const uint64_t weight = m[i].weight;
	const uint64_t turn = c->turns[i];

	/* Half a turn early, so that shares are rounded to the nearest; but
	 * nobody with a weight gets nothing.
	 */
	if (turn == 0 && weight * MAGLEV_PLACES < c->all)
		return 0;
	return ((2 * turn + 1) * c->heaviest + 2 * weight - 1) / (2 * weight) -
	       1;
}

static void enter(struct calendar *c, const struct maglev_member *m, unsigned i)
{
	const uint64_t round = round_of(c, m, i);

	if (round >= MAGLEV_PLACES)
		return;
	c->next[i] = c->first[round];
	c->first[round] = (uint16_t)i;
}

static void start(struct calendar *c, const struct maglev_member *m, unsigned n)
{
	memset(c->first, 0xff, sizeof(c->first));
	c->heaviest = c->all = 0;
	for (unsigned i = 0; i < n; i++) {
		c->turns[i] = 0;
		c->all += m[i].weight;
		if (m[i].weight > c->heaviest)
			c->heaviest = m[i].weight;
	}
	for (unsigned i = n; i-- > 0;) /* each goes to the front */
		enter(c, m, i);
}

void maglev_build(uint16_t table[MAGLEV_PLACES], struct maglev_member *members,
		  unsigned n)
{
	uint32_t at[MAGLEV_MEMBERS_MAX], step[MAGLEV_MEMBERS_MAX];
	struct calendar calendar;
	unsigned taken = 0;

	assert(n > 0);
	assert(n <= MAGLEV_MEMBERS_MAX);
	sort(members, n);
	for (unsigned i = 0; i < n; i++) {
		struct random r = {.state = members[i].token};

		at[i] = (uint32_t)(random_next(&r) % MAGLEV_PLACES);
		step[i] = 1 + (uint32_t)(random_next(&r) % (MAGLEV_PLACES - 1));
	}
	memset(table, 0xff, MAGLEV_PLACES * sizeof(*table));
	start(&calendar, members, n);
	for (unsigned round = 0; taken < MAGLEV_PLACES; round++) {
		unsigned i = calendar.first[round], next;

		for (; i != NOBODY && taken < MAGLEV_PLACES; i = next) {
			while (table[at[i]] != NOBODY)
				at[i] = (at[i] + step[i]) % MAGLEV_PLACES;
			table[at[i]] = members[i].value;
			taken++;
			next = calendar.next[i];
			calendar.turns[i]++;
			enter(&calendar, members, i);
		}
	}
}
