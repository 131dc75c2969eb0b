/* SPDX-License-Identifier: MIT */
/*
 * fuzz_command.c - any lines, as commands on a configuration: each is applied
 * or refused with a sentence, and what comes of them keeps its promises
 *
 * The first byte says whether the lines are l4lb's own (1), and whether they
 * are the text of an overlay (2).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/command.h"
#include "control/diff.h"
#include "control/overlay_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char start[] =
	"[service chat]\nlisten = 10.0.0.1:80\n"
	"backend = 10.0.0.2:80\nbackend = 10.0.0.3:80 weight=3 id=big\n"
	"[service web]\nlisten = 10.0.0.1:81\nbackend = 10.0.0.2:80\n";

static void check_sentence(const struct err *err)
{
	const size_t len = strnlen(err->text, sizeof(err->text));

	assert(len > 0 && len < sizeof(err->text));
	for (size_t i = 0; i < len; i++)
		assert(err->text[i] >= 0x20 && err->text[i] < 0x7f);
}

static void check_backend(const struct config *c,
			  const struct service_config *s, unsigned k)
{
	const struct backend_config *b = &s->backends[k];

	if (!backend_is_live(b))
		return;
	assert(b->id[0] && b->addr.port);
	assert(b->params.weight <= CONFIG_WEIGHT_MAX);
	assert(config_find_id(s, b->id) == b);
	assert(config_id_number(b->id) < c->next_id);
	for (unsigned i = 0; i < k; i++)
		assert(!backend_is_live(&s->backends[i]) ||
		       !endpoint_equal(&s->backends[i].addr, &b->addr));
	assert(!diff_find_service(c, &b->addr, 0));
}

static void check_config(const struct config *c)
{
	assert(c->n_services <= CONFIG_SERVICES_MAX);
	assert(c->n_services == 0 ||
	       c->services[c->n_services - 1].slot != SLOT_FREE);
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (!service_is_live(s))
			continue;
		assert(s->name[0] && s->listen.port);
		assert(config_find_service(c, s->name) == s);
		assert(diff_find_service(c, &s->listen, 0) == s);
		assert(s->n_backends <= CONFIG_BACKENDS_MAX);
		for (unsigned k = 0; k < s->n_backends; k++)
			check_backend(c, s, k);
	}
}

static void check_equal(const struct config *a, const struct config *b)
{
	struct text diff = {0};

	assert(diff_print(a, b, &diff) == 0);
	assert(diff.len == 0);
	assert(diff_print(b, a, &diff) == 0);
	assert(diff.len == 0);
	text_free(&diff);
}

/* Whatever it is by now, it can be saved and read back. */
static void check_overlay(const struct config *base,
			  const struct config *running)
{
	struct config again_base, again;
	struct text text = {0};
	struct err err;

	assert(overlay_print(base, running, &text) == 0);
	if (overlay_parse(text_get(&text), &again_base, &again, &err)) {
		/* An old service may still leave where a new one came. */
		assert(strstr(err.text, "more than"));
	} else {
		check_equal(base, &again_base);
		check_equal(running, &again);
		config_free(&again_base);
		config_free(&again);
	}
	text_free(&text);
}

static void apply_line(struct config *c, const char *line, bool own)
{
	struct config before;
	struct err err;
	int ret;

	assert(config_copy(&before, c) == 0);
	ret = own ? command_load(c, line, &err) : command_apply(c, line, &err);
	if (ret) {
		check_sentence(&err);
		check_equal(&before, c);
		assert(before.n_services == c->n_services);
		assert(before.next_id == c->next_id);
	}
	check_config(c);
	config_free(&before);
}

static void run_commands(const char *text, bool own)
{
	struct config base, c;
	char line[COMMAND_MAX + 2];
	struct err err;

	assert(config_parse(&base, "t", start, &err) == 0);
	assert(config_copy(&c, &base) == 0);
	while (text_next_line(&text, line, sizeof(line)))
		apply_line(&c, line, own);
	if (command_check(&c, &err))
		check_sentence(&err);
	else
		check_overlay(&base, &c);
	config_free(&c);
	config_free(&base);
}

static void run_overlay(const char *text)
{
	struct config base, running;
	struct err err;

	if (overlay_parse(text, &base, &running, &err)) {
		check_sentence(&err);
		return;
	}
	check_config(&base);
	check_config(&running);
	check_overlay(&base, &running);
	config_free(&base);
	config_free(&running);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size);
	assert(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (data[0] & 2)
		run_overlay(text);
	else
		run_commands(text, data[0] & 1);
	free(text);
	return 0;
}
