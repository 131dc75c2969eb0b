/* SPDX-License-Identifier: MIT */
/*
 * fuzz_config.c - any text is either refused with a sentence or a configuration
 * that keeps the promises of config.h
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char path[] = "fuzz.conf";

static void check_refusal(const struct err *err)
{
	size_t len = strnlen(err->text, sizeof(err->text));

	assert(len < sizeof(err->text));
	assert(strncmp(err->text, path, sizeof(path) - 1) == 0);
	/* A hostile file must not write to the terminal of who checks it. */
	for (size_t i = 0; i < len; i++)
		assert(err->text[i] >= 0x20 && err->text[i] < 0x7f);
}

static void check_service(const struct config *c,
			  const struct service_config *s)
{
	assert(s->name[0] && s->name[CONFIG_NAME_MAX - 1] == 0);
	assert(s->listen.port != 0);
	assert((unsigned)s->params.scheduler < SCHED_KINDS);
	assert(s->n_sources <= CONFIG_SOURCES_MAX);
	assert(s->n_backends >= 1);
	assert(s->n_backends <= CONFIG_BACKENDS_MAX);
	for (unsigned i = 0; i < s->n_backends; i++) {
		assert(s->backends[i].addr.port != 0);
		assert(s->backends[i].params.weight <= CONFIG_WEIGHT_MAX);
		for (unsigned j = 0; j < c->n_services; j++)
			assert(!endpoint_equal(&c->services[j].listen,
					       &s->backends[i].addr));
	}
}

static void check_config(const struct config *c)
{
	assert(c->name[0]);
	assert(c->n_services >= 1);
	assert(c->n_services <= CONFIG_SERVICES_MAX);
	assert(c->flows >= 1);
	assert(c->flows <= CONFIG_FLOWS_MAX);
	assert(c->nat_lo >= 1024);
	assert(c->nat_hi - c->nat_lo + 1 >= CONFIG_NAT_MIN);
	assert(c->n_interfaces <= CONFIG_INTERFACES_MAX);
	assert(c->control[0]);
	for (unsigned i = 0; i < c->n_services; i++)
		check_service(c, &c->services[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct config c;
	struct err err;

	assert(text);
	memcpy(text, data, size);
	text[size] = 0;
	if (config_parse(&c, path, text, &err) == 0)
		check_config(&c);
	else
		check_refusal(&err);
	config_free(&c);
	free(text);
	return 0;
}
