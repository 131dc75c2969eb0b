/* SPDX-License-Identifier: MIT */
/*
 * config_keys.c - every key of the file, and its effect on a struct config
 *
 * To add a key: add its field and default to core/params.h (or to struct
 * config), a row to a table below, and an entry to l4lb.conf(5)
 * (tests/control/docs.sh compares the two). A value that is neither a number, a
 * time nor one of two words needs a function of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/config_backend.h"
#include "control/config_keys.h"
#include "control/config_print.h"
#include "control/config_value.h"

#define ITEM_MAX 512 /* bytes of one item of a value or backend */

static int set_name(struct target *t, const char *value, struct err *err)
{
	int ret = value_name(t->config->name, value, err);

	if (ret == 0)
		t->config->name_set = true;
	return ret;
}

static int set_user(struct target *t, const char *value, struct err *err)
{
	size_t len = strlen(value);

	/* The rule of useradd(8); such a name can also stand in a message. */
	if (len == 0 || len >= CONFIG_NAME_MAX || value[0] == '-' ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.$")])
		return err_set(err, -EINVAL,
			       "expected the name of a user, for example l4lb, "
			       "or auto");
	memcpy(t->config->user, value, len + 1);
	return 0;
}

static int set_flows(struct target *t, const char *value, struct err *err)
{
	if (value_number(value, 1, CONFIG_FLOWS_MAX, &t->config->flows, err))
		return err_set(err, -EINVAL,
			       "expected a number from 1 to %u, for example %u",
			       CONFIG_FLOWS_MAX, CONFIG_FLOWS_DEFAULT);
	return 0;
}

static int set_nat_ports(struct target *t, const char *value, struct err *err)
{
	const char *dash = strchr(value, '-');
	char lo_text[8];
	uint32_t lo = 0, hi = 0;

	if (!dash || dash - value >= (int)sizeof(lo_text))
		goto malformed;
	snprintf(lo_text, sizeof(lo_text), "%.*s", (int)(dash - value), value);
	if (value_number(lo_text, 0, UINT16_MAX, &lo, err) ||
	    value_number(dash + 1, 0, UINT16_MAX, &hi, err))
		goto malformed;
	if (lo > hi)
		return err_set(err, -EINVAL,
			       "wrong order: the lower port comes first, as in "
			       "%u-%u",
			       hi, lo);
	if (lo < 1024)
		return err_set(err, -EINVAL,
			       "ports below 1024 are privileged: expected for "
			       "example %d-%d",
			       CONFIG_NAT_LO, CONFIG_NAT_HI);
	if (hi - lo + 1 < CONFIG_NAT_MIN)
		return err_set(err, -EINVAL,
			       "%u ports are too few, at least %d are needed: "
			       "for example %d-%d",
			       hi - lo + 1, CONFIG_NAT_MIN, CONFIG_NAT_LO,
			       CONFIG_NAT_HI);
	t->config->nat_lo = (uint16_t)lo;
	t->config->nat_hi = (uint16_t)hi;
	t->config->nat_ports_set = true;
	return 0;

malformed:
	return err_set(err, -EINVAL,
		       "expected LO-HI, ports from 1024 to 65535, for example "
		       "%d-%d",
		       CONFIG_NAT_LO, CONFIG_NAT_HI);
}

/* The rule of the kernel's dev_valid_name(), and printable. */
static bool is_interface_name(const char *name, size_t size)
{
	if (strlen(name) >= size || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name <= 0x20 || *name >= 0x7f || *name == '/' ||
		    *name == ':')
			return false;
	return true;
}

static int add_interface(struct config *c, const char *name, struct err *err)
{
	static const size_t size = sizeof(c->interfaces[0]);

	if (!is_interface_name(name, size))
		return err_set(err, -EINVAL,
			       "expected the name of a network interface, at "
			       "most %zu bytes, for example eth0",
			       size - 1);
	for (unsigned i = 0; i < c->n_interfaces; i++)
		if (strcmp(c->interfaces[i], name) == 0)
			return err_set(err, -EINVAL,
				       "interface %s is given twice", name);
	if (c->n_interfaces == CONFIG_INTERFACES_MAX)
		return err_set(err, -EINVAL, "more than %d interfaces",
			       CONFIG_INTERFACES_MAX);
	memcpy(c->interfaces[c->n_interfaces++], name, strlen(name) + 1);
	return 0;
}

static int set_interface(struct target *t, const char *value, struct err *err)
{
	char item[32];
	unsigned n = 0;
	int ret = value_check_commas(value, "eth0, eth1", err);

	for (; ret == 0 && value_next_item(&value, item, sizeof(item)); n++)
		ret = add_interface(t->config, item, err);
	if (ret == 0 && n == 0)
		return err_set(err, -EINVAL,
			       "expected the name of a network interface, for "
			       "example eth0");
	return ret;
}

static int set_guard(struct target *t, const char *value, struct err *err)
{
	static const char *const names[] = {
		[GUARD_AUTO] = "auto",
		[GUARD_KEEP] = "keep",
		[GUARD_NONE] = "none",
	};
	int mode = 0;

	if (value_choice(value, names, 3, "auto, keep or none", &mode, err))
		return -EINVAL;
	t->config->guard = (enum guard_mode)mode;
	return 0;
}

static int set_datapath(struct target *t, const char *value, struct err *err)
{
	static const char *const names[] = {
		[DATAPATH_AUTO] = "auto",
		[DATAPATH_PCAP] = "pcap",
		[DATAPATH_BPF] = "bpf",
	};
	int datapath = 0;

	if (value_choice(value, names, 3, "auto or pcap", &datapath, err))
		return -EINVAL;
	/* This is an error on any host, as no host can run it. */
	if (datapath == DATAPATH_BPF)
		return err_set(err, -EINVAL,
			       "not built yet; expected auto or pcap");
	t->config->datapath = (enum datapath)datapath;
	return 0;
}

static int set_state(struct target *t, const char *value, struct err *err)
{
	struct config *c = t->config;

	if (strcmp(value, "none") == 0)
		c->state[0] = 0;
	else if (value_path(c->state, value, "/run/l4lb/chat.flows, or none",
			    err))
		return -EINVAL;
	c->state_set = true;
	return 0;
}

static int set_control(struct target *t, const char *value, struct err *err)
{
	int ret = value_path(t->config->control, value,
			     "/run/l4lb/chat.control", err);

	if (ret == 0)
		t->config->control_set = true;
	return ret;
}

static int set_listen(struct target *t, const char *value, struct err *err)
{
	struct endpoint listen;
	int ret = value_endpoint(value, t->resolve, &listen, err);

	return ret ? ret
		   : config_set_listen(t->config, t->service, &listen, err);
}

static int set_scheduler(struct target *t, const char *value, struct err *err)
{
	return config_set_scheduler(t->service, value, err);
}

static int add_backend(struct target *t, const struct backend_config *b,
		       struct err *err)
{
	struct err reason;
	int ret = config_add_backend(t->config, t->service, b, &reason);

	if (ret == 0)
		return 0;
	return err_set(err, -EINVAL, "%s%s", reason.text,
		       ret == -EEXIST ? "; give a backend once, and weight=N "
					"for a larger share"
				      : "");
}

static int set_backend(struct target *t, const char *value, struct err *err)
{
	struct backend_config b = {.params = BACKEND_PARAMS_DEFAULT};
	char item[ITEM_MAX];
	unsigned given = 0;
	int ret;

	if (strlen(value) >= sizeof(item) || strchr(value, ',') ||
	    !value_next_item(&value, item, sizeof(item)))
		return err_set(err, -EINVAL,
			       "expected ADDRESS:PORT [weight=N] [backup] "
			       "[id=NAME], for example 192.168.0.11:9001 "
			       "weight=3");
	ret = value_endpoint(item, t->resolve, &b.addr, err);
	while (ret == 0 && value_next_item(&value, item, sizeof(item)))
		ret = backend_option(t->config, &b, &given, item, err);
	return ret ? ret : add_backend(t, &b, err);
}

static int add_source(struct service_config *s, const struct ip_addr *source,
		      struct err *err)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < s->n_sources; i++)
		if (addr_equal(&s->sources[i], source))
			return err_set(err, -EINVAL, "%s is given twice",
				       addr_format(source, text));
	if (s->n_sources == CONFIG_SOURCES_MAX)
		return err_set(err, -EINVAL,
			       "more than %d source addresses in one service",
			       CONFIG_SOURCES_MAX);
	s->sources[s->n_sources++] = *source;
	return 0;
}

static int set_source(struct target *t, const char *value, struct err *err)
{
	char item[ITEM_MAX];
	unsigned n = 0;
	int ret;

	if (strcmp(value, "auto") == 0 && t->service->n_sources == 0)
		return 0;
	ret = value_check_commas(value, "192.168.0.10, 192.168.0.20", err);
	for (; ret == 0 && value_next_item(&value, item, sizeof(item)); n++) {
		struct ip_addr source;

		ret = value_host(item, t->resolve, &source, err);
		if (ret == 0)
			ret = add_source(t->service, &source, err);
	}
	if (ret == 0 && n == 0)
		return err_set(err, -EINVAL,
			       "expected one or several addresses, for example "
			       "192.168.0.10, 192.168.0.20, or auto");
	return ret;
}

static int set_check(struct target *t, const char *value, struct err *err)
{
	static const char *const kinds[] = {"none", "syn", "tcp", "http",
					    "expect"};
	static const char expected[] = "syn, tcp, http GET /PATH [expect "
				       "2xx,3xx], expect \"TEXT\" or none";
	const size_t len = strcspn(value, " \t");
	const char *rest = value + len + strspn(value + len, " \t");
	char word[16];
	int kind = 0;

	snprintf(word, sizeof(word), "%.*s", (int)len, value);
	if (value_choice(word, kinds, 5, expected, &kind, err))
		return -EINVAL;
	if (kind == 0 && *rest)
		return err_set(err, -EINVAL, "expected nothing after none");
	t->service->params.checked = kind != 0;
	if (kind)
		return check_parse(value, &t->service->params.check, err);
	memset(&t->service->params.check, 0, sizeof(struct check_spec));
	return 0;
}

static int set_mss_clamp(struct target *t, const char *value, struct err *err)
{
	uint32_t *clamp = &t->config->mss_clamp;

	if (strcmp(value, "off") == 0)
		*clamp = CONFIG_CLAMP_OFF;
	else if (strcmp(value, "auto") == 0)
		*clamp = CONFIG_CLAMP_AUTO;
	else if (value_number(value, CONFIG_CLAMP_MIN, CONFIG_CLAMP_MAX, clamp,
			      err))
		return err_set(err, -EINVAL,
			       "expected off, auto or a number of bytes from "
			       "%d to %d, for example 1360",
			       CONFIG_CLAMP_MIN, CONFIG_CLAMP_MAX);
	return 0;
}

static int set_hash_key(struct target *t, const char *value, struct err *err)
{
	struct hash_key *key =
		t->service ? &t->service->hash_key : &t->config->hash_key;
	struct hash_key read = {.set = strcmp(value, "auto") != 0};

	if (read.set && value_bytes(value, read.bytes, sizeof(read.bytes), err))
		return -EINVAL;
	*key = read;
	return 0;
}

/* ------------------------------------------------- one value, one field */

static void *field_of(const struct target *t)
{
	char *section = t->service ? (char *)t->service : (char *)t->config;

	return section + t->key->field.offset;
}

static int set_word(struct target *t, const char *value, struct err *err)
{
	const char *const *words = t->key->field.words;
	char expected[64];
	int choice = 0;
	bool on;

	snprintf(expected, sizeof(expected), "%s or %s", words[0], words[1]);
	if (value_choice(value, words, 2, expected, &choice, err))
		return -EINVAL;
	on = t->key->field.first == (choice == 0);
	memcpy(field_of(t), &on, sizeof(on));
	return 0;
}

static void store(struct target *t, uint32_t number)
{
	memcpy(field_of(t), &number, sizeof(number));
}

static int set_number(struct target *t, const char *value, struct err *err)
{
	const struct key_field *f = &t->key->field;
	uint32_t number = 0;

	if (value_number(value, f->lo, f->hi, &number, err))
		return err_set(err, -EINVAL,
			       "expected a whole number from %u to %u", f->lo,
			       f->hi);
	store(t, number);
	return 0;
}

static int set_ms(struct target *t, const char *value, struct err *err)
{
	const struct key_field *f = &t->key->field;
	uint32_t ms = 0;
	int ret = value_time(value, 1, f->lo, f->hi, &ms, err);

	if (ret == 0)
		store(t, ms);
	return ret;
}

static int set_seconds(struct target *t, const char *value, struct err *err)
{
	const struct key_field *f = &t->key->field;
	uint32_t ms = 0;
	int ret = value_time(value, 1000, f->lo, f->hi, &ms, err);

	if (ret == 0)
		store(t, ms / 1000);
	return ret;
}

/* The field uses 0 for @word, but a user might write 0 for "at once". */
static int or_word(struct target *t, const char *value, const char *word,
		   int (*set)(struct target *t, const char *value,
			      struct err *err),
		   struct err *err)
{
	struct err reason;
	int ret;

	if (strcmp(value, word) == 0) {
		store(t, 0);
		return 0;
	}
	ret = set(t, value, &reason);
	return ret ? err_set(err, ret, "%s, or %s", reason.text, word) : 0;
}

static int set_ms_or_off(struct target *t, const char *value, struct err *err)
{
	return or_word(t, value, "off", set_ms, err);
}

static int set_seconds_or_off(struct target *t, const char *value,
			      struct err *err)
{
	return or_word(t, value, "off", set_seconds, err);
}

static int set_ms_or_auto(struct target *t, const char *value, struct err *err)
{
	return or_word(t, value, "auto", set_ms, err);
}

static int set_number_or_auto(struct target *t, const char *value,
			      struct err *err)
{
	return or_word(t, value, "auto", set_number, err);
}

/* Fields of [global], and of [service NAME], by their types. */
#define NO_FIELD            \
	{                   \
		.offset = 0 \
	}
#define GLOBAL_NUMBER(field, from, to) NUMBER(struct config, field, from, to)
#define GLOBAL_BOOL(field, ...)	       BOOL(struct config, field, __VA_ARGS__)
#define SERVICE_NUMBER(field, from, to) \
	NUMBER(struct service_config, params.field, from, to)
#define SERVICE_OWN(field, from, to) \
	NUMBER(struct service_config, field, from, to)
#define SERVICE_BOOL(field, ...) \
	BOOL(struct service_config, params.field, __VA_ARGS__)

#define NUMBER(type, field, from, to)                                    \
	{                                                                \
		.offset = OFFSET(type, field, uint32_t *), .lo = (from), \
		.hi = (to)                                               \
	}
#define BOOL(type, field, value, ...)                                    \
	{                                                                \
		.offset = OFFSET(type, field, bool *), .first = (value), \
		.words = {                                               \
			__VA_ARGS__                                      \
		}                                                        \
	}
/* Does not compile if the field has another type. */
#define OFFSET(type, field, pointer) \
	_Generic(&((type *)0)->field, pointer : offsetof(type, field))

/* In milliseconds, even if the field is in seconds. */
#define S    1000u
#define MIN  (60 * S)
#define HOUR (60 * MIN)
#define WEEK (168 * HOUR)

/* clang-format off */
static const struct key global_keys[] = {
	{ "name", set_name, print_name, KEY_RESTART | KEY_CHOSEN, NO_FIELD },
	{ "flows", set_flows, print_flows, KEY_RESTART, NO_FIELD },
	{ "nat_ports", set_nat_ports, print_nat_ports, KEY_RESTART | KEY_CHOSEN, NO_FIELD },
	{ "interface", set_interface, print_interface, KEY_REPEATABLE | KEY_RESTART, NO_FIELD },
	{ "guard", set_guard, print_guard, KEY_RESTART, NO_FIELD },
	{ "datapath", set_datapath, print_datapath, KEY_RESTART, NO_FIELD },
	{ "state", set_state, print_state, KEY_RESTART | KEY_CHOSEN, NO_FIELD },
	{ "control", set_control, print_control, KEY_RESTART | KEY_CHOSEN, NO_FIELD },
	{ "api", set_api, print_api, KEY_RESTART, NO_FIELD },
	{ "api_socket", set_api_socket, print_api_socket, KEY_RESTART | KEY_CHOSEN, NO_FIELD },
	{ "api_token_file", set_api_token_file, print_api_token_file, KEY_RESTART, NO_FIELD },
	{ "api_read", set_api_read, print_api_read, KEY_RESTART, NO_FIELD },
	{ "api_writes", set_word, print_word, KEY_RESTART,
	  GLOBAL_BOOL(api.writes, true, "yes", "no") },
	{ "api_host", set_api_host, print_api_host, KEY_RESTART, NO_FIELD },
	{ "flow_log", set_flow_log, print_flow_log, KEY_RESTART, NO_FIELD },
	{ "flow_log_format", set_word, print_word, KEY_RESTART,
	  GLOBAL_BOOL(api.flow_log_json, false, "text", "json") },
	{ "journal", set_journal, print_journal, KEY_RESTART, NO_FIELD },
	{ "user", set_user, print_user, KEY_RESTART, NO_FIELD },
	{ "sandbox", set_word, print_word, KEY_RESTART,
	  GLOBAL_BOOL(sandbox, true, "on", "off") },
	{ "hash_key", set_hash_key, print_hash_key, 0, NO_FIELD },
	{ "mss_clamp", set_mss_clamp, print_mss_clamp, 0, NO_FIELD },
	{ "busy_poll", set_number, print_number, 0,
	  GLOBAL_NUMBER(busy_poll_us, 0, 1000) },
	{ "idle_timeout", set_seconds, print_seconds, 0,
	  GLOBAL_NUMBER(timeouts.established, 1 * S, WEEK) },
	{ "half_closed_timeout", set_seconds, print_seconds, 0,
	  GLOBAL_NUMBER(timeouts.closing, 1 * S, WEEK) },
	{ "syn_sent_timeout", set_seconds, print_seconds, 0,
	  GLOBAL_NUMBER(timeouts.syn_sent, 1 * S, 10 * MIN) },
	{ "syn_received_timeout", set_seconds, print_seconds, 0,
	  GLOBAL_NUMBER(timeouts.syn_received, 1 * S, 10 * MIN) },
	{ "closed_timeout", set_seconds, print_seconds, 0,
	  GLOBAL_NUMBER(timeouts.closed, 3 * S, 10 * MIN) },
	{ "keepalive", set_seconds_or_off, print_seconds_or_off, 0,
	  GLOBAL_NUMBER(timeouts.keepalive, 1 * S, 24 * HOUR) },
};

static const struct key service_keys[] = {
	{ "listen", set_listen, print_listen, 0, NO_FIELD },
	{ "scheduler", set_scheduler, print_scheduler, 0, NO_FIELD },
	{ "hash_key", set_hash_key, print_hash_key, 0, NO_FIELD },
	{ "hash_port", set_word, print_word, 0,
	  SERVICE_BOOL(hash_port, true, "yes", "no") },
	{ "backend", set_backend, NULL, KEY_REPEATABLE, NO_FIELD },
	{ "source", set_source, print_source, KEY_REPEATABLE, NO_FIELD },
	{ "mptcp", set_word, print_word, 0,
	  SERVICE_BOOL(mptcp_pass, false, "strip", "pass") },
	{ "out_of_state", set_word, print_word, 0,
	  SERVICE_BOOL(reset_out_of_state, true, "reset", "drop") },
	{ "check", set_check, print_check, 0, NO_FIELD },
	{ "interval", set_ms, print_ms, 0,
	  SERVICE_NUMBER(health.interval_ms, 100, 1 * HOUR) },
	{ "fast_interval", set_ms_or_auto, print_ms_or_auto, 0,
	  SERVICE_OWN(fast_ms, 20, 1 * HOUR) },
	{ "timeout", set_ms, print_ms, 0,
	  SERVICE_NUMBER(health.timeout_ms, 10, 1 * MIN) },
	{ "fall", set_number, print_number, 0,
	  SERVICE_NUMBER(health.fall, 1, 100) },
	{ "rise", set_number, print_number, 0,
	  SERVICE_NUMBER(health.rise, 1, 100) },
	{ "slow_start", set_ms_or_off, print_ms_or_off, 0,
	  SERVICE_NUMBER(health.slow_start_ms, 1 * S, 24 * HOUR) },
	{ "eject_after", set_number, print_number, 0,
	  SERVICE_NUMBER(breaker.failures, 0, 1000) },
	{ "eject_time", set_ms, print_ms, 0,
	  SERVICE_NUMBER(breaker.open_ms, 100, 1 * HOUR) },
	{ "eject_max", set_ms_or_auto, print_ms_or_auto, 0,
	  SERVICE_OWN(eject_max_ms, 100, 24 * HOUR) },
	{ "eject_trials", set_number, print_number, 0,
	  SERVICE_NUMBER(breaker.trials, 1, 1000) },
	{ "on_down", set_word, print_word, 0,
	  SERVICE_BOOL(keep_on_down, false, "reset", "keep") },
	{ "all_down", set_word, print_word, 0,
	  SERVICE_BOOL(drop_all_down, false, "reset", "drop") },
	{ "retries", set_number, print_number, 0,
	  SERVICE_NUMBER(retries, 0, 255) },
	{ "syn_timeout", set_ms, print_ms, 0,
	  SERVICE_NUMBER(syn_timeout_ms, 10, 1 * MIN) },
	{ "drain_timeout", set_seconds_or_off, print_seconds_or_off, 0,
	  SERVICE_NUMBER(drain_timeout_s, 1 * S, WEEK) },
	{ "max_half_open", set_number_or_auto, print_number_or_auto, 0,
	  SERVICE_NUMBER(half_open_max, 64, CONFIG_FLOWS_MAX) },
};
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static_assert(COUNT_OF(global_keys) <= KEYS_MAX, "whoever lists them has room");
static_assert(COUNT_OF(service_keys) <= KEYS_MAX, "the same");

const struct key_table keys_global = {"[global]", global_keys,
				      COUNT_OF(global_keys)};
const struct key_table keys_service = {"[service NAME]", service_keys,
				       COUNT_OF(service_keys)};

const struct key *key_find(const struct key_table *table, const char *name)
{
	for (unsigned i = 0; i < table->n; i++)
		if (strcmp(table->keys[i].name, name) == 0)
			return &table->keys[i];
	return NULL;
}

int key_unknown(const struct key_table *table, const char *name,
		struct err *err)
{
	const char *names[KEYS_MAX], *nearest;
	char quoted[QUOTED_MAX];

	for (unsigned i = 0; i < table->n; i++)
		names[i] = table->keys[i].name;
	value_quote(name, quoted);
	nearest = value_nearest(name, names, table->n);
	if (nearest)
		return err_set(err, -EINVAL,
			       "unknown key \"%s\"; did you mean \"%s\"?",
			       quoted, nearest);
	return err_set(err, -EINVAL,
		       "unknown key \"%s\"; l4lb.conf(5) has all keys of %s",
		       quoted, table->section);
}

int key_set_whole(struct target *t, const char *value, struct err *err)
{
	if (t->key->set == set_source)
		t->service->n_sources = 0;
	else if (t->key->set == set_interface)
		t->config->n_interfaces = 0;
	return t->key->set(t, value, err);
}

bool key_is_set(const struct config *c, const struct key *key)
{
	return key->set == set_name	    ? c->name_set
	       : key->set == set_state	    ? c->state_set
	       : key->set == set_control    ? c->control_set
	       : key->set == set_api_socket ? c->api.socket_set
	       : key->set == set_nat_ports  ? c->nat_ports_set
					    : false;
}

void key_print(const struct key *key, const struct config *c,
	       const struct service_config *s, struct text *out)
{
	/* .print changes nothing; .set, with the same target, does. */
	const struct target t = {.config = (struct config *)c,
				 .service = (struct service_config *)s,
				 .key = key};

	key->print(&t, out);
}

int config_set(struct config *c, const char *key, const char *value,
	       struct err *err)
{
	const struct key *k = key_find(&keys_global, key);
	struct target t = {.config = c, .key = k};

	assert(k);
	return k->set(&t, value, err);
}
