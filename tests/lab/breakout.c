/* SPDX-License-Identifier: MIT */
/*
 * breakout.c - what somebody could do who took over l4lb
 *
 * Goes into the sandbox by the functions that l4lb itself calls, and then tries
 * one thing. Prints "done" or the error; killed by SIGSYS if that is the
 * answer. `report` says who we are in there.
 *
 *	breakout THING [FILE]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/sandbox.h"

static const char *file = "/etc/shadow";

static int try_read(void)
{
	return open(file, O_RDONLY);
}

static int try_write(void)
{
	return open(file, O_WRONLY | O_APPEND);
}

static int try_create(void)
{
	return open("/run/breakout", O_WRONLY | O_CREAT, 0600);
}

static int try_kill_init(void)
{
	return kill(1, 0);
}

static int try_exec(void)
{
	return execl("/bin/true", "true", NULL);
}

static int try_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int try_setuid(void)
{
	return setuid(0);
}

static int try_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int try_clone_namespace(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
}

/* Its argument is in memory, where no filter looks. */
static int try_clone3(void)
{
	struct clone_args args = {.flags = CLONE_NEWUSER};

	return (int)syscall(SYS_clone3, &args, sizeof(args));
}

static int try_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int try_code(void)
{
	return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
		       ? -1
		       : 0;
}

static int try_data_as_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int try_memory_file(void)
{
	return (int)syscall(SYS_memfd_create, "code", 0);
}

static int try_daemon_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int try_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int try_type_into_terminal(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static int try_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int try_module(void)
{
	return (int)syscall(SYS_finit_module, -1, "", 0);
}

static int try_ring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

#ifdef __x86_64__
static int try_32_bit(void)
{
	int ret = 20; /* getpid() of i386 */

	__asm__ volatile("int $0x80" : "+a"(ret));
	return ret;
}

/* A kernel without IA-32 calls answers one with SIGSEGV, filter or not. */
static bool has_32_bit(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try_32_bit() <= 0);
	return pid != -1 && waitpid(pid, &status, 0) == pid && status == 0;
}
#else
static int try_32_bit(void)
{
	return (int)syscall(SYS_memfd_create, "code", 0);
}

static bool has_32_bit(void)
{
	return true;
}
#endif

/* What l4lb does: it has to go on working. */
static int try_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid == -1 || waitpid(pid, &status, 0) == -1 ? -1 : status;
}

static int try_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int try_report(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		fputs(line, stdout);
	return fclose(f);
}

#define THING(name)               \
	{                         \
#name, try_##name \
	}
static const struct thing {
	const char *name;
	int (*try)(void);
} things[] = {
	THING(read),
	THING(write),
	THING(create),
	THING(kill_init),
	THING(exec),
	THING(ptrace),
	THING(setuid),
	THING(namespace),
	THING(clone_namespace),
	THING(clone3),
	THING(mount),
	THING(code),
	THING(data_as_code),
	THING(memory_file),
	THING(daemon_socket),
	THING(vsock),
	THING(type_into_terminal),
	THING(bpf),
	THING(module),
	THING(ring),
	THING(32_bit),
	THING(child),
	THING(packet_socket),
	THING(report),
};

int main(int argc, char *argv[])
{
	const char *unfiltered;
	struct user user;
	struct err err;

	if (argc > 2)
		file = argv[2];
	if (argc > 1 && strcmp(argv[1], "32_bit") == 0 && !has_32_bit()) {
		printf("not on this machine\n");
		return 0;
	}
	if (argc < 2 || sandbox_user(&user, SANDBOX_AUTO, &err) ||
	    sandbox_become(&user, &err) ||
	    sandbox_filter(true, &unfiltered, &err))
		return 2;
	if (unfiltered) {
		printf("no filter: %s\n", unfiltered);
		return 77;
	}
	for (size_t i = 0; i < sizeof(things) / sizeof(*things); i++) {
		if (strcmp(things[i].name, argv[1]) != 0)
			continue;
		errno = 0;
		if (things[i].try() < 0)
			printf("%s\n", strerror(errno));
		else
			printf("done\n");
		return 0;
	}
	return 2;
}
