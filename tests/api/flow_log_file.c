/* SPDX-License-Identifier: MIT */
/* flow_log_file.c - whole lines, each of them once, whatever happens */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/flow_log_file.h"
#include "unit.h"

static char dir[] = "/tmp/l4lb-flow-log-XXXXXX", path[64];
static struct flow_log_state state;
static struct flow_log_file file;
static struct flow_log_batch batch;
static struct err err;

static void begin(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/flows.log", dir);
	state = (struct flow_log_state){0};
	file = (struct flow_log_file){.path = path, .fd = -1, .state = &state};
}

static void end(void)
{
	flow_log_file_close(&file);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void must_open(void)
{
	ck_assert_msg(flow_log_file_open(&file, &err) == 0, "%s", err.text);
}

/* Lines "line N", the next @n; each for one record. */
static void fill(unsigned n)
{
	flow_log_batch_begin(&batch, &state);
	while (n--) {
		struct flow_log_mark mark = batch.mark;
		char line[FLOW_LOG_LINE_MAX];

		mark.at.next++;
		mark.at.ends++;
		mark.lines++;
		flow_log_batch_add(
			&batch, line,
			(size_t)sprintf(line, "line %" PRIu64 "\n", mark.lines),
			&mark);
	}
}

static void must_write(unsigned n)
{
	fill(n);
	ck_assert_msg(flow_log_file_write(&file, &batch, &err) == 0, "%s",
		      err.text);
}

/* The file has "line 1" to "line @n", and nothing else. */
static void has_lines(unsigned n)
{
	FILE *in = fopen(path, "r");
	char line[64], expected[64];

	ck_assert_ptr_nonnull(in);
	for (unsigned i = 1; i <= n; i++) {
		sprintf(expected, "line %u\n", i);
		unit_check(fgets(line, sizeof(line), in), "line %u is missing",
			   i);
		ck_assert_str_eq(line, expected);
	}
	ck_assert_msg(!fgets(line, sizeof(line), in), "more: %s", line);
	fclose(in);
	ck_assert_uint_eq(state.done.lines, n);
	ck_assert_uint_eq(state.done.next, n);
	ck_assert_uint_eq(state.under_way, 0);
}

static off_t size_of_file(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

START_TEST(a_new_file_is_for_us_and_our_group)
{
	const mode_t before = umask(077);
	struct stat st;

	begin();
	must_open();
	umask(before);
	ck_assert_int_eq(fstat(file.fd, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0640);
	must_write(3);
	has_lines(3);
	end();
}
END_TEST

START_TEST(an_old_file_is_continued)
{
	begin();
	must_open();
	must_write(2);
	flow_log_file_close(&file);
	ck_assert_int_eq(chmod(path, 0600), 0);
	must_open();
	must_write(5);
	has_lines(7);
	end();
}
END_TEST

START_TEST(half_a_line_of_a_crash_gets_its_end)
{
	char text[64] = "";
	FILE *f;

	begin();
	f = fopen(path, "w");
	fputs("half a li", f);
	fclose(f);
	must_open();
	must_write(1);
	ck_assert_int_eq(pread(file.fd, text, sizeof(text) - 1, 0), 17);
	ck_assert_str_eq(text, "half a li\nline 1\n");
	end();
}
END_TEST

/*
 * A worker was killed when @_i bytes of its batch were in the file, or after
 * all of it, before it noted that.
 */
START_TEST(who_is_killed_in_a_write_loses_and_repeats_nothing)
{
	const size_t whole = strlen("line 3\nline 4\nline 5\n");
	struct flow_log_mark after;
	struct stat st;

	begin();
	must_open();
	must_write(2);
	fill(3);
	after = batch.mark;
	ck_assert_int_eq(fstat(file.fd, &st), 0);
	state.intents[1] = (struct flow_log_intent){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.bytes = batch.len,
	};
	state.intents[1].after.next = after.at.next;
	state.intents[1].after.ends = after.at.ends;
	state.intents[1].after.lines = after.lines;
	state.under_way = 2;
	ck_assert_int_eq(write(file.fd, batch.text, (size_t)_i), _i);
	/* While it noted that, for all of it. */
	if ((size_t)_i == whole)
		state.done.ends = after.at.ends;
	flow_log_file_close(&file);

	must_open();
	must_write((size_t)_i == whole ? 1 : 4);
	has_lines(6);
	end();
}
END_TEST

START_TEST(a_write_into_a_file_that_was_renamed_is_made_again)
{
	struct flow_log_intent *intent = &state.intents[0];
	char old[80];

	begin();
	must_open();
	must_write(2);
	intent->inode = 1;
	intent->bytes = 20;
	state.under_way = 1;
	flow_log_file_close(&file);
	snprintf(old, sizeof(old), "%s.1", path);
	ck_assert_int_eq(rename(path, old), 0);
	must_open();
	ck_assert_uint_eq(state.under_way, 0);
	ck_assert_uint_eq(state.done.lines, 2);
	unlink(old);
	end();
}
END_TEST

/* The disk is full in the middle of a line: EFBIG is as good as ENOSPC. */
START_TEST(a_full_disk_keeps_whole_lines)
{
	struct rlimit limit, before;

	begin();
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	must_open();
	must_write(2);
	limit = before;
	limit.rlim_cur = 14 + 7 + 7 + 3; /* two lines more, and a part */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill(5);
	ck_assert_int_eq(flow_log_file_write(&file, &batch, &err), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "No space left"));
	ck_assert_int_eq(file.fd, -1);
	ck_assert_int_eq(size_of_file(), 28);
	has_lines(4);

	/* Not one byte: nothing changes. */
	must_open();
	limit.rlim_cur = 28;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill(3);
	ck_assert_int_eq(flow_log_file_write(&file, &batch, &err), -EFBIG);
	has_lines(4);

	/* Part of a first line: it is cut off again. */
	limit.rlim_cur = 30;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	must_open();
	fill(3);
	ck_assert_int_eq(flow_log_file_write(&file, &batch, &err), -ENOSPC);
	has_lines(4);

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	must_open();
	must_write(3);
	has_lines(7);
	end();
}
END_TEST

START_TEST(what_is_no_file_of_ours_is_refused)
{
	int other;

	begin();
	file.path = dir;
	ck_assert_int_eq(flow_log_file_open(&file, &err), -EISDIR);
	ck_assert_ptr_nonnull(strstr(err.text, dir));
	file.path = "/tmp/l4lb-no-such-folder/flows.log";
	ck_assert_int_eq(flow_log_file_open(&file, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "folder does not exist"));
	file.path = "/dev/null";
	ck_assert_int_eq(flow_log_file_open(&file, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "not a regular file"));
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	file.path = path;
	ck_assert_int_eq(flow_log_file_open(&file, &err), -EINVAL);
	unlink(path);
	ck_assert_int_eq(symlink("/tmp/l4lb-no-such-file", path), 0);
	ck_assert_int_eq(flow_log_file_open(&file, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "a link to what does not"));
	unlink(path);
	other = open(path, O_CREAT | O_RDWR, 0600);
	ck_assert_int_eq(flock(other, LOCK_EX), 0);
	ck_assert_int_eq(flow_log_file_open(&file, &err), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(err.text, "another process"));
	close(other);
	must_open();
	end();
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_new_file_is_for_us_and_our_group, 0},
		{an_old_file_is_continued, 0},
		{half_a_line_of_a_crash_gets_its_end, 0},
		{who_is_killed_in_a_write_loses_and_repeats_nothing, 22},
		{a_write_into_a_file_that_was_renamed_is_made_again, 0},
		{a_full_disk_keeps_whole_lines, 0},
		{what_is_no_file_of_ours_is_refused, 0},
	};

	return unit_run("flow_log_file", tests, ARRAY_LEN(tests));
}
