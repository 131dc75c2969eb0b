/* SPDX-License-Identifier: MIT */
/* sched.h - a service to try the schedulers on */
#ifndef L4LB_TEST_SCHED_H
#define L4LB_TEST_SCHED_H

#include <arpa/inet.h>

#include "core/sched/choose.h"
#include "core/sched/maglev.h"
#include "core/time.h"
#include "unit.h"

#define N_MAX SERVICE_BACKENDS_MAX

struct fixture {
	struct service service;
	struct backend backends[N_MAX];
	struct backend_set tried;
	struct endpoint client; /* the next one */
	uint64_t now_ns;
};

/* Backend @i has the endpoint 198.18.1.0:9001 plus @number. */
static inline void place(struct fixture *f, unsigned i, unsigned number)
{
	f->backends[i].token = 0; /* as slots.c leaves it */
	f->backends[i].addr = (struct endpoint){
		.addr = addr_from_v4(htonl(0xc6120100 + number)),
		.port = htons(9001),
	};
	f->backends[i].index = i;
	f->backends[i].slot = SLOT_LIVE;
	f->backends[i].up = f->backends[i].proven = true;
}

static inline void changed(struct fixture *f)
{
	sched_changed(&f->service);
	sched_refresh(&f->service);
}

/* Client number @i, of 2^24. */
static inline struct endpoint client_of(uint32_t i)
{
	return (struct endpoint){.addr = addr_from_v4(htonl(0x0a000000 + i)),
				 .port = htons(40000)};
}

/* @weights NULL: all are 1. */
static inline void make(struct fixture *f, enum sched_kind kind, unsigned n,
			const unsigned *weights)
{
	static const char secret[] = "always the same";
	static uint16_t table[MAGLEV_PLACES]; /* so that none is left behind */

	memset(f, 0, sizeof(*f));
	f->client = client_of(0);
	f->service.params.scheduler = kind;
	f->service.n_backends = n;
	f->service.backends = f->backends;
	for (unsigned i = 0; i < n; i++) {
		place(f, i, i);
		f->backends[i].params.weight = weights ? weights[i] : 1;
	}
	ck_assert_int_eq(sched_init(&f->service, secret, sizeof(secret), 1), 0);
	sched_free(&f->service);
	f->service.sched.table = table;
	sched_refresh(&f->service);
}

/* All are checked and the first has been down: it is up again since T0. */
#define RAMP_MS 8000
#define T0	(5000 * NS_PER_S)
static inline void make_recovered(struct fixture *f, enum sched_kind kind,
				  unsigned n, const unsigned *weights)
{
	make(f, kind, n, weights);
	f->service.params.checked = true;
	f->service.params.health.slow_start_ms = RAMP_MS;
	for (unsigned i = 0; i < n; i++) {
		f->backends[i].health.params.slow_start_ms = RAMP_MS;
		f->backends[i].health.up = true;
	}
	f->backends[0].health.recovered = true;
	f->backends[0].health.since_ns = f->now_ns = T0;
}

/* @eighths of the ramp are over. */
static inline void ramp_to(struct fixture *f, unsigned eighths)
{
	f->now_ns = T0 + eighths * (RAMP_MS / 8 * NS_PER_MS);
}

static inline struct sched_question question(const struct fixture *f)
{
	return (struct sched_question){
		.tried = f->tried,
		.client = &f->client,
		.now_ns = f->now_ns,
	};
}

/* The index of the backend that the client would get, or -1. */
static inline int ask(const struct fixture *f)
{
	const struct sched_question q = question(f);
	struct sched_why why;
	const struct backend *b = sched_choose(&f->service, &q, &why);

	unit_check(!b || b == &f->backends[b->index], "a backend elsewhere");
	return b ? (int)b->index : -1;
}

/* The same, and it gets it; then it is the next client's turn. */
static inline int pick(struct fixture *f)
{
	const struct sched_question q = question(f);
	struct sched_why why;
	struct backend *b = sched_choose(&f->service, &q, &why);

	if (!b)
		return -1;
	unit_check(b == &f->backends[b->index], "a backend elsewhere");
	sched_commit(&f->service, b, &why);
	f->client = client_of(ntohl(addr_to_v4(&f->client.addr)) + 1);
	return (int)b->index;
}

static inline void pick_many(struct fixture *f, int times, int *seen)
{
	memset(seen, 0, N_MAX * sizeof(*seen));
	while (times--) {
		int i = pick(f);

		unit_check(i >= 0, "nobody takes the flow");
		seen[i]++;
	}
}

/* The sum of all credits: 0 at any time. */
static inline int64_t credits(const struct fixture *f)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < f->service.n_backends; i++)
		sum += f->backends[i].credit;
	return sum;
}

#endif
