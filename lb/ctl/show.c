/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <time.h>

#include "ctl/json_get.h"
#include "ctl/show.h"
#include "ctl/table.h"

void show_text(const struct ctl *c, const char *text)
{
	table_text(c->out, text, 0, 0, c->utf8);
}

void show_lines(const struct ctl *c, const char *before, const json_t *list)
{
	const json_t *line;
	size_t i;

	json_array_foreach(list, i, line)
	{
		const char *text = json_string_value(line);

		fputs(before, c->out);
		show_text(c, text ? text : "-");
		fputc('\n', c->out);
	}
}

void show_changes(const struct ctl *c, const json_t *answer)
{
	const json_t *changes = get_value(answer, "changes");

	if (json_array_size(changes) == 0)
		fputs("nothing would change\n", c->out);
	show_lines(c, "", changes);
}

void show_time(const struct ctl *c, const char *time)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr",
					     "May", "Jun", "Jul", "Aug",
					     "Sep", "Oct", "Nov", "Dec"};
	struct tm utc = {.tm_isdst = 0}, local;
	time_t seconds;

	if (sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d", &utc.tm_year, &utc.tm_mon,
		   &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec) != 6) {
		show_text(c, time);
		return;
	}
	utc.tm_year -= 1900;
	utc.tm_mon -= 1;
	seconds = timegm(&utc);
	if (!localtime_r(&seconds, &local))
		local = utc;
	fprintf(c->out, "%s %02d %02d:%02d:%02d", months[local.tm_mon],
		local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}
