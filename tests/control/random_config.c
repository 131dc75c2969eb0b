/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "control/config_keys.h"
#include "random_config.h"

#define ADDRESSES 6u
#define NAMES	  5u

/* Right values of each key; the keys of the program must all be here. */
static const struct sample {
	const char *key;
	const char *values[6];
} samples[] = {
	{"name", {"pi", "a-b_c"}},
	{"flows", {"1", "65536", "4194304"}},
	{"nat_ports", {"10240-32767", "1024-2047"}},
	{"interface", {"eth0", "eth0, lo", "it's"}},
	{"guard", {"auto", "keep", "none"}},
	{"datapath", {"auto", "pcap"}},
	{"state", {"none", "/var/lib/x y", "/run/a\"b"}},
	{"control", {"/tmp/it's", "/tmp/\\\"'"}},
	{"api", {"off", "127.0.0.1:9090", "0.0.0.0:9091"}},
	{"api_socket", {"none", "/tmp/it's a.sock"}},
	{"api_token_file", {"/etc/l4lb/token", "/tmp/\"t"}},
	{"api_read", {"auto", "open", "token"}},
	{"api_writes", {"yes", "no"}},
	{"api_host", {"none", "lb", "lb.example.org, lb"}},
	{"flow_log", {"none", "/var/log/l4lb flows"}},
	{"flow_log_format", {"text", "json"}},
	{"journal", {"65536", "1024", "1048576"}},
	{"user", {"auto", "nobody"}},
	{"sandbox", {"on", "off"}},
	{"mss_clamp", {"off", "auto", "536", "1360"}},
	{"busy_poll", {"0", "50", "1000"}},
	{"idle_timeout", {"7440s", "1h", "90"}},
	{"half_closed_timeout", {"240s", "7s"}},
	{"syn_sent_timeout", {"10s", "1s", "2m"}},
	{"syn_received_timeout", {"1m", "61s"}},
	{"closed_timeout", {"60s", "3s"}},
	{"keepalive", {"off", "20s", "25000ms"}},
	{"scheduler", {"rr", "wrr", "lc", "wlc", "hash", "maglev"}},
	{"hash_key", {"auto", "00112233445566778899aabbccddeeff"}},
	{"hash_port", {"yes", "no"}},
	{"source", {"auto", "10.9.0.1", "10.9.0.1, 10.9.0.2"}},
	{"mptcp", {"strip", "pass"}},
	{"out_of_state", {"reset", "drop"}},
	{"check",
	 {"none", "syn", "tcp", "http GET /a'b expect 204,500-503,1xx",
	  "expect \"it's OK\"", "http GET /\"\\ expect 3xx,2xx"}},
	{"interval", {"1s", "100ms", "1500ms"}},
	{"fast_interval", {"auto", "20ms", "99ms"}},
	{"timeout", {"500ms", "1m"}},
	{"fall", {"3", "100"}},
	{"rise", {"1", "2"}},
	{"slow_start", {"off", "30s"}},
	{"eject_after", {"0", "3"}},
	{"eject_time", {"1s", "59s"}},
	{"eject_max", {"auto", "1m", "24h"}},
	{"eject_trials", {"1", "7"}},
	{"on_down", {"reset", "keep"}},
	{"all_down", {"reset", "drop"}},
	{"retries", {"0", "3", "255"}},
	{"syn_timeout", {"300ms", "1s"}},
	{"drain_timeout", {"off", "2h"}},
	{"max_half_open", {"auto", "64", "4194304"}},
};

#define SAMPLES (sizeof(samples) / sizeof(*samples))

static const char *random_value(struct random *r, const char *key)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		unsigned n = 0;

		if (strcmp(samples[i].key, key) != 0)
			continue;
		while (n < 6 && samples[i].values[n])
			n++;
		return samples[i].values[random_below(r, n)];
	}
	ck_abort_msg("random_config.c has no values for the key %s", key);
	return NULL;
}

static void add_keys(struct random *r, const struct key_table *table,
		     struct text *out)
{
	for (unsigned i = 0; i < table->n; i++) {
		const char *name = table->keys[i].name;

		if (strcmp(name, "listen") != 0 &&
		    strcmp(name, "backend") != 0 && random_below(r, 4) == 0)
			text_add(out, "%s = %s\n", name, random_value(r, name));
	}
}

static void add_backends(struct random *r, struct text *out)
{
	unsigned used = 0, n = 1 + random_below(r, 4);

	while (n--) {
		const unsigned k = random_below(r, ADDRESSES);

		if (used >> k & 1)
			continue;
		used |= 1u << k;
		text_add(out, "backend = 10.0.1.%u:80", k + 1);
		if (random_below(r, 2))
			text_add(out, " weight=%u", random_below(r, 4));
		if (random_below(r, 4) == 0)
			text_add(out, " backup");
		/* Each id only once in a service: it depends on the address. */
		if (random_below(r, 3) == 0)
			text_add(out, " id=web%u", (k + n) % 2 * 10 + k);
		text_add(out, "\n");
	}
}

/* Some endpoints are both, that of a service here and of a backend there. */
static void add_service(struct random *r, unsigned k, const char *name,
			struct text *out)
{
	text_add(out, "[service %s]\nlisten = 10.0.%u.%u:80\n", name,
		 random_below(r, 8) ? 0 : 1, k + 1);
	add_keys(r, &keys_service, out);
	add_backends(r, out);
}

static void add_file(struct random *r, struct text *out)
{
	static const char *const names[NAMES] = {"a", "b", "chat", "web", "z"};
	const unsigned n = 1 + random_below(r, 3);
	const unsigned shift = random_below(r, NAMES);
	const unsigned first = random_below(r, 3);

	if (random_below(r, 2)) {
		text_add(out, "[global]\n");
		add_keys(r, &keys_global, out);
	}
	for (unsigned i = 0; i < n; i++)
		add_service(r, first + i, names[(i + shift) % NAMES], out);
}

void random_command(struct random *r, const struct config *c,
		    char line[RANDOM_COMMAND_MAX])
{
	static const char *const verbs[] = {"enable", "disable", "drain",
					    "remove"};
	static const char *const thens[] = {"", "", " then=keep", " then=reset",
					    " then=drain"};
	const struct service_config *s =
		&c->services[random_below(r, c->n_services + 1)];
	const struct key *key;
	char id[CONFIG_NAME_MAX] = "backend1";
	struct text word = {0}, quoted = {0};

	if (s->n_backends)
		snprintf(id, sizeof(id), "%s",
			 s->backends[random_below(r, s->n_backends)].id);
	switch (random_below(r, 8)) {
	case 0:
		key = &keys_global.keys[random_below(r, keys_global.n)];
		text_add(&word, "%s=%s", key->name, random_value(r, key->name));
		words_quote(text_get(&word), &quoted);
		snprintf(line, RANDOM_COMMAND_MAX, "set %s", text_get(&quoted));
		break;
	case 1:
	case 2:
		do
			key = &keys_service
				       .keys[random_below(r, keys_service.n)];
		while (!strcmp(key->name, "listen") || !key->print);
		text_add(&word, "%s=%s", key->name, random_value(r, key->name));
		words_quote(text_get(&word), &quoted);
		snprintf(line, RANDOM_COMMAND_MAX, "service set %s %s", s->name,
			 text_get(&quoted));
		break;
	case 3:
		snprintf(line, RANDOM_COMMAND_MAX,
			 "backend add %s 10.0.1.%u:80 weight=%u%s%s", s->name,
			 1 + random_below(r, ADDRESSES), random_below(r, 5),
			 random_below(r, 4) ? "" : " backup",
			 random_below(r, 4) ? "" : " id=extra");
		break;
	case 4:
		snprintf(line, RANDOM_COMMAND_MAX,
			 "backend set %s %s weight=%u backup=%s", s->name, id,
			 random_below(r, 300),
			 random_below(r, 2) ? "yes" : "no");
		break;
	case 5:
		snprintf(line, RANDOM_COMMAND_MAX, "backend set %s %s id=n%u",
			 s->name, id, random_below(r, 4));
		break;
	case 6:
		snprintf(line, RANDOM_COMMAND_MAX, "backend %s %s %s%s",
			 verbs[random_below(r, 4)], s->name, id,
			 thens[random_below(r, 5)]);
		break;
	default:
		if (random_below(r, 2))
			snprintf(line, RANDOM_COMMAND_MAX,
				 "service add new%u listen=10.0.2.%u:80",
				 random_below(r, 3), random_below(r, 3) + 1);
		else if (random_below(r, 2))
			snprintf(line, RANDOM_COMMAND_MAX,
				 "service set %s name=n%u", s->name,
				 random_below(r, 3));
		else
			snprintf(line, RANDOM_COMMAND_MAX, "service remove %s",
				 s->name);
	}
	text_free(&word);
	text_free(&quoted);
}

/* As the running balancer does in the end. */
void free_left(struct config *c)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		struct service_config *s = &c->services[i];

		for (unsigned k = 0; k < s->n_backends; k++)
			if (s->backends[k].slot == SLOT_LEAVING)
				config_free_backend(s, &s->backends[k]);
		if (s->slot == SLOT_LEAVING)
			config_free_service(c, s);
	}
}

struct config random_file(struct random *r)
{
	struct text text = {0};
	struct config c;
	struct err err;
	int ret;

	do {
		text_cut(&text, 0);
		add_file(r, &text);
		ret = config_parse(&c, "random", text_get(&text), &err);
		/* The generator knows no rule about two places at once. */
		if (ret && !strstr(err.text, "also a backend") &&
		    !strstr(err.text, "listens there") &&
		    !strstr(err.text, "too long: three") &&
		    !strstr(err.text, "is longer than interval"))
			ck_abort_msg("%s\n%s", err.text, text_get(&text));
	} while (ret);
	text_free(&text);
	return c;
}

void random_changes(struct random *r, struct config *c, unsigned n)
{
	for (n = random_below(r, n + 1); n; n--) {
		char line[RANDOM_COMMAND_MAX];
		struct config copy;
		struct err err;

		random_command(r, c, line);
		ck_assert_int_eq(config_copy(&copy, c), 0);
		if (command_apply(&copy, line, &err) == 0 &&
		    command_check(&copy, &err) == 0) {
			config_free(c);
			*c = copy;
		} else {
			config_free(&copy);
		}
		if (random_below(r, 4) == 0)
			free_left(c);
	}
}

struct config random_config(struct random *r)
{
	struct config c = random_file(r);

	random_changes(r, &c, 11);
	return c;
}

/* ------------------------------------------------------------- equality */

static const struct service_config *same_service(const struct config *c,
						 const struct service_config *s)
{
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]) &&
		    endpoint_equal(&c->services[i].listen, &s->listen))
			return &c->services[i];
	return NULL;
}

static const char *backends_missing(const struct service_config *a,
				    const struct service_config *b, bool ids)
{
	for (unsigned i = 0; i < a->n_backends; i++) {
		const struct backend_config *x = &a->backends[i], *y = NULL;

		if (!backend_is_live(x))
			continue;
		for (unsigned k = 0; k < b->n_backends; k++)
			if (backend_is_live(&b->backends[k]) &&
			    endpoint_equal(&b->backends[k].addr, &x->addr))
				y = &b->backends[k];
		if (!y)
			return "a backend";
		if (strcmp(x->id, y->id) != 0 &&
		    (ids || !config_id_is_automatic(x->id) ||
		     !config_id_is_automatic(y->id)))
			return "an id";
		if (x->params.weight != y->params.weight)
			return "a weight";
		if (x->params.backup != y->params.backup)
			return "a backup";
		if (x->params.admin != y->params.admin ||
		    x->params.drain_s != y->params.drain_s ||
		    x->params.then != y->params.then)
			return "an administrator's wish";
	}
	return NULL;
}

static const char *params_differ(const struct service_config *a,
				 const struct service_config *b)
{
	const struct service_params *p = &a->params, *q = &b->params;

	if (a->n_sources != b->n_sources ||
	    memcmp(a->sources, b->sources, a->n_sources * sizeof(*a->sources)))
		return "sources";
	if (memcmp(&p->check, &q->check, sizeof(p->check)) ||
	    p->checked != q->checked)
		return "check";
	if (memcmp(&p->health, &q->health, sizeof(p->health)) ||
	    a->fast_ms != b->fast_ms)
		return "health";
	if (memcmp(&p->breaker, &q->breaker, sizeof(p->breaker)) ||
	    a->eject_max_ms != b->eject_max_ms)
		return "breaker";
	if (a->hash_key.set != b->hash_key.set ||
	    memcmp(&p->hash_key, &q->hash_key, sizeof(p->hash_key)) ||
	    p->hash_port != q->hash_port)
		return "what is hashed";
	if (p->scheduler != q->scheduler ||
	    p->reset_out_of_state != q->reset_out_of_state ||
	    p->drop_all_down != q->drop_all_down ||
	    p->mptcp_pass != q->mptcp_pass ||
	    p->keep_on_down != q->keep_on_down)
		return "a choice of a service";
	if (p->retries != q->retries ||
	    p->syn_timeout_ms != q->syn_timeout_ms ||
	    p->drain_timeout_s != q->drain_timeout_s ||
	    p->half_open_max != q->half_open_max)
		return "a number of a service";
	return NULL;
}

static const char *services_missing(const struct config *a,
				    const struct config *b, bool ids)
{
	const char *what = NULL;

	for (unsigned i = 0; i < a->n_services && !what; i++) {
		const struct service_config *s = &a->services[i], *other;

		if (!service_is_live(s))
			continue;
		other = same_service(b, s);
		if (!other)
			return "a service";
		if (strcmp(s->name, other->name) != 0)
			return "the name of a service";
		what = params_differ(s, other);
		if (!what)
			what = backends_missing(s, other, ids);
	}
	return what;
}

static const char *difference(const struct config *a, const struct config *b,
			      bool ids)
{
	const char *what = services_missing(a, b, ids);

	if (what)
		return what;
	if (memcmp(&a->hash_key, &b->hash_key, sizeof(a->hash_key)))
		return "the hash_key";
	if (memcmp(&a->timeouts, &b->timeouts, sizeof(a->timeouts)))
		return "timeouts";
	if (a->busy_poll_us != b->busy_poll_us || a->mss_clamp != b->mss_clamp)
		return "a number";
	return services_missing(b, a, ids);
}

const char *config_difference(const struct config *a, const struct config *b)
{
	return difference(a, b, true);
}

const char *config_difference_but_ids(const struct config *a,
				      const struct config *b)
{
	return difference(a, b, false);
}
