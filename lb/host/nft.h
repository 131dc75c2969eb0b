/* SPDX-License-Identifier: MIT */
/*
 * nft.h - one nftables transaction on one table of family ip
 *
 * libnftnl collects the messages in a buffer that has room for all of them from
 * the start. They are sent at once, and the kernel applies all or none.
 * nft_send() reports it if memory ran out before.
 */
#ifndef L4LB_NFT_H
#define L4LB_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_socket;
struct nlmsghdr;

#define NFT_TABLE_LEN_MAX 63

struct nft_batch {
	char *buf;
	size_t len, size;
	uint32_t seq;
	bool failed; /* memory ran out in an earlier call */
	char table[NFT_TABLE_LEN_MAX + 1];
};

/* @n_elements: total of all sets. Returns -ENOMEM without memory. */
int nft_begin(struct nft_batch *b, const char *table, size_t n_elements);
void nft_end(struct nft_batch *b);

/* NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE */
void nft_add_table(struct nft_batch *b, uint16_t type);

/* A type number of nft(8), only used to print. */
#define NFT_TYPE_IFNAME 41

/* Each of these creates the object if it does not exist, and empties it. */
void nft_add_set(struct nft_batch *b, const char *name, uint32_t id,
		 uint32_t key_type, uint32_t key_len);
void nft_add_chain(struct nft_batch *b, const char *name, uint32_t hook,
		   int32_t priority);
/* A chain that only other rules lead to. */
void nft_add_branch(struct nft_batch *b, const char *name);

/* @keys: @count keys of @key_len bytes each, at most 16, without gaps. */
void nft_add_elements(struct nft_batch *b, const char *name, const void *keys,
		      size_t key_len, size_t count);
/* One. If it is not there the kernel refuses the transaction with -ENOENT. */
void nft_delete_element(struct nft_batch *b, const char *name, const void *key,
			size_t key_len);

/* For other messages: returns an empty one; the caller adds the payload. */
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type,
			     uint16_t flags);
void nft_add(struct nft_batch *b, const struct nlmsghdr *nlh);

/* A bound NETLINK_NETFILTER socket. Returns 0; or -errno, with *out NULL. */
int nft_open(struct mnl_socket **out);

/* Returns 0, the kernel's first error as -errno, or -ENOMEM. */
int nft_send(struct nft_batch *b, struct mnl_socket *nl);

#endif
