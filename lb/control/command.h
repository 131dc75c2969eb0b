/* SPDX-License-Identifier: MIT */
/*
 * command.h - the language in which a running configuration is changed
 *
 * docs/commands.md defines it. A command is one line of text. Commands come
 * from users, from a reload, and from what l4lb has saved; all of them are
 * applied by the functions here, to a copy of the running configuration.
 * Pure: addresses are numeric, no system call is made.
 */
#ifndef L4LB_COMMAND_H
#define L4LB_COMMAND_H

#include "control/config.h"
#include "control/words.h"

#define COMMAND_MAX WORDS_LINE_MAX /* bytes of a line, without a final 0 */

/*
 * Applies one command, without its newline. On an error @c is as it was before,
 * and @err says what is wrong: -ENOENT: there is no such service or backend;
 * -EEXIST: it is there already; -ENOSPC: there are too many; -EPERM: the key is
 * fixed while l4lb runs; -EINVAL: anything else.
 */
int command_apply(struct config *c, const char *line, struct err *err);

/* The same for lines that l4lb wrote itself: fixed keys may be set, too. */
int command_load(struct config *c, const char *line, struct err *err);

/* False: its first word, if it has one, begins no command. */
bool command_is_known(const char *line);

/*
 * Checks what several commands have made of @c, and brings up to date what
 * depends on other values. Call it after the last one: a single command may
 * leave contradictions that the next one removes.
 */
int command_check(struct config *c, struct err *err);

/* The word for what happens to flows, NULL if the service's on_down says it. */
const char *command_leave_word(enum leave leave);

#endif
