/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/token.h"

static int check(const char *path, const char *token, struct err *err)
{
	if (!token[0])
		return err_set(err, CTL_USAGE,
			       "%s: the first line is empty, "
			       "expected the token",
			       path);
	for (const char *c = token; *c; c++)
		if (*c <= ' ' || *c > '~')
			return err_set(err, CTL_USAGE,
				       "%s: the token has a character that "
				       "none may have (byte 0x%02x)",
				       path, (unsigned char)*c);
	return CTL_OK;
}

int token_read(const char *path, char token[TOKEN_MAX], struct err *err)
{
	FILE *file = fopen(path, "re");
	bool got;

	if (!file)
		return err_set(err, CTL_USAGE, "cannot read the token: %s: %s",
			       path, strerror(errno));
	token[0] = 0;
	got = fgets(token, TOKEN_MAX, file) || feof(file);
	fclose(file);
	if (!got)
		return err_set(err, CTL_USAGE, "cannot read the token: %s",
			       path);
	if (strlen(token) == TOKEN_MAX - 1)
		return err_set(err, CTL_USAGE,
			       "%s: the token is longer than %d bytes", path,
			       TOKEN_MAX - 2);
	token[strcspn(token, "\r\n")] = 0;
	return check(path, token, err);
}
