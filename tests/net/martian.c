/* SPDX-License-Identifier: MIT */
/* martian.c - what cannot come by an interface is told from what can */
#include <arpa/inet.h>

#include "frames.h"
#include "net/martian.h"
#include "unit.h"

static struct martian_table table;

static const struct {
	const char *addr;
	unsigned prefix_len;
} own[] = {
	{"127.0.0.1", 8},   {"198.18.0.1", 24}, {"198.18.5.1", 32},
	{"10.0.0.1", 31},   {"10.0.1.200", 25}, {"198.18.0.7", 24},
	{"172.16.0.1", 12}, {"192.0.2.1", 0},
};

static void fill(void)
{
	martian_clear(&table);
	for (unsigned i = 0; i < ARRAY_LEN(own); i++) {
		const struct ip_addr a = frame_addr(own[i].addr);

		martian_add(&table, &a, own[i].prefix_len);
	}
	martian_sort(&table);
}

static const struct {
	const char *src, *dst;
	bool by_wire, by_loopback; /* whether it is one */
} cases[] = {
	/* others */
	{"198.18.0.2", "198.18.0.1", false, false},
	{"1.0.0.1", "198.18.0.1", false, false},
	{"126.255.255.255", "198.18.0.1", false, false},
	{"128.0.0.0", "198.18.0.1", false, false},
	{"223.255.255.255", "198.18.0.1", false, false},
	/* loopback */
	{"127.0.0.1", "198.18.0.1", true, false},
	{"127.9.9.9", "198.18.0.1", true, false},
	{"198.18.0.2", "127.0.0.1", true, false},
	{"198.18.0.2", "127.255.0.1", true, false},
	{"127.0.0.1", "127.0.0.1", true, false},
	/* this host's own */
	{"198.18.0.1", "198.18.0.1", true, false},
	{"198.18.0.7", "198.18.0.1", true, false},
	{"198.18.5.1", "198.18.0.1", true, false},
	{"10.0.0.1", "198.18.0.1", true, false},
	{"172.16.0.1", "198.18.0.1", true, false},
	/* no single host */
	{"0.0.0.0", "198.18.0.1", true, true},
	{"0.1.2.3", "198.18.0.1", true, true},
	{"224.0.0.1", "198.18.0.1", true, true},
	{"239.255.255.255", "198.18.0.1", true, true},
	{"240.0.0.1", "198.18.0.1", true, true},
	{"255.255.255.255", "198.18.0.1", true, true},
	/* broadcasts of our networks, and what looks like one of others */
	{"198.18.0.255", "198.18.0.1", true, true},
	{"10.0.1.255", "198.18.0.1", true, true},
	{"172.31.255.255", "198.18.0.1", true, true},
	{"127.255.255.255", "198.18.0.1", true, true},
	{"10.0.1.127", "198.18.0.1", false, false},
	{"198.18.5.255", "198.18.0.1", false, false},
	{"198.18.1.255", "198.18.0.1", false, false},
	{"198.18.0.0", "198.18.0.1", false, false}, /* Linux 5.14 */
	{"10.0.0.0", "198.18.0.1", false, false},   /* RFC 3021 */
};

START_TEST(what_a_host_would_not_take_is_a_martian)
{
	const struct ip_addr src = frame_addr(cases[_i].src);
	const struct ip_addr dst = frame_addr(cases[_i].dst);

	fill();
	ck_assert_msg(martian(&table, &src, &dst, false) == cases[_i].by_wire,
		      "%s by a wire", cases[_i].src);
	ck_assert_msg(martian(&table, &src, &dst, true) ==
			      cases[_i].by_loopback,
		      "%s by the loopback", cases[_i].src);
}
END_TEST

/* Every number of addresses, each of them and its neighbours. */
START_TEST(own_addresses_are_found_however_many_there_are)
{
	const struct ip_addr dst = frame_addr("192.0.2.1");

	for (uint32_t n = 0; n < 70; n++) {
		martian_clear(&table);
		for (uint32_t i = 0; i < n; i++) {
			const uint32_t v4 = 0xc6120000 + i * 37 % n * 3;
			const struct ip_addr a = addr_from_v4(htonl(v4));

			martian_add(&table, &a, 32);
		}
		martian_sort(&table);
		for (uint32_t i = 0; i < 3 * n + 3; i++) {
			const struct ip_addr src =
				addr_from_v4(htonl(0xc6120000 + i));
			bool there = false;

			for (uint32_t k = 0; k < n; k++)
				there |= k * 37 % n * 3 == i;
			ck_assert(martian(&table, &src, &dst, false) == there);
			ck_assert(!martian(&table, &src, &dst, true));
		}
	}
}
END_TEST

START_TEST(more_than_have_room_are_not_remembered)
{
	const struct ip_addr dst = frame_addr("192.0.2.1");
	struct ip_addr a;

	martian_clear(&table);
	for (uint32_t i = 0; i < MARTIAN_MAX + 3; i++) {
		a = addr_from_v4(htonl(0x0a000000 + i));
		martian_add(&table, &a, 24);
	}
	martian_sort(&table);
	a = addr_from_v4(htonl(0x0a000000 + MARTIAN_MAX - 1));
	ck_assert(martian(&table, &a, &dst, false));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{what_a_host_would_not_take_is_a_martian, ARRAY_LEN(cases)},
		{own_addresses_are_found_however_many_there_are, 0},
		{more_than_have_room_are_not_remembered, 0},
	};

	return unit_run("martian", tests, ARRAY_LEN(tests));
}
