/* SPDX-License-Identifier: MIT */
/*
 * guard.c - writes the firewall guard: one nftables table, one transaction
 *
 * Five sets (services, backends, sources, skipped, interfaces) and eight rules,
 * whatever the number of addresses. An existing table is emptied and refilled
 * within the transaction, not deleted, so each chain switches from the old
 * rules to the new ones at one instant. With a new table beside a dying one, a
 * packet between the two hooks could slip past both, and the host's stack would
 * reset a live connection. Only a table of another shape (from another version)
 * is deleted and created anew.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include "host/guard.h"
#include "host/nft.h"

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

/* The register of a concatenated key's second part, behind an address. */
#define REG_AFTER_ADDR NFT_REG32_01

static const char services_set[] = "services";
static const char backends_set[] = "backends";
static const char sources_set[] = "sources";
static const char skipped_set[] = "skipped";
static const char interfaces_set[] = "interfaces";
static const char prerouting_chain[] = "prerouting";
static const char input_chain[] = "input";
static const char output_chain[] = "output";

enum end { SRC, DST };

/* Key of services and backends. The kernel pads each part to a register. */
struct endpoint_key {
	uint32_t addr; /* network order */
	uint16_t port; /* network order */
	uint16_t zero;
};
static_assert(sizeof(struct endpoint_key) == 8, "two 32-bit registers");

/* Sets */

static void fill_endpoints(struct nft_batch *b, const char *name,
			   const struct endpoint *list, size_t n)
{
	struct endpoint_key *keys = calloc(n + 1, sizeof(*keys));

	b->failed |= !keys;
	for (size_t i = 0; keys && i < n; i++) {
		assert(addr_is_v4(&list[i].addr));
		keys[i].addr = addr_to_v4(&list[i].addr);
		keys[i].port = list[i].port;
	}
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

/* Rules: a list of expressions over registers */

struct rule {
	struct nft_batch *batch;
	struct nftnl_rule *r; /* NULL: out of memory, later calls do nothing */
};

static struct nftnl_expr *rule_expr(struct rule *rule, const char *kind)
{
	struct nftnl_expr *e;

	if (!rule->r)
		return NULL;
	e = nftnl_expr_alloc(kind);
	if (!e) {
		rule->batch->failed = true;
		return NULL;
	}
	nftnl_rule_add_expr(rule->r, e);
	return e;
}

static void load_payload(struct rule *rule, uint32_t base, uint32_t offset,
			 uint32_t len, uint32_t reg)
{
	struct nftnl_expr *e = rule_expr(rule, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void load_addr(struct rule *rule, enum end end)
{
	load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER,
		     end == SRC ? offsetof(struct iphdr, saddr)
				: offsetof(struct iphdr, daddr),
		     sizeof(uint32_t), NFT_REG_1);
}

static void load_port(struct rule *rule, enum end end, uint32_t reg)
{
	load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER,
		     end == SRC ? offsetof(struct tcphdr, source)
				: offsetof(struct tcphdr, dest),
		     sizeof(uint16_t), reg);
}

static void compare(struct rule *rule, uint32_t op, const void *value,
		    uint32_t len)
{
	struct nftnl_expr *e = rule_expr(rule, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, len);
}

static void lookup(struct rule *rule, const char *set, uint32_t flags)
{
	struct nftnl_expr *e = rule_expr(rule, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	if (flags)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, flags);
}

static void match_in(struct rule *rule, const char *set)
{
	lookup(rule, set, 0);
}

static void match_not_in(struct rule *rule, const char *set)
{
	lookup(rule, set, NFT_LOOKUP_F_INV);
}

static void match_endpoint(struct rule *rule, enum end end, const char *set)
{
	load_addr(rule, end);
	load_port(rule, end, REG_AFTER_ADDR);
	match_in(rule, set);
}

/* Matches if @end is one of our source addresses and a NAT port. */
static void match_nat(struct rule *rule, enum end end,
		      const struct guard_spec *spec)
{
	const uint16_t lo = htons(spec->nat_lo), hi = htons(spec->nat_hi);

	load_port(rule, end, NFT_REG_1);
	compare(rule, NFT_CMP_GTE, &lo, sizeof(lo));
	compare(rule, NFT_CMP_LTE, &hi, sizeof(hi));
	match_not_in(rule, skipped_set);
	load_addr(rule, end);
	match_in(rule, sources_set);
}

static void rule_begin(struct rule *rule, struct nft_batch *b,
		       const char *chain)
{
	const uint8_t tcp = IPPROTO_TCP;
	struct nftnl_expr *e;

	rule->batch = b;
	rule->r = nftnl_rule_alloc();
	if (!rule->r) {
		b->failed = true;
		return;
	}
	nftnl_rule_set_u32(rule->r, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
	nftnl_rule_set_str(rule->r, NFTNL_RULE_TABLE, b->table);
	nftnl_rule_set_str(rule->r, NFTNL_RULE_CHAIN, chain);

	e = rule_expr(rule, "meta");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_L4PROTO);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	compare(rule, NFT_CMP_EQ, &tcp, sizeof(tcp));
}

/* Limits the rule to the named interfaces, if there are any. */
static void match_interface(struct rule *rule, const struct guard_spec *spec)
{
	struct nftnl_expr *e;

	if (!spec->n_interfaces)
		return;
	e = rule_expr(rule, "meta");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_IIFNAME);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	match_in(rule, interfaces_set);
}

static void rule_end(struct rule *rule)
{
	struct nlmsghdr *nlh;

	if (!rule->r)
		return;
	nlh = nft_message(rule->batch, NFT_MSG_NEWRULE,
			  NLM_F_CREATE | NLM_F_APPEND);
	nftnl_rule_nlmsg_build_payload(nlh, rule->r);
	nft_add(rule->batch, nlh);
	nftnl_rule_free(rule->r);
}

static void rule_drop(struct rule *rule)
{
	struct nftnl_expr *e;

	rule_expr(rule, "counter");
	e = rule_expr(rule, "immediate");
	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, NF_DROP);
	}
	rule_end(rule);
}

static void rule_notrack(struct rule *rule)
{
	rule_expr(rule, "notrack");
	rule_end(rule);
}

/*
 * Services and sources are addresses of this host, so their packets are dropped
 * at input. An earlier hook would be too early: with br_netfilter, prerouting
 * runs when a frame is still at the bridge's port, and our tap is at the
 * bridge.
 *
 * Both directions bypass conntrack. Conntrack would see one half of each
 * connection and call the other half invalid, and a DNAT rule of the host for
 * the same port would divert packets before they are dropped.
 */
static void add_rules(struct nft_batch *b, const struct guard_spec *spec)
{
	struct rule rule;

	rule_begin(&rule, b, prerouting_chain);
	match_endpoint(&rule, DST, services_set);
	match_interface(&rule, spec);
	rule_notrack(&rule);

	rule_begin(&rule, b, prerouting_chain);
	match_nat(&rule, DST, spec);
	match_endpoint(&rule, SRC, backends_set);
	match_interface(&rule, spec);
	rule_notrack(&rule);

	rule_begin(&rule, b, input_chain);
	match_endpoint(&rule, DST, services_set);
	match_interface(&rule, spec);
	rule_drop(&rule);

	rule_begin(&rule, b, input_chain);
	match_nat(&rule, DST, spec);
	match_endpoint(&rule, SRC, backends_set);
	match_interface(&rule, spec);
	rule_drop(&rule);

	rule_begin(&rule, b, output_chain); /* a client on this host */
	match_endpoint(&rule, DST, services_set);
	rule_notrack(&rule);

	rule_begin(&rule, b, output_chain); /* l4lb to a client */
	match_endpoint(&rule, SRC, services_set);
	rule_notrack(&rule);

	rule_begin(&rule, b, output_chain); /* a backend on this host */
	match_nat(&rule, DST, spec);
	match_endpoint(&rule, SRC, backends_set);
	rule_notrack(&rule);

	rule_begin(&rule, b, output_chain); /* l4lb to a backend */
	match_nat(&rule, SRC, spec);
	match_endpoint(&rule, DST, backends_set);
	rule_notrack(&rule);
}

int guard_explain(struct err *err, int code, const char *name)
{
	switch (code) {
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
		return err_set(err, code,
			       "firewall guard: too many addresses for one "
			       "transaction: raise net.core.wmem_max");
	default:
		return err_set(
			err, code,
			"firewall guard: the kernel refused nftables table "
			"l4lb_%s: %s; look at it with: nft list table ip "
			"l4lb_%s",
			name, strerror(-code), name);
	}
}

static int begin(struct nft_batch *b, const char *name, size_t n_elements)
{
	char table[NFT_TABLE_LEN_MAX + 1];

	assert(strlen(name) + sizeof("l4lb_") <= sizeof(table));
	snprintf(table, sizeof(table), "l4lb_%s", name);
	return nft_begin(b, table, n_elements);
}

static int write_table(struct mnl_socket *nl, const struct guard_spec *spec,
		       bool afresh)
{
	struct nft_batch b;
	int code = begin(&b, spec->name,
			 spec->n_services + spec->n_backends + spec->n_sources +
				 spec->n_skipped + spec->n_interfaces);

	if (code)
		return code;

	nft_add_table(&b, NFT_MSG_NEWTABLE);
	if (afresh) {
		nft_add_table(&b, NFT_MSG_DELTABLE);
		nft_add_table(&b, NFT_MSG_NEWTABLE);
	}
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
	add_rules(&b, spec);

	code = nft_send(&b, nl);
	nft_end(&b);
	return code;
}

int guard_up(struct mnl_socket *nl, const struct guard_spec *spec,
	     struct err *err)
{
	int code = write_table(nl, spec, false);

	switch (code) {
	case -EEXIST: /* a table of that name has another shape */
	case -EINVAL:
	case -EBUSY:
	case -EOPNOTSUPP: code = write_table(nl, spec, true); break;
	default: break;
	}
	return guard_explain(err, code, spec->name);
}

static int delete_table(struct mnl_socket *nl, const char *name)
{
	struct nft_batch b;
	int code = begin(&b, name, 0);

	if (code)
		return code;
	/* Create it first, so that deleting it cannot fail. */
	nft_add_table(&b, NFT_MSG_NEWTABLE);
	nft_add_table(&b, NFT_MSG_DELTABLE);
	code = nft_send(&b, nl);
	nft_end(&b);
	return code;
}

int guard_down(const char *name, struct err *err)
{
	struct mnl_socket *nl;
	int code = nft_open(&nl);

	if (!code) {
		code = delete_table(nl, name);
		mnl_socket_close(nl);
	}
	return guard_explain(err, code, name);
}
