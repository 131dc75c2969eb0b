/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "reserve_rig.h"

struct endpoint service, other_service;
struct ip_addr source;
struct reserve_request web, api;
struct err err;

void set_up(void)
{
	run("rm -rf /run/l4lb; echo 12000-12001,50000 > " RESERVED
	    "; echo 32768 60999 > " HOST_RANGE);
	service = at(VIP, 20000);
	other_service = at(VIP, 20001);
	source = ip(VIP);
	web = (struct reserve_request){
		.name = "web",
		.services = &service,
		.n_services = 1,
		.sources = &source,
		.n_sources = 1,
		.nat_lo = 10240,
		.nat_hi = 32767,
		.ports_min = 1024,
	};
	api = web;
	api.name = "api";
	api.services = &other_service;
	err.text[0] = '\0';
}

struct reservation *take(const struct reserve_request *req)
{
	struct reservation *r = NULL;

	ck_assert_msg(reserve_take(&r, req, &err) == 0, "%s", err.text);
	return r;
}

void host_uses(const char *range)
{
	ck_assert_int_eq(run("echo %s > " HOST_RANGE, range), 0);
}

void assert_refused(const struct reserve_request *req, int code,
		    const char *words)
{
	struct reservation *r = NULL;

	ck_assert_int_eq(reserve_take(&r, req, &err), code);
	ck_assert_ptr_null(r);
	ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" has no \"%s\"",
		      err.text, words);
}

void assert_reserved(const char *expected)
{
	char *text = contents_of(RESERVED);

	ck_assert_str_eq(text, expected);
	free(text);
}

void assert_nothing_left(void)
{
	assert_reserved(BEFORE);
	ck_assert_int_eq(run("test -z \"$(ls -A /run/l4lb)\""), 0);
}

pid_t hold_elsewhere(const struct reserve_request *req)
{
	struct reservation *r;
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(ready[0]);
		if (reserve_take(&r, req, &err) != 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

void kill_9(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
