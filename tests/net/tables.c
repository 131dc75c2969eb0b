/* SPDX-License-Identifier: MIT */
/*
 * The tables behind netlink.h beside slow and obvious ones, and the messages
 * that are easily taken for something else.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "net/links.h"
#include "net/neigh.h"
#include "net/route_cache.h"
#include "net/rtmsg.h"

static struct ip_addr nth(uint32_t i)
{
	return addr_from_v4(htonl(0xc6120000 + i)); /* 198.18.0.0/15 */
}

/* --- neighbours --------------------------------------------------------- */

#define KEYS  300
#define LINKS 3

struct oracle {
	bool known;
	bool heard; /* since the sweep began */
	uint16_t state;
	uint8_t mac[6];
};

static struct neigh_key key_of(unsigned k)
{
	return (struct neigh_key){.addr = nth(k / LINKS),
				  .ifindex = 1 + (int)(k % LINKS)};
}

static void check_neighs(struct neigh_table *t, const struct oracle *oracle)
{
	unsigned k;

	for (k = 0; k < KEYS; k++) {
		const struct neigh_key key = key_of(k);
		uint32_t i = neigh_find(t, &key);

		ck_assert_int_eq(i != NEIGH_NONE, oracle[k].known);
		if (i == NEIGH_NONE)
			continue;
		ck_assert_uint_eq(neigh_at(t, i)->state, oracle[k].state);
		ck_assert_mem_eq(neigh_at(t, i)->mac, oracle[k].mac, 6);
	}
}

static void random_update(struct neigh_table *t, struct oracle *o, unsigned k)
{
	static const uint16_t states[] = {
		NUD_NONE,   NUD_INCOMPLETE, NUD_REACHABLE,
		NUD_STALE,  NUD_DELAY,	    NUD_PROBE,
		NUD_FAILED, NUD_NOARP,	    NUD_PERMANENT,
	};
	const struct neigh_key key = key_of(k);
	const unsigned s = (unsigned)random() % 9;
	const uint8_t mac[6] = {2, (uint8_t)random(), (uint8_t)k};
	const bool has_mac = random() % 8;

	ck_assert_int_eq(neigh_update(t, &key, states[s], has_mac ? mac : NULL),
			 0);
	o->known = has_mac && states[s] != NUD_NONE &&
		   states[s] != NUD_INCOMPLETE && states[s] != NUD_FAILED;
	o->heard = true;
	o->state = states[s];
	memcpy(o->mac, mac, 6);
}

START_TEST(the_neighbour_table_is_as_a_plain_list)
{
	struct oracle oracle[KEYS] = {0};
	struct neigh_table *t;
	int step;
	unsigned k;

	srandom((unsigned)_i);
	ck_assert_int_eq(neigh_table_new(&t), 0);
	for (step = 0; step < 3000; step++) {
		const unsigned chosen = (unsigned)random() % KEYS;
		const struct neigh_key key = key_of(chosen);

		switch (random() % 64) {
		case 0: /* a link vanishes */
			neigh_remove_link(t, key.ifindex);
			for (k = 0; k < KEYS; k++)
				if (key_of(k).ifindex == key.ifindex)
					oracle[k].known = false;
			break;
		case 1: /* everything is read again */
			neigh_sweep_begin(t);
			for (k = 0; k < KEYS; k++)
				oracle[k].heard = false;
			for (k = 0; k < KEYS; k++)
				if (random() % 4)
					random_update(t, &oracle[k], k);
			neigh_sweep_end(t);
			for (k = 0; k < KEYS; k++)
				oracle[k].known &= oracle[k].heard;
			break;
		case 2:
		case 3:
			neigh_remove(t, &key);
			oracle[chosen].known = false;
			break;
		default: random_update(t, &oracle[chosen], chosen);
		}
		if (step % 16 == 0)
			check_neighs(t, oracle);
	}
	check_neighs(t, oracle);
	neigh_table_free(t);
}
END_TEST

START_TEST(a_full_neighbour_table_refuses_and_recovers)
{
	const uint8_t mac[6] = {2};
	struct neigh_key key = {.ifindex = 1};
	struct neigh_table *t;
	uint32_t i;

	ck_assert_int_eq(neigh_table_new(&t), 0);
	for (i = 0; i < NEIGH_MAX; i++) {
		key.addr = nth(i);
		ck_assert_int_eq(neigh_update(t, &key, NUD_STALE, mac), 0);
	}
	key.addr = nth(NEIGH_MAX);
	ck_assert_int_eq(neigh_update(t, &key, NUD_STALE, mac), -ENOSPC);
	ck_assert_uint_eq(neigh_find(t, &key), NEIGH_NONE);

	/* known ones still change */
	key.addr = nth(5);
	ck_assert_int_eq(neigh_update(t, &key, NUD_REACHABLE, mac), 0);
	ck_assert_uint_eq(neigh_at(t, neigh_find(t, &key))->state,
			  NUD_REACHABLE);

	neigh_remove(t, &key);
	key.addr = nth(NEIGH_MAX);
	ck_assert_int_eq(neigh_update(t, &key, NUD_STALE, mac), 0);
	neigh_table_free(t);
}
END_TEST

START_TEST(the_generation_tells_when_an_index_is_no_longer_good)
{
	const struct neigh_key key = {.addr = nth(1), .ifindex = 1};
	const struct neigh_key other = {.addr = nth(2), .ifindex = 1};
	const uint8_t mac[6] = {2}, moved[6] = {4};
	struct neigh_table *t;
	uint64_t generation;
	uint32_t i;

	ck_assert_int_eq(neigh_table_new(&t), 0);
	generation = neigh_generation(t);
	neigh_update(t, &key, NUD_STALE, mac);
	ck_assert_uint_ne(neigh_generation(t), generation);
	generation = neigh_generation(t);
	i = neigh_find(t, &key);

	/* seen through the index: no change of generation */
	neigh_update(t, &key, NUD_REACHABLE, moved);
	ck_assert_uint_eq(neigh_generation(t), generation);
	ck_assert_uint_eq(neigh_find(t, &key), i);
	ck_assert_mem_eq(neigh_at(t, i)->mac, moved, 6);

	/* a scan of machines that are not there changes nothing */
	neigh_update(t, &other, NUD_INCOMPLETE, NULL);
	neigh_update(t, &other, NUD_FAILED, NULL);
	neigh_remove(t, &other);
	ck_assert_uint_eq(neigh_generation(t), generation);

	neigh_update(t, &key, NUD_FAILED, mac);
	ck_assert_uint_ne(neigh_generation(t), generation);
	neigh_table_free(t);
}
END_TEST

/* --- paths ------------------------------------------------------------------
 */

START_TEST(a_path_is_found_as_it_was_put_or_not_at_all)
{
	const uint32_t keys = 3 * ROUTE_CACHE_MAX;
	uint32_t *put = calloc(keys, sizeof(*put)), step, found = 0;
	struct route_cache *c;

	srandom((unsigned)_i);
	ck_assert_int_eq(route_cache_new(&c), 0);
	for (step = 1; step < 300000; step++) {
		const uint32_t k = (uint32_t)random() % keys;
		const struct route_key key = {.src = nth(k % 2),
					      .dst = nth(k / 2)};
		struct cached_route *path = route_cache_find(c, &key, step);

		if (step % 100000 == 0) {
			route_cache_forget_all(c);
			memset(put, 0, keys * sizeof(*put));
			continue;
		}
		if (path) {
			ck_assert_uint_ne(put[k], 0);
			ck_assert_uint_eq(path->mtu, put[k]);
			found++;
		}
		put[k] = step;
		route_cache_put(c, &key, step)->mtu = step;
	}
	ck_assert_uint_gt(found, 50000); /* a third fits */
	route_cache_free(c);
	free(put);
}
END_TEST

START_TEST(a_flood_does_not_push_out_paths_in_use)
{
	const uint32_t regulars = 1000, packets = 200000;
	uint32_t i, missed = 0;
	struct route_cache *c;

	ck_assert_int_eq(route_cache_new(&c), 0);
	for (i = 0; i < packets; i++) {
		const struct route_key known = {.dst = nth(i % regulars)};
		const struct route_key invented = {.dst = nth(5000 + i)};

		if (i >= regulars && !route_cache_find(c, &known, i))
			missed++;
		route_cache_put(c, &known, i);
		route_cache_put(c, &invented, i);
	}
	ck_assert_uint_lt(missed, packets / 100);
	route_cache_free(c);
}
END_TEST

/* --- links and addresses -------------------------------------------------- */

START_TEST(links_and_addresses_not_heard_of_are_swept)
{
	struct link l = {.ifindex = 1, .name = "v0", .mtu = 1500, .up = true};
	struct link_addr a = {.ifindex = 1, .addr = nth(1), .peer = nth(1)};
	struct link_table *t;
	struct link_addr gone_addr;
	struct link gone;

	ck_assert_int_eq(link_table_new(&t), 0);
	ck_assert_uint_eq(links_largest_mtu(t), 65535);
	ck_assert_int_eq(links_set_link(t, &l), 0);
	ck_assert_int_eq(links_add_addr(t, &a), 0);
	a.prefix_len = 24;
	ck_assert_int_eq(links_add_addr(t, &a), 0);
	l = (struct link){.ifindex = 2, .name = "v1", .mtu = 9000};
	ck_assert_int_eq(links_set_link(t, &l), 0);
	ck_assert_uint_eq(links_largest_mtu(t), 1500); /* v1 is down */

	links_sweep_begin(t);
	l.up = true;
	ck_assert_int_eq(links_set_link(t, &l), 0);
	ck_assert_int_eq(links_add_addr(t, &a), 0);
	ck_assert(links_sweep_link(t, &gone));
	ck_assert_int_eq(gone.ifindex, 1);
	ck_assert(!links_sweep_link(t, &gone));
	ck_assert(links_sweep_addr(t, &gone_addr));
	ck_assert_uint_eq(gone_addr.prefix_len, 0);
	ck_assert(!links_sweep_addr(t, &gone_addr));
	ck_assert_ptr_nonnull(links_holder(t, 1, &a.addr));
	ck_assert_ptr_null(links_holder(t, 2, &a.addr));
	ck_assert_ptr_null(links_link(t, 1));
	ck_assert_ptr_nonnull(links_link_by_name(t, "v1"));
	ck_assert_uint_eq(links_largest_mtu(t), 9000);
	link_table_free(t);
}
END_TEST

START_TEST(full_tables_of_links_and_addresses_refuse)
{
	struct link_table *t;
	int i;

	ck_assert_int_eq(link_table_new(&t), 0);
	for (i = 1; i <= IFACE_LINKS_MAX; i++)
		ck_assert_int_eq(
			links_set_link(t, &(struct link){.ifindex = i}), 0);
	for (i = 1; i <= IFACE_ADDRS_MAX; i++)
		ck_assert_int_eq(
			links_add_addr(t, &(struct link_addr){.ifindex = i}),
			0);
	ck_assert_int_eq(links_set_link(t, &(struct link){.ifindex = i}),
			 -ENOSPC);
	ck_assert_int_eq(links_add_addr(t, &(struct link_addr){.ifindex = i}),
			 -ENOSPC);
	ck_assert_int_eq(links_set_link(t, &(struct link){.ifindex = 7}), 0);
	link_table_free(t);
}
END_TEST

/* --- messages ----------------------------------------------------------------
 */

static _Alignas(struct nlmsghdr) char buffer[512];

/* A message of @type with a fixed part of @len bytes: the family, then 0. */
static struct nlmsghdr *message(uint16_t type, uint8_t family, size_t len)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	uint8_t *fixed = mnl_nlmsg_put_extra_header(nlh, len);

	nlh->nlmsg_type = type;
	fixed[0] = family;
	return nlh;
}

START_TEST(a_message_about_a_bridge_port_is_not_about_a_link)
{
	struct nlmsghdr *nlh =
		message(RTM_DELLINK, AF_BRIDGE, sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_index = 3;
	ck_assert_int_eq(rtmsg_link_index(nlh), 0);
	ifi->ifi_family = AF_UNSPEC;
	ck_assert_int_eq(rtmsg_link_index(nlh), 3);
}
END_TEST

static void link_is(struct link_table *t, int ifindex, int master, int parent)
{
	const struct link l = {.ifindex = ifindex,
			       .name = "l",
			       .master = master,
			       .parent = parent};

	ck_assert_int_eq(links_set_link(t, &l), 0);
}

/* 1, 2 are members of bond 3, 4 a VLAN of it and a port of bridge 5; 6 a
 * macvlan of that. 7 and 8 are each other's parent, as two veths are.
 */
START_TEST(what_carries_an_interface_is_found_through_all_levels)
{
	static const struct {
		int lower, ifindex;
		bool carries;
	} cases[] = {
		{1, 3, true},  {2, 4, true},  {3, 4, true},  {1, 5, true},
		{1, 6, true},  {4, 5, true},  {4, 6, true},  {6, 6, true},
		{5, 4, false}, {3, 1, false}, {6, 5, false}, {1, 2, false},
		{7, 8, true},  {7, 6, false}, {1, 9, false}, {9, 1, false},
		{0, 0, false}, {1, 0, false},
	};
	struct link_table *t;

	ck_assert_int_eq(link_table_new(&t), 0);
	link_is(t, 1, 3, 0);
	link_is(t, 2, 3, 0);
	link_is(t, 3, 0, 0);
	link_is(t, 4, 5, 3);
	link_is(t, 5, 0, 0);
	link_is(t, 6, 0, 5);
	link_is(t, 7, 0, 8);
	link_is(t, 8, 0, 7);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(
			links_carries(t, cases[i].lower, cases[i].ifindex) ==
				cases[i].carries,
			"%d carries %d", cases[i].lower, cases[i].ifindex);
	link_table_free(t);
}
END_TEST

static struct link read_port(const char *kind, bool whole)
{
	struct link link = {.ifindex = 3, .master = 8, .parent = 9};
	struct nlmsghdr *nlh =
		message(RTM_NEWLINK, AF_UNSPEC, sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct nlattr *info;

	ifi->ifi_index = 3;
	if (whole)
		mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	if (kind) {
		mnl_attr_put_u32(nlh, IFLA_MASTER, 5);
		info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
		mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, kind);
		mnl_attr_nest_end(nlh, info);
	}
	rtmsg_read_link(nlh, &link);
	return link;
}

START_TEST(a_port_has_a_master_until_it_leaves_and_a_vrf_is_none)
{
	ck_assert_int_eq(read_port("bridge", true).master, 5);
	ck_assert_int_eq(read_port("bond", true).master, 5);
	ck_assert_int_eq(read_port("vrf", true).master, 0);
	ck_assert_int_eq(read_port("vrfx", true).master, 5);
	ck_assert_int_eq(read_port(NULL, true).master, 0);
	ck_assert_int_eq(read_port(NULL, true).parent, 0);
	ck_assert_int_eq(read_port(NULL, false).master, 8);
	ck_assert_int_eq(read_port(NULL, false).parent, 9);
}
END_TEST

START_TEST(half_a_link_message_leaves_the_rest_as_known)
{
	struct link link = {.ifindex = 3, .mtu = 1400, .mac = {2, 1}};
	struct nlmsghdr *nlh =
		message(RTM_NEWLINK, AF_UNSPEC, sizeof(struct ifinfomsg));
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_index = 3;
	ifi->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_str(nlh, IFLA_IFNAME, "wlan0"); /* no final 0 */
	rtmsg_read_link(nlh, &link);
	ck_assert(link.up);
	ck_assert_uint_eq(link.mtu, 1400);
	ck_assert_int_eq(link.mac[1], 1);
	ck_assert_str_eq(link.name, "wlan0");
}
END_TEST

START_TEST(an_infiniband_address_is_not_taken_for_a_mac)
{
	struct nlmsghdr *nlh =
		message(RTM_NEWNEIGH, AF_INET, sizeof(struct ndmsg));
	struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const uint8_t address[20] = {1};
	struct neigh_key key = {0};
	const uint8_t *mac;
	uint16_t state;

	ndm->ndm_state = NUD_REACHABLE;
	ck_assert(!rtmsg_read_neigh(nlh, &key, &state, &mac)); /* no NDA_DST */
	mnl_attr_put_u32(nlh, NDA_DST, htonl(0xc6120009));
	mnl_attr_put(nlh, NDA_LLADDR, sizeof(address), address);
	ck_assert(rtmsg_read_neigh(nlh, &key, &state, &mac));
	ck_assert_ptr_null(mac);
	ndm->ndm_flags = NTF_PROXY;
	ck_assert(!rtmsg_read_neigh(nlh, &key, &state, &mac));
}
END_TEST

START_TEST(a_gateway_of_another_family_is_left_to_the_kernel)
{
	struct nlmsghdr *nlh =
		message(RTM_NEWROUTE, AF_INET, sizeof(struct rtmsg));
	struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const uint8_t via[18] = {AF_INET6};
	struct route route;

	rtm->rtm_type = RTN_UNICAST;
	ck_assert(!rtmsg_read_route(nlh, &route)); /* leaves nowhere */
	mnl_attr_put_u32(nlh, RTA_OIF, 3);
	ck_assert(rtmsg_read_route(nlh, &route));
	ck_assert(!route.raw_only);
	mnl_attr_put(nlh, RTA_VIA, sizeof(via), via);
	ck_assert(rtmsg_read_route(nlh, &route));
	ck_assert(route.raw_only);
	ck_assert(!route.has_gateway);
	rtm->rtm_type = RTN_BROADCAST;
	ck_assert(!rtmsg_read_route(nlh, &route));
}
END_TEST

START_TEST(only_ipv4_moves_routes)
{
	static const struct {
		uint16_t type;
		uint8_t family;
		bool moves;
	} cases[] = {
		{RTM_NEWROUTE, AF_INET, true},
		{RTM_DELROUTE, AF_INET, true},
		{RTM_NEWROUTE, AF_INET6, false},
		{RTM_NEWROUTE, 128 /* RTNL_FAMILY_IPMR */, false},
		{RTM_NEWRULE, AF_INET, true},
		{RTM_DELRULE, AF_INET6, false},
		{RTM_NEWNEXTHOP, AF_INET, true},
		{RTM_DELNEXTHOP, AF_UNSPEC, true}, /* a group */
		{RTM_DELNEXTHOP, AF_INET6, false},
		{RTM_NEWNEIGH, AF_INET, false},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_int_eq(rtmsg_moves_routes(
					 message(cases[i].type, cases[i].family,
						 sizeof(struct rtmsg))),
				 cases[i].moves);
}
END_TEST

/* Whatever the length says, nothing is read beyond it (valgrind, ASan). */
START_TEST(messages_cut_short_are_refused)
{
	const uint16_t types[] = {RTM_NEWLINK, RTM_NEWADDR, RTM_NEWNEIGH,
				  RTM_NEWROUTE};
	struct nlmsghdr *whole, *cut;
	struct link_addr addr;
	struct neigh_key key;
	struct route route;
	struct link link = {0};
	const uint8_t *mac;
	uint16_t state;
	uint32_t len;

	whole = message(types[_i], AF_INET, 16);
	mnl_attr_put_u32(whole, 1, 1);
	mnl_attr_put_u32(whole, 2, 1);
	mnl_attr_put_str(whole, 3, "name");
	mnl_attr_put_u32(whole, 4, 1);
	for (len = NLMSG_HDRLEN; len <= whole->nlmsg_len; len++) {
		cut = calloc(1, MNL_ALIGN(len)); /* as netlink pads them */
		memcpy(cut, whole, len);
		cut->nlmsg_len = len;
		rtmsg_link_index(cut);
		rtmsg_read_link(cut, &link);
		rtmsg_read_addr(cut, &addr);
		rtmsg_read_neigh(cut, &key, &state, &mac);
		rtmsg_read_route(cut, &route);
		rtmsg_moves_routes(cut);
		free(cut);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("netlink");
	TCase *c = tcase_create("tables");

	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, the_neighbour_table_is_as_a_plain_list, 0, 5);
	tcase_add_test(c, a_full_neighbour_table_refuses_and_recovers);
	tcase_add_test(c, the_generation_tells_when_an_index_is_no_longer_good);
	tcase_add_loop_test(c, a_path_is_found_as_it_was_put_or_not_at_all, 0,
			    2);
	tcase_add_test(c, a_flood_does_not_push_out_paths_in_use);
	tcase_add_test(c, links_and_addresses_not_heard_of_are_swept);
	tcase_add_test(c, full_tables_of_links_and_addresses_refuse);
	tcase_add_test(c, a_message_about_a_bridge_port_is_not_about_a_link);
	tcase_add_test(c, half_a_link_message_leaves_the_rest_as_known);
	tcase_add_test(c,
		       what_carries_an_interface_is_found_through_all_levels);
	tcase_add_test(c,
		       a_port_has_a_master_until_it_leaves_and_a_vrf_is_none);
	tcase_add_test(c, an_infiniband_address_is_not_taken_for_a_mac);
	tcase_add_test(c, a_gateway_of_another_family_is_left_to_the_kernel);
	tcase_add_test(c, only_ipv4_moves_routes);
	tcase_add_loop_test(c, messages_cut_short_are_refused, 0, 4);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
