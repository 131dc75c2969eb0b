/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/filter.h"
#include "control/config_value.h"
#include "core/time.h"
#include "core/tcp_track.h"

#define TERM_MAX 1024

struct word {
	const char *name;
	bool compares; /* by < and >, else by = */
};

static const struct word words[FILTER_WHATS] = {
	[FILTER_CLIENT] = {"client", false},
	[FILTER_VIP] = {"vip", false},
	[FILTER_NAT] = {"nat", false},
	[FILTER_SERVICE] = {"service", false},
	[FILTER_BACKEND] = {"backend", false},
	[FILTER_STATE] = {"state", false},
	[FILTER_ID] = {"id", false},
	[FILTER_AGE] = {"age", true},
	[FILTER_IDLE] = {"idle", true},
	[FILTER_BYTES] = {"bytes", true},
	[FILTER_PACKETS] = {"packets", true},
	[FILTER_RETRANSMITS] = {"retransmits", true},
};

/* The word that @text begins with, up to its =, < or >, or its end. */
static enum filter_what find_word(const char *text, size_t *len)
{
	*len = strcspn(text, "=<>");
	for (unsigned i = 0; i < FILTER_WHATS; i++)
		if (strlen(words[i].name) == *len &&
		    memcmp(words[i].name, text, *len) == 0)
			return (enum filter_what)i;
	return FILTER_WHATS;
}

bool filter_knows(const char *name)
{
	size_t len;

	return find_word(name, &len) != FILTER_WHATS;
}

/* ------------------------------------------------------------------- values */

static int read_number(const char *text, uint64_t *out, struct err *err)
{
	static const struct {
		char suffix;
		uint64_t times;
	} suffixes[] = {{'\0', 1},
			{'k', 1000},
			{'K', 1000},
			{'M', 1000000},
			{'G', 1000000000}};
	char quoted[QUOTED_MAX];
	uint64_t n = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && n < UINT64_MAX / 100; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	for (size_t i = 0;
	     at > text && i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (*at != suffixes[i].suffix || (*at && at[1]))
			continue;
		if (n > UINT64_MAX / suffixes[i].times)
			break;
		*out = n * suffixes[i].times;
		return 0;
	}
	return err_set(err, -EINVAL,
		       "\"%s\": expected a whole number, for example 1500 or "
		       "10k",
		       value_quote(text, quoted));
}

static int read_time(const char *text, uint64_t *out_ns, struct err *err)
{
	const size_t len = strlen(text);
	uint32_t ms;
	int ret;

	if (len > 1 && len < 8 && text[len - 1] == 'd' &&
	    strspn(text, "0123456789") == len - 1) {
		*out_ns = strtoull(text, NULL, 10) * 86400 * NS_PER_S;
		return 0;
	}
	ret = value_time(text, 1, 0, UINT32_MAX, &ms, err);
	*out_ns = ret ? 0 : (uint64_t)ms * NS_PER_MS;
	return ret;
}

/* A.B.C.D[/LENGTH][:PORT] */
static int read_address(struct filter_item *item, const char *text,
			struct err *err)
{
	char host[64], quoted[QUOTED_MAX];
	char *colon, *slash;
	struct in_addr v4;
	uint32_t length = 32;
	int ret = 0;

	snprintf(host, sizeof(host), "%s", text);
	colon = strchr(host, ':');
	if (colon)
		*colon++ = '\0';
	slash = strchr(host, '/');
	if (slash)
		*slash++ = '\0';
	if (colon)
		ret = value_port(colon, &item->port, err);
	if (!ret && slash)
		ret = value_number(slash, 0, 32, &length, err);
	if (!ret && *host && inet_pton(AF_INET, host, &v4) != 1)
		ret = -EINVAL;
	else if (!ret && *host)
		item->addr = addr_from_v4(v4.s_addr);
	else if (!ret && (!colon || slash))
		ret = -EINVAL;
	if (ret)
		return err_set(err, -EINVAL,
			       "\"%s\": expected an address, for example "
			       "10.0.0.0/8, 192.0.2.1 or 192.0.2.1:443",
			       value_quote(text, quoted));
	item->is_address = true;
	item->prefix = (uint8_t)(*host ? 96 + length : 0);
	return 0;
}

static int read_state(struct filter_item *item, const char *text,
		      struct err *err)
{
	char quoted[QUOTED_MAX], list[160] = "";
	size_t len = 0;

	for (unsigned i = 0; i < TCP_STATES; i++) {
		const char *name = tcp_state_name((enum tcp_state)i);

		if (strcasecmp(name, text) == 0) {
			item->number = i;
			return 0;
		}
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i ? ", " : "", name);
	}
	return err_set(err, -EINVAL, "\"%s\": expected one of %s",
		       value_quote(text, quoted), list);
}

static int read_word(struct filter_item *item, const char *text,
		     struct err *err)
{
	char quoted[QUOTED_MAX];

	if (!*text || strlen(text) >= sizeof(item->word))
		return err_set(err, -EINVAL, "\"%s\": expected a name",
			       value_quote(text, quoted));
	snprintf(item->word, sizeof(item->word), "%s", text);
	return 0;
}

static int read_item(enum filter_what what, struct filter_item *item,
		     const char *text, struct err *err)
{
	struct err other;

	switch (what) {
	case FILTER_CLIENT:
	case FILTER_VIP:
	case FILTER_NAT: return read_address(item, text, err);
	case FILTER_BACKEND:
		/* What is no address is an id. */
		if (read_address(item, text, &other) == 0)
			return 0;
		return read_word(item, text, err);
	case FILTER_SERVICE: return read_word(item, text, err);
	case FILTER_STATE: return read_state(item, text, err);
	case FILTER_ID: return read_number(text, &item->number, err);
	case FILTER_AGE:
	case FILTER_IDLE:
	case FILTER_BYTES:
	case FILTER_PACKETS:
	case FILTER_RETRANSMITS:
	case FILTER_WHATS: break;
	}
	assert(!"compared by < or >");
	return -EINVAL;
}

/* -------------------------------------------------------------------- terms */

static int in_term(const char *term, struct err *err)
{
	char quoted[QUOTED_MAX];
	const struct err why = *err;

	return err_set(err, -EINVAL, "filter \"%s\": %.300s",
		       value_quote(term, quoted), why.text);
}

static int add_items(struct filter *f, struct filter_term *term,
		     const char *list, struct err *err)
{
	char item[TERM_MAX];

	while (*list || !term->n) {
		const size_t len = strcspn(list, ",");
		int ret;

		if (f->n_items == FILTER_ITEMS_MAX)
			return err_set(err, -EINVAL,
				       "more than %d values in all terms",
				       FILTER_ITEMS_MAX);
		memcpy(item, list, len);
		item[len] = '\0';
		f->items[f->n_items] = (struct filter_item){0};
		ret = read_item(term->what, &f->items[f->n_items], item, err);
		if (ret)
			return ret;
		f->n_items++;
		term->n++;
		list += len;
		if (*list == ',' && !*++list)
			return err_set(err, -EINVAL,
				       "nothing follows the last comma");
	}
	return 0;
}

static int read_limit(struct filter_term *term, const char *text,
		      struct err *err)
{
	if (term->what == FILTER_AGE || term->what == FILTER_IDLE)
		return read_time(text, &term->limit, err);
	return read_number(text, &term->limit, err);
}

static int parse(struct filter *f, struct filter_term *term, const char *text,
		 struct err *err)
{
	size_t len;

	term->what = find_word(text, &len);
	if (term->what == FILTER_WHATS)
		return err_set(err, -EINVAL, "expected one of %s",
			       FILTER_TERMS);
	term->compare = text[len];
	if (!text[len] || words[term->what].compares != (text[len] != '='))
		return err_set(err, -EINVAL, "expected %s%s",
			       words[term->what].name,
			       words[term->what].compares ? "> or < and a value"
							  : "= and a value");
	return words[term->what].compares
		       ? read_limit(term, text + len + 1, err)
		       : add_items(f, term, text + len + 1, err);
}

int filter_add(struct filter *f, const char *text, struct err *err)
{
	const unsigned n_items = f->n_items;
	struct filter_term term = {.first = n_items};
	int ret;

	if (f->n_terms == FILTER_TERMS_MAX)
		return err_set(err, -EINVAL, "a filter has at most %d terms",
			       FILTER_TERMS_MAX);
	if (strlen(text) >= TERM_MAX)
		ret = err_set(err, -EINVAL, "more than %d bytes", TERM_MAX - 1);
	else
		ret = parse(f, &term, text, err);
	if (ret) {
		f->n_items = n_items;
		return in_term(text, err);
	}
	f->terms[f->n_terms++] = term;
	return 0;
}

int filter_add_text(struct filter *f, const char *text, struct err *err)
{
	char term[TERM_MAX];
	int ret = 0;

	while (!ret) {
		size_t len;

		text += strspn(text, " \t");
		len = strcspn(text, " \t");
		if (!len)
			break;
		if (len >= sizeof(term))
			return err_set(err, -EINVAL,
				       "a term of the filter has more than %d "
				       "bytes",
				       TERM_MAX - 1);
		memcpy(term, text, len);
		term[len] = '\0';
		ret = filter_add(f, term, err);
		text += len;
	}
	return ret;
}

int filter_add_query(struct filter *f, const struct uri *uri, struct err *err)
{
	char term[TERM_MAX];
	int ret = 0;

	for (unsigned i = 0; i < uri->n_pairs && !ret; i++) {
		const struct uri_pair *pair = &uri->pair[i];
		const char *value = pair->value ? pair->value : "";

		if (strcmp(pair->name, "filter") == 0) {
			ret = filter_add_text(f, value, err);
			continue;
		}
		if (!filter_knows(pair->name))
			continue;
		if (snprintf(term, sizeof(term), "%s%s%s", pair->name,
			     pair->value ? "=" : "",
			     value) >= (int)sizeof(term))
			return err_set(err, -EINVAL,
				       "a term of the filter has more than %d "
				       "bytes",
				       TERM_MAX - 1);
		ret = filter_add(f, term, err);
	}
	return ret;
}

/* ----------------------------------------------------------------- matching */

static bool is_in(const struct filter_item *item, const struct endpoint *e)
{
	const unsigned bytes = item->prefix / 8, bits = item->prefix % 8;
	const uint8_t *a = item->addr.b, *b = e->addr.b;

	if (item->port && item->port != e->port)
		return false;
	if (memcmp(a, b, bytes) != 0)
		return false;
	return !bits || (a[bytes] ^ b[bytes]) >> (8 - bits) == 0;
}

static bool item_matches(enum filter_what what, const struct filter_item *item,
			 const struct filter_facts *facts)
{
	const struct flow *flow = facts->flow;
	struct endpoint e;

	switch (what) {
	case FILTER_CLIENT: e = flow_client(flow); return is_in(item, &e);
	case FILTER_VIP: e = flow_vip(flow); return is_in(item, &e);
	case FILTER_NAT: e = flow_nat(flow); return is_in(item, &e);
	case FILTER_BACKEND:
		e = flow_backend(flow);
		return item->is_address
			       ? is_in(item, &e)
			       : strcmp(item->word, facts->backend) == 0;
	case FILTER_SERVICE: return strcmp(item->word, facts->service) == 0;
	case FILTER_STATE: return item->number == flow->tcp.state;
	case FILTER_ID: return item->number == flow->id;
	case FILTER_AGE:
	case FILTER_IDLE:
	case FILTER_BYTES:
	case FILTER_PACKETS:
	case FILTER_RETRANSMITS:
	case FILTER_WHATS: break;
	}
	return false;
}

static uint64_t since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

static uint64_t measure(enum filter_what what, const struct filter_facts *facts)
{
	const struct flow *flow = facts->flow;

	switch (what) {
	case FILTER_AGE: return since(facts->now_ns, flow->opened_ns);
	case FILTER_IDLE: return since(facts->now_ns, flow->seen_ns);
	case FILTER_BYTES:
		return flow->bytes[FLOW_ORIG] + flow->bytes[FLOW_REPLY];
	case FILTER_PACKETS:
		return flow->packets[FLOW_ORIG] + flow->packets[FLOW_REPLY];
	case FILTER_RETRANSMITS: return facts->retransmits;
	case FILTER_CLIENT:
	case FILTER_VIP:
	case FILTER_NAT:
	case FILTER_SERVICE:
	case FILTER_BACKEND:
	case FILTER_STATE:
	case FILTER_ID:
	case FILTER_WHATS: break;
	}
	return 0;
}

static bool term_matches(const struct filter *f, const struct filter_term *term,
			 const struct filter_facts *facts)
{
	if (term->compare == '>')
		return measure(term->what, facts) > term->limit;
	if (term->compare == '<')
		return measure(term->what, facts) < term->limit;
	for (unsigned i = 0; i < term->n; i++)
		if (item_matches(term->what, &f->items[term->first + i], facts))
			return true;
	return false;
}

bool filter_matches(const struct filter *f, const struct filter_facts *facts)
{
	for (unsigned i = 0; i < f->n_terms; i++)
		if (!term_matches(f, &f->terms[i], facts))
			return false;
	return true;
}
