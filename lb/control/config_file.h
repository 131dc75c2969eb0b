/* SPDX-License-Identifier: MIT */
/*
 * config_file.h - reads the text of a configuration file, or of a pipe
 */
#ifndef L4LB_CONFIG_FILE_H
#define L4LB_CONFIG_FILE_H

#include <stdbool.h>

#include "core/err.h"

/*
 * Reads a whole configuration file; the caller frees *@text. Refuses a file
 * with a NUL byte, and one that is larger than any configuration. What came
 * from a pipe is kept, and is given again when the same path is read again.
 */
int config_file_load(const char *path, char **text, struct err *err);

/*
 * Loads it now and keeps the text for the next config_file_load() of that path:
 * for a process that will not be allowed to read it any more.
 */
int config_file_keep(const char *path, struct err *err);

/* True if that path was a pipe, which cannot be read again. */
bool config_file_was_pipe(const char *path);

#endif
