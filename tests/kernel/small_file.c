/* SPDX-License-Identifier: MIT */
/* small_file.h on real files: those that root must not trust, and replacing. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/small_file.h"
#include "unit.h"

#define PATH "/run/test.changes"

static struct err err;
static char *text;

static void put(const char *path, const char *bytes, size_t len)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
}

static void clear(void)
{
	(void)unlink(PATH);
	(void)unlink(PATH SMALL_FILE_ASIDE);
}

static void assert_refused(const char *why)
{
	ck_assert_int_eq(small_file_read(PATH, NULL, &text, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, why), "%s", err.text);
	ck_assert_ptr_null(text);
}

START_TEST(what_was_written_is_read)
{
	struct stat st;

	clear();
	ck_assert_int_eq(small_file_read(PATH, NULL, &text, &err), 0);
	ck_assert_ptr_null(text);
	for (int durable = 0; durable < 2; durable++) {
		ck_assert_int_eq(
			small_file_write(PATH, "one\ntwo\n", 8, durable, &err),
			0);
		ck_assert_int_eq(small_file_read(PATH, NULL, &text, &err), 0);
		ck_assert_str_eq(text, "one\ntwo\n");
		free(text);
	}
	ck_assert_int_eq(stat(PATH, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(access(PATH ".new", F_OK), -1);
}
END_TEST

START_TEST(only_a_plain_file_of_ours_is_read)
{
	clear();
	put("/run/other", "secret", 6);
	ck_assert_int_eq(symlink("/run/other", PATH), 0);
	assert_refused("symbolic link");
	ck_assert_int_eq(unlink(PATH), 0);
	ck_assert_int_eq(link("/run/other", PATH), 0);
	assert_refused("no plain file");
	ck_assert_int_eq(unlink(PATH), 0);
	ck_assert_int_eq(mkfifo(PATH, 0600), 0);
	assert_refused("no plain file");
	ck_assert_int_eq(unlink(PATH), 0);
	ck_assert_int_eq(mkdir(PATH, 0700), 0);
	assert_refused("no plain file");
	ck_assert_int_eq(rmdir(PATH), 0);
	put(PATH, "text", 4);
	ck_assert_int_eq(chmod(PATH, 0620), 0);
	assert_refused("others may write");
	put(PATH, "te\0xt", 5);
	assert_refused("no text");
	put(PATH, "", 0);
	ck_assert_int_eq(truncate(PATH, SMALL_FILE_MAX + 1), 0);
	assert_refused("are the most");
	unlink(PATH);
	unlink("/run/other");
}
END_TEST

/* In the place of the new file is something that cannot be replaced. */
START_TEST(after_an_error_the_old_file_is_there)
{
	put(PATH, "old", 3);
	ck_assert_int_eq(mkdir(PATH ".new", 0700), 0);
	ck_assert_int_lt(small_file_write(PATH, "new", 3, false, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, PATH));
	ck_assert_int_eq(rmdir(PATH ".new"), 0);
	ck_assert_int_eq(small_file_read(PATH, NULL, &text, &err), 0);
	ck_assert_str_eq(text, "old");
	free(text);
	/* One that was left by a process which died. */
	put(PATH ".new", "half", 4);
	ck_assert_int_eq(small_file_write(PATH, "new", 3, false, &err), 0);
	ck_assert_int_eq(small_file_read(PATH, NULL, &text, &err), 0);
	ck_assert_str_eq(text, "new");
	free(text);
}
END_TEST

START_TEST(aside_it_is_kept)
{
	put(PATH, "damaged", 7);
	ck_assert_int_eq(small_file_move_aside(PATH), 0);
	ck_assert_int_eq(access(PATH, F_OK), -1);
	ck_assert_int_eq(access(PATH SMALL_FILE_ASIDE, F_OK), 0);
	ck_assert_int_eq(small_file_move_aside(PATH), -ENOENT);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{what_was_written_is_read, 0},
		{only_a_plain_file_of_ours_is_read, 0},
		{after_an_error_the_old_file_is_there, 0},
		{aside_it_is_kept, 0},
	};

	return unit_run("small_file", tests, ARRAY_LEN(tests));
}
