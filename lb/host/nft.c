/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>

#include "host/nft.h"

/* Room for all messages of one table but the elements of its sets. */
#define BATCH_FIXED 16384
/*
 * One element on the wire: the list, key and value headers of 4 bytes each, and
 * 16 bytes of key. 32 bytes are enough with the message header of each chunk
 * too.
 */
#define ELEMENT_ROOM 32
#define KEY_LEN_MAX  16
/* A nest of elements has a 16-bit length field. */
#define ELEMENTS_PER_MESSAGE 1024

int nft_begin(struct nft_batch *b, const char *table, size_t n_elements)
{
	assert(strlen(table) < sizeof(b->table));
	*b = (struct nft_batch){
		.size = BATCH_FIXED + n_elements * ELEMENT_ROOM,
	};
	snprintf(b->table, sizeof(b->table), "%s", table);
	b->buf = calloc(1, b->size);
	if (!b->buf)
		return -ENOMEM;
	b->len = nftnl_batch_begin(b->buf, b->seq++)->nlmsg_len;
	return 0;
}

void nft_end(struct nft_batch *b)
{
	free(b->buf);
	b->buf = NULL;
}

struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(b->buf + b->len, type, NFPROTO_IPV4, flags,
				     b->seq++);
}

void nft_add(struct nft_batch *b, const struct nlmsghdr *nlh)
{
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
	assert(b->len <= b->size);
}

void nft_add_table(struct nft_batch *b, uint16_t type)
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
	nlh = nft_message(b, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0);
	nftnl_table_nlmsg_build_payload(nlh, t);
	nft_add(b, nlh);
	nftnl_table_free(t);
}

static struct nftnl_set *set_named(struct nft_batch *b, const char *name)
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

/*
 * nft(8) takes the byte order of a key from this attribute; without it, it
 * would print names backwards. The number is nft's own.
 */
#define NFT_HOST_ENDIAN 1

static void set_host_order(struct nft_batch *b, struct nftnl_set *s)
{
	struct nftnl_udata_buf *note =
		nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!note || !nftnl_udata_put_u32(note, NFTNL_UDATA_SET_KEYBYTEORDER,
					  NFT_HOST_ENDIAN))
		b->failed = true;
	else
		nftnl_set_set_data(s, NFTNL_SET_USERDATA,
				   nftnl_udata_buf_data(note),
				   nftnl_udata_buf_len(note));
	nftnl_udata_buf_free(note);
}

void nft_add_set(struct nft_batch *b, const char *name, uint32_t id,
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
	if (key_type == NFT_TYPE_IFNAME)
		set_host_order(b, s);
	nlh = nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	nftnl_set_nlmsg_build_payload(nlh, s);
	nft_add(b, nlh);
	nftnl_set_free(s);

	s = set_named(b, name);
	if (!s)
		return;
	nlh = nft_message(b, NFT_MSG_DELSETELEM, 0);
	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	nft_add(b, nlh);
	nftnl_set_free(s);
}

/* Adds or deletes, by @type, as many elements as one message holds. */
static void change_some(struct nft_batch *b, uint16_t type, const char *name,
			const char *keys, size_t key_len, size_t count)
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
	nlh = nft_message(b, type,
			  type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	nft_add(b, nlh);
	nftnl_set_free(s);
}

void nft_add_elements(struct nft_batch *b, const char *name, const void *keys,
		      size_t key_len, size_t count)
{
	const char *from = keys;

	assert(key_len <= KEY_LEN_MAX);
	while (count > 0) {
		size_t n = count < ELEMENTS_PER_MESSAGE ? count
							: ELEMENTS_PER_MESSAGE;

		change_some(b, NFT_MSG_NEWSETELEM, name, from, key_len, n);
		from += n * key_len;
		count -= n;
	}
}

void nft_delete_element(struct nft_batch *b, const char *name, const void *key,
			size_t key_len)
{
	assert(key_len <= KEY_LEN_MAX);
	change_some(b, NFT_MSG_DELSETELEM, name, key, key_len, 1);
}

static struct nftnl_chain *chain_named(struct nft_batch *b, const char *name)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (!c) {
		b->failed = true;
		return NULL;
	}
	nftnl_chain_set_u32(c, NFTNL_CHAIN_FAMILY, NFPROTO_IPV4);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, b->table);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	return c;
}

/* Adds the chain, which is freed, and deletes its rules. */
static void put_chain(struct nft_batch *b, struct nftnl_chain *c)
{
	struct nftnl_rule *all = nftnl_rule_alloc();
	struct nlmsghdr *nlh;

	nlh = nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nftnl_chain_nlmsg_build_payload(nlh, c);
	nft_add(b, nlh);
	if (!all) {
		b->failed = true;
		nftnl_chain_free(c);
		return;
	}
	/* A rule without a handle means all rules of the chain. */
	nftnl_rule_set_u32(all, NFTNL_RULE_FAMILY, NFPROTO_IPV4);
	nftnl_rule_set_str(all, NFTNL_RULE_TABLE, b->table);
	nftnl_rule_set_str(all, NFTNL_RULE_CHAIN,
			   nftnl_chain_get_str(c, NFTNL_CHAIN_NAME));
	nlh = nft_message(b, NFT_MSG_DELRULE, 0);
	nftnl_rule_nlmsg_build_payload(nlh, all);
	nft_add(b, nlh);
	nftnl_rule_free(all);
	nftnl_chain_free(c);
}

void nft_add_chain(struct nft_batch *b, const char *name, uint32_t hook,
		   int32_t priority)
{
	struct nftnl_chain *c = chain_named(b, name);

	if (!c)
		return;
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	put_chain(b, c);
}

void nft_add_branch(struct nft_batch *b, const char *name)
{
	struct nftnl_chain *c = chain_named(b, name);

	if (c)
		put_chain(b, c);
}

/* ---------------------------------------------------------------- sending */

/*
 * The kernel processes the batch within sendmsg(), so all answers have come
 * when it returns. Each faulty message of a batch gets one; the first is the
 * cause.
 */
static int read_answers(struct mnl_socket *nl)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsgerr *answer;
	const struct nlmsghdr *nlh;
	int ret = 0, left;
	ssize_t n;

	for (;;) {
		n = recv(mnl_socket_get_fd(nl), buf, sizeof(buf), MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN || ret ? ret : -errno;
		left = (int)n;
		for (nlh = (const struct nlmsghdr *)buf;
		     mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			answer = mnl_nlmsg_get_payload(nlh);
			if (!ret)
				ret = answer->error;
		}
	}
}

static int transact(struct mnl_socket *nl, struct nft_batch *b)
{
	int on = 1, sndbuf = (int)b->len + 4096;

	/*
	 * Large batches need a large buffer. SO_SNDBUFFORCE fails in a user
	 * namespace, where the limit is wmem_max. Answers come without a copy
	 * of the request.
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

int nft_send(struct nft_batch *b, struct mnl_socket *nl)
{
	nftnl_batch_end(b->buf + b->len, b->seq);
	b->len += ((struct nlmsghdr *)(b->buf + b->len))->nlmsg_len;
	assert(b->len <= b->size);
	return b->failed ? -ENOMEM : transact(nl, b);
}

int nft_open(struct mnl_socket **out)
{
	struct mnl_socket *nl =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int ret;

	*out = NULL;
	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == -1) {
		ret = -errno;
		mnl_socket_close(nl);
		return ret;
	}
	*out = nl;
	return 0;
}
