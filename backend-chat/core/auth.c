/* SPDX-License-Identifier: MIT */
/* See auth.h. */
#include "core/auth.h"
#include "core/digest.h"

bool auth_bearer(struct slice authorization, struct slice secret)
{
	static const struct slice scheme = {"Bearer ", 7};

	if (authorization.len < scheme.len ||
	    !slice_equal_case((struct slice){authorization.at, scheme.len},
			      scheme))
		return false;
	return digest_equal(slice_trim(slice_from(authorization, scheme.len)),
			    secret);
}

/* "sha256=HEX" of the parts, its digits in lower or upper case. */
static bool is_signature(struct slice given, struct slice secret,
			 const struct slice *parts, size_t count)
{
	static const struct slice start = {"sha256=", 7};
	uint8_t hmac[DIGEST_SHA256];
	char hex[2 * DIGEST_SHA256 + 1], lower[2 * DIGEST_SHA256];

	if (given.len != start.len + sizeof(lower) ||
	    memcmp(given.at, start.at, start.len) != 0 ||
	    !digest_hmac_sha256(secret, parts, count, hmac))
		return false;
	for (size_t i = 0; i < sizeof(lower); i++) {
		char c = given.at[start.len + i];

		lower[i] = c >= 'A' && c <= 'F' ? (char)(c + 'a' - 'A') : c;
	}
	digest_hex(hmac, sizeof(hmac), hex);
	return digest_equal((struct slice){hex, sizeof(lower)},
			    (struct slice){lower, sizeof(lower)});
}

static bool is_fresh(struct slice timestamp, int64_t now_s)
{
	unsigned long seconds;
	int64_t age;

	/* Ten digits are enough until the year 2286, on 32 bits until 2106. */
	if (timestamp.len > 10 ||
	    !slice_number(timestamp, 0xffffffff, &seconds))
		return false;
	age = now_s - (int64_t)seconds;
	return age >= -AUTH_AGE_S && age <= AUTH_AGE_S;
}

bool auth_hook_ok(const struct auth_hook *hook, struct slice secret,
		  int64_t now_s)
{
	const struct slice signed_parts[] = {hook->timestamp, SLICE("."),
					     hook->body};

	if (hook->signature.len)
		return is_fresh(hook->timestamp, now_s) &&
		       is_signature(hook->signature, secret, signed_parts, 3);
	if (hook->hub_signature.len)
		return is_signature(hook->hub_signature, secret, &hook->body,
				    1);
	return auth_bearer(hook->authorization, secret);
}
