/* SPDX-License-Identifier: MIT */
/*
 * files.h - whether the files of a configuration can be on this host
 *
 * For --check and the start: nothing is opened or made. Only what a start as
 * root would meet as well is an error; that we ourselves may not look into a
 * folder, or write there, is none where we are not root.
 */
#ifndef L4LB_FILES_H
#define L4LB_FILES_H

#include "control/config.h"
#include "core/err.h"

int files_check(const struct config *c, struct err *err);

#endif
