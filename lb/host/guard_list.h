/* SPDX-License-Identifier: MIT */
/*
 * guard_list.h - the elements of one set of the guard, and how often each is
 * wanted
 *
 * Two services may share a backend, and a backend that leaves may return before
 * it is gone: so an element is counted, and belongs to the set until it was
 * removed as often as added. Sorted, since the guard may have sixteen thousand.
 * Pure.
 */
#ifndef L4LB_GUARD_LIST_H
#define L4LB_GUARD_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: not filled. Keys are compared as bytes. */
struct guard_list {
	char *keys; /* n of them, each once, in ascending order */
	unsigned *counts;
	size_t n, room, key_len;
};

/* @keys: @n keys of @key_len bytes, copied; with duplicates. -ENOMEM */
int guard_list_fill(struct guard_list *l, const void *keys, size_t key_len,
		    size_t n);
void guard_list_free(struct guard_list *l);

/* 1: it was not there before; 0: it was, and is counted; -ENOMEM. */
int guard_list_add(struct guard_list *l, const void *key);

/* True if it is not there any more. One that was not there is no error. */
bool guard_list_remove(struct guard_list *l, const void *key);

#endif
