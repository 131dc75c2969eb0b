/* SPDX-License-Identifier: MIT */
/* See ask.h. Every index here is bounded by a constant or a final 0. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/health/ask.h"

#define BLANKS	   " \t"
#define QUOTED_MAX 32 /* bytes of the user's text in a message */

static const char *const result_texts[] = {
	[CHECK_OK] = "ok",
	[CHECK_TIMEOUT] = "timeout",
	[CHECK_REFUSED] = "connection refused",
	[CHECK_UNREACHABLE] = "unreachable",
	[CHECK_CLOSED] = "closed without an answer",
	[CHECK_WRONG_STATUS] = "unexpected status",
	[CHECK_WRONG_ANSWER] = "unexpected answer",
	[CHECK_LOCAL] = "could not be asked",
};
static_assert(sizeof(result_texts) / sizeof(result_texts[0]) == CHECK_RESULTS,
	      "a text for every result");

const char *check_result_text(enum check_result result)
{
	return result < CHECK_RESULTS ? result_texts[result] : "?";
}

/* One word of the configuration value, where it stands. */
struct word {
	const char *at;
	size_t len;
};

static struct word next_word(const char **text, const char *separators)
{
	struct word w;

	*text += strspn(*text, separators);
	w.at = *text;
	w.len = strcspn(*text, separators);
	*text += w.len;
	return w;
}

static bool word_is(const struct word *w, const char *name)
{
	return w->len == strlen(name) && memcmp(w->at, name, w->len) == 0;
}

/* The user's text made fit for a message: short, without control characters. */
static const char *quote(const struct word *w, char quoted[QUOTED_MAX])
{
	size_t i;

	for (i = 0; i < w->len && i < QUOTED_MAX - 1; i++) {
		quoted[i] = w->at[i];
		if (quoted[i] < 0x20 || quoted[i] > 0x7e)
			quoted[i] = '?';
	}
	quoted[i] = 0;
	if (i < w->len)
		memcpy(quoted + i - 3, "...", 3);
	return quoted;
}

static int refuse_rest(const char *rest, const char *after, struct err *err)
{
	char quoted[QUOTED_MAX];
	struct word w = next_word(&rest, BLANKS);

	if (w.len == 0)
		return 0;
	return err_set(err, -EINVAL, "unexpected \"%s\" after %s",
		       quote(&w, quoted), after);
}

/* ---------------------------------------------------------------- http */

static void expect_status(struct check_spec *c, unsigned lo, unsigned hi)
{
	for (unsigned s = lo; s <= hi; s++)
		c->statuses[(s - CHECK_STATUS_LO) / 8] |=
			(uint8_t)(1u << (s - CHECK_STATUS_LO) % 8);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Three digits, or 0. */
static unsigned read_status(const char *at)
{
	if (at[0] < '1' || at[0] > '5' || !is_digit(at[1]) || !is_digit(at[2]))
		return 0;
	return (unsigned)(at[0] - '0') * 100 + (unsigned)(at[1] - '0') * 10 +
	       (unsigned)(at[2] - '0');
}

/* 204, 200-206 or 2xx */
static bool parse_status(struct check_spec *c, const struct word *w)
{
	unsigned lo, hi;

	if (w->len == 3 && w->at[0] >= '1' && w->at[0] <= '5' &&
	    w->at[1] == 'x' && w->at[2] == 'x') {
		lo = (unsigned)(w->at[0] - '0') * 100;
		hi = lo + 99;
	} else if (w->len == 3) {
		lo = hi = read_status(w->at);
	} else if (w->len == 7 && w->at[3] == '-') {
		lo = read_status(w->at);
		hi = read_status(w->at + 4);
	} else {
		return false;
	}
	if (lo == 0 || hi < lo)
		return false;
	expect_status(c, lo, hi);
	return true;
}

/* Skips a comma if one is next. False unless a status stands on both sides. */
static bool next_comma(const char **text, bool first)
{
	*text += strspn(*text, BLANKS);
	if (**text != ',')
		return true;
	++*text;
	*text += strspn(*text, BLANKS);
	return !first && **text && **text != ',';
}

static int parse_statuses(const char *text, struct check_spec *c,
			  struct err *err)
{
	char quoted[QUOTED_MAX];
	unsigned n = 0;

	for (;; n++) {
		struct word w;

		if (!next_comma(&text, n == 0))
			return err_set(err, -EINVAL,
				       "a comma without a status on both "
				       "sides; expected for example 2xx,3xx");
		w = next_word(&text, BLANKS ",");
		if (w.len == 0)
			break;
		if (!parse_status(c, &w))
			return err_set(err, -EINVAL,
				       "\"%s\" is not a status from %d to %d; "
				       "expected for example 2xx,3xx or "
				       "200,204",
				       quote(&w, quoted), CHECK_STATUS_LO,
				       CHECK_STATUS_HI);
	}
	if (n == 0)
		return err_set(err, -EINVAL,
			       "no status after expect; expected for example "
			       "expect 2xx,3xx");
	return 0;
}

static int parse_path(const struct word *w, struct check_spec *c,
		      struct err *err)
{
	if (w->len == 0 || w->at[0] != '/')
		return err_set(err, -EINVAL,
			       "expected a path that begins with /, for "
			       "example http GET /health");
	if (w->len >= CHECK_TEXT_MAX)
		return err_set(err, -EINVAL,
			       "a path has at most %d bytes, this one has %zu",
			       CHECK_TEXT_MAX - 1, w->len);
	/* RFC 9112 section 3.2.1: all other bytes must be %-encoded. */
	for (size_t i = 0; i < w->len; i++)
		if (w->at[i] <= 0x20 || w->at[i] >= 0x7f || w->at[i] == '#')
			return err_set(err, -EINVAL,
				       "byte %zu of the path cannot be sent: "
				       "write it as %%%02X",
				       i + 1, (unsigned char)w->at[i]);
	memcpy(c->text, w->at, w->len);
	return 0;
}

static int parse_http(const char *rest, struct check_spec *c, struct err *err)
{
	char quoted[QUOTED_MAX];
	struct word w = next_word(&rest, BLANKS);
	int ret;

	c->kind = CHECK_HTTP;
	if (!word_is(&w, "GET"))
		return err_set(err, -EINVAL,
			       "expected GET and a path after http, for "
			       "example http GET /health");
	w = next_word(&rest, BLANKS);
	ret = parse_path(&w, c, err);
	if (ret)
		return ret;
	w = next_word(&rest, BLANKS);
	if (word_is(&w, "expect"))
		return parse_statuses(rest, c, err);
	if (w.len)
		return err_set(err, -EINVAL,
			       "unexpected \"%s\" after the path; expected "
			       "for example expect 2xx,3xx",
			       quote(&w, quoted));
	expect_status(c, 200, 399);
	return 0;
}

/* -------------------------------------------------------------- expect */

static int parse_text(const char *rest, struct check_spec *c, struct err *err)
{
	struct word text;

	c->kind = CHECK_EXPECT;
	rest += strspn(rest, BLANKS);
	if (*rest != '"')
		return err_set(err, -EINVAL,
			       "expected a text in double quotes, for example "
			       "expect \"HEALTH CHECK\"");
	text.at = ++rest;
	text.len = strcspn(rest, "\"");
	rest += text.len;
	if (*rest != '"')
		return err_set(err, -EINVAL,
			       "the text after expect has no closing double "
			       "quote");
	if (text.len == 0)
		return err_set(err, -EINVAL, "the text after expect is empty");
	if (text.len >= CHECK_TEXT_MAX)
		return err_set(err, -EINVAL,
			       "the text after expect has at most %d bytes, "
			       "this one has %zu",
			       CHECK_TEXT_MAX - 1, text.len);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
			return err_set(err, -EINVAL,
				       "byte %zu of the text after expect is "
				       "a control character",
				       i + 1);
	memcpy(c->text, text.at, text.len);
	return refuse_rest(rest + 1, "the text", err);
}

int check_parse(const char *text, struct check_spec *out, struct err *err)
{
	char quoted[QUOTED_MAX];
	struct word w = next_word(&text, BLANKS);

	memset(out, 0, sizeof(*out));
	if (word_is(&w, "syn")) {
		out->kind = CHECK_SYN;
		return refuse_rest(text, "syn", err);
	}
	if (word_is(&w, "tcp")) {
		out->kind = CHECK_TCP;
		return refuse_rest(text, "tcp", err);
	}
	if (word_is(&w, "http"))
		return parse_http(text, out, err);
	if (word_is(&w, "expect"))
		return parse_text(text, out, err);
	return err_set(err, -EINVAL,
		       "\"%s\" is no check; expected syn, tcp, http GET /PATH "
		       "[expect 2xx,3xx] or expect \"TEXT\"",
		       quote(&w, quoted));
}

/* --------------------------------------------------- asking, answering */

size_t check_request(const struct check_spec *c, const struct endpoint *backend,
		     char request[CHECK_REQUEST_MAX])
{
	char host[ENDPOINT_TEXT_MAX];
	int len = 0;

	switch (c->kind) {
	case CHECK_SYN:
	case CHECK_TCP: return 0;
	case CHECK_HTTP:
		len = snprintf(request, CHECK_REQUEST_MAX,
			       "GET %s HTTP/1.1\r\n"
			       "Host: %s\r\n"
			       "User-Agent: l4lb/" L4LB_VERSION "\r\n"
			       "Accept: */*\r\n"
			       "Connection: close\r\n\r\n",
			       c->text, endpoint_format(backend, host));
		break;
	case CHECK_EXPECT:
		len = snprintf(request, CHECK_REQUEST_MAX, "%s\n", c->text);
		break;
	}
	assert(len > 0);
	assert(len < CHECK_REQUEST_MAX);
	return (size_t)len;
}

/* One byte of "HTTP/1.1 200 OK"; false if it is not allowed at this place. */
static bool read_status_line(struct check_reader *r, char c)
{
	static const char line[] = "HTTP/1.d sss";
	char want;

	if (r->matched == sizeof(line) - 1)
		return c == ' ' || c == '\r' || c == '\n';
	want = line[r->matched++];
	if (want != 'd' && want != 's')
		return c == want;
	if (!is_digit(c))
		return false;
	if (want == 's')
		r->status = (uint16_t)(r->status * 10 + (c - '0'));
	return true;
}

static bool read_http(const struct check_spec *c, struct check_reader *r,
		      char byte, enum check_result *result)
{
	bool whole = r->matched == sizeof("HTTP/1.1 200") - 1;

	if (!read_status_line(r, byte))
		*result = CHECK_WRONG_ANSWER;
	else if (!whole)
		return false;
	else
		*result = check_expects(c, r->status) ? CHECK_OK
						      : CHECK_WRONG_STATUS;
	return true;
}

/* TEXT has no newline, so a line either begins with it or is skipped. */
static bool read_expect(const struct check_spec *c, struct check_reader *r,
			char byte, enum check_result *result)
{
	if (byte == '\n') {
		r->matched = 0;
		r->skip = false;
	} else if (!r->skip && byte == c->text[r->matched]) {
		r->matched++;
	} else {
		r->skip = true;
	}
	*result = CHECK_OK;
	return !r->skip && c->text[r->matched] == 0;
}

bool check_read(const struct check_spec *c, struct check_reader *r,
		const char *bytes, size_t len, enum check_result *result)
{
	for (size_t i = 0; i < len; i++) {
		bool decided = c->kind == CHECK_HTTP
				       ? read_http(c, r, bytes[i], result)
				       : read_expect(c, r, bytes[i], result);

		if (decided)
			return true;
		if (++r->bytes == CHECK_ANSWER_MAX) {
			*result = CHECK_WRONG_ANSWER;
			return true;
		}
	}
	return false;
}
