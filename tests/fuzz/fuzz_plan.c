/* SPDX-License-Identifier: MIT */
/*
 * fuzz_plan.c - any two files and any commands between them: a reload either
 * refuses with a sentence, or says commands that lead to what it means
 *
 * The parts of an input are separated by a line "%": the file as it was, the
 * file as it is, and the commands since the first.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/merge.h"
#include "control/reload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEPARATOR "\n%\n"

static void check_sentence(const struct err *err)
{
	assert(err->text[0]);
	for (const char *c = err->text; *c; c++)
		assert(*c >= 0x20 && *c < 0x7f);
}

/* Cuts the next part off @rest. */
static char *part(char **rest)
{
	char *begin = *rest, *end = strstr(begin, SEPARATOR);

	if (end) {
		end[1] = 0;
		*rest = end + strlen(SEPARATOR);
	} else {
		*rest = begin + strlen(begin);
	}
	return begin;
}

static void apply_lines(struct config *c, const char *text, bool must)
{
	char line[COMMAND_MAX + 2];
	struct err err;

	while (text_next_line(&text, line, sizeof(line)))
		if (command_apply(c, line, &err)) {
			check_sentence(&err);
			assert(!must);
		}
}

static void check_equal(const struct config *a, const struct config *b)
{
	struct text diff = {0};

	assert(diff_print(a, b, &diff) == 0);
	assert(diff.len == 0);
	text_free(&diff);
}

/* What leaves is gone by the time of the reload. */
static void free_left(struct config *c)
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

static void check_merge(const struct config *base, const struct config *theirs,
			const struct config *ours, bool reset)
{
	struct merge_notes notes = {0};
	struct text changes = {0};
	struct config out, copy;
	struct err err;

	if (merge(base, theirs, ours, reset, &out, &notes, &err)) {
		check_sentence(&err);
		assert(!reset || strstr(err.text, "used"));
	} else {
		assert(config_copy(&copy, ours) == 0);
		assert(diff_print(ours, &out, &changes) == 0);
		apply_lines(&copy, text_get(&changes), true);
		assert(command_check(&copy, &err) == 0);
		check_equal(&copy, &out);
		config_free(&copy);
		/* The same file once more, nothing more to do. */
		if (!reset) {
			struct merge_notes again = {0};

			assert(merge(theirs, theirs, &out, false, &copy, &again,
				     &err) == 0);
			check_equal(&out, &copy);
			config_free(&copy);
			merge_notes_free(&again);
		}
	}
	config_free(&out);
	merge_notes_free(&notes);
	text_free(&changes);
}

/* The whole conversation, as l4lb and its planner have it. */
static void check_reload(const struct config *base, struct config *theirs,
			 const struct config *ours)
{
	struct text request = {0}, answer = {0};
	const char *rest;
	char line[RELOAD_LINE_MAX + 2];
	struct reload r;
	struct err err;

	for (unsigned i = 0; i == 0 || i < ours->n_services; i++)
		assert(reload_ask_part("running", ours, i, &request) == 0);
	for (unsigned i = 0; i == 0 || i < base->n_services; i++)
		assert(reload_ask_part("base", base, i, &request) == 0);
	assert(reload_init(&r, ours->name, &err) == 0);
	rest = text_get(&request);
	while (text_next_line(&rest, line, sizeof(line)))
		assert(reload_take(&r, line, &err) == 0);
	if (reload_answer(&r, theirs, &answer, &err))
		check_sentence(&err);
	reload_free(&r);
	text_free(&request);
	text_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text;
	struct config base, theirs, ours;
	const char *first, *second;
	struct err err;

	assert(text);
	memcpy(text, data, size);
	text[size] = 0;
	first = part(&rest);
	second = part(&rest);
	if (config_parse(&base, "t", first, &err) == 0) {
		if (config_parse(&theirs, "t", second, &err) == 0) {
			assert(config_copy(&ours, &base) == 0);
			apply_lines(&ours, part(&rest), false);
			free_left(&ours);
			if (command_check(&ours, &err) == 0) {
				check_merge(&base, &theirs, &ours, false);
				check_merge(&base, &theirs, &ours, true);
				check_reload(&base, &theirs, &ours);
			}
			config_free(&ours);
			config_free(&theirs);
		}
		config_free(&base);
	}
	free(text);
	return 0;
}
