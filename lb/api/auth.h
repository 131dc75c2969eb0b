/* SPDX-License-Identifier: MIT */
/*
 * auth.h - who may ask, and who may change something
 *
 * By the UNIX socket root, and the user of l4lb, may do all. By TCP whoever has
 * the token may; reading may be open to all. Who guesses tokens has
 * AUTH_GUESSES a second for each address. A browser must not be made to ask by
 * somebody's page: the Host must be ours (a name that somebody else made point
 * at us is refused), and an Origin must be the Host.
 */
#ifndef L4LB_API_AUTH_H
#define L4LB_API_AUTH_H

#include <stdbool.h>
#include <stdint.h>
#include <threads.h>

#include "api/http.h"
#include "core/addr.h"

#define AUTH_GUESSES  10
#define AUTH_GUESSERS 64 /* addresses that are remembered */

struct auth_guesser {
	struct ip_addr from;
	uint64_t since_ns;
	unsigned wrong; /* since then */
};

struct auth {
	bool writes;	   /* anybody may change something */
	bool tcp_token;	   /* reading by TCP needs the token */
	bool tcp_writes;   /* writing by TCP does not need it */
	uint32_t uid;	   /* of l4lb */
	const char *token; /* "": there is none */
	const char *hosts; /* names, each with a final 0; then a 0 */
	mtx_t lock;	   /* of what follows */
	struct auth_guesser guessers[AUTH_GUESSERS];
};

struct caller {
	bool local;   /* by the UNIX socket */
	bool has_uid; /* ...and the kernel says of whom */
	uint32_t uid;
	struct ip_addr from; /* by TCP */
	/* Headers; NULL: not sent. */
	const char *host, *origin, *authorization;
};

/* @auth has its values; this prepares the rest. */
void auth_init(struct auth *auth);

/*
 * May @caller do what @flags (ROUTE_...) say? True: @who has his name. False:
 * @reply says why not (401, 403, 421, 429).
 */
bool auth_allows(struct auth *auth, const struct caller *caller, unsigned flags,
		 uint64_t now_ns, char who[WHO_MAX], struct reply *reply);

#endif
