/* SPDX-License-Identifier: MIT */
/*
 * units.h - numbers as people read them, in at most five or six characters
 *
 * Each function writes into @text, which has UNITS_TEXT_MAX bytes, and returns
 * it. A value below zero, or none, is "-".
 */
#ifndef L4LBCTL_UNITS_H
#define L4LBCTL_UNITS_H

#define UNITS_TEXT_MAX 32

/* 0.8s 4s 12s 4m05s 2h03m 3d04h 120d */
char *units_age(double seconds, char *text);
/* 212 1.1k 20.9M 3.0G: thousands, as the filters of flows */
char *units_bytes(double bytes, char *text);
/* 1204 65536 123k 1.2M */
char *units_count(double count, char *text);
/* 0.4ms 12ms 1.5s */
char *units_ms(double ms, char *text);
/* 0.0% 12.5% 100%: @part of @whole */
char *units_share(double part, double whole, char *text);
/* 0.0 12.5 156 12.3k: something a second */
char *units_rate(double per_second, char *text);

#endif
