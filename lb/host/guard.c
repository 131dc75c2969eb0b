/* SPDX-License-Identifier: MIT */
/*
 * guard.c - writes the firewall guard: one nftables table, one transaction
 *
 * Five sets (services, backends, sources, skipped, interfaces) and sixteen
 * rules, whatever the number of addresses. An existing table is emptied and
 * refilled within the transaction, not deleted, so each chain switches from the
 * old rules to the new ones at one instant. With a new table beside a dying
 * one, a packet between the two hooks could slip past both, and the host's
 * stack would reset a live connection. Only a table of another shape (from
 * another version) is deleted and created anew.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "host/guard.h"
#include "host/nft.h"
#include "host/nft_rule.h"

/*
 * Prerouting and output: before conntrack (-200), after its defragmentation
 * (-400). Input: before all other chains of the host; fragments are reassembled
 * by then.
 */
#define PRIORITY_RAW (-300)

/*
 * The type numbers of nft(8), 6 bits each in a concatenation. Needed only to
 * list the sets.
 */
#define TYPE_IPV4_ADDR	   7
#define TYPE_INET_SERVICE  13
#define TYPE_IPV4_ENDPOINT (TYPE_IPV4_ADDR << 6 | TYPE_INET_SERVICE)

static const char services_set[] = "services";
static const char backends_set[] = "backends";
static const char sources_set[] = "sources";
static const char skipped_set[] = "skipped";
static const char interfaces_set[] = "interfaces";
static const char prerouting_chain[] = "prerouting";
static const char input_chain[] = "input";
static const char output_chain[] = "output";
static const char from_clients[] = "from_clients";
static const char from_backends[] = "from_backends";

/* Key of services and backends. The kernel pads each part to a register. */
struct endpoint_key {
	uint32_t addr; /* network order */
	uint16_t port; /* network order */
	uint16_t zero;
};
static_assert(sizeof(struct endpoint_key) == 8, "two 32-bit registers");

static struct endpoint_key endpoint_key(const struct endpoint *e)
{
	assert(addr_is_v4(&e->addr));
	return (struct endpoint_key){addr_to_v4(&e->addr), e->port, 0};
}

static void fill_endpoints(struct nft_batch *b, const char *name,
			   const struct endpoint *list, size_t n)
{
	struct endpoint_key *keys = calloc(n + 1, sizeof(*keys));

	b->failed |= !keys;
	for (size_t i = 0; keys && i < n; i++)
		keys[i] = endpoint_key(&list[i]);
	if (keys)
		nft_add_elements(b, name, keys, sizeof(*keys), n);
	free(keys);
}

static void fill_addresses(struct nft_batch *b, const char *name,
			   const struct ip_addr *list, size_t n)
{
	uint32_t *keys = calloc(n + 1, sizeof(*keys));

	b->failed |= !keys;
	for (size_t i = 0; keys && i < n; i++) {
		assert(addr_is_v4(&list[i]));
		keys[i] = addr_to_v4(&list[i]);
	}
	if (keys)
		nft_add_elements(b, name, keys, sizeof(*keys), n);
	free(keys);
}

static void fill_ports(struct nft_batch *b, const char *name,
		       const uint16_t *list, size_t n)
{
	uint16_t *keys = calloc(n + 1, sizeof(*keys));

	b->failed |= !keys;
	for (size_t i = 0; keys && i < n; i++)
		keys[i] = htons(list[i]);
	if (keys)
		nft_add_elements(b, name, keys, sizeof(*keys), n);
	free(keys);
}

/* The kernel compares all 16 bytes: pad the name with zeros. */
static void fill_names(struct nft_batch *b, const char *name,
		       const char (*list)[GUARD_INTERFACE_LEN], size_t n)
{
	char(*keys)[GUARD_INTERFACE_LEN] = calloc(n + 1, sizeof(*keys));

	b->failed |= !keys;
	for (size_t i = 0; keys && i < n; i++)
		memcpy(keys[i], list[i],
		       strnlen(list[i], GUARD_INTERFACE_LEN - 1));
	if (keys)
		nft_add_elements(b, name, keys, sizeof(*keys), n);
	free(keys);
}

/* Matches if @end is one of our source addresses and a NAT port. */
static void match_nat(struct nft_rule *rule, enum nft_end end,
		      const struct guard_spec *spec)
{
	nft_rule_ports(rule, end, spec->nat_lo, spec->nat_hi, skipped_set);
	nft_rule_addr(rule, end, sources_set);
}

/* Limits the rule to the named interfaces, if there are any. */
static void match_interface(struct nft_rule *rule,
			    const struct guard_spec *spec)
{
	if (spec->n_interfaces)
		nft_rule_interface(rule, interfaces_set);
}

/*
 * What becomes of our packets at prerouting. Dropping them there is quickest:
 * it saves the kernel the look-up of a socket and a route
 * (docs/bench/notes.md). But with br_netfilter, prerouting runs when a frame is
 * still at the bridge's port, and our tap is at the bridge: dropped here, the
 * frame would be lost. The kernel calls that interface the bridge, or a VLAN of
 * it. And if the address is another host's now, the packet may be on its way
 * there. All these go on to input.
 */
static void add_branch(struct nft_batch *b, const char *branch, bool early)
{
	static const char *const too_early[] = {"bridge", "vlan"};
	struct nft_rule rule;

	for (size_t i = 0; early && i < 2; i++) {
		nft_rule_begin_all(&rule, b, branch);
		nft_rule_kind(&rule, too_early[i]);
		nft_rule_notrack(&rule);
	}
	if (early) {
		nft_rule_begin_all(&rule, b, branch);
		nft_rule_local(&rule);
		nft_rule_drop(&rule);
	}
	nft_rule_begin_all(&rule, b, branch);
	nft_rule_notrack(&rule);
}

/*
 * Services and sources are addresses of this host, so their packets reach input
 * at the latest, and are dropped there.
 *
 * Both directions bypass conntrack. Conntrack would see one half of each
 * connection and call the other half invalid, and a DNAT rule of the host for
 * the same port would divert packets before they are dropped.
 */
static void add_rules(struct nft_batch *b, const struct guard_spec *spec,
		      bool early)
{
	struct nft_rule rule;

	add_branch(b, from_clients, early);
	add_branch(b, from_backends, early);

	nft_rule_begin(&rule, b, prerouting_chain);
	nft_rule_endpoint(&rule, NFT_DST, services_set);
	match_interface(&rule, spec);
	nft_rule_goto(&rule, from_clients);

	nft_rule_begin(&rule, b, prerouting_chain);
	match_nat(&rule, NFT_DST, spec);
	nft_rule_endpoint(&rule, NFT_SRC, backends_set);
	match_interface(&rule, spec);
	nft_rule_goto(&rule, from_backends);

	nft_rule_begin(&rule, b, input_chain);
	nft_rule_endpoint(&rule, NFT_DST, services_set);
	match_interface(&rule, spec);
	nft_rule_drop(&rule);

	nft_rule_begin(&rule, b, input_chain);
	match_nat(&rule, NFT_DST, spec);
	nft_rule_endpoint(&rule, NFT_SRC, backends_set);
	match_interface(&rule, spec);
	nft_rule_drop(&rule);

	nft_rule_begin(&rule, b, output_chain); /* a client on this host */
	nft_rule_endpoint(&rule, NFT_DST, services_set);
	nft_rule_notrack(&rule);

	nft_rule_begin(&rule, b, output_chain); /* l4lb to a client */
	nft_rule_endpoint(&rule, NFT_SRC, services_set);
	nft_rule_notrack(&rule);

	nft_rule_begin(&rule, b, output_chain); /* a backend on this host */
	match_nat(&rule, NFT_DST, spec);
	nft_rule_endpoint(&rule, NFT_SRC, backends_set);
	nft_rule_notrack(&rule);

	nft_rule_begin(&rule, b, output_chain); /* l4lb to a backend */
	match_nat(&rule, NFT_SRC, spec);
	nft_rule_endpoint(&rule, NFT_DST, backends_set);
	nft_rule_notrack(&rule);
}

int guard_explain(struct err *err, int ret, const char *name)
{
	switch (ret) {
	case 0: return 0;
	case -EPERM:
	case -EACCES:
		return err_set(
			err, -EPERM,
			"firewall guard: no permission to change nftables "
			"table l4lb_%s: run as root (CAP_NET_ADMIN), or "
			"set the rules with iptables/guard.sh and use "
			"--guard none",
			name);
	case -EOPNOTSUPP:
	case -EPROTONOSUPPORT:
	case -EAFNOSUPPORT:
	case -ENOENT:
		return err_set(
			err, -EOPNOTSUPP,
			"firewall guard: this kernel lacks nf_tables or a "
			"part of it (nft_ct): set the rules with "
			"iptables/guard.sh --tool iptables and use "
			"--guard none");
	case -EMSGSIZE:
		return err_set(err, ret,
			       "firewall guard: too many addresses for one "
			       "transaction: raise net.core.wmem_max");
	default:
		return err_set(
			err, ret,
			"firewall guard: the kernel refused nftables table "
			"l4lb_%s: %s; look at it with: nft list table ip "
			"l4lb_%s",
			name, strerror(-ret), name);
	}
}

static int begin(struct nft_batch *b, const char *name, size_t n_elements)
{
	char table[NFT_TABLE_LEN_MAX + 1];

	assert(strlen(name) + sizeof("l4lb_") <= sizeof(table));
	snprintf(table, sizeof(table), "l4lb_%s", name);
	return nft_begin(b, table, n_elements);
}

/* @afresh: deletes the table first. @early: drops at prerouting, too. */
static int write_table(struct mnl_socket *nl, const struct guard_spec *spec,
		       bool afresh, bool early)
{
	struct nft_batch b;
	int ret = begin(&b, spec->name,
			spec->n_services + spec->n_backends + spec->n_sources +
				spec->n_skipped + spec->n_interfaces);

	if (ret)
		return ret;

	nft_add_table(&b, NFT_MSG_NEWTABLE);
	if (afresh) {
		nft_add_table(&b, NFT_MSG_DELTABLE);
		nft_add_table(&b, NFT_MSG_NEWTABLE);
	}
	nft_add_branch(&b, from_clients);
	nft_add_branch(&b, from_backends);
	nft_add_chain(&b, prerouting_chain, NF_INET_PRE_ROUTING, PRIORITY_RAW);
	nft_add_chain(&b, input_chain, NF_INET_LOCAL_IN, PRIORITY_RAW);
	nft_add_chain(&b, output_chain, NF_INET_LOCAL_OUT, PRIORITY_RAW);
	nft_add_set(&b, services_set, 1, TYPE_IPV4_ENDPOINT,
		    sizeof(struct endpoint_key));
	nft_add_set(&b, backends_set, 2, TYPE_IPV4_ENDPOINT,
		    sizeof(struct endpoint_key));
	nft_add_set(&b, sources_set, 3, TYPE_IPV4_ADDR, sizeof(uint32_t));
	nft_add_set(&b, skipped_set, 4, TYPE_INET_SERVICE, sizeof(uint16_t));
	nft_add_set(&b, interfaces_set, 5, NFT_TYPE_IFNAME,
		    GUARD_INTERFACE_LEN);
	fill_endpoints(&b, services_set, spec->services, spec->n_services);
	fill_endpoints(&b, backends_set, spec->backends, spec->n_backends);
	fill_addresses(&b, sources_set, spec->sources, spec->n_sources);
	fill_ports(&b, skipped_set, spec->skipped, spec->n_skipped);
	fill_names(&b, interfaces_set, spec->interfaces, spec->n_interfaces);
	add_rules(&b, spec, early);

	ret = nft_send(&b, nl);
	nft_end(&b);
	return ret;
}

/* True if the kernel did not like what it was asked. */
static bool is_refusal(int ret)
{
	switch (ret) {
	case -EEXIST:
	case -EINVAL:
	case -EBUSY:
	case -ENOENT:
	case -EOPNOTSUPP: return true;
	default: return false;
	}
}

int guard_up(struct mnl_socket *nl, const struct guard_spec *spec,
	     struct err *err)
{
	/* The table may have another shape; an older kernel may lack fib. */
	int ret = write_table(nl, spec, false, true);

	if (is_refusal(ret))
		ret = write_table(nl, spec, true, true);
	if (is_refusal(ret))
		ret = write_table(nl, spec, false, false);
	if (is_refusal(ret))
		ret = write_table(nl, spec, true, false);
	return guard_explain(err, ret, spec->name);
}

static void change_element(struct nft_batch *b, const char *set,
			   const void *key, size_t len, bool add)
{
	if (add)
		nft_add_elements(b, set, key, len, 1);
	else
		nft_delete_element(b, set, key, len);
}

static void change_endpoint(struct nft_batch *b, const char *set,
			    const struct endpoint *e, bool add)
{
	const struct endpoint_key key = endpoint_key(e);

	change_element(b, set, &key, sizeof(key), add);
}

static void change_address(struct nft_batch *b, const char *set,
			   const struct ip_addr *a, bool add)
{
	const uint32_t key = addr_to_v4(a);

	assert(addr_is_v4(a));
	change_element(b, set, &key, sizeof(key), add);
}

int guard_change(struct mnl_socket *nl, const char *name, enum guard_set set,
		 const void *key, bool add)
{
	struct nft_batch b;
	int ret = begin(&b, name, 1);

	if (ret)
		return ret;
	switch (set) {
	case GUARD_SERVICES: change_endpoint(&b, services_set, key, add); break;
	case GUARD_BACKENDS: change_endpoint(&b, backends_set, key, add); break;
	case GUARD_SOURCES: change_address(&b, sources_set, key, add); break;
	case GUARD_SETS: assert(false);
	}
	ret = nft_send(&b, nl);
	nft_end(&b);
	return ret;
}

static int delete_table(struct mnl_socket *nl, const char *name)
{
	struct nft_batch b;
	int ret = begin(&b, name, 0);

	if (ret)
		return ret;
	/* Create it first, so that deleting it cannot fail. */
	nft_add_table(&b, NFT_MSG_NEWTABLE);
	nft_add_table(&b, NFT_MSG_DELTABLE);
	ret = nft_send(&b, nl);
	nft_end(&b);
	return ret;
}

int guard_down(const char *name, struct err *err)
{
	struct mnl_socket *nl;
	int ret = nft_open(&nl);

	if (!ret) {
		ret = delete_table(nl, name);
		mnl_socket_close(nl);
	}
	return guard_explain(err, ret, name);
}
