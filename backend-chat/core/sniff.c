/* SPDX-License-Identifier: MIT */
/* See sniff.h. */
#include "core/sniff.h"
#include "frame.h"

#define METHOD_MIN 3
#define METHOD_MAX 8

/* Whether bytes match a request line, as far as they go. */
enum match { MATCH_NO, MATCH_SO_FAR, MATCH_WHOLE };

static enum match match_end(struct slice s)
{
	static const char version[] = "HTTP/1.";

	for (size_t i = 0; i < sizeof(version) - 1; i++, s = slice_from(s, 1)) {
		if (s.len == 0)
			return MATCH_SO_FAR;
		if (s.at[0] != version[i])
			return MATCH_NO;
	}
	if (s.len > 0 && s.at[0] != '0' && s.at[0] != '1')
		return MATCH_NO;
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '\n')
			return MATCH_WHOLE;
		if (s.at[i] != '\r')
			return MATCH_NO;
	}
	return MATCH_SO_FAR;
}

static bool is_target(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f;
}

static enum match match_request(struct slice s)
{
	size_t method = 0, target;

	while (method < s.len && s.at[method] >= 'A' && s.at[method] <= 'Z')
		method++;
	if (method > METHOD_MAX)
		return MATCH_NO;
	if (method == s.len)
		return MATCH_SO_FAR;
	if (method < METHOD_MIN || s.at[method] != ' ')
		return MATCH_NO;
	for (target = method + 1; target < s.len && is_target(s.at[target]);)
		target++;
	if (target == s.len)
		return MATCH_SO_FAR;
	if (target == method + 1 || s.at[target] != ' ')
		return MATCH_NO;
	return match_end(slice_from(s, target + 1));
}

/*
 * What a client of HTTP/2 without TLS begins with (RFC 9113 section 3.4). It is
 * told that this is not spoken, and its frames are not said.
 */
static enum match match_http2(struct slice s)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n";
	const size_t len = sizeof(preface) - 1;

	if (memcmp(s.at, preface, s.len < len ? s.len : len) != 0)
		return MATCH_NO;
	return s.len < len ? MATCH_SO_FAR : MATCH_WHOLE;
}

/* Of an endless request line: an address, which may hold a secret. */
static bool has_path(struct slice s)
{
	const char *blank = memchr(s.at, ' ', s.len);

	return blank && blank + 1 < s.at + s.len && blank[1] == '/';
}

static bool is_probe(struct slice s)
{
	return s.len >= CHAT_PROBE_LEN &&
	       memcmp(s.at, CHAT_PROBE, CHAT_PROBE_LEN) == 0;
}

enum sniff sniff_first(enum sniff_port port, struct slice first)
{
	const enum sniff no_http =
		port == SNIFF_ONLY_WEB ? SNIFF_BAD : SNIFF_LINES;
	enum match match;

	if (first.len == 0)
		return SNIFF_MORE;
	if (first.at[0] == 0x16 && (first.len == 1 || first.at[1] == 0x03))
		return first.len == 1 ? SNIFF_MORE : SNIFF_TLS;
	if (port == SNIFF_ONLY_LINES || is_probe(first))
		return no_http;
	match = match_http2(first);
	if (match == MATCH_NO)
		match = match_request(first);
	switch (match) {
	case MATCH_NO: return no_http;
	case MATCH_WHOLE: return SNIFF_HTTP;
	case MATCH_SO_FAR: break;
	}
	if (first.len < SNIFF_MAX)
		return SNIFF_MORE;
	return port == SNIFF_ONLY_WEB || has_path(first) ? SNIFF_HTTP
							 : SNIFF_LINES;
}
