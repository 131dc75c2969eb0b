/* SPDX-License-Identifier: MIT */
/* command_parts.h - what the commands share; private to command*.c */
#ifndef L4LB_COMMAND_PARTS_H
#define L4LB_COMMAND_PARTS_H

#include "control/command.h"

struct command {
	struct config *config;
	bool own; /* l4lb's own line: fixed keys may be set */
	struct words w;
};

/* The live service that word 2 names. */
int command_find_service(const struct command *cmd, struct service_config **out,
			 struct err *err);
/* The live backend that word 3 names, by its id or address, and its service. */
int command_find_backend(const struct command *cmd, struct service_config **s,
			 struct backend_config **out, struct err *err);

enum { OPTION_THEN = 1, OPTION_FOR = 2 };

struct command_options {
	enum leave then;
	uint32_t for_s; /* 0: not given */
};

/* Takes then= and for= from word @from on; @allowed: which of them. */
int command_options(const struct command *cmd, unsigned from, unsigned allowed,
		    struct command_options *out, struct err *err);

/* What a removal does: connections go on unless the user says otherwise. */
static inline enum leave command_leaves(const struct command_options *o)
{
	return o->then == LEAVE_ON_DOWN ? LEAVE_DRAIN : o->then;
}

int command_set(struct command *cmd, struct err *err);
int command_service_add(struct command *cmd, struct err *err);
int command_service_set(struct command *cmd, struct err *err);
int command_service_remove(struct command *cmd, struct err *err);
int command_backend_add(struct command *cmd, struct err *err);
int command_backend_set(struct command *cmd, struct err *err);
int command_backend_enable(struct command *cmd, struct err *err);
int command_backend_disable(struct command *cmd, struct err *err);
int command_backend_drain(struct command *cmd, struct err *err);
int command_backend_remove(struct command *cmd, struct err *err);

#endif
