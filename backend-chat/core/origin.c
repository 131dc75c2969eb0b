/* SPDX-License-Identifier: MIT */
/* See origin.h. */
#include "core/origin.h"

/* A host and a port; "[::1]" keeps its brackets. */
struct place {
	struct slice scheme, host;
	unsigned long port;
};

/* HOST or HOST:PORT; port is taken if there is none. */
static bool read_place(struct slice text, unsigned long port, struct place *out)
{
	size_t end = text.len;

	while (end > 0 && text.at[end - 1] >= '0' && text.at[end - 1] <= '9')
		end--;
	out->port = port;
	out->host = text;
	if (end > 0 && end < text.len && text.at[end - 1] == ':') {
		if (!slice_number(slice_from(text, end), 65535, &out->port))
			return false;
		out->host.len = end - 1;
	}
	for (size_t i = 0; i < out->host.len; i++) {
		unsigned char c = (unsigned char)out->host.at[i];

		if (c <= ' ' || c == 0x7f || strchr("/?#@\\", c))
			return false;
	}
	return out->host.len > 0;
}

static bool read_origin(struct slice text, struct place *out)
{
	static const struct {
		struct slice scheme;
		unsigned long port;
	} schemes[] = {
		{{"http://", 7}, 80},
		{{"https://", 8}, 443},
	};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		struct slice start = text;

		if (text.len < schemes[i].scheme.len)
			continue;
		start.len = schemes[i].scheme.len;
		out->scheme = start;
		if (slice_equal_case(start, schemes[i].scheme))
			return read_place(slice_from(text, start.len),
					  schemes[i].port, out);
	}
	return false;
}

static bool is_same(const struct place *a, const struct place *b)
{
	return a->port == b->port && slice_equal_case(a->host, b->host);
}

bool origin_is_allowed(struct slice origin, struct slice host,
		       const struct slice *allowed, size_t count)
{
	struct place from, to;
	unsigned long port;

	if (origin.len == 0)
		return true;
	if (!read_origin(origin, &from))
		return false;
	/* A Host without a port means the default one of the page's scheme. */
	port = from.scheme.len == 8 ? 443 : 80;
	if (read_place(host, port, &to) && is_same(&from, &to))
		return true;
	for (size_t i = 0; i < count; i++)
		if (read_origin(allowed[i], &to) && is_same(&from, &to) &&
		    slice_equal_case(from.scheme, to.scheme))
			return true;
	return false;
}
