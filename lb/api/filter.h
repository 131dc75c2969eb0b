/* SPDX-License-Identifier: MIT */
/*
 * filter.h - which flows a listing shows
 *
 *   client=10.0.0.0/8,192.0.2.1:40112  service=chat  backend=backend1
 *   vip=A:P  nat=A:P  state=ESTABLISHED  id=17
 *   age>10m  idle<5s  bytes>1M  packets<3  retransmits>0
 *
 * All terms must hold; between commas any one. An address may have a length of
 * its prefix, or a port, or both (10.0.0.0/8:443). A time is one of the
 * configuration's, and days (d); a number may end in k, M or G (thousands).
 * Pure.
 */
#ifndef L4LB_API_FILTER_H
#define L4LB_API_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "api/uri.h"
#include "core/flow.h"

#define FILTER_TERMS                                                         \
	"client=, vip=, nat=, service=, backend=, state=, id=, age>, age<, " \
	"idle>, idle<, bytes>, bytes<, packets>, packets<, retransmits>, "   \
	"retransmits<"
#define FILTER_ITEMS_MAX 32 /* between commas, in all terms */
#define FILTER_TERMS_MAX 32
#define FILTER_WORD_MAX	 32 /* as names in the configuration */

enum filter_what {
	FILTER_CLIENT,
	FILTER_VIP,
	FILTER_NAT,
	FILTER_SERVICE,
	FILTER_BACKEND,
	FILTER_STATE,
	FILTER_ID,
	FILTER_AGE,
	FILTER_IDLE,
	FILTER_BYTES,
	FILTER_PACKETS,
	FILTER_RETRANSMITS,
	FILTER_WHATS
};

struct filter_item {
	bool is_address;
	struct ip_addr addr;
	uint8_t prefix;		    /* of 128 bits */
	uint16_t port;		    /* network byte order; 0: any */
	char word[FILTER_WORD_MAX]; /* a service, a backend */
	uint64_t number;	    /* a state, an id */
};

struct filter_term {
	enum filter_what what;
	char compare;	/* '=', '<' or '>' */
	uint64_t limit; /* ns, bytes, packets: of < and > */
	unsigned first, n;
};

/* Zeroed: all flows. */
struct filter {
	unsigned n_terms, n_items;
	struct filter_term terms[FILTER_TERMS_MAX];
	struct filter_item items[FILTER_ITEMS_MAX];
};

/* What a filter sees of a flow. */
struct filter_facts {
	const struct flow *flow;
	const char *service; /* "" if not known any more */
	const char *backend; /* its id; "" likewise */
	uint64_t retransmits;
	uint64_t now_ns; /* of the clock of the flow's times */
};

/* True if the name of a parameter is, or begins, a term. */
bool filter_knows(const char *name);

/* Adds one term. -EINVAL: @err says what is wrong with it. */
int filter_add(struct filter *f, const char *term, struct err *err);

/* Adds all terms of a text, between blanks. */
int filter_add_text(struct filter *f, const char *text, struct err *err);

/* Adds those of a query: terms as parameters, and the text of "filter". */
int filter_add_query(struct filter *f, const struct uri *uri, struct err *err);

bool filter_matches(const struct filter *f, const struct filter_facts *facts);

#endif
