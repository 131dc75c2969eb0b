/* SPDX-License-Identifier: MIT */
/* shared.c - who is given the memory can read it, and nothing else */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board/shared.h"
#include "unit.h"

#define BYTES (3u * 65536)

START_TEST(what_is_written_is_read)
{
	struct shared s;
	const void *at;
	size_t bytes;
	struct err err;

	ck_assert_int_eq(shared_make(&s, "l4lb-test", BYTES, &err), 0);
	ck_assert_int_eq(shared_map(s.fd, "test", 65536, &at, &bytes, &err), 0);
	ck_assert_uint_eq(bytes, BYTES - 65536);
	((char *)s.at)[BYTES - 1] = 7;
	ck_assert_int_eq(((const char *)at)[bytes - 1], 7);
	munmap((void *)(uintptr_t)at, bytes);
	shared_free(&s);
	ck_assert_ptr_null(s.at);
	ck_assert_int_eq(s.fd, -1);
	shared_free(&s);
}
END_TEST

START_TEST(nobody_can_write_to_it_or_change_its_size)
{
	struct shared s;
	const void *at;
	size_t bytes;
	struct err err;
	char path[64];
	int again;

	ck_assert_int_eq(shared_make(&s, "l4lb-test", BYTES, &err), 0);
	ck_assert_int_eq(fcntl(s.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	ck_assert_int_eq(fcntl(s.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(write(s.fd, "x", 1), -1);
	ck_assert_int_eq(ftruncate(s.fd, 0), -1);
	ck_assert_int_eq(shared_map(s.fd, "test", 0, &at, &bytes, &err), 0);
	ck_assert_int_eq(
		mprotect((void *)(uintptr_t)at, bytes, PROT_READ | PROT_WRITE),
		-1);
	ck_assert_ptr_eq(
		mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0),
		MAP_FAILED);

	/* Root may open it anew all the same; even so nothing can be done. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s.fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again != -1) {
		ck_assert_int_eq(ftruncate(again, 0), -1);
		ck_assert_int_eq(ftruncate(again, 2 * BYTES), -1);
		ck_assert_int_eq(write(again, "x", 1), -1);
		ck_assert_ptr_eq(mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
				      MAP_SHARED, again, 0),
				 MAP_FAILED);
		close(again);
	}
	((char *)s.at)[0] = 1; /* but we can */
	shared_free(&s);
}
END_TEST

START_TEST(it_takes_memory_only_as_far_as_it_is_written)
{
	struct shared s;
	struct stat st;
	struct err err;

	ck_assert_int_eq(shared_make(&s, "l4lb-test", 1u << 30, &err), 0);
	memset((char *)s.at + (1u << 29), 1, 1);
	ck_assert_int_eq(fstat(s.fd, &st), 0);
	ck_assert_int_le(st.st_blocks * 512, 4 << 20); /* one page, or huge */
	shared_free(&s);
}
END_TEST

/* Each is refused with a sentence that names it, and nothing is mapped. */
static void refuses(int fd, size_t from, const char *part)
{
	const void *at = NULL;
	size_t bytes;
	struct err err = {""};
	const int ret = shared_map(fd, "the thing", from, &at, &bytes, &err);

	ck_assert_int_lt(ret, 0);
	ck_assert_ptr_null(at);
	ck_assert_ptr_nonnull(strstr(err.text, "the thing"));
	ck_assert_msg(strstr(err.text, part), "%s: %s", part, err.text);
}

START_TEST(what_cannot_be_trusted_is_not_mapped)
{
	int pipes[2], sockets[2], fd, folder;

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	folder = open("/", O_RDONLY | O_DIRECTORY);
	refuses(-1, 0, strerror(EBADF));
	refuses(pipes[0], 0, "no plain file");
	refuses(sockets[0], 0, "no plain file");
	refuses(folder, 0, "no plain file");

	fd = memfd_create("test", MFD_ALLOW_SEALING);
	ck_assert_int_ne(fd, -1);
	refuses(fd, 0, "0 bytes");
	ck_assert_int_eq(ftruncate(fd, 65536), 0);
	refuses(fd, 0, "may shrink");
	refuses(fd, 65536, "65536 bytes");
	refuses(fd, 131072, "65536 bytes");
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	refuses(fd, 0, "may shrink");
}
END_TEST

/* The state file is one: on a tmpfs it says that it has seals. */
START_TEST(a_file_with_a_name_is_mapped)
{
	char path[] = "/dev/shm/l4lb-test-XXXXXX";
	const int fd = mkstemp(path);
	const void *at;
	size_t bytes;
	struct err err = {""};

	if (fd == -1)
		return;
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	ck_assert_msg(shared_map(fd, "test", 65536, &at, &bytes, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(bytes, BYTES - 65536);
	ck_assert_int_eq(unlink(path), 0);
	close(fd);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{what_is_written_is_read, 0},
		{nobody_can_write_to_it_or_change_its_size, 0},
		{it_takes_memory_only_as_far_as_it_is_written, 0},
		{what_cannot_be_trusted_is_not_mapped, 0},
		{a_file_with_a_name_is_mapped, 0},
	};

	return unit_run("board/shared", tests, ARRAY_LEN(tests));
}
