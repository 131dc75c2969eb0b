/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/metrics.h"
#include "api/metrics_table.h"
#include "core/time.h"

#define NAME_BYTES_MAX 96
#define LABELS_MAX     256 /* bytes, with the final 0 */
/* An interface, all of it escaped. */
#define LABEL_VALUE_MAX (2 * sizeof(((struct board_tap *)0)->interface))

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

void metric_add_seconds(struct text *out, uint64_t ns)
{
	const uint64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;

	text_add(out, "%" PRIu64 ".%09" PRIu64, s, rest);
}

/* Names and ids have no character that a label would want escaped. */
static const char *labels_of_backend(const struct snapshot_service *service,
				     const struct board_backend *b,
				     char text[LABELS_MAX])
{
	char address[ENDPOINT_TEXT_MAX];

	snprintf(text, LABELS_MAX,
		 "service=\"%s\",backend=\"%s\",address=\"%s\"",
		 service->row.name, b->id, endpoint_format(&b->addr, address));
	return text;
}

static const char *labels_of_pool(const struct board_pool *p,
				  char text[LABELS_MAX])
{
	char source[ADDR_TEXT_MAX], backend[ENDPOINT_TEXT_MAX];

	snprintf(text, LABELS_MAX, "source=\"%s\",backend=\"%s\"",
		 addr_format(&p->source, source),
		 endpoint_format(&p->backend, backend));
	return text;
}

/* ----------------------------------------------------------------- one row */

/* NAME_SUFFIX{LABELS,LABEL="VALUE"} up to the blank before the number */
static void begin_line(struct text *out, const struct metric *m,
		       const char *suffix, const char *labels,
		       const char *label, const char *value)
{
	text_add(out, "l4lb_%s%s", m->name, suffix);
	if (*labels || label)
		text_add(out, "{%s%s", labels, *labels && label ? "," : "");
	if (label)
		text_add(out, "%s=\"%s\"", label, value);
	text_add(out, *labels || label ? "} " : " ");
}

/* Buckets count all that is below them, too. */
static void print_histogram(struct text *out, const struct metric *m,
			    const char *labels, const struct histogram *h)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		const bool last = i == HISTOGRAM_BUCKETS - 1;
		char bound[24] = "+Inf";

		below += h->count[i];
		if (!last)
			snprintf(bound, sizeof(bound), "%g",
				 (double)histogram_bound_ns(i) / NS_PER_S);
		begin_line(out, m, "_bucket", labels, "le", bound);
		text_add(out, "%" PRIu64 "\n", below);
	}
	begin_line(out, m, "_sum", labels, NULL, NULL);
	metric_add_seconds(out, h->sum_ns);
	text_add(out, "\n");
	begin_line(out, m, "_count", labels, NULL, NULL);
	text_add(out, "%" PRIu64 "\n", below);
}

static void add_value(struct text *out, const struct metric *m,
		      const uint8_t *row, unsigned i)
{
	const uint8_t *at = row + m->offset;
	uint64_t u64;
	uint32_t u32;

	switch (m->form) {
	case FORM_U64:
	case FORM_NS:
		memcpy(&u64, at + i * sizeof(u64), sizeof(u64));
		if (m->form == FORM_NS)
			metric_add_seconds(out, u64);
		else
			text_add(out, "%" PRIu64, u64);
		break;
	case FORM_U32:
		memcpy(&u32, at + i * sizeof(u32), sizeof(u32));
		text_add(out, "%" PRIu32, u32);
		break;
	case FORM_U8: text_add(out, "%u", at[i]); break;
	case FORM_IS: text_add(out, "%d", *at == m->from + i); break;
	case FORM_HISTOGRAM: break;
	}
}

static void print_row(struct text *out, const struct metric *m, const void *row,
		      const char *labels)
{
	if (m->form == FORM_HISTOGRAM) {
		print_histogram(
			out, m, labels,
			(const void *)((const uint8_t *)row + m->offset));
		return;
	}
	if (!m->label) {
		begin_line(out, m, "", labels, NULL, NULL);
		add_value(out, m, row, 0);
		text_add(out, "\n");
		return;
	}
	for (unsigned i = m->from; i < m->from + m->n; i++) {
		begin_line(out, m, "", labels, m->label, m->label_name(i));
		add_value(out, m, row, i);
		text_add(out, "\n");
	}
}

/* ------------------------------------------------------ all rows of a kind */

static void print_backends(struct text *out, const struct metric *m,
			   const struct snapshot *shot,
			   const struct snapshot_service *s)
{
	for (unsigned k = s->first; k < s->first + s->n; k++) {
		const struct board_backend *b = &shot->backends[k].row;
		char labels[LABELS_MAX];

		print_row(out, m, b, labels_of_backend(s, b, labels));
	}
}

static void print_services(struct text *out, const struct metric *m,
			   const struct snapshot *shot)
{
	for (unsigned i = 0; i < shot->n_services; i++) {
		const struct snapshot_service *s = &shot->services[i];
		char labels[LABELS_MAX];

		if (m->of == OF_BACKEND) {
			print_backends(out, m, shot, s);
			continue;
		}
		snprintf(labels, sizeof(labels), "service=\"%s\"", s->row.name);
		print_row(out, m, &s->row, labels);
	}
}

static void print_pools(struct text *out, const struct metric *m,
			const struct snapshot *shot)
{
	for (unsigned i = 0; i < shot->n_pools; i++) {
		char labels[LABELS_MAX];

		print_row(out, m, &shot->pools[i],
			  labels_of_pool(&shot->pools[i], labels));
	}
}

/* The kernel lets an interface be called nearly anything. */
static void put_escaped(char text[LABEL_VALUE_MAX], const char *name)
{
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			*text++ = '\\';
		*text++ = *name;
	}
	*text = '\0';
}

static void print_taps(struct text *out, const struct metric *m,
		       const struct snapshot *shot)
{
	for (unsigned i = 0; i < shot->n_taps; i++) {
		char labels[LABELS_MAX], name[LABEL_VALUE_MAX];

		put_escaped(name, shot->taps[i].interface);
		snprintf(labels, sizeof(labels), "interface=\"%s\"", name);
		print_row(out, m, &shot->taps[i], labels);
	}
}

static void print_metric(struct text *out, const struct metric *m,
			 const struct metrics_source *from)
{
	char name[NAME_BYTES_MAX];

	text_add(out, "# HELP l4lb_%s %s.\n# TYPE l4lb_%s %s\n", m->name,
		 m->help, m->name, type_names[m->type]);
	switch (m->of) {
	case OF_GLOBAL: print_row(out, m, &from->shot->global, ""); break;
	case OF_SERVICE:
	case OF_BACKEND: print_services(out, m, from->shot); break;
	case OF_POOL: print_pools(out, m, from->shot); break;
	case OF_TAP: print_taps(out, m, from->shot); break;
	case OF_NOTHING:
		snprintf(name, sizeof(name), "l4lb_%s", m->name);
		m->print(out, from, name);
		break;
	}
}

void metrics_print(struct text *out, const struct metrics_source *from,
		   unsigned what)
{
	for (unsigned i = 0; i < metrics_table_len; i++) {
		const struct metric *m = &metrics_table[i];

		if (!(what & m->scope) || (m->type == METRIC_HISTOGRAM &&
					   !(what & METRICS_HISTOGRAMS)))
			continue;
		print_metric(out, m, from);
	}
}

/* ------------------------------------------------------- what is asked for */

static const struct {
	const char *name;
	unsigned bit;
} scopes[] = {
	{"global", METRICS_GLOBAL},
	{"service", METRICS_SERVICE},
	{"backend", METRICS_BACKEND},
};

static unsigned scope_of(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
		if (strlen(scopes[i].name) == len &&
		    memcmp(scopes[i].name, word, len) == 0)
			return scopes[i].bit;
	}
	return 0;
}

int metrics_what(const char *scope, const char *histograms, unsigned *what,
		 struct err *err)
{
	*what = METRICS_ALL;
	if (scope) {
		*what = METRICS_HISTOGRAMS;
		for (const char *word = scope;; word++) {
			const size_t len = strcspn(word, ",");
			const unsigned bit = scope_of(word, len);

			if (!bit)
				return err_set(err, -EINVAL,
					       "scope \"%.40s\": expected "
					       "global, service, backend, or "
					       "several of them with commas",
					       scope);
			*what |= bit;
			word += len;
			if (!*word)
				break;
		}
	}
	if (!histograms || strcmp(histograms, "1") == 0)
		return 0;
	if (strcmp(histograms, "0") != 0)
		return err_set(err, -EINVAL,
			       "histograms \"%.40s\": expected 0 or 1",
			       histograms);
	*what &= ~METRICS_HISTOGRAMS;
	return 0;
}

/* -------------------------------------------------------------- for people */

static const char *base_labels(enum metric_of of)
{
	switch (of) {
	case OF_SERVICE: return "service";
	case OF_BACKEND: return "service, backend, address";
	case OF_POOL: return "source, backend";
	case OF_TAP: return "interface";
	case OF_GLOBAL:
	case OF_NOTHING: break;
	}
	return "";
}

void metrics_describe(struct text *out)
{
	for (unsigned i = 0; i < metrics_table_len; i++) {
		const struct metric *m = &metrics_table[i];
		const char *base = m->labels ? m->labels : base_labels(m->of);

		text_add(out, "| l4lb_%s | %s | %s%s%s | %s |\n", m->name,
			 type_names[m->type], base,
			 *base && m->label ? ", " : "",
			 m->label ? m->label : "", m->help);
	}
}
