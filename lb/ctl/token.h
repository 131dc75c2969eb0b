/* SPDX-License-Identifier: MIT */
/*
 * token.h - the secret that lets a request over TCP change something
 */
#ifndef L4LBCTL_TOKEN_H
#define L4LBCTL_TOKEN_H

#include "core/err.h"

#define TOKEN_MAX 512 /* bytes, with the final 0 */

/*
 * Reads the first line of @path. CTL_USAGE: it has no token, or one that cannot
 * be in a header. The file is what the user gave, or L4LB_TOKEN_FILE.
 */
int token_read(const char *path, char token[TOKEN_MAX], struct err *err);

#endif
