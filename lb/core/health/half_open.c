/* SPDX-License-Identifier: MIT */
/*
 * half_open.c - the engine's own check: SYN, an answer, RST
 *
 * The SYN is sent from one of 64 ports of the NAT range that flows never get,
 * so that guard and kernel filter cover it. SYN-ACK or RST decides the check,
 * and our RST ends it. The application never sees the connection.
 *
 * Many services may check the same backend, each at its own pace, so a port
 * does not identify the service. Each pool (our address, backend) has a table
 * of running checks by port. An answer counts only for the check that runs from
 * its destination port, and only if it acknowledges the sequence number of that
 * check. Any other answer is for a check that is over, perhaps of an earlier
 * process: it is reset and has no other effect. A port is used again after the
 * other 63 of its pool; while all are in use, no check starts.
 */
#include "core/health/half_open.h"
#include "core/lookup.h"
#include "core/say.h"
#include "core/state.h"

static struct half_open *check_at(const struct engine *e, unsigned pool,
				  unsigned at)
{
	return &e->pools[pool].checks[at];
}

static bool send_syn(struct engine *e, unsigned pool, unsigned at)
{
	const struct segment syn = {
		.src = {.addr = e->pools[pool].source,
			.port = htons((uint16_t)(e->probe_lo + at))},
		.dst = e->pools[pool].backend,
		.seq = check_at(e, pool, at)->isn,
		.flags = TCP_SYN,
		.window = 1024,
	};

	return engine_originate(e, &syn);
}

bool half_open_start(struct engine *e, struct backend *b, unsigned pool)
{
	struct pool *p = &e->pools[pool];
	unsigned tries = 0;

	assert(!b->asked);
	while (check_at(e, pool, p->next_probe)->running) {
		if (++tries == PROBE_PORTS)
			return false;
		p->next_probe = (p->next_probe + 1) % PROBE_PORTS;
	}
	b->asked = check_at(e, pool, p->next_probe);
	*b->asked = (struct half_open){
		.isn = (uint32_t)random_next(&e->random),
		.service = (uint16_t)b->service,
		.backend = (uint16_t)b->index,
		.running = true,
	};
	if (!send_syn(e, pool, p->next_probe)) {
		half_open_over(b);
		return false;
	}
	p->next_probe = (p->next_probe + 1) % PROBE_PORTS;
	return true;
}

void half_open_over(struct backend *b)
{
	if (b->asked)
		b->asked->running = false;
	b->asked = NULL;
}

/*
 * The backend remembers an earlier check whose RST was lost. We clear it as for
 * flows (design rule 8), and repeat the SYN if a check runs on this port now.
 */
static void repair(struct engine *e, unsigned pool, unsigned at,
		   const struct packet *p, uint64_t now_ns)
{
	struct half_open *check = check_at(e, pool, at);

	engine_answer_reset(e, p, &e->limit_reply, now_ns);
	if (!check->running || check->repeated || (p->tcp.flags & TCP_RST))
		return;
	check->repeated = true;
	send_syn(e, pool, at);
}

/* No rate limit: one RST per check, or the backend's SYN queue fills up. */
static void end_check(struct engine *e, const struct packet *answer)
{
	const struct segment rst = {
		.src = answer->key.pair.dst,
		.dst = answer->key.pair.src,
		.seq = answer->tcp.ack,
		.flags = TCP_RST,
	};

	engine_originate(e, &rst);
}

bool half_open_answer(struct engine *e, const struct packet *p,
		      struct backend **decided, enum check_result *result,
		      uint64_t now_ns)
{
	const unsigned port = ntohs(p->key.pair.dst.port);
	const unsigned at = port - e->probe_lo;
	const bool refused = p->tcp.flags & TCP_RST;
	struct half_open *check;
	int pool;

	*decided = NULL;
	if (!e->probe_lo || port < e->probe_lo || at >= PROBE_PORTS)
		return false;
	pool = engine_find_pool(e, &p->key.pair.dst.addr, &p->key.pair.src);
	if (pool < 0)
		return false;
	check = check_at(e, (unsigned)pool, at);
	if (!check->running || !(p->tcp.flags & TCP_ACK) ||
	    p->tcp.ack != check->isn + 1) {
		repair(e, (unsigned)pool, at, p, now_ns);
		return true;
	}
	if (!refused && !(p->tcp.flags & TCP_SYN))
		return true;
	if (!refused)
		end_check(e, p);
	*decided = &e->services[check->service].backends[check->backend];
	*result = refused ? CHECK_REFUSED : CHECK_OK;
	return true;
}
