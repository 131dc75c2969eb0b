/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line per event on stderr, never per packet
 *
 * When stderr would block, lines are dropped and their number is reported
 * later: a stopped terminal must not stall forwarding (design rule 12). Any
 * thread may log.
 *
 * main() ignores SIGPIPE, or a pipe whose reader has left would end the
 * process. It calls log_set_level(), which examines stderr, before it opens
 * anything or drops a privilege.
 */
#ifndef L4LB_LOG_H
#define L4LB_LOG_H

#include <stdbool.h>

/* Process-wide: -1 warnings only, 0 normal, 1 flows too, 2 debug */
void log_set_level(int level);
bool log_wants(int level);

__attribute__((format(printf, 1, 2))) void log_warn(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_info(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_flow(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void log_debug(const char *fmt, ...);

#endif
