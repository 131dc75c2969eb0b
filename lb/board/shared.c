/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board/shared.h"

/* Linux 6.3; some hosts insist on it (vm.memfd_noexec). */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
/* Linux 5.1: mappings that are there may be written to, later ones not. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static int make_memfd(const char *name)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	return fd == -1 && errno == EINVAL ? memfd_create(name, flags) : fd;
}

/* Another description of the same memory, which cannot write to it. */
static int reopen(int fd)
{
	char path[sizeof("/proc/self/fd/-2147483648")];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * Its size is fixed. A process of another user that is given the descriptor
 * could open it anew, to write: the mode forbids that, and the last seal, which
 * kernels before 5.1 do not have.
 */
static int seal(int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;

	if (fchmod(fd, 0400) == -1 || fcntl(fd, F_ADD_SEALS, seals) == -1)
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == -1 &&
	    errno != EINVAL)
		return -errno;
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) == -1 ? -errno : 0;
}

int shared_make(struct shared *out, const char *name, size_t bytes,
		struct err *err)
{
	const int fd = make_memfd(name);
	int ret;

	*out = (struct shared){.bytes = bytes, .fd = -1};
	if (fd == -1 || ftruncate(fd, (off_t)bytes) == -1) {
		ret = -errno;
		goto out;
	}
	out->at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (out->at == MAP_FAILED) {
		ret = -errno;
		out->at = NULL;
		goto out;
	}
	ret = seal(fd);
	if (ret)
		goto out;
	out->fd = reopen(fd);
	if (out->fd == -1)
		ret = -errno;
out:
	if (fd != -1)
		close(fd);
	if (!ret)
		return 0;
	shared_free(out);
	return err_set(err, ret, "no memory to share (%s, %zu bytes): %s%s",
		       name, bytes, strerror(-ret),
		       ret == -ENOENT ? "; is /proc mounted?" : "");
}

void shared_free(struct shared *s)
{
	if (s->at)
		munmap(s->at, s->bytes);
	if (s->at && s->fd != -1)
		close(s->fd);
	*s = (struct shared){.fd = -1};
}

/*
 * A memfd has no name. A file in a tmpfs has seals, too, but none can be added:
 * who may write to it must not truncate it, and l4lb does not.
 */
static bool may_shrink(int fd, const struct stat *st)
{
	const int seals = fcntl(fd, F_GET_SEALS);

	return st->st_nlink == 0 && seals != -1 && !(seals & F_SEAL_SHRINK);
}

int shared_map(int fd, const char *name, size_t from, const void **at,
	       size_t *bytes, struct err *err)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) == -1)
		return err_set(err, -errno, "%s cannot be mapped: %s", name,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL,
			       "%s cannot be mapped: it is no plain file",
			       name);
	if (st.st_size < 0 || (uint64_t)st.st_size <= from ||
	    (uint64_t)st.st_size - from > SIZE_MAX / 2)
		return err_set(err, -EINVAL,
			       "%s cannot be mapped from byte %zu on: it has "
			       "%lld bytes",
			       name, from, (long long)st.st_size);
	if (may_shrink(fd, &st))
		return err_set(err, -EINVAL,
			       "%s is not mapped: it may shrink, as its memory "
			       "is not sealed",
			       name);
	*bytes = (size_t)st.st_size - from;
	map = mmap(NULL, *bytes, PROT_READ, MAP_SHARED, fd, (off_t)from);
	if (map == MAP_FAILED)
		return err_set(err, -errno, "%s cannot be mapped: %s", name,
			       strerror(errno));
	*at = map;
	return 0;
}
