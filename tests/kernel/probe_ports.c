/* SPDX-License-Identifier: MIT */
/*
 * probe_ports_choose(): which ports health checks get, when there are flows of
 * an earlier process and other users of this host's ports. Run by
 * in_namespace.sh, with a /run and a loopback of its own.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine.h"
#include "core/packet.h"
#include "forge.h"
#include "frames.h"
#include "host/probe_ports.h"
#include "unit.h"

#define HERE   "127.0.0.1"
#define FILE_  "/run/a.flows"
#define FLOWS  4096
#define LO     10240u
#define HI     (LO + 2047u)
#define TOP    (HI + 1 - PROBE_PORTS) /* the topmost block */
#define BEFORE (TOP - 100)	      /* of the process before */

static struct state *state;
static struct err err;

static void open_state(void)
{
	ck_assert_msg(state_open(&state, FILE_, FLOWS, NULL, &err) == 0, "%s",
		      err.text);
}

/* As a process leaves it whose flows have the ports @lo, @lo + @step, ... */
static void leave_flows(unsigned lo, unsigned hi, unsigned step,
			uint16_t probe_lo)
{
	unsigned n = 0, port;

	ck_assert_int_eq(system("rm -f " FILE_), 0);
	open_state();
	for (port = lo; port <= hi; port += step) {
		struct flow *f = &state_flows(state)[n++];

		f->pair[FLOW_ORIG].src =
			frame_endpoint("198.18.0.2", (uint16_t)n);
		f->pair[FLOW_ORIG].dst = frame_endpoint(HERE, 20000);
		f->pair[FLOW_REPLY].src = frame_endpoint("198.18.0.11", 9001);
		f->pair[FLOW_REPLY].dst = frame_endpoint(HERE, (uint16_t)port);
		f->proto = PACKET_PROTO_TCP;
		f->tcp.state = TCP_ESTABLISHED;
		forge_seal(f);
	}
	state_set_ports(state, LO, HI, probe_lo);
	state_close(state);
	open_state();
	ck_assert(state_found(state));
}

/* A program of this host that uses @port. */
static int bind_port(unsigned port)
{
	const struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* The next start's choice. */
static unsigned chosen(void)
{
	const struct endpoint service = frame_endpoint(HERE, 20000);
	const struct ip_addr source = service.addr;
	const struct reserve_request req = {
		.name = "web",
		.services = &service,
		.n_services = 1,
		.sources = &source,
		.n_sources = 1,
		.nat_lo = LO,
		.nat_hi = HI,
		.fixed = true,
		.ports_min = 1024,
	};
	struct reservation *r;
	unsigned lo;

	ck_assert_msg(reserve_take(&r, &req, &err) == 0, "%s", err.text);
	lo = probe_ports_choose(r, state);
	reserve_release(r, false);
	return lo;
}

START_TEST(at_the_first_start_they_are_the_topmost)
{
	int fd;

	ck_assert_int_eq(system("rm -f " FILE_), 0);
	open_state();
	ck_assert_uint_eq(chosen(), TOP);
	fd = bind_port(HI - 5);
	ck_assert_uint_eq(chosen(), HI - 5 - PROBE_PORTS);
	close(fd);
}
END_TEST

START_TEST(at_the_next_start_they_are_the_same)
{
	leave_flows(LO, BEFORE - 1, 1, BEFORE);
	ck_assert_uint_eq(chosen(), BEFORE);
	state_close(state);
	/* Also in a table of another size */
	ck_assert_int_eq(state_open(&state, FILE_, 2 * FLOWS, NULL, &err), 0);
	ck_assert_uint_eq(chosen(), BEFORE);
}
END_TEST

START_TEST(if_these_are_taken_no_flow_loses_its_port_for_others)
{
	int fd;

	leave_flows(LO + 70, BEFORE - 1, 1, BEFORE);
	fd = bind_port(BEFORE + 3);
	ck_assert_uint_eq(chosen(), TOP);
	close(fd);
	state_remove(state);

	/* Flows have every port but 70 at the bottom. */
	leave_flows(LO + 70, HI, 1, BEFORE);
	ck_assert_uint_eq(chosen(), LO + 70 - PROBE_PORTS);
}
END_TEST

START_TEST(a_file_that_does_not_know_them_is_of_an_earlier_version)
{
	leave_flows(TOP + 1, HI, 1, 0);
	ck_assert_uint_eq(chosen(), TOP + 1 - PROBE_PORTS);
}
END_TEST

static const uint16_t wrong[] = {1, LO - 1, TOP + 1, HI, 65535};

START_TEST(ports_outside_of_the_range_are_not_believed)
{
	leave_flows(LO, LO, 1, wrong[_i]);
	ck_assert_uint_eq(chosen(), TOP);
}
END_TEST

/* Every fourth port; but of one block only two. */
START_TEST(where_all_have_flows_those_with_fewest_are_taken)
{
	unsigned i;

	leave_flows(LO, HI, 4, 0);
	for (i = 0; i < FLOWS; i++) {
		struct flow *f = &state_flows(state)[i];
		const unsigned port = ntohs(f->pair[FLOW_REPLY].dst.port);

		if (f->open && port >= LO + 512 + 8 &&
		    port < LO + 512 + PROBE_PORTS)
			f->open = 0;
	}
	ck_assert_uint_eq(chosen(), LO + 512 + 8);
}
END_TEST

START_TEST(with_too_little_in_a_row_there_are_none)
{
	int fds[40];
	unsigned i, n = 0;

	leave_flows(LO, LO, 1, 0);
	for (i = LO; i <= HI; i += PROBE_PORTS - 1)
		fds[n++] = bind_port(i);
	ck_assert_uint_eq(chosen(), 0);
	while (n > 0)
		close(fds[--n]);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{at_the_first_start_they_are_the_topmost, 0},
		{at_the_next_start_they_are_the_same, 0},
		{if_these_are_taken_no_flow_loses_its_port_for_others, 0},
		{a_file_that_does_not_know_them_is_of_an_earlier_version, 0},
		{ports_outside_of_the_range_are_not_believed, ARRAY_LEN(wrong)},
		{where_all_have_flows_those_with_fewest_are_taken, 0},
		{with_too_little_in_a_row_there_are_none, 0},
	};

	return unit_run("probe_ports", tests, ARRAY_LEN(tests));
}
