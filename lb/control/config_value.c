/* SPDX-License-Identifier: MIT */
/*
 * config_value.c - parses single values of the configuration
 *
 * Pure: only the caller's function looks up names. Each error comes with a
 * reason and an example.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config_value.h"

#define HOST_MAX HOST_NAME_BYTES

const char *value_quote(const char *text, char quoted[QUOTED_MAX])
{
	static const char cut[] = "...";
	size_t i;

	for (i = 0; text[i] && i < QUOTED_MAX - 1; i++) {
		unsigned char c = (unsigned char)text[i];

		quoted[i] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	quoted[i] = 0;
	if (text[i])
		memcpy(quoted + i - (sizeof(cut) - 1), cut, sizeof(cut));
	return quoted;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance of strings that fit a row: keys and options do. */
static unsigned edit_distance(const char *a, const char *b)
{
	enum { ROW = 32 };
	unsigned row[ROW + 1];
	size_t len = strnlen(b, ROW), i, j;

	for (j = 0; j <= len; j++)
		row[j] = (unsigned)j;
	for (i = 0; a[i] && i < ROW; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (j = 0; j < len; j++) {
			unsigned above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1,
					  diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[len];
}

const char *value_nearest(const char *word, const char *const names[],
			  unsigned n)
{
	const char *nearest = NULL;
	unsigned best = UINT_MAX;

	for (unsigned i = 0; i < n; i++) {
		unsigned distance = edit_distance(word, names[i]);

		/* If more than half differs, it is no typing mistake. */
		if (distance < best && distance <= strlen(names[i]) / 2) {
			best = distance;
			nearest = names[i];
		}
	}
	return nearest;
}

int value_number(const char *text, uint32_t lo, uint32_t hi, uint32_t *out,
		 struct err *err)
{
	uint64_t number = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 10; i++)
		number = number * 10 + (uint64_t)(text[i] - '0');
	if (i == 0 || text[i] || number < lo || number > hi) {
		char quoted[QUOTED_MAX];

		return err_set(err, -EINVAL,
			       "\"%s\" is not a whole number from %u to %u",
			       value_quote(text, quoted), lo, hi);
	}
	*out = (uint32_t)number;
	return 0;
}

/* 0 to 15; -1 if it is none. */
static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		return -1;
	return (int)(at - digits) - (at - digits > 15 ? 6 : 0);
}

int value_bytes(const char *text, uint8_t *out, size_t len, struct err *err)
{
	for (size_t i = 0; text[i]; i++)
		if (hex_digit(text[i]) < 0) {
			const char digit[2] = {text[i]};
			char quoted[QUOTED_MAX];

			return err_set(err, -EINVAL,
				       "\"%s\" is no hexadecimal digit; "
				       "expected %zu of them, or auto",
				       value_quote(digit, quoted), 2 * len);
		}
	if (strlen(text) != 2 * len)
		return err_set(err, -EINVAL,
			       "expected %zu hexadecimal digits, not %zu, or "
			       "auto",
			       2 * len, strlen(text));
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 |
				   hex_digit(text[2 * i + 1]));
	return 0;
}

/* The largest first, which is also the order in which to print them. */
static const struct time_unit {
	const char *name;
	uint32_t ms;
} time_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define TIME_UNITS (sizeof(time_units) / sizeof(*time_units))

const char *value_time_text(uint32_t ms, char text[TIME_TEXT_MAX])
{
	const struct time_unit *u = time_units;

	while (ms % u->ms)
		u++;
	snprintf(text, TIME_TEXT_MAX, "%u%s", ms / u->ms, u->name);
	return text;
}

static uint32_t time_unit_ms(const char *name)
{
	for (size_t i = 0; i < TIME_UNITS; i++)
		if (strcmp(name, time_units[i].name) == 0)
			return time_units[i].ms;
	return *name ? 0 : 1000;
}

int value_time(const char *text, uint32_t unit_ms, uint32_t lo_ms,
	       uint32_t hi_ms, uint32_t *out_ms, struct err *err)
{
	char lo[TIME_TEXT_MAX], hi[TIME_TEXT_MAX];
	size_t digits = strspn(text, "0123456789");
	uint32_t of_ms = time_unit_ms(text + digits);
	uint64_t ms = 0;

	for (size_t i = 0; i < digits && ms <= UINT32_MAX; i++)
		ms = ms * 10 + (uint64_t)(text[i] - '0');
	ms *= of_ms;
	if (digits == 0 || of_ms == 0)
		return err_set(err, -EINVAL,
			       "expected a time, a whole number and ms, s, m "
			       "or h (alone: seconds), from %s to %s",
			       value_time_text(lo_ms, lo),
			       value_time_text(hi_ms, hi));
	if (ms < lo_ms || ms > hi_ms)
		return err_set(err, -EINVAL,
			       "out of range; expected a time from %s to %s",
			       value_time_text(lo_ms, lo),
			       value_time_text(hi_ms, hi));
	if (ms % unit_ms)
		return err_set(
			err, -EINVAL, "expected whole seconds, from %s to %s",
			value_time_text(lo_ms, lo), value_time_text(hi_ms, hi));
	*out_ms = (uint32_t)ms;
	return 0;
}

int value_port(const char *text, uint16_t *port, struct err *err)
{
	uint32_t number = 0;

	if (value_number(text, 1, UINT16_MAX, &number, err))
		return err_set(err, -EINVAL,
			       "a port is a number from 1 to 65535, for "
			       "example %u",
			       CONFIG_PORT_DEFAULT);
	*port = htons((uint16_t)number);
	return 0;
}

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

bool value_is_host_name(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > HOST_MAX || text[0] == '-' || text[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_host_char(text[i]))
			return false;
	return true;
}

/*
 * True if @text is meant as a numeric address: its last label is a number. A
 * wrong one must not reach the resolver, which would ask the network for
 * "10.0.0.300", and has its own reading of "10.1" and "0x0a000001".
 */
static bool ends_in_number(const char *text)
{
	const char *dot = strrchr(text, '.');
	const char *last = dot ? dot + 1 : text;

	if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
		return true;
	return last[strspn(last, "0123456789")] == 0;
}

static int bad_numeric_host(const char *text, struct err *err)
{
	for (const char *part = text; *part; part += *part == '.') {
		size_t len = strcspn(part, ".");

		if (strspn(part, "0123456789") == len && len >= 3 &&
		    (len > 3 || strtoul(part, NULL, 10) > 255))
			return err_set(err, -EINVAL,
				       "%.*s is not between 0 and 255",
				       len > 20 ? 20 : (int)len, part);
		part += len;
	}
	return err_set(err, -EINVAL,
		       "expected an IPv4 address (four numbers), for example "
		       "192.168.0.11");
}

static int check_unicast(const struct ip_addr *a, struct err *err)
{
	uint8_t first = a->b[12];

	/* RFC 6890: "this network", multicast, reserved, broadcast. */
	if (first == 0 || first >= 224) {
		char text[ADDR_TEXT_MAX];

		return err_set(err, -EINVAL,
			       "%s is not the address of one host; expected "
			       "for example 192.168.0.11",
			       addr_format(a, text));
	}
	return 0;
}

int value_host(const char *text, config_resolve_fn *resolve,
	       struct ip_addr *out, struct err *err)
{
	struct in_addr v4;
	int ret;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = addr_from_v4(v4.s_addr);
		return check_unicast(out, err);
	}
	if (strchr(text, ':'))
		return err_set(err, -EINVAL,
			       "IPv6 is not built yet: expected an IPv4 "
			       "address, for example 192.168.0.11");
	if (*text && ends_in_number(text))
		return bad_numeric_host(text, err);
	if (!value_is_host_name(text))
		return err_set(err, -EINVAL,
			       "expected an IPv4 address or a host name, for "
			       "example 192.168.0.11");
	if (!resolve)
		return err_set(err, -EINVAL,
			       "host names are not resolved here: expected an "
			       "IPv4 address, for example 192.168.0.11");
	ret = resolve(text, out, err);
	return ret ? ret : check_unicast(out, err);
}

int value_endpoint(const char *text, config_resolve_fn *resolve,
		   struct endpoint *out, struct err *err)
{
	char host[HOST_MAX + 1];
	const char *colon = strrchr(text, ':');
	size_t len;

	if (text[0] == '[' || (colon && colon != strchr(text, ':')))
		return err_set(err, -EINVAL,
			       "IPv6 is not built yet: expected "
			       "IPV4_ADDRESS:PORT, for example "
			       "192.168.0.11:9001");
	if (!colon || colon == text)
		return err_set(err, -EINVAL,
			       "expected ADDRESS:PORT, for example "
			       "192.168.0.11:9001");
	len = (size_t)(colon - text);
	if (len >= sizeof(host))
		return err_set(err, -EINVAL,
			       "a host name has at most %d characters",
			       HOST_MAX);
	memcpy(host, text, len);
	host[len] = 0;

	memset(out, 0, sizeof(*out));
	/* The port first: with a wrong port a name look-up would be wasted. */
	if (value_port(colon + 1, &out->port, err))
		return -EINVAL;
	return value_host(host, resolve, &out->addr, err);
}

int value_choice(const char *text, const char *const names[], int n,
		 const char *expected, int *out, struct err *err)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "expected %s", expected);
}

int value_name(char out[CONFIG_NAME_MAX], const char *text, struct err *err)
{
	size_t len = strlen(text);

	if (len == 0 || len >= CONFIG_NAME_MAX || text[0] == '-' ||
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")])
		return err_set(err, -EINVAL,
			       "a name has 1 to %d of A-Z a-z 0-9 _ - and does "
			       "not begin with -, for example chat",
			       CONFIG_NAME_MAX - 1);
	memcpy(out, text, len + 1);
	return 0;
}

int value_path(char out[CONFIG_PATH_MAX], const char *text, const char *example,
	       struct err *err)
{
	size_t len = strlen(text);
	const char *last;

	if (len == 0 || len >= CONFIG_PATH_MAX)
		return err_set(err, -EINVAL,
			       "expected a path of 1 to %d bytes, for example "
			       "%s",
			       CONFIG_PATH_MAX - 1, example);
	last = strrchr(text, '/');
	last = last ? last + 1 : text;
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return err_set(err, -EINVAL,
			       "that is a folder: expected the path of a file, "
			       "for example %s",
			       example);
	memcpy(out, text, len + 1);
	return 0;
}

int value_check_commas(const char *text, const char *example, struct err *err)
{
	const char *missing = NULL;
	bool item = false, comma = false;

	for (; *text && !missing; text++) {
		if (*text == ',' && !item)
			missing = "before";
		if (*text == ' ' || *text == '\t')
			continue;
		comma = *text == ',';
		item = !comma;
	}
	if (!missing && comma)
		missing = "after";
	if (!missing)
		return 0;
	return err_set(err, -EINVAL,
		       "a comma with nothing %s it; expected for example %s",
		       missing, example);
}

bool value_next_item(const char **list, char *item, size_t size)
{
	size_t len;

	*list += strspn(*list, ", \t");
	len = strcspn(*list, ", \t");
	if (len == 0)
		return false;
	snprintf(item, size, "%.*s", (int)len, *list);
	*list += len;
	return true;
}
