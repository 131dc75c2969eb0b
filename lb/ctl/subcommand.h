/* SPDX-License-Identifier: MIT */
/*
 * subcommand.h - what l4lbctl can do, in one table
 *
 * The table is the help, the check of what the user typed, and what completion
 * offers. A test compares l4lbctl(8) with it.
 */
#ifndef L4LBCTL_SUBCOMMAND_H
#define L4LBCTL_SUBCOMMAND_H

#include "ctl/ctl.h"

/*
 * @arguments, as the help shows them, is also the grammar of completion: words
 * between blanks, with [] around those that may be left out and ... after those
 * that may be repeated. SERVICE and ID are names that the balancer knows,
 * FILTER is a term of flow_terms, key=A|B one of two, key=WORD anything, and a
 * word in small letters itself.
 */
struct subcommand {
	const char *name;
	const char *action; /* NULL: it has none */
	const char *arguments;
	const char *summary; /* a line of the overview, up to 56 characters */
	const char *details; /* what else its help says; NULL: nothing */
	unsigned options;    /* enum ctl_option */
	unsigned words_min, words_max;
	int (*run)(struct ctl *c, struct err *err);
};

/* Ends with one whose name is NULL. */
extern const struct subcommand subcommands[];

/* What a filter of flows may ask for, for help and completion; ends with NULL.
 */
extern const char *const flow_terms[];

/* Each returns an enum ctl_exit. */
int status_run(struct ctl *c, struct err *err);
int flows_run(struct ctl *c, struct err *err);
int flow_run(struct ctl *c, struct err *err);
int backend_list_run(struct ctl *c, struct err *err);
int backend_show_run(struct ctl *c, struct err *err);
int backend_add_run(struct ctl *c, struct err *err);
int backend_remove_run(struct ctl *c, struct err *err);
int backend_drain_run(struct ctl *c, struct err *err);
int backend_enable_run(struct ctl *c, struct err *err);
int backend_disable_run(struct ctl *c, struct err *err);
int backend_weight_run(struct ctl *c, struct err *err);
int service_list_run(struct ctl *c, struct err *err);
int service_add_run(struct ctl *c, struct err *err);
int service_set_run(struct ctl *c, struct err *err);
int service_remove_run(struct ctl *c, struct err *err);
int set_run(struct ctl *c, struct err *err);
int reload_run(struct ctl *c, struct err *err);
int diff_run(struct ctl *c, struct err *err);
int save_run(struct ctl *c, struct err *err);
int events_run(struct ctl *c, struct err *err);
int raw_run(struct ctl *c, struct err *err);
int stop_run(struct ctl *c, struct err *err);

#endif
