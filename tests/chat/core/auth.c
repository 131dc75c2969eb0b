/* SPDX-License-Identifier: MIT */
/* Signatures were made by: printf '%s' TEXT | openssl dgst -sha256 -hmac KEY */
#include "core/auth.h"
#include "core/digest.h"

#include "unit.h"

#define SECRET SLICE("s3cret")
#define BODY   SLICE("{\"roomId\":\"lobby\"}")
#define NOW    1795935354

static struct slice sign(char text[80], struct slice key, const char *timestamp)
{
	const struct slice parts[] = {slice_of(timestamp), SLICE("."), BODY};
	uint8_t hmac[DIGEST_SHA256];

	strcpy(text, "sha256=");
	ck_assert(timestamp ? digest_hmac_sha256(key, parts, 3, hmac)
			    : digest_hmac_sha256(key, parts + 2, 1, hmac));
	digest_hex(hmac, sizeof(hmac), text + 7);
	return slice_of(text);
}

START_TEST(a_bearer_token_must_be_the_secret)
{
	ck_assert(auth_bearer(SLICE("Bearer s3cret"), SECRET));
	ck_assert(auth_bearer(SLICE("bearer  s3cret"), SECRET));
	ck_assert(!auth_bearer(SLICE("Bearer s3cre"), SECRET));
	ck_assert(!auth_bearer(SLICE("Bearer s3crets"), SECRET));
	ck_assert(!auth_bearer(SLICE("Bearer "), SECRET));
	ck_assert(!auth_bearer(SLICE("Bearer"), SECRET));
	ck_assert(!auth_bearer(SLICE("Basic s3cret"), SECRET));
	ck_assert(!auth_bearer(SLICE("s3cret"), SECRET));
	ck_assert(!auth_bearer((struct slice){NULL, 0}, SECRET));
}
END_TEST

static const struct {
	const char *timestamp;
	bool ok;
} times[] = {
	{"1795935354", true}, {"1795935054", true},    {"1795935053", false},
	{"1795935654", true}, {"1795935655", false},   {"", false},
	{"-1", false},	      {"1795935354.0", false}, {"17959353540", false},
	{"0", false},
};

START_TEST(a_signature_is_of_its_time)
{
	char text[80];
	struct auth_hook hook = {
		.timestamp = slice_of(times[_i].timestamp),
		.signature = sign(text, SECRET, times[_i].timestamp),
		.body = BODY,
	};

	ck_assert(auth_hook_ok(&hook, SECRET, NOW) == times[_i].ok);
}
END_TEST

START_TEST(a_signature_is_of_its_body_and_key)
{
	char text[80];
	struct auth_hook hook = {.timestamp = SLICE("1795935354"),
				 .body = BODY};

	ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
	hook.signature = sign(text, SLICE("other"), "1795935354");
	ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
	hook.signature = sign(text, SECRET, "1795935354");
	ck_assert(auth_hook_ok(&hook, SECRET, NOW));
	hook.body = SLICE("{\"roomId\":\"lobbY\"}");
	ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
	hook.body = BODY;
	for (size_t i = 0; i < hook.signature.len; i++) {
		text[i] ^= 1;
		ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
		text[i] ^= 1;
	}
	for (size_t i = 7; i < hook.signature.len; i++)
		if (text[i] >= 'a')
			text[i] ^= 0x20; /* digits of upper case */
	ck_assert(auth_hook_ok(&hook, SECRET, NOW));
	hook.signature.len--;
	ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
	/* A bad signature is not saved by a good token. */
	hook.authorization = SLICE("Bearer s3cret");
	ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
	hook.signature.len = 0;
	ck_assert(auth_hook_ok(&hook, SECRET, NOW));
}
END_TEST

/* The example of GitHub's documentation. */
START_TEST(githubs_signature_is_known)
{
	struct auth_hook hook = {
		.hub_signature = SLICE("sha256=757107ea0eb2509fc211221cce984b8"
				       "a37570b6d7586c22c46f4379c8b043e17"),
		.body = SLICE("Hello, World!"),
	};

	ck_assert(
		auth_hook_ok(&hook, SLICE("It's a Secret to Everybody"), NOW));
	ck_assert(!auth_hook_ok(&hook, SECRET, NOW));
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_bearer_token_must_be_the_secret, 1},
		{a_signature_is_of_its_time, ARRAY_LEN(times)},
		{a_signature_is_of_its_body_and_key, 1},
		{githubs_signature_is_known, 1},
	};

	return unit_run("auth", tests, ARRAY_LEN(tests));
}
