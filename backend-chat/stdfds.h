/* SPDX-License-Identifier: MIT */
/*
 * A program started with a standard descriptor closed would get a socket as
 * that descriptor, and print its messages to a stranger.
 */
#ifndef CHAT_STDFDS_H
#define CHAT_STDFDS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline void stdfds_fill(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Reports failure if the requested output could not be written. */
static inline bool stdfds_shown(const char *program)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "%s: cannot write the output: %s\n", program,
		strerror(errno));
	return false;
}

#endif
