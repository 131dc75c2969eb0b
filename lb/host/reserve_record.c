/* SPDX-License-Identifier: MIT */
/*
 * reserve_record.c - reads, writes and locks the files of reserve_record.h
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/reserve_record.h"

#define FILE_SUFFIX   ".ports"
#define FILE_NAME_MAX (RECORD_NAME_MAX + sizeof(FILE_SUFFIX))
#define FILE_HEADER   "l4lb-ports 1"
#define BOOT_ID_MAX   64
#define LOCK_WAIT_MS  5000 /* others need milliseconds */
#define LOCK_POLL_MS  10

static void file_name(char out[FILE_NAME_MAX], const char *name)
{
	snprintf(out, FILE_NAME_MAX, "%s" FILE_SUFFIX, name);
}

/* Port numbers are comparable only within one boot and network namespace. */
struct place {
	char boot[BOOT_ID_MAX];
	uintmax_t netns;
};

static struct place place_here(void)
{
	struct place p = {.boot = "-"};
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	struct stat st;

	if (file) {
		if (fscanf(file, "%63s", p.boot) != 1)
			strcpy(p.boot, "-");
		(void)fclose(file);
	}
	if (stat("/proc/self/ns/net", &st) == 0)
		p.netns = st.st_ino;
	return p;
}

/* Other folders are not suggested, as there is no option for one. */
const char *record_advice(int code)
{
	switch (-code) {
	case EACCES:
	case EPERM: return "run as root";
	case ENOSPC:
	case EDQUOT:
		return "free some on the file system of /run (df /run; df -i "
		       "/run)";
	case EBUSY:
		return "another process has it locked (lslocks tells which): "
		       "end that one";
	case EROFS: return "make /run writable (mount -o remount,rw /run)";
	case EEXIST:
	case EISDIR:
	case ELOOP:
	case EMLINK:
		return "remove what is there under that name, or choose "
		       "another --name";
	case ENOTDIR: return "remove what is there under that name";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files (ulimit -n; sysctl "
		       "fs.file-max)";
	case ENOMEM: return "free some memory";
	default: return "see what is wrong with /run (dmesg)";
	}
}

/* The folder */

/*
 * Whoever may open a file may lock it, and we would wait for that lock. An
 * earlier version left the files open to all.
 */
static void make_private(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    (st.st_mode & (S_IRWXG | S_IRWXO)))
		(void)fchmod(fd, mode);
}

/* Refuses a FIFO, where open() would wait, and a device: -errno. */
static int check_plain(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	return S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
}

static int lock_waiting(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000l};
	int ms = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (ms >= LOCK_WAIT_MS)
			return -EBUSY;
		(void)nanosleep(&pause, NULL);
		ms += LOCK_POLL_MS;
	}
	return 0;
}

static int open_and_lock_dir(const struct owner *owner)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	struct stat opened, named;
	int fd, code;

	for (;;) {
		if (mkdir(RECORD_DIR, 0700) == -1 && errno != EEXIST)
			return -errno;
		fd = open(RECORD_DIR, flags);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1)
			return -errno;
		make_private(fd, 0700);
		code = owner_give(fd, owner);
		if (!code)
			code = lock_waiting(fd);
		if (code) {
			close(fd);
			return code;
		}
		/* Was the folder removed and created again while we waited? */
		if (fstat(fd, &opened) == 0 && stat(RECORD_DIR, &named) == 0 &&
		    opened.st_ino == named.st_ino)
			return fd;
		close(fd);
	}
}

int record_dir_lock(const struct owner *owner, struct err *err)
{
	const int fd = open_and_lock_dir(owner);

	if (fd < 0)
		return err_set(err, fd,
			       "cannot use the folder " RECORD_DIR ": %s: %s",
			       strerror(-fd), record_advice(fd));
	return fd;
}

void record_dir_unlock(int dir)
{
	close(dir);
}

/* Reading */

void record_free(struct record *list)
{
	struct record *next;

	for (; list; list = next) {
		next = list->next;
		free(list->sources);
		free(list->services);
		free(list);
	}
}

static bool parse_addr(const char *text, struct ip_addr *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = addr_from_v4(v4.s_addr);
		return true;
	}
	return inet_pton(AF_INET6, text, out->b) == 1;
}

/*
 * Parses what endpoint_format() writes: 198.18.0.1:80 or [2001:db8::1]:80.
 * Modifies @text.
 */
static bool parse_endpoint(char *text, struct endpoint *out)
{
	char *colon = strrchr(text, ':');

	if (!colon)
		return false;
	*colon = '\0';
	out->port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (*text == '[') {
		text++;
		text[strcspn(text, "]")] = '\0';
	}
	return parse_addr(text, &out->addr);
}

static bool append_source(struct record *r, const char *text)
{
	struct ip_addr *larger =
		realloc(r->sources, (r->n_sources + 1) * sizeof(*r->sources));

	if (!larger)
		return false;
	r->sources = larger;
	return parse_addr(text, &r->sources[r->n_sources++]);
}

static bool append_service(struct record *r, char *text)
{
	struct endpoint *larger = realloc(
		r->services, (r->n_services + 1) * sizeof(*r->services));

	if (!larger)
		return false;
	r->services = larger;
	return parse_endpoint(text, &r->services[r->n_services++]);
}

/* Skips keys that this version does not know. */
static bool parse_line(struct record *r, const char *key, char *value,
		       const struct place *here)
{
	unsigned lo, hi;
	char *end;

	if (strcmp(key, "boot") == 0) {
		r->here = r->here && strcmp(value, here->boot) == 0;
	} else if (strcmp(key, "netns") == 0) {
		r->here = r->here && strtoumax(value, NULL, 10) == here->netns;
	} else if (strcmp(key, "pid") == 0) {
		r->pid = (pid_t)strtol(value, NULL, 10);
	} else if (strcmp(key, "ports") == 0) {
		if (!port_parse(value, &end, &lo) || *end != '-' ||
		    !port_parse(end + 1, &end, &hi) || lo > hi)
			return false;
		r->lo = (uint16_t)lo;
		r->hi = (uint16_t)hi;
	} else if (strcmp(key, "added") == 0) {
		return port_set_parse(&r->added, value) == 0;
	} else if (strcmp(key, "source") == 0) {
		return append_source(r, value);
	} else if (strcmp(key, "service") == 0) {
		return append_service(r, value);
	}
	return true;
}

/* Splits @text into lines, in place. */
static bool parse_record(struct record *r, char *text, const struct place *here)
{
	char *line, *value, *rest = text;

	line = strsep(&rest, "\n");
	if (strcmp(line, FILE_HEADER) != 0)
		return false;
	r->here = true;
	while ((line = strsep(&rest, "\n"))) {
		if (strcmp(line, "end") == 0)
			return true;
		value = line + strcspn(line, " ");
		if (*value)
			*value++ = '\0';
		if (!parse_line(r, line, value, here))
			return false;
	}
	return false;
}

/*
 * -EINVAL: not a valid record. -ENODATA: empty, as an instance leaves it that
 * died before it took anything.
 */
static int read_record(int fd, struct record *r, const struct place *here)
{
	char *text;
	int code;

	r->running = flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
	text = read_whole(fd);
	if (!text)
		return -errno;
	if (*text == '\0')
		code = -ENODATA;
	else
		code = parse_record(r, text, here) ? 0 : -EINVAL;
	free(text);
	return code;
}

/* *out stays NULL if the file is gone or empty. */
static int load_record(int dir, const char *name, const struct place *here,
		       struct record **out)
{
	char file[FILE_NAME_MAX];
	struct record *r;
	int fd, code;

	*out = NULL;
	file_name(file, name);
	fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return errno == ENOENT ? 0 : -errno;
	code = check_plain(fd);
	if (code) {
		close(fd);
		return code;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		close(fd);
		return -ENOMEM;
	}
	snprintf(r->name, sizeof(r->name), "%s", name);
	code = read_record(fd, r, here);
	close(fd); /* also releases our own lock */
	if (code == 0)
		*out = r;
	else
		record_free(r);
	return code == -ENODATA ? 0 : code;
}

/* "web.ports" -> "web" */
static bool name_of_file(const char *file, char name[RECORD_NAME_MAX])
{
	const size_t len = strlen(file), tail = strlen(FILE_SUFFIX);

	if (len <= tail || len - tail >= RECORD_NAME_MAX ||
	    strcmp(file + len - tail, FILE_SUFFIX) != 0)
		return false;
	memcpy(name, file, len - tail);
	name[len - tail] = '\0';
	return true;
}

static void explain_record(struct err *err, int code, const char *name)
{
	if (code == -EINVAL)
		err_set(err, code,
			RECORD_DIR
			"/%s" FILE_SUFFIX " is not understood: if "
			"no instance \"%s\" runs, remove it, and take the "
			"ports that it had reserved out of "
			"net.ipv4.ip_local_reserved_ports by hand "
			"(iptables/guard.sh down %s removes it, and tells "
			"which these may be)",
			name, name, name);
	else
		err_set(err, code,
			"cannot read " RECORD_DIR "/%s" FILE_SUFFIX ": %s: %s",
			name, strerror(-code), record_advice(code));
}

int record_read_all(int dir, struct record **out, struct err *err)
{
	const struct place here = place_here();
	const int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd == -1 ? NULL : fdopendir(fd);
	char name[RECORD_NAME_MAX];
	struct dirent *entry;
	struct record *r;
	int code = 0;

	*out = NULL;
	if (!stream) {
		code = -errno;
		if (fd != -1)
			close(fd);
		return err_set(err, code, "cannot read " RECORD_DIR ": %s: %s",
			       strerror(-code), record_advice(code));
	}
	while (!code && (entry = readdir(stream))) {
		if (!name_of_file(entry->d_name, name))
			continue;
		code = load_record(dir, name, &here, &r);
		if (code) {
			explain_record(err, code, name);
		} else if (r && r->here) {
			r->next = *out;
			*out = r;
		} else {
			record_free(r);
		}
	}
	closedir(stream);
	if (code) {
		record_free(*out);
		*out = NULL;
	}
	return code;
}

/* The own file */

/* Of any boot and namespace; 0 if unknown. */
static pid_t pid_of(int dir, const char *name)
{
	const struct place here = place_here();
	struct record *r;
	pid_t pid = 0;

	if (load_record(dir, name, &here, &r) == 0 && r) {
		pid = r->pid;
		record_free(r);
	}
	return pid;
}

int record_claim(int dir, const char *name, const struct owner *owner, int *fd,
		 bool *made, struct err *err)
{
	const int flags =
		O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	char file[FILE_NAME_MAX];
	int code;

	file_name(file, name);
	*made = false;
	*fd = openat(dir, file, flags | O_EXCL, 0600);
	if (*fd >= 0)
		*made = true;
	else if (errno == EEXIST)
		*fd = openat(dir, file, flags, 0600);
	code = *fd == -1 ? -errno : 0;
	if (!code)
		code = check_plain(*fd);
	if (!code) {
		make_private(*fd, 0600);
		code = owner_give(*fd, owner);
	}
	if (code) {
		if (*fd != -1)
			close(*fd);
		*fd = -1;
		return err_set(err, code,
			       "cannot write " RECORD_DIR "/%s: %s: %s", file,
			       strerror(-code), record_advice(code));
	}

	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(*fd);
	*fd = -1;
	return err_set(err, -EADDRINUSE,
		       "instance \"%s\" is already running (pid %d): stop it, "
		       "or choose another --name",
		       name, (int)pid_of(dir, name));
}

static void print_record(FILE *file, const struct record *r)
{
	const struct place here = place_here();
	char text[ENDPOINT_TEXT_MAX];
	size_t i;

	fprintf(file, FILE_HEADER "\nboot %s\nnetns %" PRIuMAX "\npid %d\n",
		here.boot, here.netns, (int)r->pid);
	fprintf(file, "ports %u-%u\nadded ", r->lo, r->hi);
	port_set_print(&r->added, file);
	(void)fputc('\n', file);
	for (i = 0; i < r->n_services; i++)
		fprintf(file, "service %s\n",
			endpoint_format(&r->services[i], text));
	for (i = 0; i < r->n_sources; i++)
		fprintf(file, "source %s\n", addr_format(&r->sources[i], text));
	(void)fputs("end\n", file);
}

/*
 * Writes in place, since the lock is on the file. The line "end" marks a
 * complete record at every moment.
 */
int record_write(int fd, const struct record *record)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int code = 0;
	ssize_t n;

	if (!file)
		return -errno;
	print_record(file, record);
	if (fclose(file) == EOF) {
		free(text);
		return -ENOMEM;
	}
	n = pwrite(fd, text, len, 0);
	if (n == -1 || ftruncate(fd, (off_t)len) == -1)
		code = -errno;
	else if ((size_t)n != len)
		code = -ENOSPC;
	free(text);
	return code;
}

void record_remove(int dir, const char *name)
{
	char file[FILE_NAME_MAX];

	file_name(file, name);
	(void)unlinkat(dir, file, 0);
}
