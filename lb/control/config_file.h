/* SPDX-License-Identifier: MIT */
/*
 * config_file.h - reads the text of a configuration file, or of a pipe
 */
#ifndef L4LB_CONFIG_FILE_H
#define L4LB_CONFIG_FILE_H

#include "core/err.h"

/*
 * Reads a whole configuration file; the caller frees *@text. Refuses a file
 * with a NUL byte, and one that is larger than any configuration. What came
 * from a pipe is kept, and is given again when the same path is read again.
 */
int config_file_load(const char *path, char **text, struct err *err);

#endif
