/* SPDX-License-Identifier: MIT */
/*
 * config_ask.h - the configuration that runs, and the file's, from l4lb
 *
 * This is what the board does not have, so it is asked. Both are of the same
 * generation.
 */
#ifndef L4LB_API_CONFIG_ASK_H
#define L4LB_API_CONFIG_ASK_H

#include "api/api.h"
#include "api/http.h"
#include "control/config.h"

struct configs {
	struct config running;
	struct config base;    /* as the file was last read */
	struct config initial; /* nothing was set */
};

/*
 * False: @reply says why. True: @reply has the generation; configs_free() then.
 */
bool configs_ask(struct api *api, struct configs *out, struct reply *reply);
void configs_free(struct configs *c);

#endif
