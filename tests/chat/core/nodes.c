/* SPDX-License-Identifier: MIT */
/* Nodes of a cluster as an operator writes them. */
#include "core/nodes.h"

#include "unit.h"

static const struct {
	const char *text,
		*expected; /* "HOST PORT ..." or a part of the error */
} cases[] = {
	{"10.0.0.1:7000", "10.0.0.1 7000 "},
	{"pi1", "pi1 6379 "},
	{" pi1:7000 , pi2:7001,pi3", "pi1 7000 pi2 7001 pi3 6379 "},
	{"[::1]:7000,[fe80::1]", "::1 7000 fe80::1 6379 "},
	{"[{\"host\":\"redis-1\",\"port\":7000},{\"host\":\"::1\"}]",
	 "redis-1 7000 ::1 6379 "},
	{"[ {\"host\":\"a\", \"port\":\"7001\", \"db\":0} ]", "a 7001 "},
	{"", "a node needs a host"},
	{"a,,b", "a node needs a host"},
	{"a:", "expected HOST:PORT"},
	{"a:0", "a port is a number"},
	{"a:65536", "expected HOST:PORT"},
	{"a:7000:1", "expected HOST:PORT"},
	{"a b:7000", "no blanks"},
	{"[::1", "without its ']'"},
	{"[::1]7000", "expected HOST:PORT"},
	{"[]", "no node"},
	{"[{}]", "a node needs a host"},
	{"[{\"host\":\"a\",\"port\":0}]", "a port is a number"},
	{"[{\"host\":\"a\",\"port\":-1}]", "a port is a number"},
	{"[{\"host\":\"a\",\"port\":70000}]", "a port is a number"},
	{"[{\"host\":\"a\",\"port\":true}]", "a port is a number"},
	{"[ \"a:7000\"]", "an object with host and port"},
	{"[{\"host\":\"a\"}", "the JSON is wrong"},
	{"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "too many"},
};

START_TEST(each_case)
{
	struct slot_node nodes[NODES_MAX];
	char why[NODES_WHY_MAX], story[8192] = "";
	const unsigned count =
		nodes_parse(slice_of(cases[_i].text), nodes, why);

	for (unsigned i = 0; i < count; i++)
		snprintf(story + strlen(story), sizeof(story) - strlen(story),
			 "%s %u ", nodes[i].host, nodes[i].port);
	if (count > 0)
		ck_assert_str_eq(story, cases[_i].expected);
	else
		ck_assert_msg(strstr(why, cases[_i].expected), "%s: %s",
			      cases[_i].text, why);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {{each_case, ARRAY_LEN(cases)}};

	return unit_run("nodes", tests, ARRAY_LEN(tests));
}
