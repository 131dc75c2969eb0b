/* SPDX-License-Identifier: MIT */
/*
 * A program started with a standard descriptor closed would get a socket
 * under its number, and print its messages to a stranger.
 */
#ifndef CHAT_STDFDS_H
#define CHAT_STDFDS_H

#include <fcntl.h>
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

#endif
