/* SPDX-License-Identifier: MIT */
/*
 * The state file against a real file system: what is found again, what is not
 * believed, who is kept out. Run by in_namespace.sh, with a /run of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/packet.h"
#include "forge.h"
#include "frames.h"
#include "host/needs.h"
#include "host/state.h"
#include "host/state_file.h"
#include "unit.h"

#define FOLDER "/run/state"
#define FILE_  FOLDER "/a.flows"
#define FLOWS  16

static struct err err;

static void set_up(void)
{
	ck_assert_int_eq(system("rm -rf " FOLDER), 0);
	ck_assert_int_eq(mkdir(FOLDER, 0755), 0);
}

static struct state *open_state(uint32_t flows)
{
	struct state *s = NULL;
	int ret = state_open(&s, FILE_, flows, NULL, &err);

	ck_assert_msg(ret == 0, "state_open: %d %s", ret, err.text);
	return s;
}

/* A flow that lives, number @n, in place @at. */
static void put(struct state *s, uint32_t at, uint16_t n, enum tcp_state state)
{
	struct flow *f = &state_flows(s)[at];

	memset(f, 0, sizeof(*f));
	f->pair[FLOW_ORIG].src = frame_endpoint("198.18.0.2", n);
	f->pair[FLOW_ORIG].dst = frame_endpoint("198.18.0.1", 20000);
	f->pair[FLOW_REPLY].src = frame_endpoint("198.18.0.11", 9001);
	f->pair[FLOW_REPLY].dst = frame_endpoint("198.18.0.1", 10240 + n);
	f->proto = PACKET_PROTO_TCP;
	f->tcp.state = (uint8_t)state;
	f->id = n;
	forge_seal(f);
}

/* FILE_ with flows 1 and 2, left by a process that is gone. */
static void make_file(void)
{
	struct state *s = open_state(FLOWS);

	put(s, 3, 1, TCP_ESTABLISHED);
	put(s, 5, 2, TCP_FIN_WAIT);
	state_set_ports(s, 10240, 32767, 32704);
	state_close(s);
}

static void read_header(struct state_header *h)
{
	int fd = open(FILE_, O_RDONLY);

	ck_assert_int_eq(read(fd, h, sizeof(*h)), sizeof(*h));
	close(fd);
}

static void write_header(struct state_header *h, bool sealed)
{
	int fd = open(FILE_, O_WRONLY);

	if (sealed)
		h->check = state_header_check(h);
	ck_assert_int_eq(write(fd, h, sizeof(*h)), sizeof(*h));
	close(fd);
}

/* It is not used, and a whole fresh one stands there. */
static void expect_fresh(const char *why)
{
	struct state *s = open_state(FLOWS);
	struct stat st;

	ck_assert(!state_found(s));
	if (why) {
		ck_assert_ptr_nonnull(state_why_fresh(s));
		ck_assert_msg(strstr(state_why_fresh(s), why) != NULL,
			      "why: %s; expected: %s", state_why_fresh(s), why);
	}
	for (int i = 0; i < FLOWS; i++)
		ck_assert_uint_eq(state_flows(s)[i].open, 0);
	put(s, FLOWS - 1, 7, TCP_ESTABLISHED);
	state_close(s);
	ck_assert_int_eq(lstat(FILE_, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(st.st_size, (off_t)state_file_bytes(FLOWS));
	s = open_state(FLOWS);
	ck_assert(state_found(s));
	ck_assert_uint_eq(state_flows(s)[FLOWS - 1].id, 7);
	state_remove(s);
}

/* ------------------------------------------------------------- the good case
 */

START_TEST(a_new_file_is_empty_and_private)
{
	struct state *s;

	set_up();
	ck_assert_int_eq(rmdir(FOLDER), 0); /* it is made, too */
	s = open_state(FLOWS);
	ck_assert(!state_found(s));
	ck_assert_ptr_null(state_why_fresh(s));
	ck_assert_uint_eq((uintptr_t)state_flows(s) % 64, 0);
	state_close(s);
	set_up();
	expect_fresh(NULL);
}
END_TEST

START_TEST(the_next_process_finds_the_flows)
{
	uint8_t secret[FLOW_SECRET_BYTES];
	uint16_t lo = 0, hi = 0;
	struct state *s;

	set_up();
	make_file();
	s = open_state(FLOWS);
	ck_assert(state_found(s));
	ck_assert_ptr_null(state_why_fresh(s));
	ck_assert(flow_is_whole(&state_flows(s)[3]));
	ck_assert_uint_eq(state_flows(s)[3].id, 1);
	ck_assert_uint_eq(state_flows(s)[5].id, 2);
	ck_assert(state_ports(s, &lo, &hi));
	ck_assert_uint_eq(lo, 10240);
	ck_assert_uint_eq(hi, 32767);
	ck_assert_uint_eq(state_probe_ports(s), 32704);
	memcpy(secret, state_secret(s), sizeof(secret));
	state_close(s);
	s = open_state(FLOWS);
	ck_assert_mem_eq(secret, state_secret(s), sizeof(secret));
	state_remove(s);
	ck_assert_int_eq(access(FILE_, F_OK), -1);
	s = open_state(FLOWS);
	ck_assert_uint_eq(state_probe_ports(s), 0);
	ck_assert_mem_ne(secret, state_secret(s), sizeof(secret));
	state_close(s);
}
END_TEST

START_TEST(a_killed_process_leaves_what_it_wrote)
{
	int ready[2], status;
	struct state *s;
	char byte;
	pid_t pid;

	set_up();
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (state_open(&s, FILE_, FLOWS, NULL, &err))
			_exit(1);
		for (uint16_t n = 1;; n++) {
			put(s, n % FLOWS, n, TCP_ESTABLISHED);
			if (n == 2 * FLOWS && write(ready[1], "", 1) != 1)
				_exit(1);
		}
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	/* While it lives nobody else gets the file. */
	ck_assert_int_eq(state_open(&s, FILE_, FLOWS, NULL, &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, FILE_));
	ck_assert_ptr_nonnull(strstr(err.text, "(pid "));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	s = open_state(FLOWS);
	ck_assert(state_found(s));
	for (int i = 0, whole = 0; i < FLOWS; i++) {
		whole += flow_is_whole(&state_flows(s)[i]);
		ck_assert(i < FLOWS - 1 || whole >= FLOWS - 1);
	}
	state_close(s);
}
END_TEST

START_TEST(truncated_while_it_is_used_that_is_said)
{
	int said[2], status;
	char text[512] = "";
	pid_t pid;

	set_up();
	ck_assert_int_eq(pipe(said), 0);
	pid = fork();
	if (pid == 0) {
		struct state *s = open_state(FLOWS);

		dup2(said[1], STDERR_FILENO);
		if (truncate(FILE_, 0) == 0)
			put(s, FLOWS - 1, 1, TCP_ESTABLISHED);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_int_gt(read(said[0], text, sizeof(text) - 1), 0);
	ck_assert_msg(strstr(text, FILE_ ": somebody has truncated it"), "%s",
		      text);
}
END_TEST

/* A reader is not killed by SIGBUS at each clean end. */
START_TEST(a_reader_that_has_mapped_it_outlives_its_end)
{
	const struct flow *read;
	struct state *s;
	int fd;

	set_up();
	s = open_state(FLOWS);
	put(s, FLOWS - 1, 7, TCP_ESTABLISHED);
	fd = open(FILE_, O_RDONLY);
	read = mmap(NULL, FLOWS * sizeof(*read), PROT_READ, MAP_SHARED, fd,
		    STATE_FLOWS_AT);
	ck_assert_ptr_ne(read, MAP_FAILED);
	close(fd);
	state_remove(s);
	ck_assert_int_eq(access(FILE_, F_OK), -1);
	ck_assert(flow_is_whole(&read[FLOWS - 1]));
	ck_assert_uint_eq(read[FLOWS - 1].id, 7);
}
END_TEST

/* Our descriptor of a table in memory, or -1. */
static int find_memory(void)
{
	char path[32], name[64];
	ssize_t n;

	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, name, sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		if (strncmp(name, "/memfd:l4lb-flows", 17) == 0)
			return fd;
	}
	return -1;
}

START_TEST(without_a_file_it_is_memory)
{
	const struct flow *read;
	struct state_header h;
	struct state *s;
	uint16_t lo, hi;
	int fd;

	set_up();
	ck_assert_int_eq(state_open(&s, "", FLOWS, NULL, &err), 0);
	ck_assert(!state_found(s));
	ck_assert_ptr_null(state_why_fresh(s));
	put(s, FLOWS - 1, 1, TCP_ESTABLISHED);
	state_set_ports(s, 1, 2, 1);
	ck_assert(!state_ports(s, &lo, &hi));
	ck_assert_uint_eq(state_probe_ports(s), 0);
	/* A reader has it as it has a file; and nobody can truncate it. */
	fd = find_memory();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &h, sizeof(h), 0), sizeof(h));
	ck_assert_uint_eq(h.version, STATE_VERSION);
	ck_assert_uint_eq(h.check, state_header_check(&h));
	ck_assert_uint_eq(h.nat_lo, 1);
	read = mmap(NULL, FLOWS * sizeof(*read), PROT_READ, MAP_SHARED, fd,
		    STATE_FLOWS_AT);
	ck_assert_ptr_ne(read, MAP_FAILED);
	ck_assert(flow_is_whole(&read[FLOWS - 1]));
	munmap((void *)read, FLOWS * sizeof(*read));
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	state_remove(s);
	ck_assert_int_eq(find_memory(), -1);
	state_close(NULL);
	state_remove(NULL);
}
END_TEST

/* ---------------------------------------------------------------- version 1 */

static const uint8_t old_secret[FLOW_SECRET_BYTES] = {1, 2, 3, 4, 5};

/* FILE_ as an earlier l4lb left it: flow 1 at 3, flow 2 at 5, and noise. */
static void make_version_1(void)
{
	struct flow flows[FLOWS] = {0};
	struct state_header h;
	int fd;

	make_file();
	read_header(&h);
	fd = open(FILE_, O_RDONLY);
	ck_assert_int_eq(pread(fd, flows, sizeof(flows), STATE_FLOWS_AT),
			 sizeof(flows));
	close(fd);
	h.version = 1;
	memcpy(h.secret, old_secret, sizeof(h.secret));
	ck_assert_int_eq(unlink(FILE_), 0);
	fd = open(FILE_, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(pwrite(fd, flows, sizeof(flows), 4096), sizeof(flows));
	close(fd);
	write_header(&h, true);
}

static const uint32_t tables[] = {FLOWS, 2 * FLOWS, 3};

START_TEST(a_file_of_version_1_keeps_its_connections)
{
	const uint32_t size = tables[_i];
	uint16_t lo = 0, hi = 0;
	struct state_header h;
	struct stat st;
	struct state *s;

	set_up();
	make_version_1();
	ck_assert_int_eq(stat(FILE_, &st), 0);
	ck_assert_int_eq(st.st_size, 4096 + FLOWS * sizeof(struct flow));
	for (int process = 0; process < 2; process++) {
		unsigned found = 0;
		uint32_t n;

		s = open_state(size);
		ck_assert(state_found(s));
		ck_assert_ptr_null(state_why_fresh(s));
		ck_assert_ptr_eq(state_found_flows(s, &n), state_flows(s));
		ck_assert_uint_eq(n, size);
		for (uint32_t i = 0; i < size; i++)
			if (flow_is_whole(&state_flows(s)[i]))
				found |= 1u << state_flows(s)[i].id;
		ck_assert_uint_eq(found, 1u << 1 | 1u << 2);
		ck_assert(state_ports(s, &lo, &hi));
		ck_assert_uint_eq(lo, 10240);
		ck_assert_uint_eq(hi, 32767);
		ck_assert_uint_eq(state_probe_ports(s), 32704);
		/* What clients are hashed by: they keep their backends. */
		ck_assert_mem_eq(state_secret(s), old_secret,
				 sizeof(old_secret));
		state_close(s);
		read_header(&h);
		ck_assert_uint_eq(h.version, 2);
		ck_assert_int_eq(stat(FILE_, &st), 0);
		ck_assert_int_eq(st.st_size,
				 65536 + size * sizeof(struct flow));
		ck_assert_uint_eq(st.st_mode & 07777, 0600);
	}
}
END_TEST

START_TEST(a_file_of_version_1_with_too_many_connections_is_left)
{
	struct state_header h;
	struct state *s = NULL;

	set_up();
	make_version_1();
	ck_assert_int_eq(state_open(&s, FILE_, 1, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "2 connections"));
	read_header(&h);
	ck_assert_uint_eq(h.version, 1);
}
END_TEST

START_TEST(a_damaged_file_of_version_1_is_not_used)
{
	struct state_header h;

	set_up();
	make_version_1();
	read_header(&h);
	h.nat_lo++;
	write_header(&h, false);
	expect_fresh("damaged");
	make_version_1();
	ck_assert_int_eq(truncate(FILE_, 4096 + 64), 0);
	expect_fresh("should have");
	make_version_1(); /* as long as one of version 2 */
	ck_assert_int_eq(truncate(FILE_, (off_t)state_file_bytes(FLOWS)), 0);
	expect_fresh("should have");
}
END_TEST

/* -------------------------------------------------------------- what is bad */

START_TEST(truncated_anywhere_it_is_not_used)
{
	for (size_t len = 0; len < state_file_bytes(FLOWS);
	     len += len < 512 || len >= STATE_FLOWS_AT ? 64 : 4032) {
		make_file();
		ck_assert_int_eq(truncate(FILE_, (off_t)len), 0);
		expect_fresh(len == 0				 ? "empty"
			     : len < sizeof(struct state_header) ? "truncated"
								 : "bytes");
	}
	make_file();
	ck_assert_int_eq(truncate(FILE_, (off_t)state_file_bytes(FLOWS) + 1),
			 0);
	expect_fresh("bytes");
}
END_TEST

START_TEST(with_any_bit_of_its_header_wrong_it_is_not_used)
{
	struct state_header good, h;

	set_up();
	/* The magic says whose it is, see below. */
	for (size_t bit = sizeof(h.magic) * 8; bit < sizeof(h) * 8; bit++) {
		make_file();
		read_header(&good);
		h = good;
		((uint8_t *)&h)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		write_header(&h, false);
		expect_fresh("");
	}
}
END_TEST

static void old_version(struct state_header *h)
{
	h->version = 0;
}
static void new_version(struct state_header *h)
{
	h->version = STATE_VERSION + 1;
}
static void other_flow(struct state_header *h)
{
	h->flow_size = 128;
}
static void no_flows(struct state_header *h)
{
	h->flows = 0;
}
static void all_flows(struct state_header *h)
{
	h->flows = UINT32_MAX;
}
static void many_flows(struct state_header *h)
{
	h->flows = FLOWS_MAX;
}
static void more_flows(struct state_header *h)
{
	h->flows++;
}
static void less_flows(struct state_header *h)
{
	h->flows--;
}
static void other_boot(struct state_header *h)
{
	h->place.boot[0] ^= 1;
}
static void long_boot(struct state_header *h)
{
	memset(h->place.boot, 'x', 40);
}
static void other_netns(struct state_header *h)
{
	h->place.netns++;
}
static void no_header(struct state_header *h)
{
	memset(h, 0, sizeof(*h));
}

static const struct wrong {
	void (*make)(struct state_header *h);
	const char *why;
} wrong[] = {
	{old_version, "version 0"},	    {new_version, "version 3"},
	{other_flow, "128 bytes"},	    {no_flows, "0 flows"},
	{all_flows, "4294967295 flows"},    {many_flows, "should have"},
	{more_flows, "should have"},	    {less_flows, "should have"},
	{other_boot, "started since"},	    {long_boot, "started since"},
	{other_netns, "network namespace"}, {no_header, "no header"},
};

START_TEST(a_header_that_is_not_ours_says_why)
{
	struct state_header h;

	set_up();
	make_file();
	read_header(&h);
	wrong[_i].make(&h);
	write_header(&h, true);
	expect_fresh(wrong[_i].why);
}
END_TEST

START_TEST(noise_never_breaks_it)
{
	struct random random = unit_random(__func__);

	set_up();
	for (int round = 0; round < 500; round++) {
		uint32_t n = 1 + random_below(&random, 30);
		struct state *s;
		int fd;

		make_file();
		fd = open(FILE_, O_WRONLY);
		/* Without the magic it would not be l4lb's: see below. */
		for (uint32_t i = 0; i < n; i++) {
			uint8_t byte = (uint8_t)random_next(&random);
			off_t at =
				8 +
				random_below(&random,
					     (uint32_t)state_file_bytes(FLOWS) -
						     8);

			ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
		s = open_state(2 + random_below(&random, 2 * FLOWS));
		state_remove(s);
	}
}
END_TEST

/* -------------------------------------------------- what is not to be touched
 */

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void expect_text(const char *path, const char *text)
{
	char found[64] = "";
	FILE *f = fopen(path, "r");

	ck_assert_msg(f != NULL, "%s is not there", path);
	ck_assert_uint_eq(fread(found, 1, sizeof(found) - 1, f), strlen(text));
	ck_assert_str_eq(found, text);
	fclose(f);
}

/* Mode, owner, age and all: nothing of it has changed. */
static void expect_refused(const char *path, const char *text)
{
	const struct owner owner = {.uid = 1, .gid = 1};
	struct stat before, after;
	struct state *s;

	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(state_open(&s, FILE_, FLOWS, &owner, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, FILE_));
	ck_assert_ptr_nonnull(strstr(err.text, "has not written"));
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(after.st_ino, before.st_ino);
	ck_assert_uint_eq(after.st_mode, before.st_mode);
	ck_assert_uint_eq(after.st_uid, before.st_uid);
	ck_assert_int_eq(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
	expect_text(path, text);
	ck_assert_int_eq(access(FILE_ ".old", F_OK), -1);
	ck_assert_int_eq(access(FILE_ ".new", F_OK), -1);
}

/* As --state /etc/passwd: a start must not take it away from the host. */
START_TEST(a_file_of_somebody_else_is_left_alone)
{
	static const char *const texts[] = {"important\n", "x", "L4lbflow",
					    "l4lbflo"};
	static const mode_t modes[] = {0600, 0644, 0666};

	set_up();
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		for (size_t m = 0; m < sizeof(modes) / sizeof(*modes); m++) {
			write_text(FILE_, texts[i]);
			ck_assert_int_eq(chmod(FILE_, modes[m]), 0);
			expect_refused(FILE_, texts[i]);
		}
	ck_assert_int_eq(link(FILE_, FOLDER "/second"), 0);
	expect_refused(FOLDER "/second", "l4lbflo");
	set_up();
}
END_TEST

START_TEST(nor_is_one_beside_it_that_has_the_name_it_wants)
{
	struct state *s;

	set_up();
	write_text(FILE_ ".new", "important\n");
	ck_assert_int_eq(state_open(&s, FILE_, FLOWS, NULL, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, FILE_ ".new"));
	expect_text(FILE_ ".new", "important\n");
	ck_assert_int_eq(access(FILE_, F_OK), -1);
	set_up();
	make_file();
	ck_assert_int_eq(chmod(FILE_, 0666), 0); /* is moved aside */
	write_text(FILE_ ".old", "important\n");
	ck_assert_int_eq(state_open(&s, FILE_, FLOWS, NULL, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, FILE_ ".old"));
	expect_text(FILE_ ".old", "important\n");
	ck_assert_int_eq(access(FILE_ ".new", F_OK), -1);
	set_up();
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_says_which)
{
	struct state *s;

	set_up();
	ck_assert_int_eq(state_open(&s, FOLDER "/no/such/a", FLOWS, NULL, &err),
			 -ENOENT);
	ck_assert_ptr_nonnull(
		strstr(err.text, "its folder " FOLDER "/no/such: "));
	ck_assert_int_eq(mkdir(FOLDER "/ro", 0755), 0);
	ck_assert_int_eq(mount("tmpfs", FOLDER "/ro", "tmpfs", MS_RDONLY, ""),
			 0);
	ck_assert_int_eq(state_open(&s, FOLDER "/ro/in/a", FLOWS, NULL, &err),
			 -EROFS);
	ck_assert_ptr_nonnull(strstr(err.text, "Read-only"));
	ck_assert_int_eq(umount(FOLDER "/ro"), 0);
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	make_file();
	ck_assert_int_eq(rename(FILE_, FOLDER "/target"), 0);
	ck_assert_int_eq(symlink("target", FILE_), 0);
	expect_fresh("symbolic link");
	ck_assert_int_eq(access(FOLDER "/target", F_OK), 0);
	/* Nor one to nowhere, nor one where the new file is made. */
	ck_assert_int_eq(symlink("/nonexistent/x", FILE_), 0);
	write_text(FOLDER "/precious", "precious");
	ck_assert_int_eq(symlink("precious", FILE_ ".new"), 0);
	expect_fresh("symbolic link");
	expect_text(FOLDER "/precious", "precious");
}
END_TEST

START_TEST(a_file_that_others_could_write_is_not_believed)
{
	make_file();
	ck_assert_int_eq(chmod(FILE_, 0620), 0);
	expect_fresh("mode is 0620");
	make_file();
	ck_assert_int_eq(chmod(FILE_, 0602), 0);
	expect_fresh("mode is 0602");
	make_file();
	if (chown(FILE_, 1, (gid_t)-1) == -1)
		return; /* a user namespace with no other user */
	expect_fresh("belongs to uid 1");
}
END_TEST

START_TEST(what_is_no_file_is_refused_and_left)
{
	struct stat st;
	struct state *s;

	set_up();
	ck_assert_int_eq(mkdir(FILE_, 0700), 0);
	ck_assert_int_eq(state_open(&s, FILE_, FLOWS, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, FILE_));
	ck_assert_int_eq(rmdir(FILE_), 0);
	ck_assert_int_eq(mkfifo(FILE_, 0600), 0);
	ck_assert_int_eq(state_open(&s, FILE_, FLOWS, NULL, &err), -EINVAL);
	ck_assert_int_eq(stat(FILE_, &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
	ck_assert_int_eq(state_open(&s, "/dev/null", FLOWS, NULL, &err),
			 -EINVAL);
	ck_assert_int_lt(state_open(&s, "/proc/x/y", FLOWS, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "/proc/x/y"));
}
END_TEST

/* The records of ports are beside it: who can open one can lock it. */
START_TEST(a_folder_that_it_makes_is_closed_to_others)
{
	struct stat st;
	struct state *s;

	ck_assert_int_eq(system("rm -rf " FOLDER), 0);
	umask(0);
	s = open_state(FLOWS);
	ck_assert_int_eq(stat(FOLDER, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	state_close(s);
}
END_TEST

/* --------------------------------------------------------------------- size */

START_TEST(a_larger_table_keeps_every_flow)
{
	struct state *s;
	uint32_t found = 0;
	uint16_t lo, hi;

	set_up();
	s = open_state(FLOWS);
	for (uint16_t n = 0; n < FLOWS; n++)
		put(s, n, n + 1, TCP_ESTABLISHED);
	state_set_ports(s, 10240, 20000, 19000);
	state_close(s);
	s = open_state(4 * FLOWS);
	ck_assert(state_found(s));
	ck_assert(state_ports(s, &lo, &hi));
	for (int i = 0; i < 4 * FLOWS; i++)
		found += flow_is_whole(&state_flows(s)[i]);
	ck_assert_uint_eq(found, FLOWS);
	state_close(s);
	s = open_state(4 * FLOWS);
	ck_assert(state_found(s));
	state_close(s);
	ck_assert_int_eq(access(FILE_ ".new", F_OK), -1);
	ck_assert_int_eq(access(FILE_ ".old", F_OK), -1);
}
END_TEST

START_TEST(a_smaller_table_keeps_connections_first)
{
	struct state *s;
	uint32_t kept[TCP_STATES] = {0};

	set_up();
	s = open_state(FLOWS);
	for (uint16_t n = 0; n < FLOWS; n++)
		put(s, n, n + 1,
		    n < 4    ? TCP_TIME_WAIT
		    : n < 8  ? TCP_ESTABLISHED
		    : n < 12 ? TCP_SYN_SENT
			     : TCP_RESET);
	state_close(s);
	s = open_state(9);
	ck_assert(state_found(s));
	for (int i = 0; i < 9; i++)
		kept[state_flows(s)[i].tcp.state]++;
	ck_assert_uint_eq(kept[TCP_ESTABLISHED], 4);
	ck_assert_uint_eq(kept[TCP_SYN_SENT], 4);
	ck_assert_uint_eq(kept[TCP_TIME_WAIT] + kept[TCP_RESET], 1);
	state_close(s);

	/* But not so small that a connection would be lost. */
	ck_assert_int_eq(state_open(&s, FILE_, 3, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "4 connections"));
	s = open_state(4);
	ck_assert(state_found(s));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(state_flows(s)[i].tcp.state, TCP_ESTABLISHED);
	state_close(s);
}
END_TEST

START_TEST(what_somebody_who_died_here_began_is_no_hindrance)
{
	struct state *s;

	set_up();
	make_file();
	write_text(FILE_ ".new", "");
	s = open_state(2 * FLOWS);
	ck_assert(state_found(s));
	state_close(s);
	ck_assert_int_eq(access(FILE_ ".new", F_OK), -1);
	/* No header yet: it is written last. */
	write_text(FILE_ ".new", "");
	ck_assert_int_eq(truncate(FILE_ ".new", 5000), 0);
	s = open_state(3 * FLOWS);
	ck_assert(state_found(s));
	state_close(s);
	ck_assert_int_eq(access(FILE_ ".new", F_OK), -1);
}
END_TEST

/* --------------------------------------------------------------------- disk */

#define SMALL FOLDER "/small"

static void mount_small(void)
{
	ck_assert_int_eq(mkdir(SMALL, 0755), 0);
	if (mount("tmpfs", SMALL, "tmpfs", 0, "size=256k"))
		ck_abort_msg("mount: %s", strerror(errno));
}

START_TEST(a_full_disk_is_an_error_at_the_start)
{
	struct state *s;

	set_up();
	mount_small();
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", 65536, NULL, &err),
			 -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, SMALL "/a.flows"));
	ck_assert_ptr_nonnull(strstr(err.text, "12.1 MiB"));
	ck_assert_int_eq(rmdir(SMALL), -1);
	ck_assert_int_eq(access(SMALL "/a.flows", F_OK), -1);
	ck_assert_int_eq(access(SMALL "/a.flows.new", F_OK), -1);
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", FLOWS, NULL, &err),
			 0);
	state_close(s);
	/* No room to grow: nothing is lost by trying. */
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", 65536, NULL, &err),
			 -ENOSPC);
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", FLOWS, NULL, &err),
			 0);
	ck_assert(state_found(s));
	state_close(s);
	ck_assert_int_eq(umount(SMALL), 0);
}
END_TEST

/* Its size is right, but behind the header there is nothing. */
START_TEST(a_file_with_holes_is_filled_or_refused)
{
	struct state_header h;
	struct state *s;
	int fd;

	set_up();
	mount_small();
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", FLOWS, NULL, &err),
			 0);
	state_close(s);
	fd = open(SMALL "/a.flows", O_RDWR);
	ck_assert_int_eq(read(fd, &h, sizeof(h)), sizeof(h));
	h.flows = 65536;
	h.check = state_header_check(&h);
	ck_assert_int_eq(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	ck_assert_int_eq(ftruncate(fd, (off_t)state_file_bytes(65536)), 0);
	close(fd);
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", 65536, NULL, &err),
			 -ENOSPC);
	ck_assert_int_eq(state_open(&s, SMALL "/a.flows", FLOWS, NULL, &err),
			 -ENOSPC);
	ck_assert_int_eq(umount(SMALL), 0);
}
END_TEST

/* ----------------------------------------------------------- what they need */

START_TEST(backends_of_whole_flows_are_listed_once)
{
	struct state *s;
	struct needs needs;

	set_up();
	s = open_state(FLOWS);
	ck_assert_int_eq(needs_read(&needs, s), 0);
	ck_assert_uint_eq(needs.n, 0);
	for (uint16_t i = 0; i < FLOWS; i++) {
		struct flow *f = &state_flows(s)[i];

		put(s, i, i + 1, TCP_ESTABLISHED);
		if (i % 4 == 1)
			f->pair[FLOW_REPLY].src.port++;
		if (i % 4 == 2)
			f->pair[FLOW_ORIG].dst.port++;
		if (i % 4 != 3) /* those are not whole */
			forge_seal(f);
		else
			f->check++;
	}
	state_close(s);
	s = open_state(FLOWS);
	ck_assert_int_eq(needs_read(&needs, s), 0);
	ck_assert_uint_eq(needs.n, 3);
	for (size_t i = 0; i < needs.n; i++)
		ck_assert_uint_eq(needs.list[i].flows, FLOWS / 4);
	free(needs.list);
	state_close(s);
}
END_TEST

START_TEST(no_more_backends_are_listed_than_there_is_room_for)
{
	const uint32_t flows = NEEDS_MAX + 100;
	struct state *s;
	struct needs needs;

	set_up();
	s = open_state(flows);
	for (uint32_t i = 0; i < flows; i++) {
		put(s, i, (uint16_t)i, TCP_ESTABLISHED);
		state_flows(s)[i].pair[FLOW_REPLY].src.port = (uint16_t)(i + 1);
		forge_seal(&state_flows(s)[i]);
	}
	state_close(s);
	s = open_state(flows);
	ck_assert_int_eq(needs_read(&needs, s), 0);
	ck_assert_uint_eq(needs.n, NEEDS_MAX);
	free(needs.list);
	state_close(s);
}
END_TEST

START_TEST(ports_of_whole_flows_are_marked)
{
	bool used[NEEDS_PORTS] = {false};
	struct state *s;
	unsigned n = 0;

	set_up();
	make_file(); /* flows 1 and 2 */
	s = open_state(FLOWS);
	put(s, 7, 3, TCP_RESET); /* its port is not free yet */
	put(s, 9, 4, TCP_ESTABLISHED);
	state_flows(s)[9].check++; /* not whole */
	needs_mark_ports(s, used);
	for (unsigned port = 0; port < NEEDS_PORTS; port++)
		n += used[port];
	ck_assert_uint_eq(n, 3);
	ck_assert(used[10241] && used[10242] && used[10243]);
	state_remove(s);

	s = open_state(FLOWS); /* a fresh one has no flows of before */
	put(s, 1, 1, TCP_ESTABLISHED);
	memset(used, 0, sizeof(used));
	needs_mark_ports(s, used);
	ck_assert(!used[10241]);
	state_remove(s);
}
END_TEST

int main(void)
{
	const struct unit_test tests[] = {
		{a_new_file_is_empty_and_private, 0},
		{the_next_process_finds_the_flows, 0},
		{a_killed_process_leaves_what_it_wrote, 0},
		{truncated_while_it_is_used_that_is_said, 0},
		{a_reader_that_has_mapped_it_outlives_its_end, 0},
		{without_a_file_it_is_memory, 0},
		{a_file_of_version_1_keeps_its_connections, ARRAY_LEN(tables)},
		{a_file_of_version_1_with_too_many_connections_is_left, 0},
		{a_damaged_file_of_version_1_is_not_used, 0},
		{truncated_anywhere_it_is_not_used, 0},
		{with_any_bit_of_its_header_wrong_it_is_not_used, 0},
		{a_header_that_is_not_ours_says_why, ARRAY_LEN(wrong)},
		{noise_never_breaks_it, 0},
		{a_file_of_somebody_else_is_left_alone, 0},
		{nor_is_one_beside_it_that_has_the_name_it_wants, 0},
		{a_folder_that_cannot_be_made_says_which, 0},
		{a_symbolic_link_is_not_followed, 0},
		{a_file_that_others_could_write_is_not_believed, 0},
		{what_is_no_file_is_refused_and_left, 0},
		{a_folder_that_it_makes_is_closed_to_others, 0},
		{a_larger_table_keeps_every_flow, 0},
		{a_smaller_table_keeps_connections_first, 0},
		{what_somebody_who_died_here_began_is_no_hindrance, 0},
		{a_full_disk_is_an_error_at_the_start, 0},
		{a_file_with_holes_is_filled_or_refused, 0},
		{backends_of_whole_flows_are_listed_once, 0},
		{no_more_backends_are_listed_than_there_is_room_for, 0},
		{ports_of_whole_flows_are_marked, 0},
	};

	(void)umask(0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	return unit_run("state", tests, ARRAY_LEN(tests));
}
