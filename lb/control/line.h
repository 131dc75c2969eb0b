/* SPDX-License-Identifier: MIT */
/* line.h - command lines that continue in another one when they become long */
#ifndef L4LB_LINE_H
#define L4LB_LINE_H

#include <stdbool.h>

#include "control/config_keys.h"
#include "control/text.h"

struct line {
	struct text *out;
	char head[128]; /* begins each line: service set chat */
	size_t start;	/* of the line in .out */
	bool open;
};

/* Nothing is written before the first word. @head: at most 127 bytes. */
__attribute__((format(printf, 3, 4))) void line_begin(struct line *l,
						      struct text *out,
						      const char *head, ...);
/* Adds KEY=VALUE with the quotes that it needs. */
void line_pair(struct line *l, const char *key, const char *value);
/* Writes the head now, also if no pair follows. */
void line_open(struct line *l);
void line_end(struct line *l);

/* The pairs of all keys without @flags that differ in the two sections. */
void line_keys(struct line *l, const struct key_table *table, unsigned flags,
	       const struct config *from, const struct service_config *a,
	       const struct config *to, const struct service_config *b);

#endif
