/* SPDX-License-Identifier: MIT */
/*
 * Digests, by libcrypto: the handshake of RFC 6455, hashes of tokens,
 * signatures of webhooks. They fail only without memory.
 */
#ifndef CHAT_DIGEST_H
#define CHAT_DIGEST_H

#include "core/slice.h"

#include <stdint.h>

#define DIGEST_SHA1   20
#define DIGEST_SHA256 32

/* Returns false without memory; out is then undefined. */
bool digest_sha1(struct slice s, uint8_t out[DIGEST_SHA1]);
bool digest_sha256(struct slice s, uint8_t out[DIGEST_SHA256]);
/* HMAC of the parts, one after the other. */
bool digest_hmac_sha256(struct slice key, const struct slice *parts,
			size_t count, uint8_t out[DIGEST_SHA256]);

/* Compares in a time that tells nothing about where they differ. */
bool digest_equal(struct slice a, struct slice b);

/* Writes 2 * len digits (lower case) and a NUL. */
void digest_hex(const uint8_t *bytes, size_t len, char *out);

/* out has room for BASE64_LEN(len) characters and a NUL. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)
void base64_encode(const void *bytes, size_t len, char *out);
/*
 * Standard alphabet with padding. out has room for s.len / 4 * 3 bytes. Returns
 * false if it is no base64.
 */
bool base64_decode(struct slice s, void *out, size_t *len);

#endif
