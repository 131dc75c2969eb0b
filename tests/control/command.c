/* SPDX-License-Identifier: MIT */
/*
 * command.c - each command: what it changes, and how it is refused
 */
#include <errno.h>

#include "control/command.h"
#include "control/diff.h"
#include "unit.h"

static const char text[] = "[global]\nname = test\n"
			   "[service chat]\n"
			   "listen = 10.0.0.1:80\n"
			   "backend = 10.0.0.2:80\n"
			   "backend = 10.0.0.3:80 weight=3 id=big\n"
			   "backend = 10.0.0.4:80 backup\n"
			   "[service web]\n"
			   "listen = 10.0.0.1:81\n"
			   "backend = 10.0.0.2:80\n";

static struct config running(void)
{
	struct config c;
	struct err err;

	ck_assert_int_eq(config_parse(&c, "t", text, &err), 0);
	return c;
}

/* A command that is right, and what it is in the words of a difference. */
static const struct effect {
	const char *line, *change; /* change NULL: the same as line */
} effects[] = {
	{"set idle_timeout=1h", NULL},
	{"  set\t idle_timeout=60m  ", "set idle_timeout=1h"},
	{"set idle_timeout=2h keepalive=20s mss_clamp=auto",
	 "set mss_clamp=auto idle_timeout=2h keepalive=20s"},
	{"set idle_timeout=7440s", ""},
	{"set next_id=9", NULL},

	{"service add echo listen=10.0.0.1:7", NULL},
	{"service add echo listen=10.0.0.1:7 scheduler=wrr 'check=http GET /'",
	 "service add echo listen=10.0.0.1:7 scheduler=wrr 'check=http GET /'"},
	{"service set chat scheduler=lc retries=1", NULL},
	{"service set chat check='expect \"it is OK\"'",
	 "service set chat 'check=expect \"it is OK\"'"},
	{"service set chat \"check=expect \\\"it's\\\"\"", NULL},
	{"service set chat check=none", NULL},
	{"service set chat source='10.0.0.8, 10.0.0.9'",
	 "service set chat source=10.0.0.8,10.0.0.9"},
	{"service set chat source=auto", ""},
	/* The derived fast_interval follows. */
	{"service set chat interval=100ms", NULL},
	{"service set chat eject_max=2m max_half_open=64", NULL},
	{"service set chat name=talk", NULL},
	{"service set chat name=chat", ""},
	{"service remove web", NULL},
	{"service remove web then=reset", NULL},
	{"service remove web then=drain", "service remove web"},

	{"backend add chat 10.0.0.9:81",
	 "backend add chat 10.0.0.9:81 weight=1 id=backend4"},
	{"backend add chat 10.0.0.9:81 backup weight=0 id=new",
	 "backend add chat 10.0.0.9:81 weight=0 backup id=new"},
	{"backend add chat 10.0.0.9:81 id=backend17",
	 "backend add chat 10.0.0.9:81 weight=1 id=backend17"},
	{"backend add web 10.0.0.3:80 id=big",
	 "backend add web 10.0.0.3:80 weight=1 id=big"},
	{"backend set chat backend1 weight=7", NULL},
	{"backend set chat 10.0.0.2:80 weight=7",
	 "backend set chat backend1 weight=7"},
	{"backend set chat backend2 backup=no weight=256",
	 "backend set chat backend2 weight=256 backup=no"},
	{"backend set chat backend2 backup=yes", ""},
	{"backend set chat big id=bigger", NULL},
	{"backend set chat big id=backend4", NULL},
	{"backend disable chat big", NULL},
	{"backend disable chat big then=keep", NULL},
	{"backend enable chat big", ""},
	{"backend drain chat big", NULL},
	{"backend drain chat big for=5m then=reset",
	 "backend drain chat big for=300s then=reset"},
	{"backend drain chat big then=drain for=168h",
	 "backend drain chat big for=604800s then=drain"},
	{"backend remove chat big", NULL},
	{"backend remove chat 10.0.0.3:80 then=keep",
	 "backend remove chat big then=keep"},
};

START_TEST(a_command_changes_what_it_says)
{
	const struct effect *e = &effects[_i];
	const char *expected = e->change ? e->change : e->line;
	struct config before = running(), after = running();
	struct text diff = {0};
	struct err err;

	if (command_apply(&after, e->line, &err) || command_check(&after, &err))
		ck_abort_msg("%s: %s", e->line, err.text);
	ck_assert_int_eq(diff_print(&before, &after, &diff), 0);
	if (*expected) {
		ck_assert_uint_gt(diff.len, 0);
		ck_assert_int_eq(diff.bytes[diff.len - 1], '\n');
		text_cut(&diff, diff.len - 1);
	}
	ck_assert_str_eq(text_get(&diff), expected);
	text_free(&diff);
	config_free(&before);
	config_free(&after);
}
END_TEST

static const struct refusal {
	const char *line;
	int ret;
	const char *part;
} refusals[] = {
	{"", -EINVAL, "an empty command"},
	{" \t ", -EINVAL, "an empty command"},
	{"drop chat", -EINVAL,
	 "unknown command \"drop\"; expected set, service or backend"},
	{"backend", -EINVAL,
	 "expected add, set, enable, disable, drain or remove after backend"},
	{"backend ad chat 10.0.0.9:80", -EINVAL,
	 "unknown command \"backend ad\"; expected backend add"},
	{"service zap chat", -EINVAL, "expected service add, set or remove"},
	{"set", -EINVAL, "too few words; expected set KEY=VALUE..."},
	{"backend drain chat", -EINVAL, "expected backend drain SERVICE ID"},
	{"service set chat 'check=syn", -EINVAL, "a quote is not closed"},
	{"set idle_timeout=1h\x07", -EINVAL, "control character 0x07"},
	{"set idle_timeout=1h\nset keepalive=5s", -EINVAL, "character 0x0a"},

	{"set idle_timeout", -EINVAL, "\"idle_timeout\": expected KEY=VALUE"},
	{"set idle_timeout = 1h", -EINVAL, "without blanks around the ="},
	{"set =1h", -EINVAL, "\"=1h\": expected KEY=VALUE"},
	{"set idle_timeuot=1h", -EINVAL, "did you mean \"idle_timeout\"?"},
	{"set scheduler=rr", -EINVAL,
	 "key \"scheduler\" belongs in [service NAME]: expected service set"},
	{"set idle_timeout=1x", -EINVAL,
	 "idle_timeout \"1x\": expected a time"},
	{"set next_id=2", -EINVAL, "\"2\" is not a whole number from 4"},
	{"set flows=7", -EPERM,
	 "flows is fixed while l4lb runs: change it in the file and restart"},
	{"set name=x", -EPERM, "name is fixed"},
	{"set nat_ports=2000-9000", -EPERM, "nat_ports is fixed"},
	{"set interface=eth0", -EPERM, "interface is fixed"},
	{"set guard=keep", -EPERM, "guard is fixed"},
	{"set datapath=pcap", -EPERM, "datapath is fixed"},
	{"set state=none", -EPERM, "state is fixed"},
	{"set control=/x", -EPERM, "control is fixed"},
	{"set user=x", -EPERM, "user is fixed"},
	{"set sandbox=off", -EPERM, "sandbox is fixed"},
	{"set keepalive=10s flows=7", -EPERM, "flows is fixed"},

	{"service add chat listen=10.0.0.1:7", -EEXIST,
	 "there is a service \"chat\" already"},
	{"service add a/b listen=10.0.0.1:7", -EINVAL,
	 "service \"a/b\": a name has"},
	{"service add echo scheduler=rr", -EINVAL, "\"echo\" has no listen"},
	{"service add echo listen=10.0.0.1:80", -EINVAL,
	 "listen \"10.0.0.1:80\": service \"chat\" listens there already"},
	{"service add echo listen=10.0.0.2:80", -EINVAL, "also a backend of"},
	{"service add echo listen=pi.local:80", -EINVAL,
	 "host names are not resolved here"},
	{"service add echo listen=10.0.0.1:7 backend=10.0.0.9:80", -EINVAL,
	 "expected backend add SERVICE ADDRESS:PORT"},
	{"service add echo listen=10.0.0.1:7 then=keep", -EINVAL,
	 "unknown key \"then\""},
	{"service set chta retries=1", -ENOENT, "did you mean \"chat\"?"},
	{"service set x-y-z retries=1", -ENOENT, "there is chat, web"},
	{"service set chat retries=256", -EINVAL,
	 "retries \"256\": expected a whole number from 0 to 255"},
	{"service set chat retires=1", -EINVAL, "did you mean \"retries\"?"},
	{"service set chat idle_timeout=1h", -EINVAL,
	 "key \"idle_timeout\" belongs in [global]: expected set KEY=VALUE"},
	{"service set chat listen=10.0.0.1:8", -EINVAL,
	 "a service keeps its address"},
	{"service set chat name=web", -EEXIST, "a service \"web\" already"},
	{"service set chat name=-", -EINVAL, "a name has 1 to 31"},
	{"service remove chat then=later", -EINVAL,
	 "then \"later\": expected drain, reset or keep"},
	{"service remove chat now", -EINVAL,
	 "unexpected \"now\"; expected then=drain|reset|keep"},
	{"service remove chat then=keep then=keep", -EINVAL, "given twice"},

	{"backend add chta 10.0.0.9:80", -ENOENT, "did you mean \"chat\"?"},
	{"backend add chat 10.0.0.9", -EINVAL,
	 "backend \"10.0.0.9\": expected ADDRESS:PORT"},
	{"backend add chat 10.0.0.2:80", -EEXIST, "has that backend already"},
	{"backend add chat 10.0.0.1:81", -EINVAL, "service \"web\" listens"},
	{"backend add chat 10.0.0.9:80 weight=257", -EINVAL,
	 "weight \"257\" is not a number from 0"},
	{"backend add chat 10.0.0.9:80 id=big", -EINVAL,
	 "\"big\" is the id of backend 10.0.0.3:80 of service \"chat\""},
	{"backend add web 10.0.0.9:80 id=backend1", -EINVAL,
	 "\"backend1\" is the id of backend 10.0.0.2:80 of service \"chat\""},
	{"backend add web 10.0.0.9:80 id=backend01", -EINVAL, "given by l4lb"},
	{"backend add web 10.0.0.9:80 id=a:b", -EINVAL, "a name has"},
	{"backend set chat backend9 weight=1", -ENOENT,
	 "service \"chat\" has no backend \"backend9\"; it has backend1, big, "
	 "backend2"},
	{"backend set chat bigg weight=1", -ENOENT, "did you mean \"big\"?"},
	{"backend set chat 10.0.0.9:80 weight=1", -ENOENT,
	 "has no backend \"10.0.0.9:80\"; it has backend1"},
	{"backend set chat 10.0.0.9:x weight=1", -EINVAL, "a port is a number"},
	{"backend set chat big port=1", -EINVAL,
	 "\"port=1\" cannot be set of a backend"},
	{"backend set chat big backup=maybe", -EINVAL, "expected yes or no"},
	{"backend set chat big weight=2 id=backend1", -EINVAL,
	 "is the id of backend 10.0.0.2:80"},
	{"backend enable chat big then=keep", -EINVAL,
	 "unexpected \"then=keep\"; expected nothing more"},
	{"backend disable chat big for=5s", -EINVAL, "unexpected \"for=5s\""},
	{"backend drain chat big for=0", -EINVAL, "from 1s to 168h"},
	{"backend drain chat big for=1500ms", -EINVAL, "whole seconds"},
	{"backend remove chat big for=5s", -EINVAL, "unexpected \"for=5s\""},
};

START_TEST(a_wrong_command_is_refused_with_a_sentence)
{
	const struct refusal *r = &refusals[_i];
	struct config before = running(), after = running();
	struct text diff = {0};
	struct err err;
	int ret = command_apply(&after, r->line, &err);

	ck_assert_msg(ret == r->ret, "%s: %d, %s", r->line, ret,
		      ret ? err.text : "");
	ck_assert_msg(strstr(err.text, r->part), "expected %s, got %s", r->part,
		      err.text);
	ck_assert_int_eq(diff_print(&before, &after, &diff), 0);
	ck_assert_str_eq(text_get(&diff), "");
	ck_assert_uint_eq(before.next_id, after.next_id);
	ck_assert_uint_eq(before.n_services, after.n_services);
	text_free(&diff);
	config_free(&before);
	config_free(&after);
}
END_TEST

START_TEST(what_contradicts_itself_is_found_after_the_last_line)
{
	struct config c = running();
	struct err err;

	ck_assert_int_eq(
		command_apply(&c, "service set web fast_interval=2s", &err), 0);
	ck_assert_int_eq(command_check(&c, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "service \"web\": fast_interval (2s) is "
				     "longer than interval (1s)"));
	ck_assert_int_eq(command_apply(&c, "service set web interval=2s", &err),
			 0);
	ck_assert_int_eq(command_check(&c, &err), 0);
	ck_assert_uint_eq(c.services[1].params.health.fast_ms, 2000);

	ck_assert_int_eq(command_apply(&c, "set keepalive=24h", &err), 0);
	ck_assert_int_eq(command_check(&c, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "keepalive (24h) is too long"));
	config_free(&c);
}
END_TEST

START_TEST(derived_values_follow_what_is_set)
{
	struct config c = running();
	struct err err;

	ck_assert_int_eq(
		command_apply(&c, "service set chat interval=150ms", &err), 0);
	ck_assert_int_eq(command_check(&c, &err), 0);
	ck_assert_uint_eq(c.services[0].params.health.fast_ms, 150);
	ck_assert_int_eq(
		command_apply(&c, "service set chat interval=5s", &err), 0);
	ck_assert_int_eq(command_check(&c, &err), 0);
	ck_assert_uint_eq(c.services[0].params.health.fast_ms, 200);
	config_free(&c);
}
END_TEST

/* Removed, and added again before the first one is gone. */
START_TEST(what_leaves_has_no_name_any_more)
{
	struct config c = running();
	const struct service_config *s = &c.services[0];
	struct err err;

	ck_assert_int_eq(command_apply(&c, "backend remove chat big", &err), 0);
	ck_assert_int_eq(s->backends[1].slot, SLOT_LEAVING);
	ck_assert_int_eq(s->backends[1].leaves, LEAVE_DRAIN);
	ck_assert_int_eq(command_apply(&c, "backend enable chat big", &err),
			 -ENOENT);
	ck_assert_int_eq(
		command_apply(&c, "backend add chat 10.0.0.3:80 id=big", &err),
		0);
	ck_assert_uint_eq(s->n_backends, 4);
	ck_assert_int_eq(command_apply(&c, "backend drain chat big", &err), 0);
	ck_assert_int_eq(s->backends[3].params.admin, ADMIN_DRAIN);
	ck_assert_int_eq(s->backends[1].params.admin, ADMIN_ENABLED);

	ck_assert_int_eq(
		command_apply(&c, "service remove web then=reset", &err), 0);
	ck_assert_int_eq(c.services[1].leaves, LEAVE_RESET);
	ck_assert_int_eq(
		command_apply(&c, "service add web listen=10.0.0.1:81", &err),
		0);
	ck_assert_uint_eq(c.n_services, 3);
	config_free(&c);
}
END_TEST

START_TEST(a_line_ends_at_its_limit)
{
	struct config c = running();
	char line[COMMAND_MAX + 2];
	struct err err;

	memset(line, ' ', sizeof(line));
	memcpy(line, "set keepalive=5s", 16);
	line[COMMAND_MAX] = 0;
	ck_assert_int_eq(command_apply(&c, line, &err), 0);
	line[COMMAND_MAX] = ' ';
	line[COMMAND_MAX + 1] = 0;
	ck_assert_int_eq(command_apply(&c, line, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 2048 bytes"));
	for (size_t i = 0; i + 1 < COMMAND_MAX; i += 2)
		memcpy(line + i, "x ", 2);
	line[COMMAND_MAX] = 0;
	ck_assert_int_eq(command_apply(&c, line, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "more than 128 words"));
	config_free(&c);
}
END_TEST

START_TEST(fixed_keys_are_read_back_from_our_own_lines)
{
	struct config c = running();
	struct err err;

	ck_assert_int_eq(
		command_load(&c, "set flows=7 interface=eth0,lo state=none",
			     &err),
		0);
	ck_assert_uint_eq(c.flows, 7);
	ck_assert_uint_eq(c.n_interfaces, 2);
	ck_assert(c.state_set && !c.state[0]);
	config_free(&c);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_command_changes_what_it_says, ARRAY_LEN(effects)},
		{a_wrong_command_is_refused_with_a_sentence,
		 ARRAY_LEN(refusals)},
		{what_contradicts_itself_is_found_after_the_last_line, 0},
		{derived_values_follow_what_is_set, 0},
		{what_leaves_has_no_name_any_more, 0},
		{a_line_ends_at_its_limit, 0},
		{fixed_keys_are_read_back_from_our_own_lines, 0},
	};

	return unit_run("command", tests, ARRAY_LEN(tests));
}
