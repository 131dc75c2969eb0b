/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "write_out.h"

bool write_out(const char *bytes, size_t len)
{
	struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};

	while (len > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, len);

		if (written == -1 && errno == EINTR)
			continue;
		/* Another user of the pipe or terminal made it non-blocking. */
		if (written == -1 && errno == EAGAIN) {
			poll(&writable, 1, -1);
			continue;
		}
		if (written == -1)
			return false;
		bytes += written;
		len -= (size_t)written;
	}
	return true;
}
