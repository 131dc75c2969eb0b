/* SPDX-License-Identifier: MIT */
/*
 * ask.h - a question to the balancer, and its answer or its refusal
 *
 * All functions return an enum ctl_exit. With --json, an answer is printed as
 * it came, and so is a refusal, beside the sentence on standard error.
 */
#ifndef L4LBCTL_ASK_H
#define L4LBCTL_ASK_H

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/url.h"

/* Finds the balancer, unless it was found already. */
int ask_connect(struct ctl *c, struct err *err);

/* Whether anybody answers anything, of a balancer that was found. */
bool ask_is_there(struct ctl *c);

/*
 * @body: JSON, NULL for none; it is freed. *@answer is NULL with --json, as
 * everything is said then; else free it by json_decref().
 */
int ask(struct ctl *c, const char *method, const struct url *u, json_t *body,
	json_t **answer, struct err *err);
/* The same, never printed: for what is asked on the way to an answer. */
int ask_quietly(struct ctl *c, const char *method, const struct url *u,
		json_t *body, json_t **answer, struct err *err);
/* Sends @text; the rest as with ask(). */
int ask_with_text(struct ctl *c, const struct url *u, const char *text,
		  json_t **answer, struct err *err);
/* Prints an answer that is text. */
int ask_for_text(struct ctl *c, const struct url *u, struct err *err);
/* An answer of many lines, each a JSON value; @on_line as in http.h. */
int ask_for_lines(struct ctl *c, const struct url *u,
		  bool (*on_line)(void *arg, const char *line, size_t len),
		  void *arg, struct err *err);

#endif
