/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "ctl/units.h"

#define MINUTE 60.0
#define HOUR   3600.0
#define DAY    86400.0

__attribute__((format(printf, 2, 3))) static char *put(char *text,
						       const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, UNITS_TEXT_MAX, fmt, args);
	va_end(args);
	return text;
}

static bool is_number(double value)
{
	return isfinite(value) && value >= 0;
}

char *units_age(double seconds, char *text)
{
	/* Cut, not rounded: 59.9 s are not a minute yet. */
	const double s = floor(seconds);

	if (!is_number(seconds))
		return put(text, "-");
	/* Whole ones are not known better. */
	if (seconds < 10 && seconds > s)
		return put(text, "%.1fs", floor(seconds * 10) / 10);
	if (s < MINUTE)
		return put(text, "%.0fs", s);
	if (s < HOUR)
		return put(text, "%.0fm%02.0fs", floor(s / MINUTE),
			   fmod(s, MINUTE));
	if (s < DAY)
		return put(text, "%.0fh%02.0fm", floor(s / HOUR),
			   floor(fmod(s, HOUR) / MINUTE));
	if (s < 100 * DAY)
		return put(text, "%.0fd%02.0fh", floor(s / DAY),
			   floor(fmod(s, DAY) / HOUR));
	return put(text, "%.0fd", floor(s / DAY));
}

/* Below @plain as it is, else in thousands with one of the letters. */
static char *with_letter(double value, double plain, const char *letters,
			 char *text)
{
	if (!is_number(value))
		return put(text, "-");
	if (value < plain)
		return put(text, "%.0f", value);
	value /= 1000;
	/* 999.5k would be printed as 1000k. */
	while (value >= 999.5 && letters[1]) {
		value /= 1000;
		letters++;
	}
	return put(text, value < 99.95 ? "%.1f%c" : "%.0f%c", value, *letters);
}

char *units_bytes(double bytes, char *text)
{
	return with_letter(bytes, 1000, "kMGTPE", text);
}

char *units_count(double count, char *text)
{
	return with_letter(count, 100000, "kMGTPE", text);
}

char *units_ms(double ms, char *text)
{
	if (!is_number(ms))
		return put(text, "-");
	if (ms < 9.95)
		return put(text, "%.1fms", ms);
	if (ms < 999.5)
		return put(text, "%.0fms", ms);
	return put(text, "%.1fs", ms / 1000);
}

char *units_share(double part, double whole, char *text)
{
	const double percent = 100 * part / whole;

	if (!(whole > 0) || !is_number(percent))
		return put(text, "-");
	return put(text, percent < 99.95 ? "%.1f%%" : "%.0f%%", percent);
}

char *units_rate(double per_second, char *text)
{
	if (!is_number(per_second))
		return put(text, "-");
	if (per_second < 99.95)
		return put(text, "%.1f", per_second);
	return with_letter(per_second, 10000, "kMGTPE", text);
}
