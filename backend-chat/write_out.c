/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "write_out.h"

bool write_to(int fd, const char *bytes, size_t len, size_t *left)
{
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	while (len > 0) {
		ssize_t written = write(fd, bytes, len);

		if (written == -1 && errno == EINTR)
			continue;
		/* Another user of the pipe or terminal made it non-blocking. */
		if (written == -1 && errno == EAGAIN) {
			poll(&writable, 1, -1);
			continue;
		}
		if (written == -1)
			break;
		bytes += written;
		len -= (size_t)written;
	}
	*left = len;
	return len == 0;
}

bool write_out(const char *bytes, size_t len)
{
	size_t left;

	return write_to(STDOUT_FILENO, bytes, len, &left);
}
