/* SPDX-License-Identifier: MIT */
/*
 * table.h - rows of cells, laid out for the width of a terminal
 *
 * When the columns are too wide together, they move closer, then those that may
 * are cut, then the least important ones are left out. A last column or an only
 * row is no reason to break a line: the terminal does that.
 *
 * What comes from outside is shown only: control characters and what the locale
 * cannot show become '?'.
 */
#ifndef L4LBCTL_TABLE_H
#define L4LBCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct column {
	const char *title;
	bool right;	    /* numbers */
	unsigned shrink_to; /* may be cut to so many characters; 0: never */
	unsigned drop;	    /* the highest goes first; 0: never */
};

struct table;

/*
 * @columns must outlive it. @indent: blanks before each line. @width: 0 for as
 * wide as it is. NULL: there is no memory.
 */
struct table *table_new(const struct column *columns, unsigned n,
			unsigned indent, unsigned width, bool utf8);
/* The next cell of the row. */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *t,
						      const char *fmt, ...);
unsigned table_rows(const struct table *t);
/*
 * Prints the titles and @n rows from @first on, laid out for all rows that
 * there are: for one table in several parts.
 */
void table_part(struct table *t, unsigned first, unsigned n, FILE *out);
/*
 * Prints the rows since the last time, and forgets them. The first time fixes
 * the layout and prints the titles; a later row that is wider shifts. False:
 * some were lost as there was no memory.
 */
bool table_flush(struct table *t, FILE *out);
void table_free(struct table *t);

/*
 * Prints @text, at most @width characters of it (0: all), harmless on a
 * terminal, then blanks up to @pad characters.
 */
void table_text(FILE *out, const char *text, unsigned width, unsigned pad,
		bool utf8);
/* Characters that table_text() prints of @text. */
unsigned table_text_width(const char *text);

#endif
