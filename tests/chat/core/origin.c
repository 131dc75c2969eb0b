/* SPDX-License-Identifier: MIT */
/* Which pages may open /ws. */
#include "core/origin.h"

#include "unit.h"

static const struct {
	const char *origin, *host;
	bool allowed;
} cases[] = {
	{"", "a:8000", true},
	{"http://a:8000", "a:8000", true},
	{"http://A:8000", "a:8000", true},
	{"http://a", "a", true},
	{"http://a:80", "a", true},
	{"http://a", "a:80", true},
	{"https://a", "a:443", true},
	{"https://a", "a", true},
	{"https://a:8443", "a:8443", true},
	{"http://[::1]:8000", "[::1]:8000", true},
	{"http://[::1]", "[::1]", true},
	{"https://a", "a:80", false},
	{"http://a:8000", "a:8001", false},
	{"http://a.evil:8000", "a:8000", false},
	{"http://evil", "a", false},
	{"null", "a", false},
	{"file://", "a", false},
	{"a:8000", "a:8000", false},
	{"ftp://a", "a", false},
	{"http://", "", false},
	{"http://a/", "a", false},
	{"http://a@b", "b", false},
	{"http://a b", "a b", false},
	{"http://a:99999", "a:99999", false},
	{"http://a:", "a:", true}, /* a host of its own name, if odd */
	/* by the list */
	{"https://chat.example", "10.0.0.1:8000", true},
	{"https://chat.example:443", "10.0.0.1:8000", true},
	{"https://CHAT.example", "10.0.0.1:8000", true},
	{"http://chat.example", "10.0.0.1:8000", false},
	{"http://chat.example:443", "10.0.0.1:8000", false},
	{"https://chat.example.evil", "10.0.0.1:8000", false},
	{"http://b.example:81", "10.0.0.1:8000", true},
};

START_TEST(a_page_of_this_server_or_of_the_list_is_allowed)
{
	const struct slice list[] = {SLICE("nonsense"),
				     SLICE("https://chat.example"),
				     SLICE("http://b.example:81")};

	ck_assert_msg(origin_is_allowed(slice_of(cases[_i].origin),
					slice_of(cases[_i].host), list,
					3) == cases[_i].allowed,
		      "%s at %s", cases[_i].origin, cases[_i].host);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_page_of_this_server_or_of_the_list_is_allowed,
		 ARRAY_LEN(cases)},
	};

	return unit_run("origin", tests, ARRAY_LEN(tests));
}
