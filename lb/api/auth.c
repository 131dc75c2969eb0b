/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/auth.h"
#include "control/config_value.h"
#include "core/time.h"

#define TOKEN_MAX 256 /* bytes that are compared */
#define HOST_MAX  256

void auth_init(struct auth *auth)
{
	(void)mtx_init(&auth->lock, mtx_plain);
	memset(auth->guessers, 0, sizeof(auth->guessers));
}

/* -------------------------------------------------------------------- tokens
 */

/* Takes as long wherever the two differ. */
static bool is_token(const char *token, const char *given)
{
	char a[TOKEN_MAX] = "", b[TOKEN_MAX] = "";
	volatile unsigned char differ = 0;

	if (!*token || strlen(given) >= TOKEN_MAX || strlen(token) >= TOKEN_MAX)
		return false;
	memcpy(a, token, strlen(token));
	memcpy(b, given, strlen(given));
	for (size_t i = 0; i < TOKEN_MAX; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ;
}

/* NULL: no wrong token came from there of late. */
static struct auth_guesser *find_guesser(struct auth *auth,
					 const struct ip_addr *from,
					 uint64_t now_ns)
{
	for (unsigned i = 0; i < AUTH_GUESSERS; i++) {
		struct auth_guesser *g = &auth->guessers[i];

		if (g->wrong && addr_equal(&g->from, from) &&
		    now_ns - g->since_ns < NS_PER_S)
			return g;
	}
	return NULL;
}

/* Only who was wrong takes a place: else right ones would wash them out. */
static void remember_guess(struct auth *auth, const struct ip_addr *from,
			   uint64_t now_ns)
{
	struct auth_guesser *oldest = &auth->guessers[0];

	for (unsigned i = 1; i < AUTH_GUESSERS; i++)
		if (auth->guessers[i].since_ns < oldest->since_ns)
			oldest = &auth->guessers[i];
	*oldest = (struct auth_guesser){
		.from = *from,
		.since_ns = now_ns,
		.wrong = 1,
	};
}

enum guess { GUESS_RIGHT, GUESS_WRONG, GUESS_TOO_MANY };

static enum guess check_token(struct auth *auth, const struct caller *caller,
			      const char *given, uint64_t now_ns)
{
	enum guess guess = GUESS_RIGHT;
	struct auth_guesser *g;

	(void)mtx_lock(&auth->lock);
	g = find_guesser(auth, &caller->from, now_ns);
	if (g && g->wrong >= AUTH_GUESSES) {
		guess = GUESS_TOO_MANY;
	} else if (!is_token(auth->token, given)) {
		guess = GUESS_WRONG;
		if (g)
			g->wrong++;
		else
			remember_guess(auth, &caller->from, now_ns);
	}
	(void)mtx_unlock(&auth->lock);
	return guess;
}

/* ------------------------------------------------------------------ browsers
 */

/* NAME or NAME:PORT or [ADDRESS]:PORT, without the port. */
static bool host_name(const char *header, char name[HOST_MAX])
{
	const char *end = strchr(header, ']');
	size_t len = *header != '[' ? strcspn(header, ":")
		     : end	    ? (size_t)(end + 1 - header)
				    : 0;
	const char *port = header + len;

	if (!len || len >= HOST_MAX || (*port && *port != ':'))
		return false;
	if (*port && strspn(port + 1, "0123456789") != strlen(port + 1))
		return false;
	memcpy(name, header, len);
	name[len] = '\0';
	return true;
}

/* Of what host_name() gives: a [ at its begin has its ]. */
static bool is_literal(const char *name)
{
	char inside[HOST_MAX];
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, name, &v4) == 1)
		return true;
	if (*name != '[')
		return false;
	snprintf(inside, sizeof(inside), "%s", name + 1);
	inside[strlen(inside) - 1] = '\0';
	return inet_pton(AF_INET6, inside, &v6) == 1;
}

static bool is_our_host(const struct auth *auth, const char *header)
{
	char name[HOST_MAX];

	if (!header || !host_name(header, name))
		return false;
	if (is_literal(name) || strcasecmp(name, "localhost") == 0)
		return true;
	for (const char *h = auth->hosts; h && *h; h += strlen(h) + 1)
		if (strcasecmp(name, h) == 0)
			return true;
	return false;
}

/* A page of another site has made the browser ask. */
static bool is_foreign(const struct caller *caller)
{
	const char *origin = caller->origin;

	if (!origin)
		return false;
	if (strncasecmp(origin, "http://", 7) == 0)
		origin += 7;
	else if (strncasecmp(origin, "https://", 8) == 0)
		origin += 8;
	return strcasecmp(origin, caller->host) != 0;
}

/* ------------------------------------------------------------------ decisions
 */

static bool refuse_writes(struct reply *reply)
{
	reply_error(reply, 403, "read-only",
		    "nothing may be changed by this API: api_writes is no");
	return false;
}

static bool allows_local(const struct auth *auth, const struct caller *caller,
			 unsigned flags, char who[WHO_MAX], struct reply *reply)
{
	if (!caller->has_uid || (caller->uid && caller->uid != auth->uid)) {
		reply_error(reply, 403, "not-you",
			    "only root and the user of l4lb are served here");
		return false;
	}
	snprintf(who, WHO_MAX, "uid:%u", caller->uid);
	return !(flags & ROUTE_WRITES) || auth->writes || refuse_writes(reply);
}

static bool refuse_host(const struct caller *caller, struct reply *reply)
{
	char quoted[QUOTED_MAX];

	reply_error(reply, 421, "wrong-host",
		    "the Host \"%s\" is not this server's: expected an "
		    "address, localhost, or a name of api_host",
		    value_quote(caller->host ? caller->host : "", quoted));
	return false;
}

static bool refuse_token(enum guess guess, struct reply *reply)
{
	if (guess == GUESS_TOO_MANY) {
		reply_error(reply, 429, "too-many-guesses",
			    "%d wrong tokens came from this address within a "
			    "second; wait",
			    AUTH_GUESSES);
		return false;
	}
	reply_error(reply, 401, "wrong-token",
		    "this is not the token in api_token_file");
	reply->challenge = "Bearer realm=\"l4lb\", error=\"invalid_token\"";
	return false;
}

static bool want_token(const struct auth *auth, bool writes,
		       struct reply *reply)
{
	if (!*auth->token) {
		reply_error(reply, 403, "no-token",
			    "no token is configured (api_token_file), so %s by "
			    "TCP",
			    writes ? "nothing is changed" : "nothing is told");
		return false;
	}
	reply_error(reply, 401, "token-needed",
		    "this needs the token: Authorization: Bearer TOKEN");
	reply->challenge = "Bearer realm=\"l4lb\"";
	return false;
}

/* What follows "Bearer "; NULL: no such header was sent. */
static const char *given_token(const struct caller *caller)
{
	const char *header = caller->authorization;

	if (!header)
		return NULL;
	if (strncasecmp(header, "Bearer ", 7) != 0)
		return ""; /* another scheme is no token of ours */
	header += 7;
	return header + strspn(header, " ");
}

static bool allows_tcp(struct auth *auth, const struct caller *caller,
		       unsigned flags, uint64_t now_ns, char who[WHO_MAX],
		       struct reply *reply)
{
	const bool writes = flags & ROUTE_WRITES;
	const char *given = given_token(caller);
	char from[ADDR_TEXT_MAX];

	if (!is_our_host(auth, caller->host))
		return refuse_host(caller, reply);
	if (writes && is_foreign(caller)) {
		reply_error(reply, 403, "foreign-page",
			    "a page of another site may change nothing here");
		return false;
	}
	if (writes && !auth->writes)
		return refuse_writes(reply);
	snprintf(who, WHO_MAX, "%s@%s", given ? "token" : "anyone",
		 addr_format(&caller->from, from));
	if (given) {
		enum guess guess = check_token(auth, caller, given, now_ns);

		return guess == GUESS_RIGHT || refuse_token(guess, reply);
	}
	if (writes ? auth->tcp_writes : !auth->tcp_token || flags & ROUTE_OPEN)
		return true;
	return want_token(auth, writes, reply);
}

bool auth_allows(struct auth *auth, const struct caller *caller, unsigned flags,
		 uint64_t now_ns, char who[WHO_MAX], struct reply *reply)
{
	return caller->local
		       ? allows_local(auth, caller, flags, who, reply)
		       : allows_tcp(auth, caller, flags, now_ns, who, reply);
}
