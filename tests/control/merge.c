/* SPDX-License-Identifier: MIT */
/*
 * merge.c - a file is edited while what runs was changed as well
 */
#include "control/command.h"
#include "control/diff.h"
#include "control/merge.h"
#include "random_config.h"
#include "unit.h"

#define ROUNDS 300

#define CHAT                               \
	"[service chat]\n"                 \
	"listen = 10.0.0.1:80\n"           \
	"backend = 10.0.0.2:80\n"          \
	"backend = 10.0.0.3:80 weight=3\n" \
	"backend = 10.0.0.4:80 id=web1\n"
#define WEB "[service web]\nlisten = 10.0.0.1:81\nbackend = 10.0.0.2:80\n"

/* What the file said, the commands since then, and what it says now. */
static const struct scenario {
	const char *before, *commands, *after;
	bool reset;
	const char *changes, *kept, *restart;
} scenarios[] = {
	/* Nothing happened, or only on one side. */
	{CHAT, "", CHAT, false, "", "", ""},
	{CHAT, "", CHAT "retries = 1\n", false, "service set chat retries=1\n",
	 "", ""},
	{CHAT, "service set chat retries=1\n", CHAT, false, "",
	 "service chat retries=1 (set at run time)\n", ""},
	{CHAT, "set idle_timeout=1h\n", CHAT, false, "",
	 "idle_timeout=1h (set at run time)\n", ""},
	{CHAT, "set idle_timeout=1h\n", CHAT, true, "set idle_timeout=124m\n",
	 "", ""},
	/* Both: the file is right, but only where it was edited. */
	{CHAT, "service set chat retries=1 fall=5\n", CHAT "retries = 2\n",
	 false, "service set chat retries=2\n",
	 "service chat fall=5 (set at run time)\n", ""},
	{CHAT, "backend set chat backend2 weight=5\n", CHAT, false, "",
	 "backend2 weight=5 (set at run time)\n", ""},
	{CHAT, "backend set chat web1 weight=5 backup=yes\n", CHAT, false, "",
	 "web1 of chat weight=5 (set at run time)\n"
	 "web1 of chat backup=1 (set at run time)\n",
	 ""},
	{CHAT, "backend set chat backend1 weight=5\n",
	 "[service chat]\nlisten = 10.0.0.1:80\n"
	 "backend = 10.0.0.4:80 id=web1\n"
	 "backend = 10.0.0.3:80 weight=3\nbackend = 10.0.0.2:80 weight=2\n",
	 false, "backend set chat backend1 weight=2\n", "", ""},
	/* By address: a new line at the top moves nobody. */
	{CHAT, "backend drain chat backend2\n",
	 "[service chat]\nlisten = 10.0.0.1:80\nbackend = 10.0.0.9:80\n"
	 "backend = 10.0.0.2:80\nbackend = 10.0.0.3:80 weight=3\n"
	 "backend = 10.0.0.4:80 id=web1\n",
	 false, "backend add chat 10.0.0.9:80 weight=1 id=backend3\n",
	 "backend2 drains (set at run time)\n", ""},
	{CHAT, "backend disable chat backend2\n", CHAT, true,
	 "backend enable chat backend2\n", "", ""},
	/* Added and removed at run time. */
	{CHAT, "backend add chat 10.0.0.9:80 weight=2\n", CHAT, false, "",
	 "backend3 (added at run time)\n", ""},
	{CHAT, "backend add chat 10.0.0.9:80 weight=2\n", CHAT, true,
	 "backend remove chat backend3\n", "", ""},
	{CHAT, "backend add chat 10.0.0.9:80 weight=2\n",
	 CHAT "backend = 10.0.0.9:80 weight=4\n", false,
	 "backend set chat backend3 weight=4\n", "", ""},
	{CHAT, "backend remove chat backend1\n", CHAT, false, "",
	 "10.0.0.2:80 of chat is removed (at run time)\n", ""},
	{CHAT, "backend remove chat backend1\n", CHAT, true,
	 "backend add chat 10.0.0.2:80 weight=1 id=backend3\n", "", ""},
	{CHAT, "backend remove chat backend2\n",
	 "[service chat]\nlisten = 10.0.0.1:80\nbackend = 10.0.0.2:80\n"
	 "backend = 10.0.0.3:80 weight=7\nbackend = 10.0.0.4:80 id=web1\n",
	 false, "backend add chat 10.0.0.3:80 weight=7 id=backend3\n", "", ""},
	{CHAT WEB, "service remove web\n", CHAT WEB, false, "",
	 "service web is removed (at run time)\n", ""},
	{CHAT WEB, "service remove web\n", CHAT WEB "fall = 7\n", false,
	 "service add web listen=10.0.0.1:81 fall=7\n"
	 "backend add web 10.0.0.2:80 weight=1 id=backend4\n",
	 "", ""},
	{CHAT, "service add web listen=10.0.0.1:81\n", CHAT, false, "",
	 "service web (added at run time)\n", ""},
	/* Removed from the file. */
	{CHAT WEB, "service set web fall=9\n", CHAT, false,
	 "service remove web\n", "", ""},
	{CHAT, "backend set chat backend2 weight=9\n",
	 "[service chat]\nlisten = 10.0.0.1:80\nbackend = 10.0.0.2:80\n"
	 "backend = 10.0.0.4:80 id=web1\n",
	 false, "backend remove chat backend2\n", "", ""},
	/* Names. */
	{CHAT, "service set chat fall=9\n",
	 "[service talk]\nlisten = 10.0.0.1:80\nbackend = 10.0.0.2:80\n"
	 "backend = 10.0.0.3:80 weight=3 id=big\nbackend = 10.0.0.4:80\n",
	 false,
	 "service set chat name=talk\nbackend set talk backend2 id=big\n"
	 "backend set talk web1 id=backend3\n",
	 "service talk fall=9 (set at run time)\n", ""},
	{CHAT, "service set chat name=talk\n", CHAT, true,
	 "service set talk name=chat\n", "", ""},
	/* What needs a restart. */
	{"[global]\nflows = 7\n" CHAT, "", "[global]\nflows = 8\n" CHAT, false,
	 "", "", "flows 7 -> 8\n"},
	{CHAT, "", "[global]\nname = pi\nidle_timeout = 1h\n" CHAT, false,
	 "set idle_timeout=1h\n", "", "name 80 -> pi\n"},
	/* The name that follows from the first port says nothing. */
	{CHAT WEB, "", WEB CHAT, false, "", "", ""},
};

static struct config parsed(const char *text)
{
	struct config c;
	struct err err;

	if (config_parse(&c, "t", text, &err))
		ck_abort_msg("%s", err.text);
	return c;
}

START_TEST(each_scenario_ends_as_a_user_expects)
{
	const struct scenario *s = &scenarios[_i];
	struct config base = parsed(s->before), theirs = parsed(s->after);
	struct config ours = parsed(s->before), out;
	struct merge_notes notes = {0};
	const char *rest = s->commands;
	struct text changes = {0};
	char line[128];
	struct err err;

	while (text_next_line(&rest, line, sizeof(line)))
		if (command_apply(&ours, line, &err))
			ck_abort_msg("%s: %s", line, err.text);
	if (merge(&base, &theirs, &ours, s->reset, &out, &notes, &err))
		ck_abort_msg("%s", err.text);
	ck_assert_int_eq(diff_print(&ours, &out, &changes), 0);
	ck_assert_str_eq(text_get(&changes), s->changes);
	ck_assert_str_eq(text_get(&notes.kept), s->kept);
	ck_assert_str_eq(text_get(&notes.restart), s->restart);
	merge_notes_free(&notes);
	text_free(&changes);
	config_free(&base);
	config_free(&theirs);
	config_free(&ours);
	config_free(&out);
}
END_TEST

static const struct conflict {
	const char *commands, *after, *part;
} conflicts[] = {
	{"backend add chat 10.0.0.9:80 id=web9\n",
	 CHAT "backend = 10.0.0.8:80 id=web9\n",
	 "service chat: backend 10.0.0.8:80: \"web9\" is the id of backend "
	 "10.0.0.9:80 of service \"chat\"; part of it was set at run time"},
	{"service add web listen=10.0.0.9:80\n",
	 CHAT "[service web]\nlisten = 10.0.0.1:82\nbackend = 10.0.0.2:80\n",
	 "two services would be called \"web\""},
	{"service add x listen=10.0.0.9:80\n", CHAT "backend = 10.0.0.9:80\n",
	 "is also a backend of service \"chat\""},
	{"service set chat interval=100ms\n", CHAT "fast_interval = 1s\n",
	 "fast_interval (1s) is longer than interval (100ms)"},
};

START_TEST(what_cannot_both_be_is_refused_with_a_sentence)
{
	const struct conflict *s = &conflicts[_i];
	struct config base = parsed(CHAT), theirs = parsed(s->after);
	struct config ours = parsed(CHAT), out;
	struct merge_notes notes = {0};
	const char *rest = s->commands;
	char line[128];
	struct err err;

	while (text_next_line(&rest, line, sizeof(line)))
		ck_assert_int_eq(command_apply(&ours, line, &err), 0);
	ck_assert_int_lt(
		merge(&base, &theirs, &ours, false, &out, &notes, &err), 0);
	ck_assert_msg(strstr(err.text, s->part), "%s", err.text);
	ck_assert_msg(strstr(err.text, "a reload with reset forgets"), "%s",
		      err.text);
	config_free(&out);
	merge_notes_free(&notes);
	ck_assert_int_eq(merge(&base, &theirs, &ours, true, &out, &notes, &err),
			 0);
	merge_notes_free(&notes);
	config_free(&base);
	config_free(&theirs);
	config_free(&ours);
	config_free(&out);
}
END_TEST

/* -EINVAL and the like: two that cannot both be; never anything else. */
static int try_merge(const struct config *base, const struct config *theirs,
		     const struct config *ours, bool reset, struct config *out)
{
	struct merge_notes notes = {0};
	struct err err;
	int ret = merge(base, theirs, ours, reset, out, &notes, &err);

	if (ret && !strstr(err.text, "is the id of backend") &&
	    !strstr(err.text, "would be called") &&
	    !strstr(err.text, "also a backend") &&
	    !strstr(err.text, "listens there") &&
	    !strstr(err.text, "is longer than interval") &&
	    !strstr(err.text, "too long: three"))
		ck_abort_msg("%s", err.text);
	merge_notes_free(&notes);
	return ret;
}

START_TEST(a_file_that_nobody_edited_changes_nothing)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < ROUNDS; i++) {
		struct config base = random_file(&r), ours, out;
		struct text changes = {0};

		ck_assert_int_eq(config_copy(&ours, &base), 0);
		random_changes(&r, &ours, 12);
		ck_assert_int_eq(try_merge(&base, &base, &ours, false, &out),
				 0);
		ck_assert_int_eq(diff_print(&ours, &out, &changes), 0);
		ck_assert_str_eq(text_get(&changes), "");
		ck_assert_ptr_null(config_difference(&ours, &out));
		text_free(&changes);
		config_free(&base);
		config_free(&ours);
		config_free(&out);
	}
}
END_TEST

START_TEST(without_changes_at_run_time_the_file_is_what_runs)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < ROUNDS; i++) {
		struct config base = random_file(&r), theirs = random_file(&r);
		struct config out;
		const char *what;

		ck_assert_int_eq(try_merge(&base, &theirs, &base, false, &out),
				 0);
		what = config_difference_but_ids(&theirs, &out);
		ck_assert_msg(!what, "%s", what);
		config_free(&base);
		config_free(&theirs);
		config_free(&out);
	}
}
END_TEST

START_TEST(a_reset_forgets_what_was_changed)
{
	struct random r = unit_random(__func__);

	for (int i = 0; i < ROUNDS; i++) {
		struct config base = random_file(&r), theirs = random_file(&r);
		struct config ours, out;
		const char *what;

		ck_assert_int_eq(config_copy(&ours, &base), 0);
		random_changes(&r, &ours, 12);
		ck_assert_int_eq(try_merge(&base, &theirs, &ours, true, &out),
				 0);
		what = config_difference_but_ids(&theirs, &out);
		ck_assert_msg(!what, "%s", what);
		config_free(&base);
		config_free(&theirs);
		config_free(&ours);
		config_free(&out);
	}
}
END_TEST

/* Read once more, the same file changes nothing more. */
START_TEST(a_second_reload_of_the_same_file_changes_nothing)
{
	struct random r = unit_random(__func__);
	unsigned merged = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct config base = random_file(&r), theirs = random_file(&r);
		struct config ours, out, again;

		ck_assert_int_eq(config_copy(&ours, &base), 0);
		random_changes(&r, &ours, 12);
		if (!try_merge(&base, &theirs, &ours, false, &out)) {
			ck_assert_int_eq(try_merge(&theirs, &theirs, &out,
						   false, &again),
					 0);
			ck_assert_ptr_null(config_difference(&out, &again));
			config_free(&again);
			merged++;
		}
		config_free(&base);
		config_free(&theirs);
		config_free(&ours);
		config_free(&out);
	}
	ck_assert_uint_gt(merged, ROUNDS / 2);
}
END_TEST

static const struct backend_config *at(const struct config *c,
				       const struct service_config *like,
				       const struct endpoint *addr)
{
	const struct service_config *s = diff_find_service(c, &like->listen, 0);

	return s ? diff_find_backend(s, addr, 0) : NULL;
}

/* The rule itself, for the weight of each backend that all three have. */
START_TEST(a_weight_is_the_files_where_the_file_changed_it)
{
	struct random r = unit_random(__func__);
	unsigned from_file = 0, from_user = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct config base = random_file(&r), theirs = random_file(&r);
		struct config ours, out;

		ck_assert_int_eq(config_copy(&ours, &base), 0);
		random_changes(&r, &ours, 20);
		const bool merged =
			!try_merge(&base, &theirs, &ours, false, &out);
		for (unsigned k = 0; merged && k < out.n_services * 256; k++) {
			const struct service_config *s = &out.services[k / 256];
			const struct backend_config *o, *b, *t, *m;

			if (k % 256 >= s->n_backends)
				continue;
			o = &s->backends[k % 256];
			b = at(&base, s, &o->addr);
			t = at(&theirs, s, &o->addr);
			m = at(&ours, s, &o->addr);
			if (!b || !t || !m)
				continue;
			if (b->params.weight != t->params.weight) {
				ck_assert_uint_eq(o->params.weight,
						  t->params.weight);
				from_file++;
			} else {
				ck_assert_uint_eq(o->params.weight,
						  m->params.weight);
				from_user +=
					m->params.weight != t->params.weight;
			}
		}
		config_free(&base);
		config_free(&theirs);
		config_free(&ours);
		config_free(&out);
	}
	ck_assert_uint_gt(from_file, 0);
	ck_assert_uint_gt(from_user, 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{each_scenario_ends_as_a_user_expects, ARRAY_LEN(scenarios)},
		{what_cannot_both_be_is_refused_with_a_sentence,
		 ARRAY_LEN(conflicts)},
		{a_file_that_nobody_edited_changes_nothing, 0},
		{without_changes_at_run_time_the_file_is_what_runs, 0},
		{a_reset_forgets_what_was_changed, 0},
		{a_second_reload_of_the_same_file_changes_nothing, 0},
		{a_weight_is_the_files_where_the_file_changed_it, 0},
	};

	return unit_run("merge", tests, ARRAY_LEN(tests));
}
