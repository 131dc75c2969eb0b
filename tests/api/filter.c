/* SPDX-License-Identifier: MIT */
/*
 * filter.c - each term of a filter: which flows it lets through, what it
 * refuses
 */
#include <arpa/inet.h>
#include <errno.h>

#include "api/filter.h"
#include "core/time.h"
#include "unit.h"

#define NOW_NS (1000 * NS_PER_S)

static struct endpoint endpoint(const char *addr, uint16_t port)
{
	struct endpoint e;
	struct in_addr v4;

	memset(&e, 0, sizeof(e));
	ck_assert_int_eq(inet_pton(AF_INET, addr, &v4), 1);
	e.addr = addr_from_v4(v4.s_addr);
	e.port = htons(port);
	return e;
}

/* 15 min old, idle for 3 s. */
static struct flow a_flow(void)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.pair[FLOW_ORIG].src = endpoint("203.0.113.9", 40112);
	f.pair[FLOW_ORIG].dst = endpoint("198.18.0.1", 20000);
	f.pair[FLOW_REPLY].src = endpoint("198.18.0.11", 9001);
	f.pair[FLOW_REPLY].dst = endpoint("198.18.0.1", 10245);
	f.tcp.state = TCP_ESTABLISHED;
	f.id = 17;
	f.opened_ns = NOW_NS - 900 * NS_PER_S;
	f.seen_ns = NOW_NS - 3 * NS_PER_S;
	f.packets[FLOW_ORIG] = 4;
	f.packets[FLOW_REPLY] = 9;
	f.bytes[FLOW_ORIG] = 212;
	f.bytes[FLOW_REPLY] = 1140;
	return f;
}

static const struct case_ {
	const char *filter;
	bool matches;
} cases[] = {
	{"", true},
	{"client=203.0.113.9", true},
	{"client=203.0.113.8", false},
	{"client=203.0.113.0/24", true},
	{"client=203.0.113.8/31", true},
	{"client=203.0.113.10/31", false},
	{"client=0.0.0.0/0", true},
	{"client=203.0.113.9:40112", true},
	{"client=203.0.113.9:40113", false},
	{"client=203.0.0.0/16:40112", true},
	{"client=:40112", true},
	{"client=:1", false},
	{"client=10.0.0.0/8,203.0.113.9", true},
	{"client=10.0.0.0/8,192.0.2.1", false},
	{"vip=198.18.0.1:20000", true},
	{"vip=198.18.0.2", false},
	{"nat=198.18.0.1:10245", true},
	{"nat=198.18.0.1:20000", false},
	{"service=chat", true},
	{"service=web", false},
	{"service=web,chat", true},
	{"backend=backend1", true},
	{"backend=backend2,backend1", true},
	{"backend=198.18.0.11", true},
	{"backend=198.18.0.11:9001", true},
	{"backend=198.18.0.11:9002", false},
	{"state=ESTABLISHED", true},
	{"state=established", true},
	{"state=FIN_WAIT", false},
	{"state=FIN_WAIT,ESTABLISHED", true},
	{"id=17", true},
	{"id=18", false},
	{"id=1,17", true},
	{"age>10m", true},
	{"age>15m", false},
	{"age<15m", false},
	{"age<901s", true},
	{"age>899999ms", true},
	{"age>0", true},
	{"age<1d", true},
	{"idle<5s", true},
	{"idle>3s", false},
	{"idle>2999ms", true},
	{"bytes>1k", true},
	{"bytes>1352", false},
	{"bytes<1353", true},
	{"bytes>1M", false},
	{"packets>12", true},
	{"packets<13", false},
	{"retransmits>0", true},
	{"retransmits>2", false},
	{"service=chat  age>10m\tbytes>1k", true},
	{"service=chat age>10m bytes>2k", false},
	{"age>10m age<20m", true},
};

START_TEST(a_filter_lets_through_what_it_says)
{
	const struct flow flow = a_flow();
	const struct filter_facts facts = {
		.flow = &flow,
		.service = "chat",
		.backend = "backend1",
		.retransmits = 2,
		.now_ns = NOW_NS,
	};
	struct filter f = {0};
	struct err err;

	ck_assert_msg(filter_add_text(&f, cases[_i].filter, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(filter_matches(&f, &facts) == cases[_i].matches, "%s",
		      cases[_i].filter);
}
END_TEST

static const struct refusal {
	const char *term, *why;
} refusals[] = {
	{"sevice=chat", "expected one of client=, vip="},
	{"chat", "expected one of client=, vip="},
	{"service", "expected service= and a value"},
	{"service>chat", "expected service= and a value"},
	{"age=10m", "expected age> or < and a value"},
	{"age", "expected age> or < and a value"},
	{"age>", ""},
	{"age>10", NULL}, /* seconds */
	{"age>10 m", "expected one of client="},
	{"age>=10m", ""},
	{"age>1w", ""},
	{"age>99999999d", ""},
	{"bytes>1T", "whole number"},
	{"bytes>k", "whole number"},
	{"bytes>-1", "whole number"},
	{"bytes>1kk", "whole number"},
	{"bytes>18446744073709551616", "whole number"},
	{"bytes>18446744073709551G", "whole number"},
	{"client=", "expected an address"},
	{"client=300.0.0.1", "expected an address"},
	{"client=10.0.0.0/33", "expected an address"},
	{"client=10.0.0.0/", "expected an address"},
	{"client=10.0.0.1:0", "expected an address"},
	{"client=10.0.0.1:65536", "expected an address"},
	{"client=example.com", "expected an address"},
	{"client=10.0.0.1,", "last comma"},
	{"client=,10.0.0.1", "expected an address"},
	{"service=", "expected a name"},
	{"service=a-name-that-is-longer-than-names-may-be", "expected a name"},
	{"state=OPEN", "SYN_SENT, SYN_RECEIVED, ESTABLISHED"},
	{"id=x", "whole number"},
};

START_TEST(a_wrong_term_is_refused_with_a_sentence)
{
	const struct refusal *r = &refusals[_i];
	struct filter f = {0};
	struct err err;
	int ret = filter_add_text(&f, r->term, &err);

	if (!r->why) {
		ck_assert_int_eq(ret, 0);
		return;
	}
	ck_assert_int_eq(ret, -EINVAL);
	ck_assert_msg(strstr(err.text, r->why), "%s", err.text);
	ck_assert_msg(strncmp(err.text, "filter \"", 8) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_query_may_have_terms_as_parameters)
{
	const struct flow flow = a_flow();
	const struct filter_facts facts = {
		.flow = &flow,
		.service = "chat",
		.backend = "backend1",
		.now_ns = NOW_NS,
	};
	struct filter f = {0};
	struct uri uri;
	struct err err;

	ck_assert_int_eq(uri_parse(&uri,
				   "/lb/flows?limit=7&service=chat&age%3E10m"
				   "&filter=id%3D17+state%3DESTABLISHED",
				   &err),
			 0);
	ck_assert_int_eq(filter_add_query(&f, &uri, &err), 0);
	ck_assert_uint_eq(f.n_terms, 4);
	ck_assert(filter_matches(&f, &facts));
	ck_assert_int_eq(filter_add(&f, "age>1h", &err), 0);
	ck_assert(!filter_matches(&f, &facts));
}
END_TEST

START_TEST(a_filter_has_limits)
{
	struct filter f = {0};
	struct err err;

	for (unsigned i = 0; i < FILTER_TERMS_MAX; i++)
		ck_assert_int_eq(filter_add(&f, "age>1s", &err), 0);
	ck_assert_int_eq(filter_add(&f, "age>1s", &err), -EINVAL);

	memset(&f, 0, sizeof(f));
	for (unsigned i = 0; i < FILTER_ITEMS_MAX / 4; i++)
		ck_assert_int_eq(filter_add(&f, "id=1,2,3,4", &err), 0);
	ck_assert_int_eq(filter_add(&f, "id=1", &err), -EINVAL);
	ck_assert_uint_eq(f.n_items, FILTER_ITEMS_MAX);
}
END_TEST

START_TEST(a_term_that_fails_leaves_nothing)
{
	struct filter f = {0};
	struct err err;

	ck_assert_int_eq(filter_add(&f, "id=1,2,x", &err), -EINVAL);
	ck_assert_uint_eq(f.n_terms, 0);
	ck_assert_uint_eq(f.n_items, 0);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_filter_lets_through_what_it_says, ARRAY_LEN(cases)},
		{a_wrong_term_is_refused_with_a_sentence, ARRAY_LEN(refusals)},
		{a_query_may_have_terms_as_parameters, 0},
		{a_filter_has_limits, 0},
		{a_term_that_fails_leaves_nothing, 0},
	};

	return unit_run("filter", tests, ARRAY_LEN(tests));
}
