/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "channel_who.h"

#define BY "by "

/* What changes nothing, and keeps nobody from changing anything. */
static bool is_question(const char *text)
{
	static const char *const questions[] = {"show", "show base", "status",
						"generation", "loop"};

	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++)
		if (strcmp(text, questions[i]) == 0)
			return true;
	return strncmp(text, "sync ", 5) == 0;
}

/* False: WHO is no word, or too long. */
static bool take_by(const char **text, char by[CHANNEL_BY_MAX])
{
	const char *who = *text + strlen(BY);
	const size_t len = strcspn(who, " \t");

	if (len == 0 || len >= CHANNEL_BY_MAX || who[len] != ' ')
		return false;
	memcpy(by, who, len);
	by[len] = '\0';
	*text = who + len + 1;
	return true;
}

const char *channel_judge(struct app *app, const struct asker *who,
			  const char *text, int *ret, struct err *err)
{
	const struct command_socket *s = app->channel.socket;
	char *by = app->channel.by;

	snprintf(by, CHANNEL_BY_MAX, "uid:%u", command_socket_uid(s, who));
	if (!command_socket_is_adopted(s, who))
		return text;
	if (strncmp(text, BY, strlen(BY)) == 0 && !take_by(&text, by)) {
		*ret = err_set(err, -EINVAL,
			       "expected by WHO COMMAND, WHO of at most %d "
			       "bytes without blanks",
			       CHANNEL_BY_MAX - 1);
		return NULL;
	}
	if (!app->config.api.writes && !is_question(text)) {
		*ret = err_set(err, -EACCES,
			       "api_writes = no: the API can only be asked");
		return NULL;
	}
	return text;
}
