/* SPDX-License-Identifier: MIT */
/* write_out.h - whole lines to stdout, whoever shares it */
#ifndef CHAT_WRITE_OUT_H
#define CHAT_WRITE_OUT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Waits until all of it is written. False: nobody reads stdout, or it failed;
 * errno says why.
 */
bool write_out(const char *bytes, size_t len);

/* The same to another descriptor. *left: bytes that were not written. */
bool write_to(int fd, const char *bytes, size_t len, size_t *left);

#endif
