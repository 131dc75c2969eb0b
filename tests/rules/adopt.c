/* SPDX-License-Identifier: MIT */
/*
 * What engine_adopt() believes of a state file: connections that were made by
 * the engine itself go on; whatever else somebody wrote there is refused or
 * does no harm.
 */
#include <arpa/inet.h>

#include "forge.h"
#include "frames.h"
#include "rig.h"
#include "rules.h"
#include "unit.h"

#define CONNS 4

/* What a process left: flows of every kind, and the ends that go on. */
struct before {
	struct flow flows[64];
	struct conn conns[CONNS];
	uint64_t now;
};

static void make_before(struct before *b)
{
	struct rig *r = rig_new(2);

	rig_start(r);
	for (unsigned i = 0; i < CONNS; i++) {
		b->conns[i] = conn_make(r, i);
		conn_establish(r, &b->conns[i]);
		ck_assert(conn_send(r, &b->conns[i], FLOW_ORIG, ACK, 100));
		ck_assert(conn_send(r, &b->conns[i], FLOW_REPLY, ACK, 1000));
	}
	memcpy(b->flows, r->flows, sizeof(b->flows));
	b->now = r->now;
	rig_free(r);
}

/* The next process, its table filled with what was left. */
static struct rig *next_process(const struct before *b)
{
	struct rig *r = rig_new(2);

	r->now = b->now + 2 * NS_PER_S;
	rig_start(r);
	memcpy(r->flows, b->flows, sizeof(b->flows));
	return r;
}

static struct flow *flow_of(struct before *b, unsigned conn)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->flows); i++) {
		struct endpoint client = flow_client(&b->flows[i]);

		if (b->flows[i].open &&
		    endpoint_equal(&client, &b->conns[conn].client))
			return &b->flows[i];
	}
	ck_abort_msg("no flow of connection %u", conn);
	return NULL;
}

static void check_rules(struct rig *r)
{
	inside_balance(r->e);
	ck_assert_ptr_null(rules_broken(r->e));
}

/* Everything ends when nothing comes any more. */
static void check_ends(struct rig *r)
{
	check_rules(r);
	for (int i = 0; i < 10 && engine_flows(r->e)->used; i++) {
		rig_wait(r, 8000 * NS_PER_S);
		rig_drain(r);
	}
	ck_assert_uint_eq(engine_flows(r->e)->used, 0);
	check_rules(r);
}

START_TEST(connections_go_on)
{
	struct before b;
	struct rig *r;
	uint32_t refused = 1;

	make_before(&b);
	r = next_process(&b);
	ck_assert_int_eq(engine_adopt(r->e, r->now, &refused), CONNS);
	ck_assert_uint_eq(refused, 0);
	for (unsigned i = 0; i < CONNS; i++) {
		ck_assert(conn_send(r, &b.conns[i], FLOW_ORIG, ACK, 50));
		ck_assert(conn_send(r, &b.conns[i], FLOW_REPLY, ACK, 50));
		ck_assert_int_eq(conn_state(r, &b.conns[i]), TCP_ESTABLISHED);
	}
	check_rules(r);
	for (unsigned i = 0; i < CONNS; i++)
		conn_close(r, &b.conns[i]);
	check_ends(r);
	rig_free(r);
}
END_TEST

START_TEST(new_flows_get_other_ports_and_numbers)
{
	struct before b;
	struct rig *r;
	uint32_t refused;

	make_before(&b);
	r = next_process(&b);
	engine_adopt(r->e, r->now, &refused);
	for (unsigned i = CONNS; i < 40; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
		ck_assert_uint_gt(conn_flow(r, &c)->id, CONNS);
	}
	check_rules(r);
	rig_free(r);
}
END_TEST

START_TEST(a_checksum_is_that_of_the_table)
{
	struct before b;

	make_before(&b);
	for (unsigned i = 0; i < CONNS; i++)
		ck_assert_uint_eq(flow_of(&b, i)->check,
				  forge_check(flow_of(&b, i)));
}
END_TEST

/* ---------------------------------------------------------- one that is bad */

static void bad_open(struct flow *f)
{
	f->open = 2;
}
static void bad_check(struct flow *f)
{
	f->check++;
}
static void bad_proto(struct flow *f)
{
	f->proto = 17;
}
static void bad_state(struct flow *f)
{
	f->tcp.state = TCP_STATES;
}
static void bad_state_2(struct flow *f)
{
	f->tcp.state = 255;
}
static void bad_opened(struct flow *f)
{
	f->opened_ns = UINT64_MAX;
}
static void bad_seen(struct flow *f)
{
	f->seen_ns = UINT64_MAX;
}
static void bad_id(struct flow *f)
{
	f->id = UINT64_MAX;
}
static void bad_wscale(struct flow *f)
{
	f->tcp.side[0].wscale = 255;
}
static void bad_side(struct flow *f)
{
	f->tcp.side[1].flags = 0xf0;
}
static void no_side(struct flow *f)
{
	f->tcp.side[0].flags = 0;
}

static void bad_nat_port(struct flow *f)
{
	f->pair[FLOW_REPLY].dst.port = htons(22);
}

static void no_nat_port(struct flow *f)
{
	f->pair[FLOW_REPLY].dst.port = 0;
}

static void bad_nat_addr(struct flow *f)
{
	f->pair[FLOW_REPLY].dst.addr = frame_addr("198.18.0.99");
}

static void bad_vip(struct flow *f)
{
	f->pair[FLOW_ORIG].dst = frame_endpoint("198.18.0.1", 20009);
}

static void bad_backend(struct flow *f)
{
	f->pair[FLOW_REPLY].src = frame_endpoint("198.18.0.99", 9001);
}

static void ipv6_client(struct flow *f)
{
	memset(&f->pair[FLOW_ORIG].src.addr, 0x20, 16);
}

static void no_client(struct flow *f)
{
	f->pair[FLOW_ORIG].src.addr = frame_addr("0.0.0.0");
}

static void many_clients(struct flow *f)
{
	f->pair[FLOW_ORIG].src.addr = frame_addr("224.0.0.1");
}

static void all_clients(struct flow *f)
{
	f->pair[FLOW_ORIG].src.addr = frame_addr("255.255.255.255");
}

static void no_client_port(struct flow *f)
{
	f->pair[FLOW_ORIG].src.port = 0;
}

static const struct bad {
	const char *what;
	void (*make)(struct flow *f);
	bool unsealed;
} bad[] = {
	{"open is not 0 or 1", bad_open, true},
	{"checksum", bad_check, true},
	{"protocol", bad_proto, false},
	{"state", bad_state, false},
	{"state 255", bad_state_2, false},
	{"opened in the future", bad_opened, false},
	{"seen in the future", bad_seen, false},
	{"number", bad_id, false},
	{"window scale", bad_wscale, false},
	{"unknown flags of a side", bad_side, false},
	{"a client that sent nothing", no_side, false},
	{"NAT port outside", bad_nat_port, false},
	{"NAT port 0", no_nat_port, false},
	{"NAT address", bad_nat_addr, false},
	{"service", bad_vip, false},
	{"backend", bad_backend, false},
	{"client by IPv6", ipv6_client, false},
	{"client nowhere", no_client, false},
	{"client multicast", many_clients, false},
	{"client broadcast", all_clients, false},
	{"client port 0", no_client_port, false},
};

START_TEST(a_bad_flow_is_refused_and_the_others_go_on)
{
	const struct bad *how = &bad[_i];
	struct before b;
	struct flow *f;
	struct rig *r;
	uint32_t refused = 0;
	int64_t n;

	make_before(&b);
	f = flow_of(&b, 1);
	how->make(f);
	if (!how->unsealed)
		forge_seal(f);
	r = next_process(&b);
	n = engine_adopt(r->e, r->now, &refused);
	ck_assert_msg(n == CONNS - 1 && refused == 1, "%s: %d kept, %u refused",
		      how->what, (int)n, refused);
	ck_assert(conn_send(r, &b.conns[0], FLOW_ORIG, ACK, 50));
	ck_assert(!conn_send(r, &b.conns[1], FLOW_ORIG, ACK, 50));
	check_ends(r);
	rig_free(r);
}
END_TEST

/* ---------------------------------------------- odd, but nobody is harmed */

static void odd_mtu(struct flow *f)
{
	f->mtu[0] = f->mtu[1] = 1;
}
static void odd_mss(struct flow *f)
{
	f->tcp.side[0].mss = 1;
}
static void odd_keepalives(struct flow *f)
{
	f->keepalives = 255;
}
static void odd_flags(struct flow *f)
{
	f->flags = 0xff;
}
static void odd_pending(struct flow *f)
{
	f->pending = 0xfffffff0;
}
static void odd_service(struct flow *f)
{
	f->service = 0xffff;
}
static void odd_backend(struct flow *f)
{
	f->backend = 0xffff;
}
static void odd_pool(struct flow *f)
{
	f->pool = 0xffff;
}
static void odd_times(struct flow *f)
{
	f->opened_ns = f->seen_ns = 0;
}
static void odd_order(struct flow *f)
{
	f->opened_ns = f->seen_ns + 1;
}
static void odd_id(struct flow *f)
{
	f->id = 0;
}
static void odd_generation(struct flow *f)
{
	f->generation = UINT32_MAX;
}
static void odd_syn(struct flow *f)
{
	f->tcp.state = TCP_SYN_SENT;
}
static void odd_reset(struct flow *f)
{
	f->tcp.state = TCP_RESET;
}
static void odd_wait(struct flow *f)
{
	f->tcp.state = TCP_TIME_WAIT;
}

static void odd_window(struct flow *f)
{
	f->tcp.side[0].limit = f->tcp.side[0].ack - 1;
	f->tcp.side[1].limit = f->tcp.side[1].ack + 0x7fffffff;
}

static void odd_counters(struct flow *f)
{
	memset(f->packets, 0xff, sizeof(f->packets));
	memset(f->bytes, 0xff, sizeof(f->bytes));
}

static void odd_zero(struct flow *f)
{
	f->zero = 0xff;
}

static void (*const odd[])(struct flow *f) = {
	odd_mtu,     odd_mss,	     odd_keepalives, odd_flags, odd_pending,
	odd_service, odd_backend,    odd_pool,	     odd_times, odd_order,
	odd_id,	     odd_generation, odd_syn,	     odd_reset, odd_wait,
	odd_window,  odd_counters,   odd_zero,
};

START_TEST(an_odd_flow_does_no_harm)
{
	struct before b;
	struct rig *r;
	uint32_t refused;

	make_before(&b);
	odd[_i](flow_of(&b, 1));
	forge_seal(flow_of(&b, 1));
	r = next_process(&b);
	engine_adopt(r->e, r->now, &refused);
	for (unsigned i = 0; i < CONNS; i++) {
		conn_send(r, &b.conns[i], FLOW_ORIG, ACK, 3000);
		conn_send(r, &b.conns[i], FLOW_REPLY, ACK, 3000);
	}
	check_rules(r);
	for (unsigned i = 0; i < CONNS; i++)
		conn_send(r, &b.conns[i], FLOW_ORIG, SYN, 0);
	check_ends(r);
	rig_free(r);
}
END_TEST

/* Killed and anything but reset: it would answer resets for two hours. */
START_TEST(a_killed_flow_that_is_not_reset_is_no_killed_one)
{
	struct before b;
	struct rig *r;
	uint32_t refused;

	make_before(&b);
	flow_of(&b, 1)->flags = FLOW_KILLED;
	r = next_process(&b);
	engine_adopt(r->e, r->now, &refused);
	ck_assert(conn_send(r, &b.conns[1], FLOW_ORIG, ACK, 10));
	check_ends(r);
	rig_free(r);
}
END_TEST

/* ------------------------------------------------------------ two of a kind */

START_TEST(two_flows_of_one_client_become_one)
{
	struct before b;
	struct rig *r;
	uint32_t refused;

	make_before(&b);
	flow_of(&b, 1)->pair[FLOW_ORIG] = flow_of(&b, 0)->pair[FLOW_ORIG];
	for (unsigned i = 0; i < ARRAY_LEN(b.flows); i++)
		if (b.flows[i].open)
			forge_seal(&b.flows[i]);
	r = next_process(&b);
	ck_assert_int_eq(engine_adopt(r->e, r->now, &refused), CONNS - 1);
	ck_assert_uint_eq(refused, 1);
	check_ends(r);
	rig_free(r);
}
END_TEST

START_TEST(two_flows_of_one_port_and_backend_become_one)
{
	struct before b;
	struct rig *r;
	uint32_t refused;

	make_before(&b);
	flow_of(&b, 1)->pair[FLOW_REPLY] = flow_of(&b, 0)->pair[FLOW_REPLY];
	forge_seal(flow_of(&b, 1));
	r = next_process(&b);
	ck_assert_int_eq(engine_adopt(r->e, r->now, &refused), CONNS - 1);
	ck_assert_uint_eq(refused, 1);
	check_ends(r);
	rig_free(r);
}
END_TEST

/* ------------------------------------------------------- backends that left */

/* The next process, in whose configuration the second backend is missing. */
static struct rig *next_without_one(const struct before *b, bool keep)
{
	struct rig *r = rig_new(2);
	uint32_t refused;

	r->setup.services[0].params.keep_on_down = keep;
	r->setup.backends[0][1].gone = true;
	r->setup.backends[0][1].params.weight = 0;
	r->now = b->now + NS_PER_S;
	rig_start(r);
	rig_backend(r, 1)->up = false; /* rig_start() sets it */
	memcpy(r->flows, b->flows, sizeof(b->flows));
	ck_assert_int_eq(engine_adopt(r->e, r->now, &refused), CONNS);
	rig_wait(r, NS_PER_S);
	return r;
}

START_TEST(flows_of_a_backend_that_is_gone_are_reset)
{
	struct before b;
	struct rig *r;

	make_before(&b);
	r = next_without_one(&b, false);
	for (unsigned i = 0; i < CONNS; i++) {
		struct endpoint gone = r->setup.backends[0][1].addr;
		bool was = endpoint_equal(&b.conns[i].backend, &gone);

		ck_assert_int_eq(conn_state(r, &b.conns[i]),
				 was ? TCP_RESET : TCP_ESTABLISHED);
	}
	ck_assert_uint_ge(rig_drain(r), CONNS / 2 * 2);
	check_ends(r);
	rig_free(r);
}
END_TEST

START_TEST(flows_of_a_backend_that_is_gone_go_on_with_on_down_keep)
{
	struct before b;
	struct rig *r;

	make_before(&b);
	r = next_without_one(&b, true);
	rig_wait(r, 60 * NS_PER_S);
	ck_assert_uint_eq(rig_drain(r), 0);
	ck_assert_uint_eq(rig_backend(r, 1)->flows, CONNS / 2);
	for (unsigned i = 0; i < CONNS; i++) {
		ck_assert(conn_send(r, &b.conns[i], FLOW_ORIG, ACK, 50));
		ck_assert(same(r->out.dst, b.conns[i].backend));
		ck_assert(conn_send(r, &b.conns[i], FLOW_REPLY, ACK, 50));
		ck_assert_int_eq(conn_state(r, &b.conns[i]), TCP_ESTABLISHED);
	}
	/* New ones go to the backend that is left. */
	for (unsigned i = CONNS; i < 2 * CONNS; i++) {
		struct conn c = conn_make(r, i);

		conn_establish(r, &c);
		ck_assert(same(c.backend, rig_backend(r, 0)->addr));
	}
	for (unsigned i = 0; i < CONNS; i++)
		conn_close(r, &b.conns[i]);
	check_ends(r);
	rig_free(r);
}
END_TEST

START_TEST(a_clean_exit_resets_all_even_after_a_sweep_began)
{
	struct before b;
	struct rig *r;
	uint32_t refused;

	make_before(&b);
	r = next_process(&b);
	engine_adopt(r->e, r->now, &refused);
	inside_set_sweep(r->e, 60, 0); /* as a sweep left it */
	for (int i = 0; i < 100 && engine_reset_all(r->e, r->now); i++)
		rig_drain(r);
	for (unsigned i = 0; i < CONNS; i++)
		ck_assert_int_eq(conn_state(r, &b.conns[i]), TCP_RESET);
	rig_free(r);
}
END_TEST

/* -------------------------------------------------------------------- noise */

START_TEST(noise_in_flows_breaks_no_rule)
{
	struct random random = unit_random(__func__);
	struct before b;

	make_before(&b);
	for (int round = 0; round < 3000; round++) {
		struct before noisy = b;
		uint32_t refused, n = 1 + random_below(&random, 20);
		struct rig *r;

		for (uint32_t i = 0; i < n; i++) {
			struct flow *f = &noisy.flows[random_below(
				&random, ARRAY_LEN(noisy.flows))];
			uint32_t at = random_below(&random, sizeof(*f));

			if (random_below(&random, 4) == 0)
				*f = b.flows[random_below(&random, 8)];
			((uint8_t *)f)[at] ^=
				(uint8_t)(1 << random_below(&random, 8));
			forge_seal(f);
		}
		r = next_process(&noisy);
		engine_adopt(r->e, r->now, &refused);
		for (unsigned i = 0; i < CONNS; i++) {
			conn_send(r, &noisy.conns[i], FLOW_ORIG, ACK, 10);
			conn_send(r, &noisy.conns[i], FLOW_REPLY, FIN | ACK,
				  10);
		}
		check_ends(r);
		rig_free(r);
	}
}
END_TEST

/*
 * Backend 0 is drained. Entry 1 takes no flows either, but only since it stands
 * for a former source address of a backend that is not.
 */
START_TEST(drain_timeout_ends_the_flows_of_drained_backends_only)
{
	struct before b;
	struct rig *r = rig_new(2);
	uint32_t refused;

	make_before(&b);
	r->now = b.now;
	r->setup.services[0].params.drain_timeout_s = 60;
	r->setup.backends[0][0].params.weight = 0;
	r->setup.backends[0][1].gone = true;
	r->setup.backends[0][1].params.then = LEAVE_KEEP;
	rig_start(r);
	memcpy(r->flows, b.flows, sizeof(b.flows));
	ck_assert_int_eq(engine_adopt(r->e, r->now, &refused), CONNS);

	rig_wait(r, 59 * NS_PER_S);
	for (unsigned i = 0; i < CONNS; i++)
		ck_assert_int_eq(conn_state(r, &b.conns[i]), TCP_ESTABLISHED);
	rig_wait(r, 2 * NS_PER_S);
	rig_drain(r);
	for (unsigned i = 0; i < CONNS; i++)
		ck_assert_int_eq(conn_state(r, &b.conns[i]),
				 conn_flow(r, &b.conns[i])->backend == 0
					 ? TCP_RESET
					 : TCP_ESTABLISHED);
	ck_assert_uint_eq(rig_backend(r, 0)->flows, 0);
	ck_assert_uint_eq(rig_backend(r, 1)->flows, CONNS / 2);
	rig_free(r);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{connections_go_on, 0},
		{new_flows_get_other_ports_and_numbers, 0},
		{a_checksum_is_that_of_the_table, 0},
		{a_bad_flow_is_refused_and_the_others_go_on, ARRAY_LEN(bad)},
		{an_odd_flow_does_no_harm, ARRAY_LEN(odd)},
		{a_killed_flow_that_is_not_reset_is_no_killed_one, 0},
		{two_flows_of_one_client_become_one, 0},
		{two_flows_of_one_port_and_backend_become_one, 0},
		{flows_of_a_backend_that_is_gone_are_reset, 0},
		{flows_of_a_backend_that_is_gone_go_on_with_on_down_keep, 0},
		{a_clean_exit_resets_all_even_after_a_sweep_began, 0},
		{noise_in_flows_breaks_no_rule, 0},
		{drain_timeout_ends_the_flows_of_drained_backends_only, 0},
	};

	return unit_run("adopt", tests, ARRAY_LEN(tests));
}
