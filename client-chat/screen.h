/* SPDX-License-Identifier: MIT */
/*
 * The place where lines are shown. On a terminal, readline edits the line being
 * typed and moves it out of the way of lines that arrive. Otherwise it is
 * standard output, flushed after every line. One per process, because of
 * readline.
 */
#ifndef CHAT_SCREEN_H
#define CHAT_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* With a prompt: readline on a terminal. NULL: plain output. */
void screen_open(const char *prompt);

/* Shows one clean line with its newline. False: output failed (errno). */
bool screen_show(const char *line, size_t len);

/*
 * Reads what was typed. Returns false at the end of input (^D, hang-up).
 * *entered is a complete line, which the caller frees, or NULL if there is none
 * yet.
 */
bool screen_key(char **entered);

void screen_resized(void);

/* ^Z: restores the terminal, stops the process, sets the terminal up again. */
void screen_suspend(void);

/* Restores the terminal. Harmless if it was never opened. */
void screen_close(void);

#endif
