/* SPDX-License-Identifier: MIT */
/*
 * api_address.c - the address of the API, taken before the NAT ports are
 * chosen, so that none of these is the API's
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "board/handover.h"
#include "host/listener.h"
#include "log.h"
#include "steps.h"

/* Seen from the folder of l4lb: as it is built, and as it is installed. */
static const char *const places[] = {
	HANDOVER_PROGRAM,
	"../libexec/l4lb/" HANDOVER_PROGRAM,
};

int api_trouble(const struct app *app, int ret, struct err *err)
{
	if (!state_found(app->state))
		return ret;
	log_warn("%s; the connections are more important, so l4lb goes on "
		 "without it",
		 err->text);
	return 0;
}

/* The environment is not asked: it may be somebody else's. */
bool api_find_program(struct app *app)
{
	char own[PATH_MAX];
	const ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	own[n < 0 ? 0 : n] = '\0';
	slash = strrchr(own, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; slash && i < sizeof(places) / sizeof(*places); i++) {
		char *path = app->api.program;

		if (snprintf(path, API_PROGRAM_SIZE, "%s/%s", own, places[i]) <
			    API_PROGRAM_SIZE &&
		    access(path, X_OK) == 0)
			return true;
	}
	app->api.program[0] = '\0';
	log_warn(HANDOVER_PROGRAM " is not installed (neither %s/%s nor %s/%s)"
				  ": nobody can ask or change this balancer by "
				  "HTTP%s; it balances all the same",
		 slash ? own : "?", places[0], slash ? own : "?", places[1],
		 app->config.api.flow_log[0] ? ", and there is no flow log"
					     : "");
	return false;
}

static int start(struct app *app, struct err *err)
{
	const struct api_config *a = &app->config.api;
	struct api_child *child = &app->api;
	int ret = 0;

	child->tcp = -1;
	child->channels[0] = child->channels[1] = -1;
	if (!api_config_is_used(a) || !api_find_program(app) || !a->has_tcp)
		return 0;
	ret = listener_tcp(&child->tcp, &a->tcp, err);
	return ret ? api_trouble(app, ret, err) : 0;
}

static void stop(struct app *app, bool keep)
{
	(void)keep;
	if (app->api.tcp != -1)
		close(app->api.tcp);
}

const struct step step_api_address = {"api address", start, stop};
