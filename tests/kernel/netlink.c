/* SPDX-License-Identifier: MIT */
/*
 * netlink.h against a real kernel: every test has networks of its own (see
 * world.h) and changes them with iproute2.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/netlink_state.h"
#include "net/rtmsg.h"
#include "world.h"

#define SKIPPED 77
#define MS_NS	UINT64_C(1000000)

static struct world world;
static struct netlink *nl;

static void set_up(void)
{
	world_init(&world);
	nl = world.nl;
}

static void tear_down(void)
{
	world_free(&world);
}

/* --- words for the tests ------------------------------------------------ */

/* Every call in a millisecond of its own: the budget has a test of its own. */
static struct hop hop_from(const struct ip_addr *src, const char *to)
{
	static uint64_t calls;
	const struct ip_addr dst = ip(to);
	struct hop hop;

	world_read(&world);
	netlink_hop(nl, src, &dst, clock_ns() + ++calls * MS_NS, &hop);
	return hop;
}

static struct hop hop_to(const char *to)
{
	return hop_from(NULL, to);
}

static int index_of(const char *name)
{
	const struct link *link = netlink_link_by_name(nl, name);

	return link ? link->ifindex : 0;
}

/* Leaves by this link, as a frame to the MAC that ends in @last. */
static bool goes_to(struct hop hop, const char *name, uint8_t last)
{
	const uint8_t type[2] = {0x08, 0x00}; /* IPv4 */
	const uint8_t mac[6] = {2, 0, 0, 0, 0, last};

	return hop.link && hop.ifindex && hop.ifindex == index_of(name) &&
	       memcmp(hop.eth, mac, 6) == 0 &&
	       memcmp(hop.eth + 6, netlink_link_by_name(nl, name)->mac, 6) ==
		       0 &&
	       memcmp(hop.eth + 12, type, 2) == 0;
}

/* Leaves by this link, by raw IP. */
static bool goes_raw(struct hop hop, const char *name)
{
	return !hop.link && hop.ifindex && hop.ifindex == index_of(name);
}

static bool goes_nowhere(struct hop hop)
{
	return !hop.link && hop.ifindex == HOP_NO_ROUTE;
}

/* NUD_*, or 0: not in the table */
static uint16_t state_of(const char *text)
{
	const struct neigh_key key = {.addr = ip(text),
				      .ifindex = index_of("v0")};
	uint32_t i;

	i = neigh_find(nl->neighs, &key);
	return i == NEIGH_NONE ? 0 : neigh_at(nl->neighs, i)->state;
}

static void set_neigh(const char *addr, uint8_t last, const char *state)
{
	here("ip neigh replace %s lladdr 02:00:00:00:00:%02x dev v0 nud %s",
	     addr, last, state);
}

/* w0, a second link: 198.18.1.1/24 to 198.18.1.2 with MAC ...:12 */
static void add_second_link(void)
{
	here("ip link add w0 address 02:00:00:00:00:11 type veth "
	     "peer name w0 address 02:00:00:00:00:12 netns /proc/self/fd/%d &&"
	     "ip address add 198.18.1.1/24 dev w0 && ip link set w0 up",
	     world.there);
	there(&world, "ip address add 198.18.1.2/24 dev w0 &&"
		      "ip link set w0 up");
	WAIT_FOR(&world,
		 index_of("w0") && netlink_link(nl, index_of("w0"))->up);
	here("ip neigh replace 198.18.0.2 lladdr 02:00:00:00:00:02 dev v0 &&"
	     "ip neigh replace 198.18.1.2 lladdr 02:00:00:00:00:12 dev w0");
}

/* Verification in milliseconds instead of seconds. */
static void hurry_neighbours(void)
{
	here("cd /proc/sys/net/ipv4/neigh/v0 &&"
	     "echo 0 >delay_first_probe_time && echo 20 >retrans_time_ms");
}

/* --- links and addresses -------------------------------------------------- */

static void count_link(void *arg, const struct netlink_event *event)
{
	unsigned *links = arg;

	ck_assert_ptr_nonnull(event->link);
	++*links;
}

START_TEST(links_and_addresses_are_known_from_the_start)
{
	const struct ip_addr ours = ip("198.18.0.1"), peer = ip("198.18.0.2");
	const struct ip_addr localhost = ip("127.0.0.1");
	const struct link *v0 = netlink_link_by_name(nl, "v0");
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	unsigned links = 0;

	ck_assert_ptr_nonnull(v0);
	ck_assert_ptr_eq(netlink_link(nl, v0->ifindex), v0);
	ck_assert_mem_eq(v0->mac, mac, 6);
	ck_assert_uint_eq(v0->mtu, 1500);
	ck_assert(!v0->loopback);
	ck_assert(netlink_link_by_name(nl, "lo")->loopback);
	ck_assert_ptr_null(netlink_link_by_name(nl, "nosuch"));

	ck_assert_int_eq(netlink_addr_ifindex(nl, &ours), v0->ifindex);
	ck_assert_int_eq(netlink_addr_ifindex(nl, &peer), 0);
	ck_assert_int_eq(netlink_addr_ifindex(nl, &localhost), index_of("lo"));
	netlink_for_each_link(nl, count_link, &links);
	ck_assert_uint_eq(links, 2);
}
END_TEST

START_TEST(addresses_come_and_go_with_one_event_each)
{
	const struct ip_addr addr = ip("198.18.0.7");

	here("ip address add 198.18.0.7/24 dev v0 &&"
	     "ip address add 198.18.0.7/32 dev v0 &&"
	     "ip address del 198.18.0.7/24 dev v0");
	world_read(&world);
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_NEW, "198.18.0.7"), 1);
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_GONE, "198.18.0.7"), 0);
	ck_assert_int_eq(netlink_addr_ifindex(nl, &addr), index_of("v0"));

	here("ip address del 198.18.0.7/32 dev v0");
	world_read(&world);
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_GONE, "198.18.0.7"), 1);
	ck_assert_int_eq(netlink_addr_ifindex(nl, &addr), 0);
}
END_TEST

START_TEST(a_link_that_goes_down_and_up_works_again)
{
	const int v0 = index_of("v0");

	set_neigh("198.18.0.2", 2, "reachable");
	ck_assert(goes_to(hop_to("198.18.0.2"), "v0", 2));

	here("ip link set v0 down");
	ck_assert(goes_nowhere(hop_to("198.18.0.2")));
	ck_assert(world_saw(&world, NETLINK_LINK_DOWN, v0));

	here("ip link set v0 up");
	WAIT_FOR(&world, world_saw(&world, NETLINK_LINK_UP, v0));
	ck_assert(goes_raw(hop_to("198.18.0.2"), "v0"));
	ck_assert(hop_to("198.18.0.2").unresolved);
	send_datagram("198.18.0.2");
	WAIT_FOR(&world, goes_to(hop_to("198.18.0.2"), "v0", 2));
	ck_assert(!hop_to("198.18.0.2").unresolved);
	ck_assert(!hop_to("127.0.0.1").unresolved); /* raw, and nobody to ask */
}
END_TEST

START_TEST(a_lost_carrier_is_noticed)
{
	set_neigh("198.18.0.2", 2, "permanent");
	there(&world, "ip link set v0 down");
	WAIT_FOR(&world, world_saw(&world, NETLINK_LINK_DOWN, index_of("v0")));
	ck_assert(!hop_to("198.18.0.2").link);
	there(&world, "ip link set v0 up");
	WAIT_FOR(&world, world_saw(&world, NETLINK_LINK_UP, index_of("v0")));
	ck_assert(goes_to(hop_to("198.18.0.2"), "v0", 2));
}
END_TEST

START_TEST(a_link_made_anew_has_another_index_and_works)
{
	const int before = index_of("v0");

	here("ip link del v0");
	world_read(&world);
	ck_assert(world_saw(&world, NETLINK_LINK_DOWN, before));
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_GONE, "198.18.0.1"), 1);
	ck_assert_ptr_null(netlink_link(nl, before));
	ck_assert(goes_nowhere(hop_to("198.18.0.2")));

	here("ip link add v0 index %d type veth peer name v0 "
	     "address 02:00:00:00:00:02 netns /proc/self/fd/%d &&"
	     "ip address add 198.18.0.1/24 dev v0 && ip link set v0 up",
	     before + 100, world.there);
	there(&world,
	      "ip address add 198.18.0.2/24 dev v0 && ip link set v0 up");
	WAIT_FOR(&world, world_saw(&world, NETLINK_LINK_UP, before + 100));
	send_datagram("198.18.0.2");
	WAIT_FOR(&world, goes_to(hop_to("198.18.0.2"), "v0", 2));
}
END_TEST

START_TEST(a_changed_mac_mtu_or_name_is_an_event_and_used)
{
	set_neigh("198.18.0.2", 2, "permanent");
	ck_assert(goes_to(hop_to("198.18.0.2"), "v0", 2));
	here("ip link set v0 mtu 1400");
	ck_assert_uint_eq(hop_to("198.18.0.2").mtu, 1400);
	ck_assert(world_saw(&world, NETLINK_LINK_CHANGED, index_of("v0")));

	here("ip link set v0 address 02:00:00:00:00:77");
	set_neigh("198.18.0.2", 2, "permanent");
	WAIT_FOR(&world, goes_to(hop_to("198.18.0.2"), "v0", 2));
	ck_assert_int_eq(hop_to("198.18.0.2").eth[11], 0x77);
}
END_TEST

START_TEST(a_port_that_leaves_its_bridge_lives_on)
{
	const int v0 = index_of("v0");

	if (system("ip link add br0 type bridge 2>/dev/null")) {
		printf("not tested: this kernel has no bridges\n");
		return;
	}
	here("ip link set v0 master br0 && ip link set v0 nomaster");
	world_read(&world);
	ck_assert(!world_saw(&world, NETLINK_LINK_DOWN, v0));
	ck_assert_ptr_nonnull(netlink_link(nl, v0));
}
END_TEST

/* --- neighbours ------------------------------------------------------------
 */

START_TEST(frames_go_to_usable_neighbours_only)
{
	static const char *const usable[] = {"permanent", "reachable", "stale",
					     "delay",	  "probe",     "noarp"};
	static const char *const unusable[] = {"incomplete", "failed"};
	uint8_t i;

	ck_assert(goes_raw(hop_to("198.18.0.9"), "v0"));
	for (i = 0; i < 6; i++) {
		set_neigh("198.18.0.9", i, usable[i]);
		ck_assert_msg(goes_to(hop_to("198.18.0.9"), "v0", i), "%s",
			      usable[i]);
	}
	for (i = 0; i < 2; i++) {
		set_neigh("198.18.0.9", 9, "permanent");
		ck_assert(goes_to(hop_to("198.18.0.9"), "v0", 9));
		set_neigh("198.18.0.9", 9, unusable[i]);
		ck_assert_msg(goes_raw(hop_to("198.18.0.9"), "v0"), "%s",
			      unusable[i]);
	}
	set_neigh("198.18.0.9", 9, "permanent");
	ck_assert(goes_to(hop_to("198.18.0.9"), "v0", 9));
	here("ip neigh del 198.18.0.9 dev v0");
	ck_assert(goes_raw(hop_to("198.18.0.9"), "v0"));
}
END_TEST

START_TEST(a_neighbour_is_learned_when_the_kernel_resolves_it)
{
	uint64_t queries;

	ck_assert(goes_raw(hop_to("198.18.0.2"), "v0"));
	queries = netlink_counters(nl).queries;
	send_datagram("198.18.0.2");
	WAIT_FOR(&world, goes_to(hop_to("198.18.0.2"), "v0", 2));
	ck_assert_uint_eq(netlink_counters(nl).queries, queries);
}
END_TEST

START_TEST(an_address_answered_for_by_proxy_is_no_neighbour)
{
	here("ip neigh add proxy 198.18.0.5 dev v0");
	ck_assert(goes_raw(hop_to("198.18.0.5"), "v0"));
	set_neigh("198.18.0.5", 5, "permanent");
	here("ip neigh del proxy 198.18.0.5 dev v0");
	ck_assert(goes_to(hop_to("198.18.0.5"), "v0", 5));
}
END_TEST

START_TEST(a_stale_neighbour_in_use_is_verified)
{
	hurry_neighbours();
	set_neigh("198.18.0.2", 2, "stale");
	ck_assert(goes_to(hop_to("198.18.0.2"), "v0", 2));
	ck_assert_uint_eq(netlink_counters(nl).probes, 1);
	WAIT_FOR(&world, state_of("198.18.0.2") == NUD_REACHABLE);
}
END_TEST

START_TEST(verification_is_asked_for_once_a_second)
{
	const struct ip_addr dst = ip("198.18.0.9");
	const uint64_t start = clock_ns();
	struct hop hop;
	uint64_t ms;

	set_neigh("198.18.0.9", 9, "stale");
	world_read(&world);
	for (ms = 0; ms <= 3000; ms++)
		netlink_hop(nl, NULL, &dst, start + ms * MS_NS, &hop);
	ck_assert_uint_eq(netlink_counters(nl).probes, 4);
}
END_TEST

START_TEST(a_machine_that_was_replaced_is_found_again)
{
	hurry_neighbours();
	set_neigh("198.18.0.2", 2, "stale");
	there(&world, "ip link set v0 address 02:00:00:00:00:33");
	ck_assert(goes_to(hop_to("198.18.0.2"), "v0", 2));
	WAIT_FOR(&world, goes_raw(hop_to("198.18.0.2"), "v0"));
	send_datagram("198.18.0.2");
	WAIT_FOR(&world, goes_to(hop_to("198.18.0.2"), "v0", 0x33));
}
END_TEST

START_TEST(links_that_resolve_no_neighbours_get_raw_packets)
{
	set_neigh("198.18.0.2", 2, "permanent");
	ck_assert(goes_to(hop_to("198.18.0.2"), "v0", 2));
	here("ip link set v0 arp off");
	ck_assert(goes_raw(hop_to("198.18.0.2"), "v0"));

	if (system("ip tuntap add t0 mode tun 2>/dev/null")) {
		printf("not tested: this host has no tun links\n");
		return;
	}
	here("ip link set t0 up && ip route add 198.19.0.0/16 dev t0");
	ck_assert(goes_raw(hop_to("198.19.0.1"), "t0"));
}
END_TEST

/* --- routes ------------------------------------------------------------------
 */

START_TEST(beyond_a_gateway_frames_go_to_the_gateway)
{
	const struct ip_addr dst = ip("198.19.0.5"), gateway = ip("198.18.0.2");
	const struct ip_addr ours = ip("198.18.0.1");
	struct route route;
	struct err err;

	set_neigh("198.18.0.2", 2, "permanent");
	here("ip route add 198.19.0.0/16 via 198.18.0.2 mtu 1280");
	ck_assert(goes_to(hop_to("198.19.0.5"), "v0", 2));
	ck_assert_uint_eq(hop_to("198.19.0.5").mtu, 1280);
	ck_assert_uint_eq(hop_to("198.18.0.2").mtu, 1500);

	ck_assert_int_eq(netlink_route(nl, NULL, &dst, &route, &err), 0);
	ck_assert_int_eq(route.ifindex, index_of("v0"));
	ck_assert(route.has_gateway);
	ck_assert(addr_equal(&route.gateway, &gateway));
	ck_assert(addr_equal(&route.prefsrc, &ours));
	ck_assert(!route.local);
	ck_assert_uint_eq(route.mtu, 1280);
}
END_TEST

START_TEST(a_route_that_moves_is_followed)
{
	add_second_link();
	here("ip route add 198.19.0.0/16 via 198.18.0.2");
	ck_assert(goes_to(hop_to("198.19.0.5"), "v0", 2));
	world.n_events = 0;
	here("ip route replace 198.19.0.0/16 via 198.18.1.2");
	ck_assert(goes_to(hop_to("198.19.0.5"), "w0", 0x12));
	ck_assert(world_saw(&world, NETLINK_ROUTE_CHANGED, 0));
	here("ip route add 198.19.0.5 via 198.18.0.2"); /* more specific */
	ck_assert(goes_to(hop_to("198.19.0.5"), "v0", 2));
	here("ip route flush root 198.19.0.0/16");
	ck_assert(goes_nowhere(hop_to("198.19.0.5")));
}
END_TEST

START_TEST(policy_rules_are_obeyed_and_followed)
{
	const struct ip_addr src = ip("198.18.0.1"), second = ip("198.18.1.1");

	add_second_link();
	here("ip route add 198.19.0.0/16 via 198.18.0.2 &&"
	     "ip route add 198.19.0.0/16 via 198.18.1.2 table 100");
	ck_assert(goes_to(hop_from(&second, "198.19.0.5"), "v0", 2));
	if (system("ip rule add from 198.18.1.1 lookup 100 2>/dev/null")) {
		printf("not tested: this kernel has no policy rules\n");
		return;
	}
	ck_assert(goes_to(hop_from(&second, "198.19.0.5"), "w0", 0x12));
	ck_assert(goes_to(hop_from(&src, "198.19.0.5"), "v0", 2));
	ck_assert(goes_to(hop_to("198.19.0.5"), "v0", 2));
	here("ip rule del from 198.18.1.1 lookup 100");
	ck_assert(goes_to(hop_from(&second, "198.19.0.5"), "v0", 2));
}
END_TEST

START_TEST(what_has_no_route_goes_nowhere)
{
	static const char *const none[] = {
		"198.19.0.1", /* nothing leads there */
		"198.19.1.1", "198.19.2.1",
		"198.19.3.1", "198.18.0.255", /* broadcast */
		"224.0.0.1",  "255.255.255.255",
	};
	const struct ip_addr dst = ip("198.19.0.1");
	struct route route;
	struct err err;
	size_t i;

	here("ip route add unreachable 198.19.1.0/24 &&"
	     "ip route add prohibit 198.19.2.0/24 &&"
	     "ip route add blackhole 198.19.3.0/24");
	for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
		const uint64_t queries = netlink_counters(nl).queries;

		ck_assert_msg(goes_nowhere(hop_to(none[i])), "%s", none[i]);
		ck_assert_msg(goes_nowhere(hop_to(none[i])), "%s", none[i]);
		ck_assert_uint_eq(netlink_counters(nl).queries, queries + 1);
	}
	ck_assert_int_eq(netlink_route(nl, NULL, &dst, &route, &err),
			 -ENETUNREACH);
	ck_assert_ptr_nonnull(strstr(err.text, "198.19.0.1"));
}
END_TEST

START_TEST(this_host_is_reached_by_raw_ip_over_loopback)
{
	const struct ip_addr ours = ip("198.18.0.1");
	struct route route;
	struct err err;

	ck_assert(goes_raw(hop_to("198.18.0.1"), "lo"));
	ck_assert(goes_raw(hop_to("127.0.0.1"), "lo"));
	ck_assert_uint_ge(hop_to("198.18.0.1").mtu, 65535);
	ck_assert_int_eq(netlink_route(nl, NULL, &ours, &route, &err), 0);
	ck_assert(route.local);
	ck_assert(addr_equal(&route.prefsrc, &ours));
}
END_TEST

START_TEST(a_source_that_is_not_ours_is_refused_by_name)
{
	const struct ip_addr dst = ip("198.18.0.2"), src = ip("198.18.0.7");
	struct route route;
	struct err err;

	ck_assert_int_lt(netlink_route(nl, &src, &dst, &route, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "198.18.0.7 is not an address"));
	ck_assert(goes_nowhere(hop_from(&src, "198.18.0.2")));
	here("ip address add 198.18.0.7/24 dev v0");
	ck_assert(goes_raw(hop_from(&src, "198.18.0.2"), "v0"));
	ck_assert_int_eq(netlink_route(nl, &src, &dst, &route, &err), 0);
	ck_assert(addr_equal(&route.prefsrc, &src));
}
END_TEST

START_TEST(a_flood_of_destinations_asks_for_few_routes)
{
	const uint64_t now = clock_ns() + 10000 * MS_NS;
	struct ip_addr dst;
	struct hop hop;
	uint32_t i;

	world_read(&world);
	for (i = 0; i < 1000; i++) {
		dst = addr_from_v4(htonl(0xc6130000 + i)); /* 198.19/16 */
		netlink_hop(nl, NULL, &dst, now, &hop);
		ck_assert(!hop.link);
		ck_assert_int_eq(hop.ifindex, i < NETLINK_QUERIES_PER_MS
						      ? HOP_NO_ROUTE
						      : HOP_UNKNOWN);
	}
	ck_assert_uint_eq(hop.mtu, 1500);
	ck_assert_uint_eq(netlink_counters(nl).queries, NETLINK_QUERIES_PER_MS);
	ck_assert_uint_eq(netlink_counters(nl).over_budget,
			  1000 - NETLINK_QUERIES_PER_MS);
	netlink_hop(nl, NULL, &dst, now + MS_NS, &hop);
	ck_assert_int_eq(hop.ifindex, HOP_NO_ROUTE);
}
END_TEST

START_TEST(a_late_answer_is_not_taken_for_another)
{
	_Alignas(struct nlmsghdr) char request[128];
	const struct ip_addr given_up = ip("127.0.0.1");
	const struct nlmsghdr *nlh = rtmsg_ask_route(request, NULL, &given_up);

	ck_assert_int_eq(mnl_socket_sendto(nl->ask.socket, nlh, nlh->nlmsg_len),
			 nlh->nlmsg_len);
	ck_assert(goes_raw(hop_to("198.18.0.2"), "v0"));
}
END_TEST

START_TEST(an_answer_is_asked_for_again_after_a_while)
{
	const struct ip_addr dst = ip("198.18.0.9");
	const uint64_t now = clock_ns();
	struct hop hop;

	world_read(&world);
	netlink_hop(nl, NULL, &dst, now, &hop);
	netlink_hop(nl, NULL, &dst, now + 29000 * MS_NS, &hop);
	ck_assert_uint_eq(netlink_counters(nl).queries, 1);
	netlink_hop(nl, NULL, &dst, now + 30000 * MS_NS, &hop);
	ck_assert_uint_eq(netlink_counters(nl).queries, 2);
}
END_TEST

/* --- overruns
 * ------------------------------------------------------------------ */

START_TEST(after_an_overrun_everything_is_read_again)
{
	const struct ip_addr last = ip("198.19.0.250");
	const int v0 = index_of("v0"), small = 1;

	add_second_link();
	set_neigh("198.18.0.9", 9, "permanent");
	here("ip address add 198.18.0.7/24 dev v0");
	ck_assert(goes_to(hop_to("198.18.0.9"), "v0", 9));
	setsockopt(netlink_fd(nl), SOL_SOCKET, SO_RCVBUF, &small,
		   sizeof(small)); /* as small as the kernel allows */
	world.n_events = 0;

	here("for i in $(seq 250); do "
	     "echo address add 198.19.0.$i/32 dev v0; "
	     "done | ip -batch - &&"
	     "ip neigh del 198.18.0.9 dev v0 &&"
	     "ip address del 198.18.0.7/24 dev v0 && ip link del w0");
	world_read(&world);
	ck_assert_uint_eq(netlink_counters(nl).resyncs, 1);

	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_NEW, "198.19.0.250"), 1);
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_GONE, "198.18.0.7"), 1);
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_GONE, "198.18.1.1"), 1);
	ck_assert_uint_eq(
		world_count_addr(&world, NETLINK_ADDR_NEW, "198.18.0.1"), 0);
	ck_assert(world_saw(&world, NETLINK_ROUTE_CHANGED, 0));
	ck_assert(!world_saw(&world, NETLINK_LINK_DOWN, v0));
	ck_assert_int_eq(netlink_addr_ifindex(nl, &last), v0);
	ck_assert_ptr_null(netlink_link_by_name(nl, "w0"));
	ck_assert(goes_raw(hop_to("198.18.0.9"), "v0"));

	/* and notifications are heard again */
	set_neigh("198.18.0.9", 9, "permanent");
	ck_assert(goes_to(hop_to("198.18.0.9"), "v0", 9));
	ck_assert_uint_eq(netlink_counters(nl).resyncs, 1);
}
END_TEST

static void ask_in_between(void *arg, const struct netlink_event *event)
{
	const struct ip_addr dst = ip("198.18.0.2");
	unsigned *asked = arg;
	struct route route;
	struct err err;

	(void)event;
	ck_assert_int_eq(netlink_route(nl, NULL, &dst, &route, &err), 0);
	++*asked;
}

START_TEST(who_hears_of_a_change_may_ask_for_a_route)
{
	const int small = 1;
	unsigned asked = 0;

	setsockopt(netlink_fd(nl), SOL_SOCKET, SO_RCVBUF, &small,
		   sizeof(small));
	here("for i in $(seq 250); do "
	     "echo address add 198.19.0.$i/32 dev v0; "
	     "done | ip -batch -");
	netlink_read(nl, ask_in_between, &asked);
	ck_assert_uint_eq(netlink_counters(nl).resyncs, 1);
	ck_assert_uint_ge(asked, 250);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("netlink");
	TCase *c = tcase_create("kernel");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, links_and_addresses_are_known_from_the_start);
	tcase_add_test(c, addresses_come_and_go_with_one_event_each);
	tcase_add_test(c, a_link_that_goes_down_and_up_works_again);
	tcase_add_test(c, a_lost_carrier_is_noticed);
	tcase_add_test(c, a_link_made_anew_has_another_index_and_works);
	tcase_add_test(c, a_changed_mac_mtu_or_name_is_an_event_and_used);
	tcase_add_test(c, a_port_that_leaves_its_bridge_lives_on);
	tcase_add_test(c, frames_go_to_usable_neighbours_only);
	tcase_add_test(c, a_neighbour_is_learned_when_the_kernel_resolves_it);
	tcase_add_test(c, an_address_answered_for_by_proxy_is_no_neighbour);
	tcase_add_test(c, a_stale_neighbour_in_use_is_verified);
	tcase_add_test(c, verification_is_asked_for_once_a_second);
	tcase_add_test(c, a_machine_that_was_replaced_is_found_again);
	tcase_add_test(c, links_that_resolve_no_neighbours_get_raw_packets);
	tcase_add_test(c, beyond_a_gateway_frames_go_to_the_gateway);
	tcase_add_test(c, a_route_that_moves_is_followed);
	tcase_add_test(c, policy_rules_are_obeyed_and_followed);
	tcase_add_test(c, what_has_no_route_goes_nowhere);
	tcase_add_test(c, this_host_is_reached_by_raw_ip_over_loopback);
	tcase_add_test(c, a_source_that_is_not_ours_is_refused_by_name);
	tcase_add_test(c, a_flood_of_destinations_asks_for_few_routes);
	tcase_add_test(c, a_late_answer_is_not_taken_for_another);
	tcase_add_test(c, an_answer_is_asked_for_again_after_a_while);
	tcase_add_test(c, after_an_overrun_everything_is_read_again);
	tcase_add_test(c, who_hears_of_a_change_may_ask_for_a_route);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	SRunner *runner;
	int failed;

	if (!world_possible())
		return SKIPPED;
	runner = srunner_create(suite());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
