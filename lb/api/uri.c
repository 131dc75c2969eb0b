/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "api/uri.h"
#include "api/utf8.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes in place: the text only gets shorter. */
static int decode(char *text, bool plus_is_blank, struct err *err)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from == '+' && plus_is_blank) {
			*to++ = ' ';
			continue;
		}
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = digit(from[1]);
		low = high < 0 ? -1 : digit(from[2]);
		if (low < 0)
			return err_set(err, -EINVAL,
				       "a %% of the address is not followed by "
				       "two hexadecimal digits");
		*to++ = (char)(high * 16 + low);
		if (!to[-1])
			return err_set(err, -EINVAL,
				       "the address has a zero byte (%%00)");
		from += 2;
	}
	*to = '\0';
	if (!utf8_is_plain(text, (size_t)(to - text)))
		return err_set(err, -EINVAL,
			       "the address has a control character, or is no "
			       "UTF-8");
	return 0;
}

static int split_path(struct uri *uri, char *path, struct err *err)
{
	if (*path != '/')
		return err_set(err, -EINVAL,
			       "the address does not begin with a /");
	if (!path[1])
		return 0;
	while (path) {
		char *segment = path + 1;
		int ret;

		path = strchr(segment, '/');
		if (path)
			*path = '\0';
		if (uri->n_segments == URI_SEGMENTS_MAX)
			return err_set(err, -EINVAL,
				       "the address has more than %d parts",
				       URI_SEGMENTS_MAX);
		ret = decode(segment, false, err);
		if (ret)
			return ret;
		uri->segment[uri->n_segments++] = segment;
	}
	return 0;
}

static int split_query(struct uri *uri, char *query, struct err *err)
{
	for (char *next; query; query = next) {
		struct uri_pair *pair = &uri->pair[uri->n_pairs];
		char *value;
		int ret;

		next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		if (!*query)
			continue;
		if (uri->n_pairs == URI_PAIRS_MAX)
			return err_set(err, -EINVAL,
				       "the query has more than %d parameters",
				       URI_PAIRS_MAX);
		value = strchr(query, '=');
		if (value)
			*value++ = '\0';
		ret = decode(query, true, err);
		if (!ret && value)
			ret = decode(value, true, err);
		if (ret)
			return ret;
		pair->name = query;
		pair->value = value;
		uri->n_pairs++;
	}
	return 0;
}

int uri_parse(struct uri *uri, const char *text, struct err *err)
{
	const size_t len = strnlen(text, URI_MAX + 1);
	char *query;
	int ret;

	uri->n_segments = 0;
	uri->n_pairs = 0;
	if (len > URI_MAX)
		return err_set(err, -ENAMETOOLONG,
			       "the address has more than %d bytes", URI_MAX);
	memcpy(uri->bytes, text, len + 1);
	query = strchr(uri->bytes, '?');
	if (query)
		*query++ = '\0';
	ret = split_path(uri, uri->bytes, err);
	return ret ? ret : split_query(uri, query, err);
}

const char *uri_value(const struct uri *uri, const char *name)
{
	for (unsigned i = 0; i < uri->n_pairs; i++)
		if (strcmp(uri->pair[i].name, name) == 0)
			return uri->pair[i].value ? uri->pair[i].value : "";
	return NULL;
}
