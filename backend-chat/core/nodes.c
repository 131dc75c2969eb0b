/* SPDX-License-Identifier: MIT */
/* See nodes.h. */
#include "core/nodes.h"
#include "core/json.h"

#include <stdio.h>

#define PORT_DEFAULT 6379

static bool fail(char *why, const char *what, struct slice at)
{
	snprintf(why, NODES_WHY_MAX, "%s: '%.*s'", what,
		 at.len < 80 ? (int)at.len : 80, at.at ? at.at : "");
	return false;
}

static bool put(struct slot_node *out, struct slice host, unsigned long port,
		struct slice text, char *why)
{
	if (host.len == 0 || host.len >= SLOT_HOST_MAX)
		return fail(why, "a node needs a host", text);
	if (memchr(host.at, ' ', host.len) || memchr(host.at, '\0', host.len))
		return fail(why, "a host has no blanks", text);
	if (port == 0 || port > 65535)
		return fail(why, "a port is a number from 1 to 65535", text);
	memcpy(out->host, host.at, host.len);
	out->host[host.len] = '\0';
	out->port = (uint16_t)port;
	return true;
}

/* "HOST", "HOST:PORT", "[IPV6]:PORT" */
static bool read_address(struct slice text, struct slot_node *out, char *why)
{
	struct slice host = text, rest = SLICE("");
	unsigned long port = PORT_DEFAULT;
	const char *end;

	if (text.len > 0 && text.at[0] == '[') {
		end = memchr(text.at, ']', text.len);
		if (!end)
			return fail(why, "a '[' without its ']'", text);
		host = (struct slice){text.at + 1, (size_t)(end - text.at - 1)};
		rest = slice_from(text, (size_t)(end + 1 - text.at));
	} else {
		end = text.len ? memchr(text.at, ':', text.len) : NULL;
		if (end) {
			host.len = (size_t)(end - text.at);
			rest = slice_from(text, host.len);
		}
	}
	if (rest.len > 0 && (rest.at[0] != ':' ||
			     !slice_number(slice_from(rest, 1), 65535, &port)))
		return fail(why, "expected HOST:PORT", text);
	return put(out, host, port, text, why);
}

static unsigned read_list(struct slice text, struct slot_node *out, char *why)
{
	unsigned count = 0;

	for (;;) {
		const char *comma =
			text.len ? memchr(text.at, ',', text.len) : NULL;
		struct slice one = text;

		if (comma)
			one.len = (size_t)(comma - text.at);
		if (count == NODES_MAX) {
			fail(why, "there are too many nodes", one);
			return 0;
		}
		if (!read_address(slice_trim(one), &out[count], why))
			return 0;
		count++;
		if (!comma)
			return count;
		text = slice_from(text, one.len + 1);
	}
}

static bool read_object(const json_t *node, struct slot_node *out, char *why)
{
	const json_t *port = json_object_get(node, "port");
	const struct slice host = json_text(node, "host", NULL);
	unsigned long number = PORT_DEFAULT;

	if (!json_is_object(node))
		return fail(why, "a node is an object with host and port",
			    SLICE(""));
	if (json_is_integer(port) && json_integer_value(port) > 0)
		number = (unsigned long)json_integer_value(port);
	else if (port &&
		 !slice_number(json_text(node, "port", NULL), 65535, &number))
		number = 0;
	return put(out, host, number, host, why);
}

static unsigned read_json(struct slice text, struct slot_node *out, char *why)
{
	char what[JSON_WHY_MAX];
	json_t *list = json_read_array(text, what);
	unsigned count = 0;

	if (!list) {
		snprintf(why, NODES_WHY_MAX, "the JSON is wrong: %s", what);
		return 0;
	}
	if (json_array_size(list) == 0)
		fail(why, "there is no node in the list", text);
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (i == NODES_MAX)
			fail(why, "there are too many nodes", SLICE(""));
		if (i == NODES_MAX ||
		    !read_object(json_array_get(list, i), &out[count], why)) {
			count = 0;
			break;
		}
		count++;
	}
	json_decref(list);
	return count;
}

unsigned nodes_parse(struct slice text, struct slot_node out[NODES_MAX],
		     char why[NODES_WHY_MAX])
{
	text = slice_trim(text);
	why[0] = '\0';
	return text.len > 0 && text.at[0] == '[' &&
			       (text.len == 1 || text.at[1] == '{' ||
				text.at[1] == ']' || text.at[1] == ' ' ||
				text.at[1] == '\n')
		       ? read_json(text, out, why)
		       : read_list(text, out, why);
}
