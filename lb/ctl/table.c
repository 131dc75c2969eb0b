/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

#define GAP_WIDE   2 /* blanks between columns */
#define GAP_NARROW 1

struct table {
	const struct column *columns;
	unsigned n, indent, width;
	bool utf8, failed, laid_out;
	/* The layout. */
	unsigned cells[TABLE_COLUMNS_MAX]; /* characters; 0: left out */
	unsigned gap;
	/* Row by row. */
	char **text;
	size_t used, size;
};

struct table *table_new(const struct column *columns, unsigned n,
			unsigned indent, unsigned width, bool utf8)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	t->n = n;
	t->indent = indent;
	t->width = width;
	t->utf8 = utf8;
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list args;
	char *cell;
	int ret;

	if (t->used == t->size) {
		const size_t size = t->size ? 2 * t->size : 64;
		char **text = realloc(t->text, size * sizeof(*text));

		if (!text) {
			t->failed = true;
			return;
		}
		t->text = text;
		t->size = size;
	}
	va_start(args, fmt);
	ret = vasprintf(&cell, fmt, args);
	va_end(args);
	if (ret < 0)
		t->failed = true;
	else
		t->text[t->used++] = cell;
}

unsigned table_rows(const struct table *t)
{
	return (unsigned)(t->used / t->n);
}

static unsigned total(const struct table *t)
{
	unsigned sum = t->indent, shown = 0;

	for (unsigned i = 0; i < t->n; i++) {
		sum += t->cells[i];
		shown += t->cells[i] > 0;
	}
	return sum + (shown ? (shown - 1) * t->gap : 0);
}

static bool fits(const struct table *t)
{
	return !t->width || total(t) <= t->width;
}

static void shrink(struct table *t)
{
	for (unsigned i = 0; i < t->n && !fits(t); i++) {
		const unsigned least = t->columns[i].shrink_to;
		const unsigned over = total(t) - t->width;

		if (!least || t->cells[i] <= least)
			continue;
		t->cells[i] =
			t->cells[i] - least > over ? t->cells[i] - over : least;
	}
}

/* False: nothing is left that may go. */
static bool drop(struct table *t)
{
	unsigned which = 0, rank = 0;

	for (unsigned i = 0; i < t->n; i++) {
		if (t->cells[i] && t->columns[i].drop > rank) {
			rank = t->columns[i].drop;
			which = i;
		}
	}
	if (rank)
		t->cells[which] = 0;
	return rank != 0;
}

static void lay_out(struct table *t)
{
	for (unsigned i = 0; i < t->n; i++)
		t->cells[i] = table_text_width(t->columns[i].title);
	for (size_t k = 0; k < t->used; k++) {
		const unsigned w = table_text_width(t->text[k]);

		if (w > t->cells[k % t->n])
			t->cells[k % t->n] = w;
	}
	t->gap = GAP_WIDE;
	if (!fits(t))
		t->gap = GAP_NARROW;
	shrink(t);
	while (!fits(t) && drop(t))
		;
	t->laid_out = true;
}

static void print_cell(const struct table *t, unsigned i, const char *text,
		       bool last, FILE *out)
{
	const unsigned cell = t->cells[i];
	const unsigned w = table_text_width(text);
	/* Only what was laid out to be cut is cut. */
	const unsigned most = t->columns[i].shrink_to && !last ? cell : 0;

	if (t->columns[i].right)
		for (unsigned k = w; k < cell; k++)
			fputc(' ', out);
	table_text(out, text, most, t->columns[i].right || last ? 0 : cell,
		   t->utf8);
}

static void print_row(const struct table *t, char *const *row, FILE *out)
{
	unsigned last = 0;
	bool first = true;

	for (unsigned i = 0; i < t->n; i++)
		if (t->cells[i])
			last = i;
	for (unsigned i = 0; i < t->indent; i++)
		fputc(' ', out);
	for (unsigned i = 0; i < t->n; i++) {
		if (!t->cells[i])
			continue;
		for (unsigned k = 0; !first && k < t->gap; k++)
			fputc(' ', out);
		first = false;
		print_cell(t, i, row ? row[i] : t->columns[i].title, i == last,
			   out);
	}
	fputc('\n', out);
}

void table_part(struct table *t, unsigned first, unsigned n, FILE *out)
{
	if (!t->laid_out)
		lay_out(t);
	print_row(t, NULL, out);
	for (unsigned r = first; r < first + n && r < table_rows(t); r++)
		print_row(t, t->text + (size_t)r * t->n, out);
}

bool table_flush(struct table *t, FILE *out)
{
	const unsigned rows = table_rows(t);
	const bool whole = !t->failed;

	if (t->laid_out)
		for (unsigned r = 0; r < rows; r++)
			print_row(t, t->text + (size_t)r * t->n, out);
	else
		table_part(t, 0, rows, out);
	while (t->used)
		free(t->text[--t->used]);
	t->failed = false;
	return whole;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	while (t->used)
		free(t->text[--t->used]);
	free(t->text);
	free(t);
}
