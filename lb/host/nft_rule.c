/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include "host/nft.h"
#include "host/nft_rule.h"

/* The register of a concatenated key's second part, behind an address. */
#define REG_AFTER_ADDR NFT_REG32_01

static struct nftnl_expr *add_expr(struct nft_rule *rule, const char *kind)
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

static void load_payload(struct nft_rule *rule, uint32_t base, uint32_t offset,
			 uint32_t len, uint32_t reg)
{
	struct nftnl_expr *e = add_expr(rule, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

static void load_addr(struct nft_rule *rule, enum nft_end end)
{
	load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER,
		     end == NFT_SRC ? offsetof(struct iphdr, saddr)
				    : offsetof(struct iphdr, daddr),
		     sizeof(uint32_t), NFT_REG_1);
}

static void load_port(struct nft_rule *rule, enum nft_end end, uint32_t reg)
{
	load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER,
		     end == NFT_SRC ? offsetof(struct tcphdr, source)
				    : offsetof(struct tcphdr, dest),
		     sizeof(uint16_t), reg);
}

static void compare(struct nft_rule *rule, uint32_t op, const void *value,
		    uint32_t len)
{
	struct nftnl_expr *e = add_expr(rule, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, len);
}

static void lookup(struct nft_rule *rule, const char *set, uint32_t flags)
{
	struct nftnl_expr *e = add_expr(rule, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	if (flags)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, flags);
}

void nft_rule_addr(struct nft_rule *rule, enum nft_end end, const char *set)
{
	load_addr(rule, end);
	lookup(rule, set, 0);
}

void nft_rule_endpoint(struct nft_rule *rule, enum nft_end end, const char *set)
{
	load_addr(rule, end);
	load_port(rule, end, REG_AFTER_ADDR);
	lookup(rule, set, 0);
}

void nft_rule_ports(struct nft_rule *rule, enum nft_end end, uint16_t lo,
		    uint16_t hi, const char *but)
{
	const uint16_t first = htons(lo), last = htons(hi);

	load_port(rule, end, NFT_REG_1);
	compare(rule, NFT_CMP_GTE, &first, sizeof(first));
	compare(rule, NFT_CMP_LTE, &last, sizeof(last));
	lookup(rule, but, NFT_LOOKUP_F_INV);
}

void nft_rule_begin_all(struct nft_rule *rule, struct nft_batch *b,
			const char *chain)
{
	rule->batch = b;
	rule->r = nftnl_rule_alloc();
	if (!rule->r) {
		b->failed = true;
		return;
	}
	nftnl_rule_set_u32(rule->r, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
	nftnl_rule_set_str(rule->r, NFTNL_RULE_TABLE, b->table);
	nftnl_rule_set_str(rule->r, NFTNL_RULE_CHAIN, chain);
}

static void load_meta(struct nft_rule *rule, uint32_t key)
{
	struct nftnl_expr *e = add_expr(rule, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

void nft_rule_begin(struct nft_rule *rule, struct nft_batch *b,
		    const char *chain)
{
	const uint8_t tcp = IPPROTO_TCP;

	nft_rule_begin_all(rule, b, chain);
	load_meta(rule, NFT_META_L4PROTO);
	compare(rule, NFT_CMP_EQ, &tcp, sizeof(tcp));
}

void nft_rule_interface(struct nft_rule *rule, const char *set)
{
	load_meta(rule, NFT_META_IIFNAME);
	lookup(rule, set, 0);
}

void nft_rule_kind(struct nft_rule *rule, const char *kind)
{
	char padded[IFNAMSIZ] = {0}; /* the kernel compares all of it */

	memcpy(padded, kind, strnlen(kind, sizeof(padded) - 1));
	load_meta(rule, NFT_META_IIFKIND);
	compare(rule, NFT_CMP_EQ, padded, sizeof(padded));
}

void nft_rule_local(struct nft_rule *rule)
{
	const uint32_t local = RTN_LOCAL;
	struct nftnl_expr *e = add_expr(rule, "fib");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	compare(rule, NFT_CMP_EQ, &local, sizeof(local));
}

static void finish(struct nft_rule *rule)
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

/* @branch: where NFT_GOTO leads, else NULL. */
static void conclude(struct nft_rule *rule, int verdict, const char *branch)
{
	struct nftnl_expr *e = add_expr(rule, "immediate");

	if (e) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT,
				   (uint32_t)verdict);
		if (branch)
			nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, branch);
	}
	finish(rule);
}

void nft_rule_drop(struct nft_rule *rule)
{
	add_expr(rule, "counter");
	conclude(rule, NF_DROP, NULL);
}

void nft_rule_notrack(struct nft_rule *rule)
{
	add_expr(rule, "notrack");
	conclude(rule, NF_ACCEPT, NULL);
}

void nft_rule_goto(struct nft_rule *rule, const char *branch)
{
	conclude(rule, NFT_GOTO, branch);
}
