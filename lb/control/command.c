/* SPDX-License-Identifier: MIT */
/*
 * command.c - which command a line is, and those about services and [global]
 *
 * A command works on drafts: copies of what it changes, which replace the
 * original when everything is right.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/command_parts.h"
#include "control/config_keys.h"
#include "control/config_value.h"

/* Splits KEY=VALUE in place. */
static int take_pair(char *word, char **value, struct err *err)
{
	char quoted[QUOTED_MAX];
	char *equals = strchr(word, '=');

	if (!equals || equals == word)
		return err_set(err, -EINVAL,
			       "\"%s\": expected KEY=VALUE, without blanks "
			       "around the =",
			       value_quote(word, quoted));
	*equals = 0;
	*value = equals + 1;
	return 0;
}

static int unknown_key(const struct key_table *table, const char *name,
		       struct err *err)
{
	const struct key_table *other =
		table == &keys_global ? &keys_service : &keys_global;

	if (key_find(other, name))
		return err_set(
			err, -EINVAL, "key \"%s\" belongs in %s: expected %s",
			name, other->section,
			other == &keys_global ? "set KEY=VALUE"
					      : "service set NAME KEY=VALUE");
	return key_unknown(table, name, err);
}

/* Sets one key of the draft in @t. */
static int set_key(struct target *t, const struct key_table *table,
		   const char *name, const char *value, struct err *err)
{
	char quoted[QUOTED_MAX];
	struct err reason;
	int ret;

	t->key = key_find(table, name);
	if (!t->key)
		return unknown_key(table, name, err);
	ret = key_set_whole(t, value, &reason);
	if (ret)
		return err_set(err, ret, "%s \"%s\": %s", name,
			       value_quote(value, quoted), reason.text);
	return 0;
}

/* ----------------------------------------------------------- [global] */

static int set_next_id(struct config *draft, const char *value, struct err *err)
{
	return value_number(value, draft->next_id, CONFIG_IDS_MAX + 1,
			    &draft->next_id, err);
}

static int set_global(struct command *cmd, struct config *draft,
		      const char *name, const char *value, struct err *err)
{
	struct target t = {.config = draft};
	const struct key *key = key_find(&keys_global, name);

	if (strcmp(name, "next_id") == 0)
		return set_next_id(draft, value, err);
	if (key && key->flags & KEY_RESTART && !cmd->own)
		return err_set(err, -EPERM,
			       "%s is fixed while l4lb runs: change it in the "
			       "file and restart l4lb (with guard = keep no "
			       "connection is lost)",
			       name);
	return set_key(&t, &keys_global, name, value, err);
}

int command_set(struct command *cmd, struct err *err)
{
	struct config draft = *cmd->config;
	int ret = 0;

	for (unsigned i = 1; i < cmd->w.n && !ret; i++) {
		char *value = NULL;

		ret = take_pair(cmd->w.word[i], &value, err);
		if (!ret)
			ret = set_global(cmd, &draft, cmd->w.word[i], value,
					 err);
	}
	if (!ret)
		*cmd->config = draft;
	return ret;
}

/* ---------------------------------------------------- [service NAME] */

static int refuse_name(const struct config *c, const char *name,
		       const struct service_config *self, struct err *err)
{
	const struct service_config *other = config_find_service(c, name);
	char quoted[QUOTED_MAX];

	if (other && other != self)
		return err_set(err, -EEXIST,
			       "there is a service \"%s\" already",
			       value_quote(name, quoted));
	return 0;
}

static int rename_service(struct command *cmd, struct service_config *draft,
			  const struct service_config *self, const char *name,
			  struct err *err)
{
	int ret = value_name(draft->name, name, err);

	return ret ? ret : refuse_name(cmd->config, name, self, err);
}

/* Sets the keys from word @from on. @self: the service itself; NULL: new. */
static int set_service_keys(struct command *cmd, unsigned from,
			    struct service_config *draft,
			    const struct service_config *self, struct err *err)
{
	struct target t = {.config = cmd->config, .service = draft};
	int ret = 0;

	for (unsigned i = from; i < cmd->w.n && !ret; i++) {
		char *name = cmd->w.word[i], *value = NULL;

		ret = take_pair(name, &value, err);
		if (ret)
			break;
		if (strcmp(name, "backend") == 0)
			ret = err_set(err, -EINVAL,
				      "backends have commands of their own: "
				      "expected backend add SERVICE "
				      "ADDRESS:PORT");
		else if (self && strcmp(name, "listen") == 0)
			ret = err_set(err, -EINVAL,
				      "a service keeps its address: add "
				      "another service there and remove this "
				      "one");
		else if (self && strcmp(name, "name") == 0)
			ret = rename_service(cmd, draft, self, value, err);
		else
			ret = set_key(&t, &keys_service, name, value, err);
	}
	return ret;
}

int command_service_add(struct command *cmd, struct err *err)
{
	const char *name = cmd->w.word[2];
	struct service_config *s = NULL;
	char quoted[QUOTED_MAX];
	struct err reason;
	int ret = refuse_name(cmd->config, name, NULL, err);

	if (ret)
		return ret;
	ret = config_add_service(cmd->config, name, &s, &reason);
	if (ret)
		return err_set(err, ret, "service \"%s\": %s",
			       value_quote(name, quoted), reason.text);
	ret = set_service_keys(cmd, 3, s, NULL, err);
	if (!ret && !s->listen.port)
		ret = err_set(err, -EINVAL,
			      "service \"%s\" has no listen; expected for "
			      "example listen=192.168.0.10:20000",
			      name);
	if (ret)
		config_free_service(cmd->config, s);
	return ret;
}

int command_service_set(struct command *cmd, struct err *err)
{
	struct service_config *s = NULL, draft;
	int ret = command_find_service(cmd, &s, err);

	if (ret)
		return ret;
	draft = *s;
	ret = set_service_keys(cmd, 3, &draft, s, err);
	if (!ret)
		*s = draft;
	return ret;
}

int command_service_remove(struct command *cmd, struct err *err)
{
	struct service_config *s = NULL;
	struct command_options o = {0};
	int ret = command_find_service(cmd, &s, err);

	if (!ret)
		ret = command_options(cmd, 3, OPTION_THEN, &o, err);
	if (!ret)
		config_remove_service(s, command_leaves(&o));
	return ret;
}

/* -------------------------------------------------------- which command */

static const struct form {
	const char *object, *verb; /* verb NULL: the command has one word */
	unsigned words;		   /* at least */
	int (*run)(struct command *cmd, struct err *err);
	const char *usage;
} forms[] = {
	{"set", NULL, 2, command_set, "set KEY=VALUE..."},
	{"service", "add", 4, command_service_add,
	 "service add NAME listen=ADDRESS:PORT [KEY=VALUE...]"},
	{"service", "set", 4, command_service_set,
	 "service set NAME KEY=VALUE..."},
	{"service", "remove", 3, command_service_remove,
	 "service remove NAME [then=drain|reset|keep]"},
	{"backend", "add", 4, command_backend_add,
	 "backend add SERVICE ADDRESS:PORT [weight=N] [backup] [id=NAME]"},
	{"backend", "set", 5, command_backend_set,
	 "backend set SERVICE ID [weight=N] [backup=yes|no] [id=NAME]"},
	{"backend", "enable", 4, command_backend_enable,
	 "backend enable SERVICE ID"},
	{"backend", "disable", 4, command_backend_disable,
	 "backend disable SERVICE ID [then=drain|reset|keep]"},
	{"backend", "drain", 4, command_backend_drain,
	 "backend drain SERVICE ID [for=TIME] [then=drain|reset|keep]"},
	{"backend", "remove", 4, command_backend_remove,
	 "backend remove SERVICE ID [then=drain|reset|keep]"},
};

#define FORMS (sizeof(forms) / sizeof(*forms))

static int unknown_command(const struct command *cmd, struct err *err)
{
	const char *verbs[FORMS], *nearest;
	char list[128] = "", quoted[QUOTED_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < FORMS; i++)
		if (strcmp(cmd->w.word[0], forms[i].object) == 0)
			verbs[n++] = forms[i].verb;
	if (n == 0)
		return err_set(err, -EINVAL,
			       "unknown command \"%s\"; expected set, service "
			       "or backend",
			       value_quote(cmd->w.word[0], quoted));
	for (unsigned i = 0; i < n; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s%s",
			 i == 0	      ? ""
			 : i == n - 1 ? " or "
				      : ", ",
			 verbs[i]);
	if (cmd->w.n < 2)
		return err_set(err, -EINVAL, "expected %s after %s", list,
			       cmd->w.word[0]);
	nearest = value_nearest(cmd->w.word[1], verbs, n);
	return err_set(err, -EINVAL,
		       "unknown command \"%s %s\"; expected %s %s",
		       cmd->w.word[0], value_quote(cmd->w.word[1], quoted),
		       cmd->w.word[0], nearest ? nearest : list);
}

static const struct form *find_form(const struct command *cmd)
{
	for (size_t i = 0; i < FORMS; i++)
		if (strcmp(cmd->w.word[0], forms[i].object) == 0 &&
		    (!forms[i].verb ||
		     (cmd->w.n > 1 &&
		      strcmp(cmd->w.word[1], forms[i].verb) == 0)))
			return &forms[i];
	return NULL;
}

static int apply(struct config *c, const char *line, bool own, struct err *err)
{
	struct command cmd = {.config = c, .own = own};
	const struct form *form;
	int ret = words_split(&cmd.w, line, err);

	if (ret)
		return ret;
	if (cmd.w.n == 0)
		return err_set(err, -EINVAL, "an empty command");
	form = find_form(&cmd);
	if (!form)
		return unknown_command(&cmd, err);
	if (cmd.w.n < form->words)
		return err_set(err, -EINVAL, "too few words; expected %s",
			       form->usage);
	return form->run(&cmd, err);
}

int command_apply(struct config *c, const char *line, struct err *err)
{
	return apply(c, line, false, err);
}

int command_load(struct config *c, const char *line, struct err *err)
{
	return apply(c, line, true, err);
}

bool command_is_known(const char *line)
{
	struct words w;
	struct err ignored;

	if (words_split(&w, line, &ignored) || w.n == 0)
		return true;
	for (size_t i = 0; i < FORMS; i++)
		if (strcmp(w.word[0], forms[i].object) == 0)
			return true;
	return false;
}

int command_check(struct config *c, struct err *err)
{
	struct err reason;
	int ret;

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		ret = service_is_live(s) ? config_check_service(s, &reason) : 0;
		if (ret)
			return err_set(err, ret, "service \"%s\": %s", s->name,
				       reason.text);
	}
	ret = config_check_timeouts(c, err);
	return ret ? ret : config_finish(c, err);
}
