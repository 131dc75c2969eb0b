/* SPDX-License-Identifier: MIT */
/*
 * Who may post a webhook or use /api/admin (section 10 of the design). Pure.
 * Secrets are compared in constant time; a refusal never says why.
 */
#ifndef CHAT_AUTH_H
#define CHAT_AUTH_H

#include "core/slice.h"

#include <stdint.h>

#define AUTH_AGE_S 300 /* how old a signed hook may be, or how far ahead */

/* Authorization: "Bearer TOKEN", scheme in any case. secret is not empty. */
bool auth_bearer(struct slice authorization, struct slice secret);

/* Headers of a hook; empty where there is none. */
struct auth_hook {
	struct slice authorization;
	struct slice signature;	    /* X-Signature: sha256=HEX */
	struct slice timestamp;	    /* X-Timestamp: seconds since 1970 */
	struct slice hub_signature; /* X-Hub-Signature-256: sha256=HEX */
	struct slice body;
};

/*
 * True if one of the three ways holds: the HMAC of "TIMESTAMP.BODY" of a fresh
 * timestamp; GitHub's HMAC of the body; or a Bearer token. secret is not empty.
 */
bool auth_hook_ok(const struct auth_hook *hook, struct slice secret,
		  int64_t now_s);

#endif
