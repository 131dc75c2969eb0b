/* SPDX-License-Identifier: MIT */
/* See digest.h. */
#include "core/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <limits.h>

bool digest_sha1(struct slice s, uint8_t out[DIGEST_SHA1])
{
	return EVP_Digest(s.at, s.len, out, NULL, EVP_sha1(), NULL) == 1;
}

bool digest_sha256(struct slice s, uint8_t out[DIGEST_SHA256])
{
	return EVP_Digest(s.at, s.len, out, NULL, EVP_sha256(), NULL) == 1;
}

bool digest_hmac_sha256(struct slice key, const struct slice *parts,
			size_t count, uint8_t out[DIGEST_SHA256])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(
		EVP_PKEY_HMAC, NULL, (const uint8_t *)key.at, key.len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = DIGEST_SHA256;
	bool ok = pkey && ctx &&
		  EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1;

	for (size_t i = 0; ok && i < count; i++)
		ok = parts[i].len == 0 ||
		     EVP_DigestSignUpdate(ctx, parts[i].at, parts[i].len) == 1;
	ok = ok && EVP_DigestSignFinal(ctx, out, &len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok;
}

bool digest_equal(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || CRYPTO_memcmp(a.at, b.at, a.len) == 0);
}

void digest_hex(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

void base64_encode(const void *bytes, size_t len, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
}

bool base64_decode(struct slice s, void *out, size_t *len)
{
	size_t padding = 0;
	int decoded;

	*len = 0;
	if (s.len == 0)
		return true;
	/* libcrypto takes blanks at both ends and "=" anywhere. */
	while (padding < 2 && s.len > padding &&
	       s.at[s.len - 1 - padding] == '=')
		padding++;
	if (s.len % 4 != 0 || s.len > INT_MAX)
		return false;
	for (size_t i = 0; i < s.len - padding; i++) {
		char c = s.at[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') || c == '+' || c == '/'))
			return false;
	}
	decoded = EVP_DecodeBlock(out, (const unsigned char *)s.at, (int)s.len);
	if (decoded < (int)padding)
		return false;
	*len = (size_t)decoded - padding;
	return true;
}
