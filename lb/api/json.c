/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/json.h"
#include "api/utf8.h"

/* The largest whole number that a double holds with all before it. */
#define EXACT_MAX (1ull << 53)

struct json_writer json_writer(struct text *out)
{
	return (struct json_writer){.out = out};
}

static void put(struct json_writer *w, const char *bytes)
{
	text_put(w->out, bytes, strlen(bytes));
}

/* What stands for itself, one byte each: nearly all text. */
static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escaped(struct json_writer *w, const char *text, size_t len)
{
	size_t begun = 0, n;
	char escape[8];

	for (size_t i = 0; i < len; i += n) {
		const unsigned char c = (unsigned char)text[i];

		n = is_plain(text[i]) ? 1 : utf8_length(text + i, len - i);
		if (n && c >= 0x20 && c != '"' && c != '\\')
			continue;
		text_put(w->out, text + begun, i - begun);
		if (!n)
			snprintf(escape, sizeof(escape), "\\ufffd");
		else if (c < 0x20)
			snprintf(escape, sizeof(escape), "\\u%04x", c);
		else
			snprintf(escape, sizeof(escape), "\\%c", c);
		put(w, escape);
		n = n ? n : 1;
		begun = i + n;
	}
	text_put(w->out, text + begun, len - begun);
}

static void put_string(struct json_writer *w, const char *text)
{
	put(w, "\"");
	put_escaped(w, text, strlen(text));
	put(w, "\"");
}

/* The comma before a value, and its name. */
static void put_key(struct json_writer *w, const char *key)
{
	if (w->comma)
		put(w, ",");
	w->comma = true;
	if (!key)
		return;
	put_string(w, key);
	put(w, ":");
}

static void put_begin(struct json_writer *w, const char *key, const char *begin,
		      char end)
{
	assert(w->depth < JSON_DEPTH_MAX);
	put_key(w, key);
	put(w, begin);
	w->ends[w->depth++] = end;
	w->comma = false;
}

void json_put_object(struct json_writer *w, const char *key)
{
	put_begin(w, key, "{", '}');
}

void json_put_array(struct json_writer *w, const char *key)
{
	put_begin(w, key, "[", ']');
}

void json_put_end(struct json_writer *w)
{
	assert(w->depth > 0);
	text_put(w->out, &w->ends[--w->depth], 1);
	w->comma = true;
}

void json_put_text(struct json_writer *w, const char *key, const char *value)
{
	if (!value) {
		json_put_null(w, key);
		return;
	}
	put_key(w, key);
	put_string(w, value);
}

/* Writes the digits of @value so that they end before @end. */
static char *digits_before(char *end, uint64_t value)
{
	do {
		*--end = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return end;
}

void json_put_number(struct json_writer *w, const char *key, uint64_t value)
{
	const bool quoted = value > EXACT_MAX;
	char text[24], *at = text + sizeof(text) - 1;

	put_key(w, key);
	*at = '\0';
	if (quoted)
		*--at = '"';
	at = digits_before(at, value);
	if (quoted)
		*--at = '"';
	put(w, at);
}

/* printf() would take most of the time of a long listing. */
void json_put_real(struct json_writer *w, const char *key, double value,
		   unsigned decimals)
{
	char text[64], *at = text + sizeof(text) - 1;
	uint64_t scaled, one = 1;

	for (unsigned i = 0; i < decimals && i < 9; i++)
		one *= 10;
	if (!isfinite(value) || fabs(value) * (double)one > (double)EXACT_MAX) {
		json_put_null(w, key);
		return;
	}
	put_key(w, key);
	scaled = (uint64_t)llround(fabs(value) * (double)one);
	*at = '\0';
	if (scaled % one) {
		uint64_t part = scaled % one, left = one;

		for (; part % 10 == 0; part /= 10)
			left /= 10;
		for (; left > 1; left /= 10, part /= 10)
			*--at = (char)('0' + part % 10);
		*--at = '.';
	}
	at = digits_before(at, scaled / one);
	if (value < 0 && scaled)
		*--at = '-';
	put(w, at);
}

void json_put_flag(struct json_writer *w, const char *key, bool value)
{
	put_key(w, key);
	put(w, value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *key)
{
	put_key(w, key);
	put(w, "null");
}

void json_put_json(struct json_writer *w, const char *key, const char *json)
{
	put_key(w, key);
	put(w, json);
}
