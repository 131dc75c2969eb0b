/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>

#include "ctl/url.h"

static void add(struct url *u, const char *bytes, size_t len)
{
	if (u->too_long || len >= URL_MAX - u->len) {
		u->too_long = true;
		return;
	}
	memcpy(u->text + u->len, bytes, len);
	u->len += len;
	u->text[u->len] = 0;
}

/* RFC 3986, section 2.3: what needs no escape anywhere. */
static bool is_plain(unsigned char c)
{
	return c < 0x80 && (isalnum(c) || strchr("-._~", c));
}

static void add_escaped(struct url *u, const char *text, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];
		const char code[3] = {'%', digits[c >> 4], digits[c & 15]};

		if (is_plain(c))
			add(u, text + i, 1);
		else
			add(u, code, sizeof(code));
	}
}

void url_start(struct url *u, const char *path)
{
	memset(u, 0, sizeof(*u));
	add(u, path, strlen(path));
}

void url_part(struct url *u, const char *part)
{
	add(u, "/", 1);
	add_escaped(u, part, strlen(part));
}

static void add_separator(struct url *u)
{
	add(u, u->query ? "&" : "?", 1);
	u->query = true;
}

void url_query(struct url *u, const char *key, const char *value)
{
	add_separator(u);
	add_escaped(u, key, strlen(key));
	add(u, "=", 1);
	add_escaped(u, value, strlen(value));
}

void url_term(struct url *u, const char *term)
{
	const char *equals = strchr(term, '=');

	add_separator(u);
	/* age>=10m has no value either. */
	if (!equals || strcspn(term, "<>") < (size_t)(equals - term)) {
		add_escaped(u, term, strlen(term));
		return;
	}
	add_escaped(u, term, (size_t)(equals - term));
	add(u, "=", 1);
	add_escaped(u, equals + 1, strlen(equals + 1));
}
