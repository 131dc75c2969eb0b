/* SPDX-License-Identifier: MIT */
/*
 * nft_rule.h - one nftables rule: what it matches, and what it does
 *
 * To the kernel a rule is a list of expressions over registers. Each function
 * here adds those of one match; all must match. The rule enters the transaction
 * with its verdict. If memory runs out, the transaction says so (nft.h).
 */
#ifndef L4LB_NFT_RULE_H
#define L4LB_NFT_RULE_H

#include <stdint.h>

struct nft_batch;
struct nftnl_rule;

enum nft_end { NFT_SRC, NFT_DST };

struct nft_rule {
	struct nft_batch *batch;
	struct nftnl_rule *r; /* NULL: out of memory, later calls do nothing */
};

/* A rule for TCP, and one for all packets that come to its chain. */
void nft_rule_begin(struct nft_rule *rule, struct nft_batch *b,
		    const char *chain);
void nft_rule_begin_all(struct nft_rule *rule, struct nft_batch *b,
			const char *chain);

/* The address, or the address and port, is in @set. */
void nft_rule_addr(struct nft_rule *rule, enum nft_end end, const char *set);
void nft_rule_endpoint(struct nft_rule *rule, enum nft_end end,
		       const char *set);

/* The port is one of @lo to @hi, host byte order, and not in the set @but. */
void nft_rule_ports(struct nft_rule *rule, enum nft_end end, uint16_t lo,
		    uint16_t hi, const char *but);

/* The packet came in by an interface whose name is in @set. */
void nft_rule_interface(struct nft_rule *rule, const char *set);

/* The interface that the packet came in by is of @kind (ip -d link). */
void nft_rule_kind(struct nft_rule *rule, const char *kind);

/* The destination is an address of this host, now. */
void nft_rule_local(struct nft_rule *rule);

/*
 * The verdict, which ends the rule: it drops and counts; no conntrack, and no
 * other rule of the hook's chain; the chain @branch decides.
 */
void nft_rule_drop(struct nft_rule *rule);
void nft_rule_notrack(struct nft_rule *rule);
void nft_rule_goto(struct nft_rule *rule, const char *branch);

#endif
