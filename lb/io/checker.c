/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "core/time.h"
#include "io/checker.h"
#include "io/probe.h"

struct checker {
	struct engine *engine;
	struct prober *prober;
	uint16_t nat_lo, nat_hi;
	uint64_t now_ns; /* valid during checker_read() */
	int trouble;	 /* the last errno, positive; 0: none */
	unsigned troubles;
};

/* Packs service, backend and sequence number into one id. */
static uint64_t id_of(const struct probe_request *r)
{
	return (uint64_t)r->service << 48 | (uint64_t)r->backend << 32 |
	       r->number;
}
static_assert(SERVICE_BACKENDS_MAX <= 1 << 16, "an index has 16 bits in an id");

int checker_open(struct checker **out, struct engine *engine, uint16_t nat_lo,
		 uint16_t nat_hi, struct err *err)
{
	struct checker *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_set(err, -ENOMEM, "no memory for health checks");
	c->engine = engine;
	c->nat_lo = nat_lo;
	c->nat_hi = nat_hi;
	ret = engine_count_probed(engine) ? checker_can(c, err) : 0;
	if (!ret)
		ret = probe_open(&c->prober, PROBES_MAX, nat_lo, nat_hi, err);
	if (ret) {
		free(c);
		return ret;
	}
	*out = c;
	return 0;
}

int checker_can(const struct checker *c, struct err *err)
{
	return probe_ports_left(c->nat_lo, c->nat_hi, err);
}

void checker_close(struct checker *c)
{
	if (!c)
		return;
	probe_close(c->prober);
	free(c);
}

int checker_fd(const struct checker *c)
{
	return probe_fd(c->prober);
}

static void give(struct checker *c, uint64_t id, enum check_result result,
		 int detail, uint64_t now_ns)
{
	if (result == CHECK_LOCAL) {
		c->trouble = detail ? detail : EIO;
		c->troubles++;
	}
	engine_probe_result(c->engine, (unsigned)(id >> 48),
			    (unsigned)(id >> 32 & 0xffff), (uint32_t)id, result,
			    now_ns);
}

static void on_result(void *arg, const struct probe_result *r)
{
	struct checker *c = arg;

	give(c, r->id, r->result, r->detail, c->now_ns);
}

void checker_read(struct checker *c, uint64_t now_ns)
{
	c->now_ns = now_ns;
	probe_read(c->prober, on_result, c, now_ns);
}

uint64_t checker_start(struct checker *c, uint64_t now_ns)
{
	struct probe_request r;

	while (engine_next_probe(c->engine, &r)) {
		const struct probe probe = {
			.id = id_of(&r),
			.spec = r.check,
			.backend = r.to,
			.source = r.source,
			.timeout_ns = r.timeout_ms * NS_PER_MS,
		};
		int ret = probe_start(c->prober, &probe, now_ns);

		if (ret)
			give(c, probe.id, CHECK_LOCAL, -ret, now_ns);
	}
	return probe_next_ns(c->prober);
}

int checker_trouble(struct checker *c, unsigned *n)
{
	int trouble = c->trouble;

	*n = c->troubles;
	c->trouble = 0;
	c->troubles = 0;
	return trouble;
}
