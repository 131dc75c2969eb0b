/* SPDX-License-Identifier: MIT */
/* command_backend.c - the commands about backends, and how they are named */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/command_parts.h"
#include "control/config_backend.h"
#include "control/config_value.h"

#define S    1000u /* ms */
#define WEEK (168 * 3600 * S)

/* ----------------------------------------------------------- who is meant */

/* Lists the first of @n names for a message: a, b, c and 7 more. */
static void list_names(char list[256], const char *const names[], unsigned n)
{
	enum { SHOWN = 5 };

	list[0] = 0;
	for (unsigned i = 0; i < n && i < SHOWN; i++)
		snprintf(list + strlen(list), 256 - strlen(list), "%s%s",
			 i ? ", " : "", names[i]);
	if (n > SHOWN)
		snprintf(list + strlen(list), 256 - strlen(list),
			 " and %u more", n - SHOWN);
	if (n == 0)
		snprintf(list, 256, "none");
}

int command_find_service(const struct command *cmd, struct service_config **out,
			 struct err *err)
{
	const struct config *c = cmd->config;
	const char *name = cmd->w.word[2], *names[CONFIG_SERVICES_MAX];
	char quoted[QUOTED_MAX], list[256];
	const char *nearest;
	unsigned n = 0;

	*out = config_find_service(c, name);
	if (*out)
		return 0;
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]))
			names[n++] = c->services[i].name;
	value_quote(name, quoted);
	nearest = value_nearest(name, names, n);
	if (nearest)
		return err_set(err, -ENOENT,
			       "service \"%s\" is not known; did you mean "
			       "\"%s\"?",
			       quoted, nearest);
	list_names(list, names, n);
	return err_set(err, -ENOENT, "service \"%s\" is not known; there is %s",
		       quoted, list);
}

static struct backend_config *find_endpoint(const struct service_config *s,
					    const struct endpoint *e)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_is_live(&s->backends[i]) &&
		    endpoint_equal(&s->backends[i].addr, e))
			return &s->backends[i];
	return NULL;
}

static int no_backend(const struct service_config *s, const char *id,
		      struct err *err)
{
	const char *names[CONFIG_BACKENDS_MAX], *nearest;
	char quoted[QUOTED_MAX], list[256];
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_is_live(&s->backends[i]))
			names[n++] = s->backends[i].id;
	value_quote(id, quoted);
	/* backend1 is near to every backendN, and so no help. */
	nearest =
		config_id_is_automatic(id) ? NULL : value_nearest(id, names, n);
	if (nearest)
		return err_set(err, -ENOENT,
			       "service \"%s\" has no backend \"%s\"; did you "
			       "mean \"%s\"?",
			       s->name, quoted, nearest);
	list_names(list, names, n);
	return err_set(err, -ENOENT,
		       "service \"%s\" has no backend \"%s\"; it has %s",
		       s->name, quoted, list);
}

int command_find_backend(const struct command *cmd, struct service_config **s,
			 struct backend_config **out, struct err *err)
{
	const char *id = cmd->w.word[3];
	char quoted[QUOTED_MAX];
	struct err reason;
	struct endpoint e;
	int ret = command_find_service(cmd, s, err);

	if (ret)
		return ret;
	if (strchr(id, ':')) {
		ret = value_endpoint(id, NULL, &e, &reason);
		if (ret)
			return err_set(err, ret, "backend \"%s\": %s",
				       value_quote(id, quoted), reason.text);
		*out = find_endpoint(*s, &e);
	} else {
		*out = config_find_id(*s, id);
	}
	return *out ? 0 : no_backend(*s, id, err);
}

/* ---------------------------------------------------------------- options */

static const char *const leave_words[] = {
	[LEAVE_ON_DOWN] = NULL,
	[LEAVE_DRAIN] = "drain",
	[LEAVE_RESET] = "reset",
	[LEAVE_KEEP] = "keep",
};

const char *command_leave_word(enum leave leave)
{
	return leave_words[leave];
}

/* The rest of @word behind @name and "=", or NULL. */
static const char *value_of(const char *word, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(word, name, len) == 0 && word[len] == '='
		       ? word + len + 1
		       : NULL;
}

static int take_then(const char *value, enum leave *out, struct err *err)
{
	char quoted[QUOTED_MAX];

	for (int i = LEAVE_DRAIN; i <= LEAVE_KEEP; i++) {
		if (strcmp(value, leave_words[i]) == 0) {
			*out = (enum leave)i;
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		       "then \"%s\": expected drain, reset or keep",
		       value_quote(value, quoted));
}

static int take_for(const char *value, uint32_t *out_s, struct err *err)
{
	char quoted[QUOTED_MAX];
	struct err reason;
	uint32_t ms = 0;
	int ret = value_time(value, 1000, 1 * S, WEEK, &ms, &reason);

	if (ret)
		return err_set(err, ret, "for \"%s\": %s",
			       value_quote(value, quoted), reason.text);
	*out_s = ms / 1000;
	return 0;
}

int command_options(const struct command *cmd, unsigned from, unsigned allowed,
		    struct command_options *out, struct err *err)
{
	char quoted[QUOTED_MAX];
	int ret = 0;

	for (unsigned i = from; i < cmd->w.n && !ret; i++) {
		const char *word = cmd->w.word[i];
		const char *then = value_of(word, "then");
		const char *time = value_of(word, "for");

		if ((then && out->then) || (time && out->for_s))
			ret = err_set(err, -EINVAL, "%s is given twice",
				      then ? "then" : "for");
		else if (then && allowed & OPTION_THEN)
			ret = take_then(then, &out->then, err);
		else if (time && allowed & OPTION_FOR)
			ret = take_for(time, &out->for_s, err);
		else
			ret = err_set(
				err, -EINVAL, "unexpected \"%s\"; expected %s",
				value_quote(word, quoted),
				allowed & OPTION_FOR ? "for=TIME or "
						       "then=drain|reset|keep"
				: allowed & OPTION_THEN
					? "then=drain|reset|keep"
					: "nothing more");
	}
	return ret;
}

/* --------------------------------------------------------------- commands */

int command_backend_add(struct command *cmd, struct err *err)
{
	struct backend_config b = {.params = BACKEND_PARAMS_DEFAULT};
	const char *address = cmd->w.word[3];
	struct service_config *s = NULL;
	char quoted[QUOTED_MAX];
	struct err reason;
	unsigned given = 0;
	int ret = command_find_service(cmd, &s, err);

	if (ret)
		return ret;
	ret = value_endpoint(address, NULL, &b.addr, &reason);
	for (unsigned i = 4; i < cmd->w.n && !ret; i++)
		ret = backend_option(NULL, &b, &given, cmd->w.word[i], &reason);
	if (!ret)
		ret = config_add_backend(cmd->config, s, &b, &reason);
	if (ret)
		return err_set(err, ret, "backend \"%s\": %s",
			       value_quote(address, quoted), reason.text);
	return 0;
}

static int set_backup(struct backend_config *b, const char *value,
		      struct err *err)
{
	static const char *const words[] = {"no", "yes"};
	char quoted[QUOTED_MAX];
	struct err ignored;
	int choice = 0;

	if (value_choice(value, words, 2, "", &choice, &ignored))
		return err_set(err, -EINVAL,
			       "backup \"%s\": expected yes or no",
			       value_quote(value, quoted));
	b->params.backup = choice == 1;
	return 0;
}

static int set_value(struct command *cmd, struct service_config *s,
		     struct backend_config *b, struct backend_config *draft,
		     const char *word, struct err *err)
{
	const char *weight = value_of(word, "weight");
	const char *backup = value_of(word, "backup");
	const char *id = value_of(word, "id");
	char quoted[QUOTED_MAX];

	if (weight)
		return backend_set_weight(draft, weight, err);
	if (backup)
		return set_backup(draft, backup, err);
	if (id)
		return config_check_id(cmd->config, s, b, id, draft->id, err);
	return err_set(err, -EINVAL,
		       "\"%s\" cannot be set of a backend; expected weight=N, "
		       "backup=yes|no or id=NAME",
		       value_quote(word, quoted));
}

int command_backend_set(struct command *cmd, struct err *err)
{
	struct backend_config *b = NULL, draft;
	struct service_config *s = NULL;
	struct err ignored;
	int ret = command_find_backend(cmd, &s, &b, err);

	if (ret)
		return ret;
	draft = *b;
	for (unsigned i = 4; i < cmd->w.n && !ret; i++)
		ret = set_value(cmd, s, b, &draft, cmd->w.word[i], err);
	if (ret)
		return ret;
	b->params = draft.params;
	(void)config_set_id(cmd->config, s, b, draft.id, &ignored);
	return 0;
}

static int set_admin(struct command *cmd, enum admin admin, unsigned allowed,
		     struct err *err)
{
	struct command_options o = {0};
	struct backend_config *b = NULL;
	struct service_config *s = NULL;
	int ret = command_find_backend(cmd, &s, &b, err);

	if (!ret)
		ret = command_options(cmd, 4, allowed, &o, err);
	if (ret)
		return ret;
	b->params.admin = admin;
	b->params.drain_s = o.for_s;
	b->params.then = o.then;
	return 0;
}

int command_backend_enable(struct command *cmd, struct err *err)
{
	return set_admin(cmd, ADMIN_ENABLED, 0, err);
}

int command_backend_disable(struct command *cmd, struct err *err)
{
	return set_admin(cmd, ADMIN_DISABLED, OPTION_THEN, err);
}

int command_backend_drain(struct command *cmd, struct err *err)
{
	return set_admin(cmd, ADMIN_DRAIN, OPTION_THEN | OPTION_FOR, err);
}

int command_backend_remove(struct command *cmd, struct err *err)
{
	struct command_options o = {0};
	struct backend_config *b = NULL;
	struct service_config *s = NULL;
	int ret = command_find_backend(cmd, &s, &b, err);

	if (!ret)
		ret = command_options(cmd, 4, OPTION_THEN, &o, err);
	if (!ret)
		config_remove_backend(b, command_leaves(&o));
	return ret;
}
