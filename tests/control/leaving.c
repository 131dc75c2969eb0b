/* SPDX-License-Identifier: MIT */
/*
 * leaving.c - backends that keep a place for their old flows alone
 */
#include "control/leaving.h"
#include "unit.h"

static struct service_config *a_service(struct config *c)
{
	struct backend_config b = {.params = BACKEND_PARAMS_DEFAULT};
	struct service_config *s = NULL;
	struct err err;

	ck_assert_int_eq(config_init(c, &err), 0);
	ck_assert_int_eq(config_add_service(c, "chat", &s, &err), 0);
	b.addr = (struct endpoint){addr_from_v4(0x0a000002), 80};
	ck_assert_int_eq(config_add_backend(c, s, &b, &err), 0);
	b.addr.port++;
	ck_assert_int_eq(config_add_backend(c, s, &b, &err), 0);
	return s;
}

START_TEST(the_live_one_keeps_its_id_and_the_old_one_gets_another)
{
	struct config c;
	struct service_config *s = a_service(&c);
	int again;

	ck_assert_int_eq(leaving_move(s, 0), 2);
	ck_assert_str_eq(s->backends[2].id, "backend1");
	ck_assert_int_eq(s->backends[2].slot, SLOT_LIVE);
	ck_assert_str_eq(s->backends[0].id, "old1");
	ck_assert_int_eq(s->backends[0].slot, SLOT_LEAVING);
	ck_assert_int_eq(s->backends[0].leaves, LEAVE_KEEP);
	ck_assert(endpoint_equal(&s->backends[0].addr, &s->backends[2].addr));
	again = leaving_move(s, 2);
	ck_assert_int_eq(again, 3);
	ck_assert_str_eq(s->backends[3].id, "backend1");
	ck_assert_str_eq(s->backends[2].id, "old3");
	config_free(&c);
}
END_TEST

START_TEST(a_full_service_has_no_place)
{
	struct config c;
	struct service_config *s = a_service(&c);
	struct endpoint gone = {addr_from_v4(0x0a000003), 80};

	for (int n = 2; n < CONFIG_BACKENDS_MAX; n++)
		ck_assert_int_eq(leaving_add(s, &gone, LEAVE_RESET), n);
	ck_assert_int_eq(leaving_add(s, &gone, LEAVE_RESET), -1);
	ck_assert_int_eq(leaving_move(s, 0), -1);
	ck_assert_str_eq(s->backends[0].id, "backend1");
	ck_assert_int_eq(s->backends[0].slot, SLOT_LIVE);
	for (unsigned i = 0; i < CONFIG_BACKENDS_MAX; i++)
		for (unsigned k = 0; k < i; k++)
			unit_check(strcmp(s->backends[i].id, s->backends[k].id),
				   "%s twice", s->backends[i].id);
	config_free(&c);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{the_live_one_keeps_its_id_and_the_old_one_gets_another, 0},
		{a_full_service_has_no_place, 0},
	};

	return unit_run("leaving", tests, ARRAY_LEN(tests));
}
