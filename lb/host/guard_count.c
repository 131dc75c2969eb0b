/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include "host/guard_count.h"
#include "host/nft.h"

#define ANSWER_MAX 16384 /* NLMSG_GOODSIZE */
#define READS_MAX  16	 /* the table has sixteen rules */
#define SEQUENCE   1	 /* one request at a time */

static int add_counter(struct nftnl_expr *e, void *arg)
{
	uint64_t *packets = arg;

	if (strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "counter") == 0)
		*packets += nftnl_expr_get_u64(e, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

/* Only rules that drop have counters. */
static int add_rule(const struct nlmsghdr *nlh, void *arg)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	if (!r)
		return MNL_CB_ERROR;
	if (nftnl_rule_nlmsg_parse(nlh, r) == 0)
		nftnl_expr_foreach(r, add_counter, arg);
	nftnl_rule_free(r);
	return MNL_CB_OK;
}

static bool ask(struct mnl_socket *nl, const char *table)
{
	char buf[512] = {0}; /* zeroed, as the padding of names is sent too */
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nlmsghdr *nlh;

	if (!r)
		return false;
	nlh = nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, NFPROTO_IPV4,
				    NLM_F_DUMP, SEQUENCE);
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, table);
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nftnl_rule_free(r);
	return mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) != -1;
}

bool guard_count(struct mnl_socket *nl, const char *name, uint64_t *packets)
{
	char buf[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	char table[NFT_TABLE_LEN_MAX + 1];
	uint64_t sum = 0;
	int more = MNL_CB_OK;

	snprintf(table, sizeof(table), "l4lb_%s", name);
	if (!ask(nl, table))
		return false;
	for (int i = 0; more == MNL_CB_OK && i < READS_MAX; i++) {
		/* The kernel has queued the answer during the send. */
		ssize_t n = recv(mnl_socket_get_fd(nl), buf, sizeof(buf),
				 MSG_DONTWAIT);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		more = mnl_cb_run(buf, (size_t)n, SEQUENCE,
				  mnl_socket_get_portid(nl), add_rule, &sum);
	}
	*packets = sum;
	return more == MNL_CB_STOP;
}

uint64_t guard_balance(struct guard_balance *b, uint64_t dropped,
		       uint64_t captured)
{
	const uint64_t taken = dropped - b->dropped;
	const uint64_t seen = captured - b->captured;
	const bool counts =
		b->begun && dropped >= b->dropped && captured >= b->captured;
	uint64_t lost = 0;

	b->begun = true;
	b->dropped = dropped;
	b->captured = captured;
	if (!counts)
		return 0;
	b->taken += taken;
	if (taken > seen + GUARD_COUNT_BETWEEN + taken / GUARD_COUNT_BETWEEN_OF)
		lost = taken - seen;
	b->uncaptured += lost;
	return lost;
}
