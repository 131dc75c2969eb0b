/* SPDX-License-Identifier: MIT */
/*
 * guard.c - writes the firewall guard: one nftables table, one transaction
 *
 * Four sets (services, backends, sources, skipped) and eight rules, whatever
 * the number of addresses. A table that is there already is emptied and filled
 * again within the transaction and not deleted: each chain then changes from
 * the old rules to the new ones at one instant. With a second table beside the
 * dying one, a packet between the two hooks could slip past both, and the
 * host's stack would reset a live connection. Only a table of another shape
 * (another version's) is deleted and made anew.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include "io/guard.h"

#define NAME_LEN_MAX   31
#define TABLE_NAME_MAX (sizeof("l4lb_") + NAME_LEN_MAX)

/* Prerouting and output: before conntrack (-200), after its defragmentation
 * (-400). Input: before whatever else a host has there; fragments have been put
 * together by then.
 */
#define PRIORITY_RAW (-300)

/* The table's messages other than the sets' contents fit into this. */
#define BATCH_FIXED 16384
/* One element on the wire: list, key and value headers of 4, 8 bytes of key;
 * with a message header for every chunk of them, 24 is plenty.
 */
#define ELEMENT_ROOM 24
/* A nest of elements has a 16-bit length. */
#define ELEMENTS_PER_MESSAGE 1024

/* How nft(8) numbers its types: 6 bits each in a concatenation. Only used to
 * print the sets.
 */
#define TYPE_IPV4_ADDR	   7
#define TYPE_INET_SERVICE  13
#define TYPE_IPV4_ENDPOINT (TYPE_IPV4_ADDR << 6 | TYPE_INET_SERVICE)

/* The part of a concatenated key that follows an address in NFT_REG_1. */
#define REG_AFTER_ADDR NFT_REG32_01

static const char services_set[] = "services";
static const char backends_set[] = "backends";
static const char sources_set[] = "sources";
static const char skipped_set[] = "skipped";
static const char prerouting_chain[] = "prerouting";
static const char input_chain[] = "input";
static const char output_chain[] = "output";

enum end { SRC, DST };

/* Key of services and backends, padded to whole registers as the kernel does.
 */
struct endpoint_key {
	uint32_t addr; /* network order */
	uint16_t port; /* network order */
	uint16_t zero;
};
static_assert(sizeof(struct endpoint_key) == 8, "two 32-bit registers");

/* Messages under construction. Sized for the whole before the first. */
struct batch {
	char *buf;
	size_t len, size;
	uint32_t seq;
	bool failed; /* no memory somewhere on the way */
	char table[TABLE_NAME_MAX];
};

static int batch_init(struct batch *b, const char *name, size_t n_elements)
{
	assert(strlen(name) <= NAME_LEN_MAX);
	*b = (struct batch){
		.size = BATCH_FIXED + n_elements * ELEMENT_ROOM,
	};
	snprintf(b->table, sizeof(b->table), "l4lb_%s", name);
	b->buf = calloc(1, b->size);
	if (!b->buf)
		return -ENOMEM;
	b->len = nftnl_batch_begin(b->buf, b->seq++)->nlmsg_len;
	return 0;
}

static struct nlmsghdr *batch_message(struct batch *b, uint16_t type,
				      uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(b->buf + b->len, type, NFPROTO_IPV4, flags,
				     b->seq++);
}

static void batch_add(struct batch *b, const struct nlmsghdr *nlh)
{
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
	assert(b->len <= b->size);
}

/* Table */

static void add_table(struct batch *b, uint16_t type)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *nlh;

	if (!t) {
		b->failed = true;
		return;
	}
	nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_IPV4);
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, b->table);
	nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, 0);
	nlh = batch_message(b, type,
			    type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);
	nftnl_table_nlmsg_build_payload(nlh, t);
	batch_add(b, nlh);
	nftnl_table_free(t);
}

/* Sets and what is in them */

static struct nftnl_set *set_named(struct batch *b, const char *name)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (!s) {
		b->failed = true;
		return NULL;
	}
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_IPV4);
	nftnl_set_set_str(s, NFTNL_SET_TABLE, b->table);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	return s;
}

/* Declares the set if it is not there, and empties it. */
static void add_set(struct batch *b, const char *name, uint32_t id,
		    uint32_t key_type, uint32_t key_len)
{
	struct nftnl_set *s = set_named(b, name);
	struct nlmsghdr *nlh;

	if (!s)
		return;
	nftnl_set_set_u32(s, NFTNL_SET_ID, id);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, 0);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, key_type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, key_len);
	nlh = batch_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	nftnl_set_nlmsg_build_payload(nlh, s);
	batch_add(b, nlh);
	nftnl_set_free(s);

	s = set_named(b, name);
	if (!s)
		return;
	nlh = batch_message(b, NFT_MSG_DELSETELEM, 0);
	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	batch_add(b, nlh);
	nftnl_set_free(s);
}

static void add_elements(struct batch *b, const char *name, const char *keys,
			 size_t key_len, size_t count)
{
	struct nftnl_set *s = set_named(b, name);
	struct nftnl_set_elem *e;
	struct nlmsghdr *nlh;
	size_t i;

	if (!s)
		return;
	for (i = 0; i < count; i++) {
		e = nftnl_set_elem_alloc();
		if (!e ||
		    nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY,
				       keys + i * key_len, (uint32_t)key_len)) {
			nftnl_set_elem_free(e);
			b->failed = true;
			break;
		}
		nftnl_set_elem_add(s, e);
	}
	/* Without NLM_F_EXCL a duplicate is no error. */
	nlh = batch_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	batch_add(b, nlh);
	nftnl_set_free(s);
}

static void fill_endpoints(struct batch *b, const char *name,
			   const struct endpoint *list, size_t n)
{
	struct endpoint_key keys[ELEMENTS_PER_MESSAGE] = {0};
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		assert(addr_is_v4(&list[i].addr));
		keys[used].addr = addr_to_v4(&list[i].addr);
		keys[used++].port = list[i].port;
		if (used < ELEMENTS_PER_MESSAGE && i + 1 < n)
			continue;
		add_elements(b, name, (const char *)keys, sizeof(keys[0]),
			     used);
		used = 0;
	}
}

static void fill_addresses(struct batch *b, const char *name,
			   const struct ip_addr *list, size_t n)
{
	uint32_t keys[ELEMENTS_PER_MESSAGE];
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		assert(addr_is_v4(&list[i]));
		keys[used++] = addr_to_v4(&list[i]);
		if (used < ELEMENTS_PER_MESSAGE && i + 1 < n)
			continue;
		add_elements(b, name, (const char *)keys, sizeof(keys[0]),
			     used);
		used = 0;
	}
}

static void fill_ports(struct batch *b, const char *name, const uint16_t *list,
		       size_t n)
{
	uint16_t keys[ELEMENTS_PER_MESSAGE];
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		keys[used++] = htons(list[i]);
		if (used < ELEMENTS_PER_MESSAGE && i + 1 < n)
			continue;
		add_elements(b, name, (const char *)keys, sizeof(keys[0]),
			     used);
		used = 0;
	}
}

/* Chains */

/* Declares the base chain if it is not there, and empties it. */
static void add_chain(struct batch *b, const char *name, uint32_t hook)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nftnl_rule *all = nftnl_rule_alloc();
	struct nlmsghdr *nlh;

	if (!c || !all) {
		b->failed = true;
		goto out;
	}
	nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_IPV4);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, b->table);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, PRIORITY_RAW);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	nlh = batch_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nftnl_chain_nlmsg_build_payload(nlh, c);
	batch_add(b, nlh);

	/* A rule without a handle stands for all of the chain. */
	nftnl_rule_set_u32(all, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
	nftnl_rule_set_str(all, NFTNL_RULE_TABLE, b->table);
	nftnl_rule_set_str(all, NFTNL_RULE_CHAIN, name);
	nlh = batch_message(b, NFT_MSG_DELRULE, 0);
	nftnl_rule_nlmsg_build_payload(nlh, all);
	batch_add(b, nlh);
out:
	if (c)
		nftnl_chain_free(c);
	if (all)
		nftnl_rule_free(all);
}

/* Rules: a list of expressions over registers */

struct rule {
	struct batch *batch;
	struct nftnl_rule *r; /* NULL: no memory, the rest does nothing */
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

/* @end is one of our source addresses with a port that a flow may have. */
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

static void rule_begin(struct rule *rule, struct batch *b, const char *chain)
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

static void rule_end(struct rule *rule)
{
	struct nlmsghdr *nlh;

	if (!rule->r)
		return;
	nlh = batch_message(rule->batch, NFT_MSG_NEWRULE,
			    NLM_F_CREATE | NLM_F_APPEND);
	nftnl_rule_nlmsg_build_payload(nlh, rule->r);
	batch_add(rule->batch, nlh);
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
 * What reaches us is dropped at input: VIPs and sources are addresses of this
 * host. Not earlier, as br_netfilter calls prerouting when a frame is still at
 * the bridge's port, and our tap is at the bridge.
 *
 * All of it, both ways, is kept out of conntrack: conntrack would see one half
 * of each connection and call the other half invalid, and a host's DNAT of the
 * same port would turn packets away before they are dropped.
 */
static void add_rules(struct batch *b, const struct guard_spec *spec)
{
	struct rule rule;

	rule_begin(&rule, b, prerouting_chain);
	match_endpoint(&rule, DST, services_set);
	rule_notrack(&rule);

	rule_begin(&rule, b, prerouting_chain);
	match_nat(&rule, DST, spec);
	match_endpoint(&rule, SRC, backends_set);
	rule_notrack(&rule);

	rule_begin(&rule, b, input_chain);
	match_endpoint(&rule, DST, services_set);
	rule_drop(&rule);

	rule_begin(&rule, b, input_chain);
	match_nat(&rule, DST, spec);
	match_endpoint(&rule, SRC, backends_set);
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

/* Sending */

/*
 * The kernel works the batch off within sendmsg(), so every answer is there
 * afterwards. A batch with a fault is answered by each faulty message; the
 * first is the cause.
 */
static int read_answers(struct mnl_socket *nl)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsgerr *answer;
	const struct nlmsghdr *nlh;
	int code = 0, left;
	ssize_t n;

	for (;;) {
		n = recv(mnl_socket_get_fd(nl), buf, sizeof(buf), MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN || code ? code : -errno;
		left = (int)n;
		for (nlh = (const struct nlmsghdr *)buf;
		     mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			answer = mnl_nlmsg_get_payload(nlh);
			if (!code)
				code = answer->error;
		}
	}
}

static int batch_transact(struct mnl_socket *nl, struct batch *b)
{
	int on = 1, sndbuf = (int)b->len + 4096;

	/* Large batches: privileged first, the user namespace's root gets as
	 * much as wmem_max allows. Answers without a copy of the question.
	 */
	if (setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUFFORCE,
		       &sndbuf, sizeof(sndbuf)) == -1)
		(void)setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_SNDBUF,
				 &sndbuf, sizeof(sndbuf));
	(void)mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &on, sizeof(on));

	if (mnl_socket_sendto(nl, b->buf, b->len) == -1)
		return -errno;
	return read_answers(nl);
}

static int batch_send(struct batch *b, struct mnl_socket *nl)
{
	nftnl_batch_end(b->buf + b->len, b->seq);
	b->len += ((struct nlmsghdr *)(b->buf + b->len))->nlmsg_len;
	assert(b->len <= b->size);
	return b->failed ? -ENOMEM : batch_transact(nl, b);
}

static int open_socket(struct mnl_socket **out)
{
	struct mnl_socket *nl =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int code = 0;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == -1) {
		code = -errno;
		mnl_socket_close(nl);
	}
	*out = nl;
	return code;
}

static int explain(struct err *err, int code, const char *name)
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

static int write_table(struct mnl_socket *nl, const struct guard_spec *spec,
		       bool afresh)
{
	struct batch b;
	int code = batch_init(&b, spec->name,
			      spec->n_services + spec->n_backends +
				      spec->n_sources + spec->n_skipped);

	if (code)
		return code;

	add_table(&b, NFT_MSG_NEWTABLE);
	if (afresh) {
		add_table(&b, NFT_MSG_DELTABLE);
		add_table(&b, NFT_MSG_NEWTABLE);
	}
	add_chain(&b, prerouting_chain, NF_INET_PRE_ROUTING);
	add_chain(&b, input_chain, NF_INET_LOCAL_IN);
	add_chain(&b, output_chain, NF_INET_LOCAL_OUT);
	add_set(&b, services_set, 1, TYPE_IPV4_ENDPOINT,
		sizeof(struct endpoint_key));
	add_set(&b, backends_set, 2, TYPE_IPV4_ENDPOINT,
		sizeof(struct endpoint_key));
	add_set(&b, sources_set, 3, TYPE_IPV4_ADDR, sizeof(uint32_t));
	add_set(&b, skipped_set, 4, TYPE_INET_SERVICE, sizeof(uint16_t));
	fill_endpoints(&b, services_set, spec->services, spec->n_services);
	fill_endpoints(&b, backends_set, spec->backends, spec->n_backends);
	fill_addresses(&b, sources_set, spec->sources, spec->n_sources);
	fill_ports(&b, skipped_set, spec->skipped, spec->n_skipped);
	add_rules(&b, spec);

	code = batch_send(&b, nl);
	free(b.buf);
	return code;
}

int guard_up_through(struct mnl_socket *nl, const struct guard_spec *spec,
		     struct err *err)
{
	int code = write_table(nl, spec, false);

	switch (code) {
	case -EEXIST: /* a table of that name and of another shape */
	case -EINVAL:
	case -EBUSY:
	case -EOPNOTSUPP: code = write_table(nl, spec, true); break;
	default: break;
	}
	return explain(err, code, spec->name);
}

int guard_up(const struct guard_spec *spec, struct err *err)
{
	struct mnl_socket *nl;
	int code = open_socket(&nl);

	if (code)
		return explain(err, code, spec->name);
	code = guard_up_through(nl, spec, err);
	mnl_socket_close(nl);
	return code;
}

static int delete_table(struct mnl_socket *nl, const char *name)
{
	struct batch b;
	int code = batch_init(&b, name, 0);

	if (code)
		return code;
	/* Made first, so that its absence is no error. */
	add_table(&b, NFT_MSG_NEWTABLE);
	add_table(&b, NFT_MSG_DELTABLE);
	code = batch_send(&b, nl);
	free(b.buf);
	return code;
}

int guard_down(const char *name, struct err *err)
{
	struct mnl_socket *nl;
	int code = open_socket(&nl);

	if (!code) {
		code = delete_table(nl, name);
		mnl_socket_close(nl);
	}
	return explain(err, code, name);
}
