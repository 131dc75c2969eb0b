/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/guard_list.h"

#define ROOM_MIN 16

static char *key_at(const struct guard_list *l, size_t i)
{
	return l->keys + i * l->key_len;
}

/* The index of the first key that is not below @key: where it is, or belongs.
 */
static size_t place_of(const struct guard_list *l, const void *key)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		const size_t middle = lo + (hi - lo) / 2;

		if (memcmp(key_at(l, middle), key, l->key_len) < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static bool is_at(const struct guard_list *l, size_t i, const void *key)
{
	return i < l->n && memcmp(key_at(l, i), key, l->key_len) == 0;
}

static int make_room(struct guard_list *l, size_t room)
{
	char *keys = realloc(l->keys, room * l->key_len);
	unsigned *counts;

	if (!keys)
		return -ENOMEM;
	l->keys = keys;
	counts = realloc(l->counts, room * sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	l->counts = counts;
	l->room = room;
	return 0;
}

static int compare(const void *a, const void *b, void *key_len)
{
	return memcmp(a, b, *(size_t *)key_len);
}

int guard_list_fill(struct guard_list *l, const void *keys, size_t key_len,
		    size_t n)
{
	size_t distinct = 0;

	*l = (struct guard_list){.key_len = key_len};
	if (make_room(l, n > ROOM_MIN ? n : ROOM_MIN))
		return -ENOMEM;
	if (n)
		memcpy(l->keys, keys, n * key_len);
	qsort_r(l->keys, n, key_len, compare, &key_len);
	for (size_t i = 0; i < n; i++) {
		if (distinct && memcmp(key_at(l, distinct - 1), key_at(l, i),
				       key_len) == 0) {
			l->counts[distinct - 1]++;
			continue;
		}
		memmove(key_at(l, distinct), key_at(l, i), key_len);
		l->counts[distinct++] = 1;
	}
	l->n = distinct;
	return 0;
}

void guard_list_free(struct guard_list *l)
{
	free(l->keys);
	free(l->counts);
	*l = (struct guard_list){0};
}

int guard_list_add(struct guard_list *l, const void *key)
{
	const size_t i = place_of(l, key);

	if (is_at(l, i, key)) {
		l->counts[i]++;
		return 0;
	}
	if (l->n == l->room && make_room(l, 2 * l->room))
		return -ENOMEM;
	memmove(key_at(l, i + 1), key_at(l, i), (l->n - i) * l->key_len);
	memmove(l->counts + i + 1, l->counts + i,
		(l->n - i) * sizeof(*l->counts));
	memcpy(key_at(l, i), key, l->key_len);
	l->counts[i] = 1;
	l->n++;
	return 1;
}

bool guard_list_remove(struct guard_list *l, const void *key)
{
	const size_t i = place_of(l, key);

	if (!is_at(l, i, key) || --l->counts[i] > 0)
		return false;
	l->n--;
	memmove(key_at(l, i), key_at(l, i + 1), (l->n - i) * l->key_len);
	memmove(l->counts + i, l->counts + i + 1,
		(l->n - i) * sizeof(*l->counts));
	return true;
}
