/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/config_backend.h"
#include "control/config_value.h"

enum { GIVEN_WEIGHT = 1, GIVEN_BACKUP = 2, GIVEN_ID = 4 };

/*
 * A name of the file stays with its backend, while l4lb's own depend on what
 * was there before. So there backendN is allowed only where it changes nothing.
 */
static int set_id(const struct config *file, struct backend_config *b,
		  const char *id, struct err *err)
{
	char next[CONFIG_NAME_MAX], quoted[QUOTED_MAX];
	struct err reason;

	if (file && config_id_is_automatic(id)) {
		snprintf(next, sizeof(next), "backend%u", file->next_id);
		if (strcmp(id, next) != 0)
			return err_set(err, -EINVAL,
				       "id \"%s\": such ids are given by l4lb, "
				       "here it would be %s; choose another "
				       "name",
				       value_quote(id, quoted), next);
	}
	if (value_name(b->id, id, &reason))
		return err_set(err, -EINVAL, "id \"%s\": %s",
			       value_quote(id, quoted), reason.text);
	return 0;
}

int backend_set_weight(struct backend_config *b, const char *weight,
		       struct err *err)
{
	char quoted[QUOTED_MAX];
	uint32_t number = 0;

	if (value_number(weight, 0, CONFIG_WEIGHT_MAX, &number, err))
		return err_set(err, -EINVAL,
			       "weight \"%s\" is not a number from 0 (no new "
			       "flows) to %d, for example weight=3",
			       value_quote(weight, quoted), CONFIG_WEIGHT_MAX);
	b->params.weight = number;
	return 0;
}

/* Notes that an option was given; false if it was before. */
static bool first(unsigned *given, unsigned option)
{
	const bool before = *given & option;

	*given |= option;
	return !before;
}

/* The rest of @option behind @name, or NULL. */
static const char *value_of(const char *option, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(option, name, len) == 0 ? option + len : NULL;
}

int backend_option(const struct config *file, struct backend_config *b,
		   unsigned *given, const char *option, struct err *err)
{
	const char *weight = value_of(option, "weight=");
	const char *id = value_of(option, "id=");
	const bool backup = strcmp(option, "backup") == 0;
	char quoted[QUOTED_MAX];

	if (!weight && !id && !backup)
		return err_set(err, -EINVAL,
			       "\"%s\" is no option of a backend; expected "
			       "weight=N, backup or id=NAME after the address",
			       value_quote(option, quoted));
	if (!first(given, weight ? GIVEN_WEIGHT : id ? GIVEN_ID : GIVEN_BACKUP))
		return err_set(err, -EINVAL, "%s is given twice",
			       weight ? "weight"
			       : id   ? "id"
				      : "backup");
	if (weight)
		return backend_set_weight(b, weight, err);
	if (id)
		return set_id(file, b, id, err);
	b->params.backup = true;
	return 0;
}
