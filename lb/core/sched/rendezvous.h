/* SPDX-License-Identifier: MIT */
/*
 * rendezvous.h - the scheduler hash: by client and backend, whoever else is
 * there
 *
 * Each backend draws a number for the client, from a keyed hash of both, and
 * the best number for its weight wins. The numbers of the others do not change
 * when a backend comes or goes: only its own clients move, and it gets the same
 * ones back. Integers only, so every machine decides alike.
 *
 * Private to core/sched/.
 */
#ifndef L4LB_RENDEZVOUS_H
#define L4LB_RENDEZVOUS_H

#include <stddef.h>

#include "core/service.h"

/* A key for a service that has none, the same for the same secret. */
void rendezvous_own_key(uint8_t key[SCHED_KEY_BYTES], const void *secret,
			size_t len);

/*
 * Hash of a client by the key of the service, and of a backend's endpoint,
 * which is kept in the backend.
 */
uint64_t rendezvous_client(const struct service *s,
			   const struct endpoint *client);
uint64_t rendezvous_token(const uint8_t key[SCHED_KEY_BYTES],
			  const struct endpoint *backend);

/* @may: the @n backends to choose from, at least one. */
struct backend *rendezvous(const struct service *s, struct backend *const *may,
			   unsigned n, uint64_t client, uint64_t now_ns);

/* -log2(u) in 2^-32, where u = @hash / 2^64; at least 1. For its test. */
uint64_t rendezvous_log(uint64_t hash);

#endif
