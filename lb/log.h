/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line per event on stderr, never per packet
 *
 * Lines are dropped, and the loss reported later, when stderr would block: a
 * stopped terminal must not stall forwarding (design rule 12). For one thread.
 *
 * main() ignores SIGPIPE, or a pipe whose reader left ends the process, and
 * calls log_set_level() before it opens anything or drops a privilege: that is
 * when stderr is looked at.
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
