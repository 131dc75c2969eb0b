/* SPDX-License-Identifier: MIT */
/*
 * command.h - what goes as a command of docs/commands.md
 */
#ifndef L4LBCTL_COMMAND_H
#define L4LBCTL_COMMAND_H

#include "ctl/ctl.h"

/*
 * Sends @text, lines of commands, and prints what they answer, or @done and the
 * generation. Returns an enum ctl_exit.
 */
int command_send(struct ctl *c, const char *text, const char *done,
		 struct err *err);

#endif
