/* SPDX-License-Identifier: MIT */
/*
 * config_value.h - parses single values of the configuration
 *
 * All functions return 0, or -errno with the reason in @err: what is wrong with
 * the value, not where it stood. Private to lb/control/config*.c and cmdline.c.
 */
#ifndef L4LB_CONFIG_VALUE_H
#define L4LB_CONFIG_VALUE_H

#include <stddef.h>

#include "control/config.h"

int value_number(const char *text, uint32_t lo, uint32_t hi, uint32_t *out,
		 struct err *err);
/*
 * Parses a time: digits followed at once by ms, s, m or h; digits alone mean
 * seconds. @unit_ms, 1 or 1000: the result must be a multiple of it.
 */
int value_time(const char *text, uint32_t unit_ms, uint32_t lo_ms,
	       uint32_t hi_ms, uint32_t *out_ms, struct err *err);
/* Prints a time as users write it, in the largest unit that divides it. */
#define TIME_TEXT_MAX 16
const char *value_time_text(uint32_t ms, char text[TIME_TEXT_MAX]);
/*
 * Parses exactly @len bytes, two hexadecimal digits each. The message
 * also mentions auto.
 */
int value_bytes(const char *text, uint8_t *out, size_t len, struct err *err);
/* @port is in network byte order. */
int value_port(const char *text, uint16_t *port, struct err *err);
/* @resolve NULL: only numeric addresses are accepted. */
int value_host(const char *text, config_resolve_fn *resolve,
	       struct ip_addr *out, struct err *err);
/* True if @text can be the name of a host. */
bool value_is_host_name(const char *text);
#define HOST_NAME_BYTES 253 /* at most; RFC 1035 section 2.3.4, as text */
/* Parses HOST:PORT. */
int value_endpoint(const char *text, config_resolve_fn *resolve,
		   struct endpoint *out, struct err *err);
/*
 * Finds @text among @names; @out gets its index. @expected lists them for the
 * message.
 */
int value_choice(const char *text, const char *const names[], int n,
		 const char *expected, int *out, struct err *err);
int value_name(char out[CONFIG_NAME_MAX], const char *text, struct err *err);
/* @example: a valid path for the message. */
int value_path(char out[CONFIG_PATH_MAX], const char *text, const char *example,
	       struct err *err);

/*
 * True if every comma of the list @text stands between two items. @example: a
 * valid list for the message.
 */
int value_check_commas(const char *text, const char *example, struct err *err);

/*
 * Takes the next item off @list, whose separators are commas and blanks. False
 * at its end. An item of @size bytes or more is cut, so choose @size such that
 * a cut item is still too long to be valid.
 */
bool value_next_item(const char **list, char *item, size_t size);

/* Makes any text fit for a message: short, without control characters. */
#define QUOTED_MAX 64
const char *value_quote(const char *text, char quoted[QUOTED_MAX]);

/* The one of @names that the user probably meant by @word, or NULL. */
const char *value_nearest(const char *word, const char *const names[],
			  unsigned n);

#endif
