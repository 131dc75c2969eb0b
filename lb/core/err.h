/* SPDX-License-Identifier: MIT */
/*
 * err.h - why something failed, as one sentence for the user
 *
 * Set-up code returns 0 or a negative errno, which is called ret everywhere,
 * and writes one sentence for the user into @err. Only main() prints it.
 * Per-packet code uses neither: it counts (see enum drop_reason).
 */
#ifndef L4LB_ERR_H
#define L4LB_ERR_H

#define ERR_TEXT_MAX 512 /* bytes, with the final 0; longer text is cut */

struct err {
	char text[ERR_TEXT_MAX];
};

/* Writes the sentence and returns @ret: return err_set(err, -EINVAL, ...); */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int ret,
						  const char *fmt, ...);
#endif
