/* SPDX-License-Identifier: MIT */
/*
 * files.h - checks whether the files of a configuration can exist on this host
 *
 * For --check and the start: opens and creates nothing. Only what would fail
 * for root too is an error. If we are not root and may not look into a folder
 * or write there, that is no error.
 */
#ifndef L4LB_FILES_H
#define L4LB_FILES_H

#include "control/config.h"
#include "core/err.h"

int files_check(const struct config *c, struct err *err);

#endif
