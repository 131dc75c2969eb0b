/* SPDX-License-Identifier: MIT */
/* Lines that people would take for the server's, and those that they would not.
 */
#include "nick.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *line;
	bool servers;
} cases[] = {
	{"[chat_serv] hi", true},
	{"[chat_serv]", true},
	{"[CHAT_serv] hi", true},
	{" [ chat serv ] hi", true},
	{"\t[chat-serv]hi", true},
	{"[chatserv]", true},
	{"[chat__serv]", true},
	{"[c\xc2\xadhat_serv]", true},		     /* soft hyphen */
	{"[chat\xc2\xa0serv]", true},		     /* no-break space */
	{"\xe2\x80\xae[chat_serv]", true},	     /* override of direction */
	{"[chat_serv\xef\xb8\x8f]", true},	     /* variation selector */
	{"\xff\xc3[chat_serv]", true},		     /* no UTF-8 */
	{"[chat\xe3\x80\x80serv]", true},	     /* wide space */
	{"[\xef\xbc\xa3hat_serv\xef\xbc\xbd", true}, /* wide C and ] */
	{"[chat\xf3\xa0\x81\xa1_serv]", true},	     /* tag */
	{"", false},
	{"[", false},
	{"[chat_serv", false},
	{"chat_serv] hi", false},
	{"[chat_server] hi", false},
	{"[chat_ser] hi", false},
	{"[bob] [chat_serv] hi", false},
	{"[[chat_serv]] hi", false},
	{"[ch\xc3\xa0t_serv] hi", false},
	{"[chat_serv\xe2\x80", false},
};

START_TEST(case_by_case)
{
	const char *line = cases[_i].line;
	size_t len = strlen(line);
	char *exact = malloc(len + 1); /* so that a sanitizer sees its end */

	ck_assert_ptr_nonnull(exact);
	exact = realloc(exact, len ? len : 1);
	memcpy(exact, line, len);
	ck_assert_msg(nick_is_servers(exact, len) == cases[_i].servers,
		      "case %d: %s", _i, line);
	free(exact);
}
END_TEST

START_TEST(a_nul_byte_hides_nothing)
{
	ck_assert(nick_is_servers("[chat\0_serv]", 12));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chat nick");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, all);
	tcase_add_loop_test(all, case_by_case, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(all, a_nul_byte_hides_nothing);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
