/* SPDX-License-Identifier: MIT */
/*
 * backend_words.h - what a user typed after "backend drain": which, and how
 */
#ifndef L4LBCTL_BACKEND_WORDS_H
#define L4LBCTL_BACKEND_WORDS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/err.h"

struct backend_words {
	const char *service; /* NULL: not given */
	const char *which;   /* id, or HOST:PORT */
	const char *figure;  /* a last one, if it was asked for */
	json_t *body;	     /* key=value as an object */
};

/*
 * Words without = are [SERVICE] ID, and then a figure if @figure; "backup" is
 * backup=true. Numbers become numbers. CTL_OK: free .body by json_decref().
 */
int backend_words(struct backend_words *w, char *const *words, unsigned n,
		  bool figure, struct err *err);

#endif
