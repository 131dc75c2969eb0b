/* SPDX-License-Identifier: MIT */
/*
 * tap_match.c - which packets are for us: every packet comes by one ring at
 * most, and what the guard takes comes by one
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "frames.h"
#include "io/tap_program.h"
#include "unit.h"

#define CLIENT	"198.18.0.2"
#define SERVICE "198.18.0.1"
#define SOURCE	"198.18.0.9" /* ours, toward backends */
#define BACKEND "198.18.0.11"
#define OTHER	"198.18.0.7"

enum ring { NONE, FLOWS, SYNS };

static const struct expected {
	const char *what, *src, *dst;
	uint16_t sport, dport;
	uint8_t flags;
	uint32_t payload;
	enum ring ring;
} cases[] = {
	{"a SYN to a service", CLIENT, SERVICE, 4000, 20000, SYN, 0, SYNS},
	{"one with data", CLIENT, SERVICE, 4000, 20000, SYN, 1400, SYNS},
	{"one as long as a slot", CLIENT, SERVICE, 4000, 20000, SYN,
	 TAP_SYN_MAX - FRAME_HEADERS, SYNS},
	{"one longer than a slot", CLIENT, SERVICE, 4000, 20000, SYN,
	 TAP_SYN_MAX - FRAME_HEADERS + 1, FLOWS},
	{"data to a service", CLIENT, SERVICE, 4000, 20000, ACK, 9, FLOWS},
	{"a SYN with ACK", CLIENT, SERVICE, 4000, 20000, SYN | ACK, 0, FLOWS},
	{"a SYN with RST", CLIENT, SERVICE, 4000, 20000, SYN | RST, 0, FLOWS},
	{"the second service", CLIENT, OTHER, 4000, 30, SYN, 0, SYNS},
	{"its address, another port", CLIENT, OTHER, 4000, 31, SYN, 0, NONE},
	{"the first NAT port", BACKEND, SOURCE, 9001, 10240, ACK, 0, FLOWS},
	{"the last NAT port", BACKEND, SOURCE, 9001, 32767, ACK, 0, FLOWS},
	{"below the range", BACKEND, SOURCE, 9001, 10239, ACK, 0, NONE},
	{"above the range", BACKEND, SOURCE, 9001, 32768, ACK, 0, NONE},
	{"a SYN to a NAT port", BACKEND, SOURCE, 9001, 10240, SYN, 0, FLOWS},
	{"the range of another", BACKEND, OTHER, 9001, 10240, ACK, 0, NONE},
	{"what we send a client here", SERVICE, SOURCE, 20000, 10240, ACK, 0,
	 NONE},
};
static struct tap_program programs[TAP_RINGS];

static void set_up(void)
{
	const struct endpoint services[] = {frame_endpoint(SERVICE, 20000),
					    frame_endpoint(OTHER, 30)};
	const struct ip_addr sources[] = {frame_addr(SOURCE),
					  frame_addr(SERVICE)};
	const struct tap_match m = {
		.services = services,
		.n_services = 2,
		.sources = sources,
		.n_sources = 2,
		.nat_lo = 10240,
		.nat_hi = 32767,
	};

	for (int ring = 0; ring < TAP_RINGS; ring++)
		ck_assert_int_eq(tap_program_judge(&programs[ring], ring, &m),
				 0);
}

static void tear_down(void)
{
	for (int ring = 0; ring < TAP_RINGS; ring++)
		tap_program_free(&programs[ring]);
}

static enum ring ring_of(const uint8_t *packet, uint32_t len)
{
	const bool flows = tap_program_takes(&programs[TAP_FLOWS], packet, len);
	const bool syns = tap_program_takes(&programs[TAP_SYNS], packet, len);

	ck_assert_msg(!flows || !syns, "no packet comes by both rings");
	return flows ? FLOWS : syns ? SYNS : NONE;
}

START_TEST(tcp_comes_by_its_destination)
{
	const struct expected *c = &cases[_i];
	static uint8_t packet[FRAME_MAX];
	const struct frame f = {
		.src = frame_endpoint(c->src, c->sport),
		.dst = frame_endpoint(c->dst, c->dport),
		.flags = c->flags,
		.payload_len = c->payload,
	};
	const uint32_t len = frame_build(&f, packet);

	set_up();
	ck_assert_msg(ring_of(packet, len) == c->ring, "%s", c->what);
	tear_down();
}
END_TEST

/* An ICMP message: IP header, type, and what it quotes. */
static enum ring icmp_ring(const char *dst, uint8_t type)
{
	uint8_t packet[56] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, IPPROTO_ICMP};
	const uint32_t to = inet_addr(dst);

	memcpy(packet + 16, &to, sizeof(to));
	packet[20] = type;
	return ring_of(packet, sizeof(packet));
}

START_TEST(icmp_errors_to_services_and_sources_come)
{
	const uint8_t errors[] = {3, 11, 12}, others[] = {0, 4, 5, 8, 13};

	set_up();
	for (size_t i = 0; i < sizeof(errors); i++) {
		ck_assert_int_eq(icmp_ring(SERVICE, errors[i]), FLOWS);
		ck_assert_int_eq(icmp_ring(OTHER, errors[i]), FLOWS);
		ck_assert_int_eq(icmp_ring(SOURCE, errors[i]), FLOWS);
		ck_assert_int_eq(icmp_ring(BACKEND, errors[i]), NONE);
	}
	for (size_t i = 0; i < sizeof(others); i++)
		ck_assert_int_eq(icmp_ring(SERVICE, others[i]), NONE);
	tear_down();
}
END_TEST

/* A later fragment has no ports: it comes by its address, to be counted. */
START_TEST(fragments_of_tcp_come_by_their_address)
{
	const struct frame f = {
		.src = frame_endpoint(CLIENT, 4000),
		.dst = frame_endpoint(SERVICE, 31),
		.flags = ACK,
	};
	uint8_t packet[FRAME_HEADERS];

	set_up();
	ck_assert_uint_eq(frame_build(&f, packet), sizeof(packet));
	ck_assert_int_eq(ring_of(packet, sizeof(packet)), NONE);
	packet[7] = 1; /* offset 8 */
	ck_assert_int_eq(ring_of(packet, sizeof(packet)), FLOWS);
	packet[9] = IPPROTO_UDP;
	ck_assert_int_eq(ring_of(packet, sizeof(packet)), NONE);
	tear_down();
}
END_TEST

/* As it may be once all services are removed at run time. */
START_TEST(without_services_and_sources_nothing_comes)
{
	const struct tap_match none = {.nat_lo = 1, .nat_hi = 65535};
	const struct frame f = {
		.src = frame_endpoint(CLIENT, 4000),
		.dst = frame_endpoint(SERVICE, 20000),
		.flags = _i ? SYN : ACK,
	};
	uint8_t packet[FRAME_HEADERS];

	ck_assert_uint_eq(frame_build(&f, packet), sizeof(packet));
	for (int ring = 0; ring < TAP_RINGS; ring++)
		ck_assert_int_eq(
			tap_program_judge(&programs[ring], ring, &none), 0);
	ck_assert_int_eq(ring_of(packet, sizeof(packet)), NONE);
	tear_down();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{tcp_comes_by_its_destination, ARRAY_LEN(cases)},
		{icmp_errors_to_services_and_sources_come, 1},
		{fragments_of_tcp_come_by_their_address, 1},
		{without_services_and_sources_nothing_comes, 2},
	};

	return unit_run("tap_match", tests, ARRAY_LEN(tests));
}
