/* SPDX-License-Identifier: MIT */
/*
 * instance.h against a real kernel, by way of reserve.h: the records in
 * /run/l4lb, of instances that died or were told to keep their ports, damaged
 * ones, those of an earlier version, and who may open them.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "reserve_rig.h"

START_TEST(after_a_crash_the_range_waits_for_its_instance)
{
	struct reservation *r, *s;

	web.fixed = true;
	web.nat_lo = 33000; /* the host's own, in part */
	web.nat_hi = 35000;
	kill_9(hold_elsewhere(&web));
	assert_reserved("12000-12001,33000-35000,50000\n");
	s = take(&api);
	ck_assert_uint_eq(s->mine.range.lo, 10240);
	reserve_release(s, false);
	api.fixed = true;
	api.nat_hi = 33000;
	assert_refused(&api, -EADDRINUSE, "l4lb --down web");

	r = take(&web);
	assert_reserved("12000-12001,33000-35000,50000\n");
	reserve_release(r, false);
	assert_nothing_left();

	kill_9(hold_elsewhere(&web));
	web.nat_lo = 34000; /* another one now: the old part goes */
	web.nat_hi = 37000;
	r = take(&web);
	assert_reserved("12000-12001,34000-37000,50000\n");
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(kept_for_the_next_start_means_nothing_changes)
{
	host_uses("30000 40000");
	web.fixed = true;
	reserve_release(take(&web), true);
	assert_reserved("12000-12001,30000-32767,50000\n");
	api.fixed = true;
	assert_refused(&api, -EADDRINUSE, "which is not running");
	reserve_release(take(&web), false);
	assert_nothing_left();
}
END_TEST

/* The kernel frees the rings of a process that was killed before its locks. */
START_TEST(a_killed_one_that_still_holds_its_lock_is_waited_for)
{
	int fd, status;
	pid_t pid;

	reserve_release(take(&web), true);
	fd = open("/run/l4lb/web.ports", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fd); /* the lock is the parent's too */
		_exit(reserve_take(&(struct reservation *){NULL}, &web, &err));
	}
	usleep(200000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	close(fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* It reserved all of its range, and shared it with other sources. */
START_TEST(what_an_earlier_version_left_is_understood)
{
	struct reservation *r;

	kill_9(hold_elsewhere(&web));
	ck_assert_int_eq(
		run("sed -i 's/^added .*/added 10240-11999,12002-32767/'"
		    " /run/l4lb/web.ports && "
		    "echo 10240-32767,50000 > " RESERVED),
		0);
	source = ip("198.18.0.78"); /* of api: another one than web's */
	r = take(&api);
	ck_assert_uint_gt(r->mine.range.lo, 32767);
	reserve_release(r, false);
	source = ip(VIP);
	web.had = true;
	r = take(&web);
	ck_assert_uint_eq(r->mine.range.lo, 10240);
	reserve_release(r, false);
	assert_nothing_left();
}
END_TEST

START_TEST(what_another_boot_or_network_left_counts_for_nothing)
{
	static const char *const edits[] = {"s/^netns .*/netns 1/",
					    "s/^boot .*/boot x/"};
	struct reservation *s;

	kill_9(hold_elsewhere(&web));
	ck_assert_int_eq(run("sed -i '%s' /run/l4lb/web.ports", edits[_i]), 0);
	run("echo 12000-12001,50000 > " RESERVED);
	s = take(&api);
	ck_assert_uint_eq(s->mine.range.lo, 10240);
	reserve_release(s, false);
	reserve_release(take(&web), false);
	assert_nothing_left();
}
END_TEST

START_TEST(an_instance_that_died_before_it_took_anything_is_no_obstacle)
{
	ck_assert_int_eq(run("mkdir -p /run/l4lb; : > /run/l4lb/web.ports"), 0);
	reserve_release(take(&api), false);
	reserve_release(take(&web), false);
	assert_nothing_left();
}
END_TEST

START_TEST(a_file_that_is_not_understood_is_named)
{
	ck_assert_int_eq(run("mkdir -p /run/l4lb; "
			     "echo l4lb-ports 9 > /run/l4lb/old.ports"),
			 0);
	assert_refused(&web, -EINVAL, "/run/l4lb/old.ports is not understood");
	ck_assert_ptr_nonnull(strstr(err.text, "l4lb --down old"));
	ck_assert_int_eq(run("rm /run/l4lb/old.ports; "
			     "mkdir /run/l4lb/old.ports"),
			 0);
	assert_refused(&web, -EISDIR, "/run/l4lb/old.ports");
}
END_TEST

/* What keeps the record of web from being written, and the advice. */
static const struct {
	const char *command;
	int code;
	const char *words, *advice;
} obstacles[] = {
	/* No inode, then no block is left for the file. */
	{"mount -t tmpfs -o nr_inodes=1 x /run/l4lb", -ENOSPC,
	 "cannot write /run/l4lb/web.ports: No space left on device",
	 "free some on the file system of /run"},
	{"mount -t tmpfs -o size=4k x /run/l4lb && echo > /run/l4lb/x", -ENOSPC,
	 "cannot write /run/l4lb/web.ports: No space left on device",
	 "free some on the file system of /run"},
	{"mount -t tmpfs -o ro x /run/l4lb", -EROFS,
	 "cannot write /run/l4lb/web.ports: Read-only file system",
	 "mount -o remount,rw"},
	{"mkdir /run/l4lb/web.ports", -EISDIR,
	 "cannot write /run/l4lb/web.ports: Is a directory",
	 "choose another --name"},
	{"ln -s x /run/l4lb/web.ports", -ELOOP,
	 "cannot write /run/l4lb/web.ports: ", "choose another --name"},
	{"rmdir /run/l4lb && echo > /run/l4lb", -ENOTDIR,
	 "cannot use the folder /run/l4lb: Not a directory",
	 "remove what is there"},
};

START_TEST(a_record_that_cannot_be_written_says_what_to_do)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(run("mkdir -p /run/l4lb && %s", obstacles[_i].command),
			 0);
	assert_refused(&web, obstacles[_i].code, obstacles[_i].words);
	ck_assert_msg(strstr(err.text, obstacles[_i].advice) != NULL,
		      "\"%s\" has no \"%s\"", err.text, obstacles[_i].advice);
	assert_reserved(BEFORE);
}
END_TEST

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* Of both, as nobody; a user namespace may have no other user. */
static void assert_closed_to_others(void)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setresuid(65534, 65534, 65534) == -1)
			_exit(0);
		_exit(open("/run/l4lb", O_RDONLY | O_CLOEXEC) != -1 ||
		      open("/run/l4lb/web.ports", O_RDONLY | O_CLOEXEC) != -1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* Who may open them may lock them, and keep an instance from start and end. */
START_TEST(other_users_cannot_open_what_is_locked)
{
	/* What there is before: nothing, or what an earlier version left. */
	static const char *const before[] = {
		"true",
		"mkdir -m 755 /run/l4lb",
		"cd /run && mkdir l4lb && umask 022 && : > l4lb/web.ports",
	};
	struct reservation *r;

	umask(0);
	ck_assert_int_eq(run("%s", before[_i]), 0);
	r = take(&web);
	ck_assert_uint_eq(mode_of("/run/l4lb"), 0700);
	ck_assert_uint_eq(mode_of("/run/l4lb/web.ports"), 0600);
	assert_closed_to_others();
	keep_net_capabilities(); /* the owner needs none */
	ck_assert_int_eq(reserve_release(r, false), 0);
	assert_nothing_left();
}
END_TEST

START_TEST(a_folder_of_another_user_keeps_its_mode)
{
	struct reservation *r;

	ck_assert_int_eq(mkdir("/run/l4lb", 0755), 0);
	if (chown("/run/l4lb", 1, (gid_t)-1) == -1)
		return; /* a user namespace with no other user */
	r = take(&web);
	ck_assert_uint_eq(mode_of("/run/l4lb"), 0755);
	reserve_release(r, false);
}
END_TEST

START_TEST(a_link_in_place_of_the_folder_is_not_followed)
{
	ck_assert_int_eq(run("rm -rf /run/else; mkdir -m 755 /run/else && "
			     "ln -s else /run/l4lb"),
			 0);
	assert_refused(&web, -ENOTDIR, "cannot use the folder /run/l4lb");
	ck_assert_uint_eq(mode_of("/run/else"), 0755);
	ck_assert_int_eq(run("test -z \"$(ls -A /run/else)\""), 0);
}
END_TEST

static int lock_folder(void)
{
	const int fd = open("/run/l4lb", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	return fd;
}

START_TEST(a_folder_that_stays_locked_is_said_and_not_waited_for)
{
	struct reservation *r = take(&web);
	const int fd = lock_folder();

	assert_refused(&api, -EBUSY, "another process has it locked");
	ck_assert_int_eq(reserve_release(r, false), -EBUSY);
	ck_assert_int_eq(access("/run/l4lb/web.ports", F_OK), 0);
	close(fd);
	reserve_release(take(&web), false); /* as after a crash */
	assert_nothing_left();
}
END_TEST

START_TEST(a_folder_that_is_locked_for_a_moment_is_waited_for)
{
	int fd, status;
	pid_t pid;

	ck_assert_int_eq(mkdir("/run/l4lb", 0700), 0);
	fd = lock_folder();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(fd); /* the lock is the parent's too */
		_exit(reserve_take(&(struct reservation *){NULL}, &web, &err));
	}
	usleep(200000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	close(fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(no_more_open_files_is_no_matter_of_privilege)
{
	const struct rlimit none = {0, 0};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_refused(&web, -EMFILE, "Too many open files: raise");
	ck_assert_ptr_null(strstr(err.text, "run as root"));
	ck_assert_ptr_nonnull(strstr(err.text, "ulimit -n"));
}
END_TEST

static TCase *modes_and_locks(void)
{
	TCase *t = tcase_create("modes and locks");

	tcase_set_timeout(t, 30); /* 5 s a lock, and twice in one test */
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_loop_test(t, other_users_cannot_open_what_is_locked, 0, 3);
	tcase_add_test(t, a_folder_of_another_user_keeps_its_mode);
	tcase_add_test(t, a_link_in_place_of_the_folder_is_not_followed);
	tcase_add_test(t,
		       a_folder_that_stays_locked_is_said_and_not_waited_for);
	tcase_add_test(t, a_folder_that_is_locked_for_a_moment_is_waited_for);
	return t;
}

static TCase *crashes(void)
{
	TCase *t = tcase_create("crashes");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, after_a_crash_the_range_waits_for_its_instance);
	tcase_add_test(t, kept_for_the_next_start_means_nothing_changes);
	tcase_add_test(t, a_killed_one_that_still_holds_its_lock_is_waited_for);
	tcase_add_test(t, what_an_earlier_version_left_is_understood);
	tcase_add_loop_test(
		t, what_another_boot_or_network_left_counts_for_nothing, 0, 2);
	tcase_add_test(
		t,
		an_instance_that_died_before_it_took_anything_is_no_obstacle);
	tcase_add_test(t, a_file_that_is_not_understood_is_named);
	tcase_add_loop_test(t, a_record_that_cannot_be_written_says_what_to_do,
			    0, sizeof(obstacles) / sizeof(obstacles[0]));
	tcase_add_test(t, no_more_open_files_is_no_matter_of_privilege);
	return t;
}

int main(void)
{
	Suite *s = suite_create("instance");
	SRunner *runner;
	int failed;

	host_build();
	suite_add_tcase(s, modes_and_locks());
	suite_add_tcase(s, crashes());
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
