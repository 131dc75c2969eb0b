/* SPDX-License-Identifier: MIT */
/*
 * config.value.h - one value of the configuration, from text
 *
 * All return 0, or -errno with the reason in @err: what is wrong with the
 * value, not where it stood. Private to lb/control/config*.c and cmdline.c.
 */
#ifndef L4LB_CONFIG_VALUE_H
#define L4LB_CONFIG_VALUE_H

#include <stddef.h>

#include "control/config.h"

int value_number(const char *text, uint32_t lo, uint32_t hi, uint32_t *out,
		 struct err *err);
/*
 * A time of so many milliseconds: digits and at once ms, s, m or h; digits
 * alone are seconds. @unit_ms: it must be a multiple of this, 1 or 1000.
 */
int value_time(const char *text, uint32_t unit_ms, uint32_t lo_ms,
	       uint32_t hi_ms, uint32_t *out_ms, struct err *err);
/* As users write it, in the largest unit that divides it. */
#define TIME_TEXT_MAX 16
const char *value_time_text(uint32_t ms, char text[TIME_TEXT_MAX]);
/* @port: network byte order */
int value_port(const char *text, uint16_t *port, struct err *err);
/* @resolve may be NULL: then only numeric addresses are accepted. */
int value_host(const char *text, config_resolve_fn *resolve,
	       struct ip_addr *out, struct err *err);
/* HOST:PORT */
int value_endpoint(const char *text, config_resolve_fn *resolve,
		   struct endpoint *out, struct err *err);
/* One of @names; @out is its index. @expected names them for the user. */
int value_choice(const char *text, const char *const names[], int n,
		 const char *expected, int *out, struct err *err);
int value_name(char out[CONFIG_NAME_MAX], const char *text, struct err *err);
/* @example: a path that would do, for the reason */
int value_path(char out[CONFIG_PATH_MAX], const char *text, const char *example,
	       struct err *err);

/*
 * Whether every comma of the list @text stands between two items. @example: a
 * list that would do, for the reason.
 */
int value_check_commas(const char *text, const char *example, struct err *err);

/*
 * Takes the next item of a list separated by commas or blanks off @list.
 * False at its end. An item longer than @size is cut: @size must be such that
 * a cut item is still too long to be right.
 */
bool value_next_item(const char **list, char *item, size_t size);

/* Any text, fit to stand in a message: short, and no control characters. */
#define QUOTED_MAX 64
const char *value_quote(const char *text, char quoted[QUOTED_MAX]);

/* The one of @names that @word was probably meant to be, or NULL. */
const char *value_nearest(const char *word, const char *const names[],
			  unsigned n);

#endif
