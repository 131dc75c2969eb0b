/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>

#include "api/api_run.h"

/* Until l4lb closes its end of a channel. */
int api_run(const struct api_setup *setup)
{
	struct pollfd ends[] = {{.fd = setup->asks}, {.fd = setup->changes}};

	while (poll(ends, 2, -1) == -1 && errno == EINTR)
		continue;
	return 0;
}
