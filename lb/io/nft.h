/* SPDX-License-Identifier: MIT */
/*
 * nft.h - one nftables transaction on one table of family ip
 *
 * Messages are collected by libnftnl into a buffer that is sized for all of
 * them before the first, and sent at once: the kernel does all or nothing. No
 * memory on the way is noticed at the end, by nft_send().
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
	bool failed; /* no memory somewhere on the way */
	char table[NFT_TABLE_LEN_MAX + 1];
};

/* @n_elements: of all sets together. -ENOMEM. */
int nft_begin(struct nft_batch *b, const char *table, size_t n_elements);
void nft_end(struct nft_batch *b);

/* NFT_MSG_NEWTABLE or NFT_MSG_DELTABLE */
void nft_add_table(struct nft_batch *b, uint16_t type);

/* As nft(8) numbers types: only used to print. */
#define NFT_TYPE_IFNAME 41

/* Declares it if it is not there, and empties it: a set, a base chain. */
void nft_add_set(struct nft_batch *b, const char *name, uint32_t id,
		 uint32_t key_type, uint32_t key_len);
void nft_add_chain(struct nft_batch *b, const char *name, uint32_t hook,
		   int32_t priority);

/* @count keys of @key_len bytes, at most 16, one after another. */
void nft_add_elements(struct nft_batch *b, const char *name, const void *keys,
		      size_t key_len, size_t count);

/* For other messages: an empty one, and then it, with its payload. */
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type,
			     uint16_t flags);
void nft_add(struct nft_batch *b, const struct nlmsghdr *nlh);

/* A NETLINK_NETFILTER socket, bound. 0; or -errno, and *out is NULL. */
int nft_open(struct mnl_socket **out);

/* 0, or the kernel's first refusal as -errno; -ENOMEM. */
int nft_send(struct nft_batch *b, struct mnl_socket *nl);

#endif
