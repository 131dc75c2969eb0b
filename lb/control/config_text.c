/* SPDX-License-Identifier: MIT */
/*
 * config_text.c - parses a configuration file with inih
 *
 * inih splits the lines. The reader that feeds it and inih's settings work
 * around what it does wrong for us:
 *   - Debian's build passes no line number to the handler. The reader counts
 *     lines; as inih handles each line before it asks for the next, the count
 *     is that of the line being handled.
 *   - It splits a line that is too long without a word. The reader refuses it.
 *   - It does not report sections without keys. After each section line the
 *     reader inserts a key that no file can contain, SECTION_MARK.
 *   - It cuts section names at 49 bytes and ignores text after the "]". The
 *     reader checks section lines itself.
 *   - It takes an indented line as a continuation of the value before it. That
 *     is switched off.
 */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/config_keys.h"
#include "control/config_value.h"

#define LINE_MAX_LEN 4096 /* with the final 0; longer lines are errors */
#define SECTION_MARK "\x01"
#define SECTION_MAX  48

struct parse {
	struct target target;
	const char *path;
	const char *rest; /* text that inih has not had yet */
	unsigned line;	  /* number of inih's current line, from 1 */
	bool mark_next;	  /* the next line for inih is SECTION_MARK */
	const struct key_table *table; /* of the section; NULL: none yet */
	unsigned seen[KEYS_MAX]; /* the line of each key; 0: not seen yet */
	unsigned global_line;
	unsigned service_lines[CONFIG_SERVICES_MAX];
	int ret;
	struct err *err;
};

/* Ends the parse; the message is FILE:LINE and then @fmt. */
__attribute__((format(printf, 4, 5))) static int fail_at(struct parse *p,
							 unsigned line, int ret,
							 const char *fmt, ...)
{
	char reason[ERR_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	p->ret = ret;
	/* A very long path must leave room for the reason. */
	return err_set(p->err, ret, "%.160s:%u: %s", p->path, line, reason);
}

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

static int check_section_line(struct parse *p, const char *text, size_t len)
{
	const char *end = memchr(text, ']', len);
	const char *after;

	if (!end)
		return fail_at(p, p->line, -EINVAL,
			       "the section's closing \"]\" is missing, as in "
			       "[service chat]");
	if (end - text > SECTION_MAX)
		return fail_at(p, p->line, -EINVAL,
			       "the section's name is too long; a service's "
			       "name has at most %d characters",
			       CONFIG_NAME_MAX - 1);
	after = skip_blanks(end + 1);
	if (after < text + len && *after != ';' && *after != '#' &&
	    *after != '\r')
		return fail_at(p, p->line, -EINVAL,
			       "text after the section's \"]\"; keys go on "
			       "lines of their own");
	return 0;
}

static int check_line(struct parse *p, const char *text, size_t len, int size)
{
	const char *start = skip_blanks(text);

	if (len >= (size_t)size)
		return fail_at(p, p->line, -EINVAL,
			       "the line is longer than %d bytes; keys that "
			       "take a list may be repeated instead",
			       size - 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool crlf = c == '\r' && i + 1 == len;

		if ((c < 0x20 && c != '\t' && !crlf) || c == 0x7f)
			return fail_at(p, p->line, -EINVAL,
				       "control character 0x%02x; expected "
				       "plain text",
				       c);
	}
	if (start < text + len && *start == '[')
		return check_section_line(p, start,
					  len - (size_t)(start - text));
	return 0;
}

/* Works like fgets(): one line of at most @size - 1 bytes, NULL at the end. */
static char *read_line(char *line, int size, void *arg)
{
	struct parse *p = arg;
	size_t len;

	if (p->mark_next) {
		p->mark_next = false;
		snprintf(line, (size_t)size, SECTION_MARK "=");
		return line;
	}
	if (p->ret || !*p->rest)
		return NULL;
	p->line++;
	len = strcspn(p->rest, "\n");
	if (check_line(p, p->rest, len, size))
		return NULL;
	memcpy(line, p->rest, len);
	line[len] = 0;
	p->mark_next = *skip_blanks(line) == '[';
	p->rest += len;
	if (*p->rest)
		p->rest++; /* skips the newline */
	return line;
}

static int begkeys_service(struct parse *p, const char *name)
{
	struct config *c = p->target.config;
	char quoted[QUOTED_MAX];
	struct err reason;
	int ret;

	if (!*name)
		return fail_at(p, p->line, -EINVAL,
			       "a service needs a name, as in [service chat]");
	for (unsigned i = 0; i < c->n_services; i++)
		if (strcmp(c->services[i].name, name) == 0)
			return fail_at(p, p->line, -EINVAL,
				       "there is a service \"%s\" already, on "
				       "line %u",
				       name, p->service_lines[i]);
	ret = config_add_service(c, name, &p->target.service, &reason);
	if (ret)
		return fail_at(p, p->line, ret == -ENOMEM ? ret : -EINVAL,
			       "service \"%s\": %s", value_quote(name, quoted),
			       reason.text);
	p->service_lines[p->target.service - c->services] = p->line;
	p->table = &keys_service;
	return 0;
}

static int begin_section(struct parse *p, const char *section)
{
	static const char *const names[] = {"global", "service"};
	char quoted[QUOTED_MAX], word[SECTION_MAX + 2];
	const char *rest, *nearest;

	section = skip_blanks(section);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(section, " \t"),
		 section);
	rest = skip_blanks(section + strlen(word));

	memset(p->seen, 0, sizeof(p->seen));
	p->target.service = NULL;
	if (strcmp(word, "service") == 0) {
		char name[SECTION_MAX + 2];

		snprintf(name, sizeof(name), "%s", rest);
		for (size_t n = strlen(name); n && strchr(" \t", name[n - 1]);)
			name[--n] = 0;
		return begkeys_service(p, name);
	}
	if (strcmp(word, "global") == 0 && !*rest) {
		if (p->global_line)
			return fail_at(p, p->line, -EINVAL,
				       "there is a [global] already, on line "
				       "%u",
				       p->global_line);
		p->global_line = p->line;
		p->table = &keys_global;
		return 0;
	}
	nearest = value_nearest(word, names, 2);
	return fail_at(p, p->line, -EINVAL, "unknown section [%s]; expected %s",
		       value_quote(section, quoted),
		       !nearest		 ? "[global] or [service NAME]"
		       : *nearest == 'g' ? "[global]"
					 : "[service NAME]");
}

static int unknown_key(struct parse *p, const char *name)
{
	const struct key_table *table = p->table;
	const struct key_table *other =
		table == &keys_global ? &keys_service : &keys_global;
	char quoted[QUOTED_MAX];
	struct err why;
	int ret;

	value_quote(name, quoted);
	if (key_find(other, name))
		return fail_at(p, p->line, -EINVAL,
			       "key \"%s\" belongs in %s, not in %s", quoted,
			       other->section, table->section);
	if (strpbrk(name, " \t"))
		return fail_at(p, p->line, -EINVAL,
			       "no \"=\" after the key in \"%s\"; expected "
			       "KEY = VALUE",
			       quoted);
	ret = key_unknown(table, name, &why);
	return fail_at(p, p->line, ret, "%s", why.text);
}

static int set_key(struct parse *p, const char *name, const char *value)
{
	const struct key *key = key_find(p->table, name);
	char quoted[QUOTED_MAX];
	struct err reason;
	unsigned *seen;
	int ret;

	if (!key)
		return unknown_key(p, name);
	value_quote(value, quoted);
	seen = &p->seen[key - p->table->keys];
	if (*seen && !(key->flags & KEY_REPEATABLE))
		return fail_at(p, p->line, -EINVAL,
			       "%s \"%s\": the key is set already, on line %u",
			       name, quoted, *seen);
	*seen = p->line;
	/*
	 * inih would take the comment as part of the value. No value contains a
	 * blank and a #.
	 */
	if (strstr(value, " #") || strstr(value, "\t#"))
		return fail_at(p, p->line, -EINVAL,
			       "%s \"%s\": a comment after a value begins with "
			       "\";\", not \"#\"",
			       name, quoted);
	p->target.key = key;
	ret = key->set(&p->target, value, &reason);
	if (ret)
		return fail_at(p, p->line, ret, "%s \"%s\": %s", name, quoted,
			       reason.text);
	return 0;
}

/* Returns non-zero to continue, as inih expects. */
static int handle(void *arg, const char *section, const char *name,
		  const char *value)
{
	struct parse *p = arg;
	char quoted[QUOTED_MAX];

	if (strcmp(name, SECTION_MARK) == 0)
		return begin_section(p, section) == 0;
	if (!p->table) {
		fail_at(p, p->line, -EINVAL,
			"key \"%s\" before any section; expected [global] or "
			"[service NAME] above it",
			value_quote(name, quoted));
		return 0;
	}
	return set_key(p, name, value) == 0;
}

/* Checks for values that are right alone but contradict each other. */
static int check_together(struct parse *p)
{
	const struct config *c = p->target.config;
	struct err reason;

	if (p->global_line && config_check_timeouts(c, &reason))
		return fail_at(p, p->global_line, -EINVAL, "%s", reason.text);
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (config_check_service(s, &reason))
			return fail_at(p, p->service_lines[i], -EINVAL,
				       "service \"%s\": %s", s->name,
				       reason.text);
	}
	return 0;
}

/* Checks for what is missing, at the end of the file. */
static int check_services(struct parse *p)
{
	const struct config *c = p->target.config;

	if (c->n_services == 0)
		return fail_at(p, p->line ? p->line : 1, -EINVAL,
			       "no service; expected a section [service NAME] "
			       "with listen and backend");
	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (!s->listen.port)
			return fail_at(p, p->service_lines[i], -EINVAL,
				       "service \"%s\" has no listen; expected "
				       "for example listen = "
				       "192.168.0.10:20000",
				       s->name);
		if (s->n_backends == 0)
			return fail_at(p, p->service_lines[i], -EINVAL,
				       "service \"%s\" has no backend; "
				       "expected for example backend = "
				       "192.168.0.11:9001",
				       s->name);
	}
	return check_together(p);
}

int config_text(struct config *c, const char *path, const char *text,
		config_resolve_fn *resolve, struct err *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct parse p = {
		.target = {.config = c, .resolve = resolve},
		.path = path,
		.rest = text,
		.err = err,
	};
	int ret;

	if (strncmp(text, bom, sizeof(bom) - 1) == 0)
		p.rest += sizeof(bom) - 1;
	ini_max_line = LINE_MAX_LEN;
	ini_allow_multiline = false;
	ini_stop_on_first_error = true;
	ret = ini_parse_stream(read_line, &p, handle, &p);
	if (p.ret)
		return p.ret;
	if (ret)
		return fail_at(&p, p.line, -EINVAL,
			       "expected KEY = VALUE or [SECTION]");
	return check_services(&p);
}
