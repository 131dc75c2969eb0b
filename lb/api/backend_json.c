/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "api/backend_json.h"
#include "api/look.h"
#include "core/time.h"

#define NS_PER_MS_REAL 1e6

/*
 * Between the bounds of a bucket the times are taken to be spread evenly. Above
 * the last bound nothing is known but that bound.
 */
double histogram_quantile_ms(const struct histogram *h, double part)
{
	const double wanted = part * (double)histogram_total(h);
	double before = 0, low = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		const uint64_t bound = histogram_bound_ns(i);
		const double count = (double)h->count[i];

		if (bound == UINT64_MAX)
			break;
		if (count > 0 && before + count >= wanted)
			return (low + ((double)bound - low) *
					      (wanted - before) / count) /
			       NS_PER_MS_REAL;
		before += count;
		low = (double)bound;
	}
	return low / NS_PER_MS_REAL;
}

/* @last_ns: 0: not known. */
static void put_times(struct json_writer *w, const char *key,
		      const struct histogram *h, uint64_t last_ns)
{
	const uint64_t n = histogram_total(h);

	if (!n) {
		json_put_null(w, key);
		return;
	}
	json_put_object(w, key);
	if (last_ns)
		json_put_real(w, "last", (double)last_ns / NS_PER_MS_REAL, 3);
	json_put_real(w, "avg", (double)h->sum_ns / (double)n / NS_PER_MS_REAL,
		      3);
	json_put_real(w, "p50", histogram_quantile_ms(h, 0.5), 3);
	json_put_real(w, "p99", histogram_quantile_ms(h, 0.99), 3);
	json_put_end(w);
}

static void put_sides(struct json_writer *w, const char *key,
		      const uint64_t sides[FLOW_SIDES])
{
	json_put_object(w, key);
	json_put_number(w, "to", sides[FLOW_ORIG]);
	json_put_number(w, "from", sides[FLOW_REPLY]);
	json_put_end(w);
}

static void put_check(struct json_writer *w, const struct board_backend *b)
{
	const uint64_t ns = b->counters.last_check_ns;
	const bool ok = b->last == CHECK_OK;

	if (!b->checked) {
		json_put_null(w, "check");
		return;
	}
	json_put_object(w, "check");
	if (b->counters.checks_ok || b->counters.checks_failed) {
		json_put_text(w, "last", ok ? "ok" : "failed");
		json_put_text(
			w, "text",
			ok ? "ok"
			   : check_result_text((enum check_result)b->last));
	} else {
		json_put_null(w, "last");
	}
	if (ns)
		json_put_real(w, "ms", (double)ns / NS_PER_MS_REAL, 3);
	json_put_number(w, "passed", b->counters.checks_ok);
	json_put_number(w, "failed", b->counters.checks_failed);
	json_put_number(w, "fails", ok ? 0 : b->check_streak);
	json_put_end(w);
}

static void put_failures(struct json_writer *w,
			 const struct backend_counters *c)
{
	json_put_object(w, "failures");
	for (unsigned i = 0; i < BACKEND_FAILURES; i++)
		json_put_number(w,
				backend_failure_name((enum backend_failure)i),
				c->failed_by[i]);
	json_put_end(w);
}

static uint64_t seconds(uint64_t since_ns, uint64_t now_ns)
{
	return since_ns && now_ns > since_ns ? (now_ns - since_ns) / NS_PER_S
					     : 0;
}

static const char *health(const struct board_backend *b)
{
	return b->health == BOARD_UP && b->breaker == BREAKER_OPEN
		       ? "ejected"
		       : board_health_name((enum board_health)b->health);
}

void json_put_backend(struct json_writer *w, const char *key,
		      const char *service, const struct board_backend *b,
		      uint64_t now_ns)
{
	const struct backend_counters *c = &b->counters;
	const uint64_t health_s = seconds(b->since_ns, now_ns);
	char host[ADDR_TEXT_MAX], address[ENDPOINT_TEXT_MAX];

	json_put_object(w, key);
	json_put_text(w, "id", b->id);
	json_put_text(w, "service", service);
	json_put_text(w, "host", addr_format(&b->addr.addr, host));
	json_put_number(w, "port", ntohs(b->addr.port));
	json_put_text(w, "address", endpoint_format(&b->addr, address));
	json_put_number(w, "weight", b->weight);
	json_put_flag(w, "backup", b->backup);
	json_put_text(w, "state", b->slot == SLOT_LEAVING ? "leaving" : "live");
	json_put_text(w, "admin", look_admin_name(b->admin));
	json_put_text(w, "health", health(b));
	json_put_flag(w, "healthy", look_is_healthy(b));
	json_put_flag(w, "takes_connections", b->takes_flows);
	json_put_text(w, "breaker", look_breaker_name(b->breaker));
	json_put_number(w, "active_connections", b->flows);
	json_put_number(w, "total_connections", c->total);
	json_put_number(w, "failed_connections", c->failed);
	json_put_number(w, "redispatched", c->redispatched);
	put_failures(w, c);
	put_sides(w, "packets", c->packets);
	put_sides(w, "bytes", c->bytes);
	put_sides(w, "retransmits", c->retransmits);
	put_times(w, "handshake_ms", &c->handshake, c->last_handshake_ns);
	put_times(w, "first_byte_ms", &c->first_byte, 0);
	put_check(w, b);
	json_put_number(w, "since_s", health_s);
	json_put_number(w, "downs", c->downs);
	json_put_number(w, "downtime_s", b->downtime_ns / NS_PER_S);
	json_put_end(w);
}
