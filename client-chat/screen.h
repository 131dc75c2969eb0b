/* SPDX-License-Identifier: MIT */
/*
 * Where lines are shown. On a terminal readline edits the line being typed
 * and steps aside for what arrives; otherwise it is standard output, flushed
 * with every line. One screen a process, as readline has it.
 */
#ifndef CHAT_SCREEN_H
#define CHAT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* With prompt: readline on a terminal. NULL: plain output. */
void screen_open(const char *prompt);

/* One line with its newline, clean. False: output failed (errno). */
bool screen_show(const char *line, size_t len);

/*
 * Take what was typed. Returns false at the end of input (^D, hang-up);
 * *entered is a finished line to be freed, or NULL if there is none yet.
 */
bool screen_key(char **entered);

void screen_resized(void);

/* ^Z: give the terminal back, sleep, take it again. */
void screen_suspend(void);

/* Give the terminal back as it was. Harmless if it was never opened. */
void screen_close(void);

#endif
