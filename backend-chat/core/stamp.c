/* SPDX-License-Identifier: MIT */
/* See stamp.h. */
#include "core/stamp.h"

#include <string.h>
#include <time.h>

void stamp_put(struct writer *w, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[40];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm)) /* beyond the year 2^31 */
		memset(&tm, 0, sizeof(tm));
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	writer_printf(w, "%s.%03dZ", text, (int)(ms % 1000));
}
