/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "host/syscall_filter.h"

/* clang-format off */
/* Names that this machine or this libseccomp does not know are skipped. */
static const char *const allowed[] = {
	/* files: our own, /proc, /sys, and those of libpcap */
	"open", "openat", "close", "close_range", "read", "readv", "pread64",
	"write", "writev", "pwrite64", "lseek", "_llseek", "fcntl", "fcntl64",
	"fstat", "fstat64", "stat", "stat64", "lstat", "lstat64", "fstatat64",
	"newfstatat", "statx", "fstatfs", "fstatfs64", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getdents", "getdents64",
	"ftruncate", "ftruncate64", "unlink", "unlinkat", "flock", "dup",
	"dup2", "dup3", "mkdir", "mkdirat", "fchmod", "rename", "renameat",
	"renameat2", "fsync", "fdatasync",
	/* sockets; socket() itself is below */
	"bind", "connect", "getsockname", "getpeername", "getsockopt",
	"setsockopt", "send", "sendto", "sendmsg", "sendmmsg", "recv",
	"recvfrom", "recvmsg", "recvmmsg", "recvmmsg_time64", "shutdown",
	"accept", "accept4",
	/* waiting */
	"poll", "ppoll", "ppoll_time64", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_wait", "epoll_pwait", "select", "_newselect",
	"pselect6", "pselect6_time64", "eventfd", "eventfd2", "nanosleep",
	"clock_nanosleep", "clock_nanosleep_time64", "wait4", "waitid", "futex",
	"futex_time64", "restart_syscall", "sched_yield",
	/* time, numbers */
	"clock_gettime", "clock_gettime64", "clock_getres",
	"clock_getres_time64", "gettimeofday", "time", "getrandom", "uname",
	"sysinfo",
	/* memory; mmap() and mprotect() are below */
	"brk", "munmap", "mremap", "madvise", "msync",
	/* ourselves, and children that write a file; clone() is below */
	"fork", "vfork", "getpid", "getppid", "gettid", "getuid", "getuid32",
	"geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32",
	"capget", "prctl", "set_robust_list", "set_tid_address", "rseq",
	"prlimit64", "getrlimit", "ugetrlimit", "getrusage", "exit",
	"exit_group",
	/* signals: only our own; kill() is not allowed */
	"rt_sigaction", "sigaction", "rt_sigprocmask", "sigprocmask",
	"rt_sigreturn", "sigreturn", "sigaltstack", "signalfd4", "tgkill",
	"cacheflush", "set_tls",
};

static const char *const deadly[] = {
	"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev",
	"pidfd_getfd", "mount", "umount2", "move_mount", "open_tree", "fsopen",
	"fsmount", "pivot_root", "chroot", "unshare", "setns", "init_module",
	"finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf",
	"perf_event_open", "userfaultfd", "io_uring_setup", "open_by_handle_at",
	"keyctl", "add_key", "request_key", "setuid", "setuid32", "setgid",
	"setgid32", "setreuid", "setreuid32", "setregid", "setregid32",
	"setresuid", "setresuid32", "setresgid", "setresgid32", "setgroups",
	"setgroups32", "setfsuid", "setfsuid32", "setfsgid", "setfsgid32",
	"capset", "reboot", "swapon", "swapoff",
};
/* clang-format on */

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name,
	       unsigned n, const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(ctx, action, number, n, args);
}

static int add_names(scmp_filter_ctx ctx, uint32_t action,
		     const char *const names[], size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++)
		ret = add(ctx, action, names[i], 0, NULL);
	return ret;
}

/* Allows the call if bits @mask of argument @arg equal @value. */
static int add_masked(scmp_filter_ctx ctx, const char *name, unsigned arg,
		      uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp cmp =
		SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value);

	return add(ctx, SCMP_ACT_ALLOW, name, 1, &cmp);
}

/* Kills the process if any of the few bits @bits is set in argument @arg. */
static int kill_bits(scmp_filter_ctx ctx, const char *name, unsigned arg,
		     uint64_t bits)
{
	int ret = 0;

	for (uint64_t bit = 1; bit && bit <= bits && !ret; bit <<= 1) {
		const struct scmp_arg_cmp cmp =
			SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bit, bit);

		if (bits & bit)
			ret = add(ctx, SCMP_ACT_KILL_PROCESS, name, 1, &cmp);
	}
	return ret;
}

/*
 * Forbids memory that is executable or becomes so: an attacker could write code
 * there.
 */
static int add_memory(scmp_filter_ctx ctx)
{
	static const char *const calls[] = {"mmap", "mmap2", "mprotect"};
	int ret = 0;

	for (size_t i = 0; i < COUNT_OF(calls) && !ret; i++) {
		ret = add_masked(ctx, calls[i], 2, PROT_EXEC, 0);
		if (!ret)
			ret = kill_bits(ctx, calls[i], 2, PROT_EXEC);
	}
	return ret;
}

/* Allows a child, but no new namespaces. */
static const uint64_t new_spaces = CLONE_NEWNS | CLONE_NEWCGROUP |
				   CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
				   CLONE_NEWPID | CLONE_NEWNET;

static int add_clone(scmp_filter_ctx ctx)
{
	int ret = add_masked(ctx, "clone", 0, new_spaces, 0);

	return ret ? ret : kill_bits(ctx, "clone", 0, new_spaces);
}

#define SOCKET_TYPE 0xf /* without its flags */

/*
 * Allows packet, TCP and netlink sockets, and the UNIX sockets that libpcap
 * makes for ioctl().
 */
static int add_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = {AF_INET, AF_INET6, AF_NETLINK,
				       AF_PACKET};
	const struct scmp_arg_cmp local[] = {
		{.arg = 0, .op = SCMP_CMP_EQ, .datum_a = AF_UNIX},
		{.arg = 1,
		 .op = SCMP_CMP_MASKED_EQ,
		 .datum_a = SOCKET_TYPE,
		 .datum_b = SOCK_DGRAM},
	};
	int ret = add(ctx, SCMP_ACT_ALLOW, "socket", 2, local);

	for (size_t i = 0; i < COUNT_OF(families) && !ret; i++)
		ret = add_masked(ctx, "socket", 0, UINT32_MAX,
				 (uint64_t)families[i]);
	return ret;
}

/*
 * Interfaces (sockios.h, wireless.h), and what stdio asks a terminal. Not
 * TIOCSTI, which puts input into a terminal.
 */
#define SOCKET_IOCTLS	0x8900
#define WIRELESS_IOCTLS 0x8b00
#define IOCTL_GROUP	0xffffff00
#define IOCTL_TCGETS	0x5401
#define IOCTL_FIONREAD	0x541b

static int add_ioctls(scmp_filter_ctx ctx)
{
	int ret = add_masked(ctx, "ioctl", 1, IOCTL_GROUP, SOCKET_IOCTLS);

	if (!ret)
		ret = add_masked(ctx, "ioctl", 1, IOCTL_GROUP, WIRELESS_IOCTLS);
	if (!ret)
		ret = add_masked(ctx, "ioctl", 1, UINT32_MAX, IOCTL_TCGETS);
	if (!ret)
		ret = add_masked(ctx, "ioctl", 1, UINT32_MAX, IOCTL_FIONREAD);
	return ret;
}

static int build(scmp_filter_ctx ctx)
{
	int ret = add_names(ctx, SCMP_ACT_ALLOW, allowed, COUNT_OF(allowed));

	if (!ret)
		ret = add_names(ctx, SCMP_ACT_KILL_PROCESS, deadly,
				COUNT_OF(deadly));
	if (!ret)
		ret = add_memory(ctx);
	if (!ret)
		ret = add_clone(ctx);
	if (!ret)
		ret = add_sockets(ctx);
	if (!ret)
		ret = add_ioctls(ctx);
	return ret;
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/*
 * l4lb-api uses libraries that make many calls, which nobody lists for ever. So
 * it is denied what it never does.
 */
static int refuse(scmp_filter_ctx ctx, const char *name, int error)
{
	return add(ctx, SCMP_ACT_ERRNO((uint32_t)error), name, 0, NULL);
}

/* UNIX, IP and netlink: what a name server is asked by. */
static int refuse_families(scmp_filter_ctx ctx)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	const struct scmp_arg_cmp above = {
		.arg = 0, .op = SCMP_CMP_GT, .datum_a = AF_NETLINK};
	const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);
	int ret = add(ctx, action, "socket", 1, &above);

	for (int family = 0; family <= AF_NETLINK && !ret; family++) {
		const struct scmp_arg_cmp one = {.arg = 0,
						 .op = SCMP_CMP_EQ,
						 .datum_a = (uint64_t)family};
		bool known = false;

		for (size_t i = 0; i < COUNT_OF(families); i++)
			known |= families[i] == family;
		if (!known)
			ret = add(ctx, action, "socket", 1, &one);
	}
	return ret;
}

/* Memory that can be written and executed; libraries need only one of both. */
static int kill_writable_code(scmp_filter_ctx ctx)
{
	static const char *const calls[] = {"mmap", "mmap2", "mprotect"};
	const uint64_t both = PROT_WRITE | PROT_EXEC;
	const struct scmp_arg_cmp cmp =
		SCMP_CMP(2, SCMP_CMP_MASKED_EQ, both, both);
	int ret = 0;

	for (size_t i = 0; i < COUNT_OF(calls) && !ret; i++)
		ret = add(ctx, SCMP_ACT_KILL_PROCESS, calls[i], 1, &cmp);
	return ret;
}

static int build_api(scmp_filter_ctx ctx)
{
	int ret =
		add_names(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT_OF(deadly));

	if (!ret)
		ret = kill_bits(ctx, "clone", 0, new_spaces);
	/* Its flags cannot be seen here; glibc then takes clone(). */
	if (!ret)
		ret = refuse(ctx, "clone3", ENOSYS);
	if (!ret)
		ret = refuse_families(ctx);
	return ret ? ret : kill_writable_code(ctx);
}

static int load(uint32_t otherwise, int (*build_list)(scmp_filter_ctx ctx),
		struct err *err)
{
	scmp_filter_ctx ctx;
	int ret;

	if (SANITIZED)
		return err_set(err, -EOPNOTSUPP,
			       "built with sanitizers, which need more");
	ctx = seccomp_init(otherwise);
	if (!ctx)
		return err_set(err, -ENOMEM, "out of memory");
	/* Logs refusals to the kernel's log; older kernels cannot. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	/* A binary tree, not a list: the filter runs at each system call. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	ret = build_list(ctx);
	if (!ret)
		ret = seccomp_load(ctx);
	seccomp_release(ctx);
	if (!ret)
		return 0;
	if (ret == -EINVAL || ret == -ENOSYS || ret == -ECANCELED)
		return err_set(err, -EOPNOTSUPP,
			       "this kernel has no seccomp filters (%s)",
			       strerror(-ret));
	return err_set(err, ret, "cannot filter system calls: %s",
		       strerror(-ret));
}

int filter_load(struct err *err)
{
	return load(SCMP_ACT_ERRNO(ENOSYS), build, err);
}

int filter_load_api(struct err *err)
{
	return load(SCMP_ACT_ALLOW, build_api, err);
}
