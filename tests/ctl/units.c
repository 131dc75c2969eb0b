/* SPDX-License-Identifier: MIT */
/*
 * units.c - numbers at the boundaries where their form changes
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "ctl/units.h"

struct expected {
	double value;
	const char *text;
};

static void check_all(char *(*unit)(double, char *), const struct expected *e,
		      size_t n)
{
	char text[UNITS_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		ck_assert_msg(strcmp(unit(e[i].value, text), e[i].text) == 0,
			      "%g is \"%s\", expected \"%s\"", e[i].value, text,
			      e[i].text);
}

START_TEST(an_age_is_cut_never_rounded_up)
{
	static const struct expected e[] = {
		{0, "0s"},	     {0.04, "0.0s"},	      {4, "4s"},
		{0.84, "0.8s"},	     {9.99, "9.9s"},	      {10, "10s"},
		{59.9, "59s"},	     {60, "1m00s"},	      {245, "4m05s"},
		{3599.9, "59m59s"},  {3600, "1h00m"},	      {7439, "2h03m"},
		{86399, "23h59m"},   {86400, "1d00h"},	      {273845, "3d04h"},
		{8639999, "99d23h"}, {8640000, "100d"},	      {-1, "-"},
		{(double)NAN, "-"},  {(double)INFINITY, "-"},
	};

	check_all(units_age, e, ARRAY_LEN(e));
}
END_TEST

START_TEST(bytes_and_counts_are_in_thousands)
{
	static const struct expected bytes[] = {
		{0, "0"},	    {212, "212"},      {999, "999"},
		{1000, "1.0k"},	    {99940, "99.9k"},  {99960, "100k"},
		{999400, "999k"},   {999600, "1.0M"},  {20900000, "20.9M"},
		{3e9, "3.0G"},	    {1.8e19, "18.0E"}, {1e30, "1000000000000E"},
		{(double)NAN, "-"},
	};
	static const struct expected counts[] = {
		{1204, "1204"},	  {65536, "65536"},  {99999, "99999"},
		{100000, "100k"}, {1234567, "1.2M"}, {-1, "-"},
	};

	check_all(units_bytes, bytes, ARRAY_LEN(bytes));
	check_all(units_count, counts, ARRAY_LEN(counts));
}
END_TEST

START_TEST(times_and_rates_keep_what_matters)
{
	static const struct expected ms[] = {
		{0, "0.0ms"},	  {0.41, "0.4ms"},    {9.94, "9.9ms"},
		{9.96, "10ms"},	  {999.4, "999ms"},   {999.6, "1.0s"},
		{12345, "12.3s"}, {(double)NAN, "-"},
	};
	static const struct expected rates[] = {
		{0, "0.0"},	{12.34, "12.3"},  {99.96, "100"}, {312, "312"},
		{9999, "9999"}, {12300, "12.3k"}, {-0.5, "-"},
	};

	check_all(units_ms, ms, ARRAY_LEN(ms));
	check_all(units_rate, rates, ARRAY_LEN(rates));
}
END_TEST

START_TEST(a_share_of_nothing_is_no_number)
{
	char text[UNITS_TEXT_MAX];

	ck_assert_str_eq(units_share(0, 0, text), "-");
	ck_assert_str_eq(units_share(0, 10, text), "0.0%");
	ck_assert_str_eq(units_share(1, 8, text), "12.5%");
	ck_assert_str_eq(units_share(10, 10, text), "100%");
	ck_assert_str_eq(units_share(9996, 10000, text), "100%");
	ck_assert_str_eq(units_share((double)NAN, 10, text), "-");
	ck_assert_str_eq(units_share(1, (double)NAN, text), "-");
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{an_age_is_cut_never_rounded_up, 0},
		{bytes_and_counts_are_in_thousands, 0},
		{times_and_rates_keep_what_matters, 0},
		{a_share_of_nothing_is_no_number, 0},
	};

	return unit_run("ctl/units", tests, ARRAY_LEN(tests));
}
