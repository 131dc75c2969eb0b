/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "control/config_print.h"
#include "control/config_value.h"

/* ------------------------------------------------- one value, one field */

static const void *field_of(const struct target *t)
{
	const char *section =
		t->service ? (const char *)t->service : (const char *)t->config;

	return section + t->key->field.offset;
}

static uint32_t number_of(const struct target *t)
{
	uint32_t number;

	memcpy(&number, field_of(t), sizeof(number));
	return number;
}

void print_word(const struct target *t, struct text *out)
{
	const struct key_field *f = &t->key->field;
	bool on;

	memcpy(&on, field_of(t), sizeof(on));
	text_add(out, "%s", f->words[on != f->first]);
}

void print_number(const struct target *t, struct text *out)
{
	text_add(out, "%u", number_of(t));
}

static void add_time(uint64_t ms, struct text *out)
{
	char time[TIME_TEXT_MAX];

	text_add(out, "%s", value_time_text((uint32_t)ms, time));
}

void print_ms(const struct target *t, struct text *out)
{
	add_time(number_of(t), out);
}

void print_seconds(const struct target *t, struct text *out)
{
	add_time(number_of(t) * 1000ull, out);
}

static void or_word(const struct target *t, const char *word,
		    void (*print)(const struct target *t, struct text *out),
		    struct text *out)
{
	if (number_of(t))
		print(t, out);
	else
		text_add(out, "%s", word);
}

void print_number_or_auto(const struct target *t, struct text *out)
{
	or_word(t, "auto", print_number, out);
}

void print_ms_or_auto(const struct target *t, struct text *out)
{
	or_word(t, "auto", print_ms, out);
}

void print_ms_or_off(const struct target *t, struct text *out)
{
	or_word(t, "off", print_ms, out);
}

void print_seconds_or_off(const struct target *t, struct text *out)
{
	or_word(t, "off", print_seconds, out);
}

/* ----------------------------------------------------------- [global] */

void print_name(const struct target *t, struct text *out)
{
	text_add(out, "%s", t->config->name);
}

void print_flows(const struct target *t, struct text *out)
{
	text_add(out, "%u", t->config->flows);
}

void print_nat_ports(const struct target *t, struct text *out)
{
	text_add(out, "%u-%u", t->config->nat_lo, t->config->nat_hi);
}

/* No interface is the default and has no word; "all" is for messages. */
void print_interface(const struct target *t, struct text *out)
{
	const struct config *c = t->config;

	for (unsigned i = 0; i < c->n_interfaces; i++)
		text_add(out, "%s%s", i ? "," : "", c->interfaces[i]);
	if (c->n_interfaces == 0)
		text_add(out, "all");
}

void print_guard(const struct target *t, struct text *out)
{
	static const char *const names[] = {
		[GUARD_AUTO] = "auto",
		[GUARD_KEEP] = "keep",
		[GUARD_NONE] = "none",
	};

	text_add(out, "%s", names[t->config->guard]);
}

void print_datapath(const struct target *t, struct text *out)
{
	static const char *const names[] = {
		[DATAPATH_AUTO] = "auto",
		[DATAPATH_PCAP] = "pcap",
		[DATAPATH_BPF] = "bpf",
	};

	text_add(out, "%s", names[t->config->datapath]);
}

void print_state(const struct target *t, struct text *out)
{
	const char *state = t->config->state;

	text_add(out, "%s", *state ? state : "none");
}

void print_control(const struct target *t, struct text *out)
{
	text_add(out, "%s", t->config->control);
}

void print_user(const struct target *t, struct text *out)
{
	text_add(out, "%s", t->config->user);
}

void print_mss_clamp(const struct target *t, struct text *out)
{
	const uint32_t clamp = t->config->mss_clamp;

	if (clamp == CONFIG_CLAMP_OFF)
		text_add(out, "off");
	else if (clamp == CONFIG_CLAMP_AUTO)
		text_add(out, "auto");
	else
		text_add(out, "%u", clamp);
}

void print_hash_key(const struct target *t, struct text *out)
{
	const struct hash_key *key =
		t->service ? &t->service->hash_key : &t->config->hash_key;

	if (!key->set)
		text_add(out, "auto");
	for (size_t i = 0; key->set && i < sizeof(key->bytes); i++)
		text_add(out, "%02x", key->bytes[i]);
}

/* ---------------------------------------------------- [service NAME] */

void print_listen(const struct target *t, struct text *out)
{
	char text[ENDPOINT_TEXT_MAX];

	text_add(out, "%s", endpoint_format(&t->service->listen, text));
}

void print_scheduler(const struct target *t, struct text *out)
{
	text_add(out, "%s", sched_name(t->service->params.scheduler));
}

void print_source(const struct target *t, struct text *out)
{
	const struct service_config *s = t->service;
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < s->n_sources; i++)
		text_add(out, "%s%s", i ? "," : "",
			 addr_format(&s->sources[i], text));
	if (s->n_sources == 0)
		text_add(out, "auto");
}

static bool expects_all(const struct check_spec *c, unsigned lo, unsigned hi)
{
	while (lo <= hi && check_expects(c, lo))
		lo++;
	return lo > hi;
}

/* Adds the statuses of one class, 2xx or 200-204,206, each behind a comma. */
static void add_class(const struct check_spec *c, unsigned first,
		      struct text *out)
{
	const unsigned last = first + 99;

	if (expects_all(c, first, last)) {
		text_add(out, ",%uxx", first / 100);
		return;
	}
	for (unsigned s = first; s <= last; s++) {
		unsigned end = s;

		if (!check_expects(c, s))
			continue;
		while (end < last && check_expects(c, end + 1))
			end++;
		if (end == s)
			text_add(out, ",%u", s);
		else
			text_add(out, ",%u-%u", s, end);
		s = end;
	}
}

static void add_statuses(const struct check_spec *c, struct text *out)
{
	struct text list = {0};

	for (unsigned s = CHECK_STATUS_LO; s <= CHECK_STATUS_HI; s += 100)
		add_class(c, s, &list);
	if (list.failed)
		out->failed = true;
	else if (strcmp(text_get(&list), ",2xx,3xx") != 0)
		text_add(out, " expect %s", text_get(&list) + 1);
	text_free(&list);
}

void print_check(const struct target *t, struct text *out)
{
	const struct check_spec *c = &t->service->params.check;

	if (!t->service->params.checked) {
		text_add(out, "none");
		return;
	}
	switch (c->kind) {
	case CHECK_SYN: text_add(out, "syn"); break;
	case CHECK_TCP: text_add(out, "tcp"); break;
	case CHECK_HTTP:
		text_add(out, "http GET %s", c->text);
		add_statuses(c, out);
		break;
	case CHECK_EXPECT: text_add(out, "expect \"%s\"", c->text); break;
	}
}
