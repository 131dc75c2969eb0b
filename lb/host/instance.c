/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/instance.h"

#define FILE_SUFFIX  ".ports"
#define PATH_OF_MAX  (sizeof(INSTANCE_DIR "/" FILE_SUFFIX) + INSTANCE_NAME_MAX)
#define FILE_HEADER  "l4lb-ports 1\n"
#define LOCK_POLL_MS 10

void place_here(struct place *out)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (!file || fscanf(file, "%39s", out->boot) != 1)
		strcpy(out->boot, "-");
	if (file)
		(void)fclose(file);
	if (stat("/proc/self/ns/net", &st) == 0)
		out->netns = st.st_ino;
}

int lock_wait(int fd, int wait_ms)
{
	const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000l};

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (wait_ms <= 0)
			return -EBUSY;
		(void)nanosleep(&pause, NULL);
		wait_ms -= LOCK_POLL_MS;
	}
	return 0;
}

/* Other folders are not suggested, as there is no option for one. */
const char *instance_advice(int ret)
{
	switch (-ret) {
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
	default: return "see what is wrong (dmesg)";
	}
}

/* --------------------------------------------------------------- the folder */

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

static int open_and_lock_dir(const struct owner *owner)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	struct stat opened, named;
	int fd, ret;

	for (;;) {
		if (mkdir(INSTANCE_DIR, 0700) == -1 && errno != EEXIST)
			return -errno;
		fd = open(INSTANCE_DIR, flags);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1)
			return -errno;
		make_private(fd, 0700);
		ret = owner_give(fd, owner);
		if (!ret)
			ret = lock_wait(fd, LOCK_OTHERS_MS);
		if (ret) {
			close(fd);
			return ret;
		}
		/* Was the folder removed and created again while we waited? */
		if (fstat(fd, &opened) == 0 &&
		    stat(INSTANCE_DIR, &named) == 0 &&
		    opened.st_ino == named.st_ino)
			return fd;
		close(fd);
	}
}

int instances_lock(const struct owner *owner, struct err *err)
{
	const int fd = open_and_lock_dir(owner);

	if (fd < 0)
		return err_set(err, fd,
			       "cannot use the folder " INSTANCE_DIR ": %s: %s",
			       strerror(-fd), instance_advice(fd));
	return fd;
}

/* ------------------------------------------------------------------ reading */

/* Moves *text behind the line that it is at; false if that was the last one. */
static bool next_line(const char **text)
{
	*text += strcspn(*text, "\n");
	return *(*text) && *++(*text);
}

/* The value of the first line with @key from *text on; NULL: there is none. */
static const char *find_value(const char *text, const char *key)
{
	const size_t len = strlen(key);

	do {
		if (strncmp(text, key, len) == 0 && text[len] == ' ')
			return text + len + 1;
	} while (next_line(&text));
	return NULL;
}

/* True if there is a line "KEY VALUE". */
static bool has_line(const char *text, const char *key, const char *value)
{
	const size_t len = strlen(value);
	const char *found;

	while ((found = find_value(text, key))) {
		if (strncmp(found, value, len) == 0 && found[len] == '\n')
			return true;
		text = found;
	}
	return false;
}

static bool is_whole(const char *text)
{
	return strncmp(text, FILE_HEADER, strlen(FILE_HEADER)) == 0 &&
	       strstr(text, "\nend\n");
}

static bool is_here(const char *text)
{
	struct place here;
	char netns[24];

	place_here(&here);
	snprintf(netns, sizeof(netns), "%" PRIu64, here.netns);
	return has_line(text, "boot", here.boot) &&
	       has_line(text, "netns", netns);
}

static bool parse(struct instance *i)
{
	const char *pid = find_value(i->text, "pid");
	const char *ports = find_value(i->text, "ports");
	const char *added = find_value(i->text, "added");
	unsigned lo, hi;

	if (!ports || sscanf(ports, "%5u-%5u\n", &lo, &hi) != 2 || lo == 0 ||
	    lo > hi || hi > PORT_MAX)
		return false;
	i->lo = (uint16_t)lo;
	i->hi = (uint16_t)hi;
	i->pid = pid ? (pid_t)strtol(pid, NULL, 10) : 0;
	return !added || port_set_parse(&i->added, added) == 0;
}

/* *out stays NULL for a record of elsewhere, or an empty one. */
static int load(int fd, const char *name, struct instance **out)
{
	struct instance *i = calloc(1, sizeof(*i));
	bool use = false;
	int ret = 0;

	*out = NULL;
	if (!i)
		return -ENOMEM;
	snprintf(i->name, sizeof(i->name), "%s", name);
	i->running = flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
	i->text = port_set_text(fd);
	if (!i->text)
		ret = -errno;
	else if (i->text[0] && !is_whole(i->text))
		ret = -EINVAL;
	else
		use = i->text[0] && is_here(i->text);
	if (use && !parse(i))
		ret = -EINVAL;
	if (use && !ret)
		*out = i;
	else
		instances_free(i);
	return ret;
}

void instances_free(struct instance *list)
{
	struct instance *next;

	for (; list; list = next) {
		next = list->next;
		free(list->text);
		free(list);
	}
}

static const char *path_of(char out[PATH_OF_MAX], const char *name)
{
	snprintf(out, PATH_OF_MAX, INSTANCE_DIR "/%s" FILE_SUFFIX, name);
	return out;
}

/* Refuses a FIFO, where open() would wait, and a device: -errno. */
static int open_plain(const char *name, int flags)
{
	char path[PATH_OF_MAX];
	struct stat st;
	int fd, ret;

	fd = open(path_of(path, name),
		  flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	ret = S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
	close(fd);
	return ret;
}

int instance_load(const char *name, struct instance **out)
{
	const int fd = open_plain(name, O_RDONLY);
	int ret;

	*out = NULL;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	ret = load(fd, name, out);
	close(fd); /* also releases our own lock */
	return ret;
}

static int explain(struct err *err, int ret, const char *name)
{
	if (ret == -EINVAL)
		return err_set(err, ret,
			       INSTANCE_DIR "/%s" FILE_SUFFIX
					    " is not understood: if no "
					    "instance \"%s\" runs, clear it "
					    "with: l4lb --down %s",
			       name, name, name);
	return err_set(err, ret,
		       "cannot read " INSTANCE_DIR "/%s" FILE_SUFFIX ": %s: %s",
		       name, strerror(-ret), instance_advice(ret));
}

int instances_read(struct instance **out, struct err *err)
{
	char name[INSTANCE_NAME_MAX];
	struct instance *i;
	glob_t found;
	int ret = 0;

	*out = NULL;
	ret = glob(INSTANCE_DIR "/*" FILE_SUFFIX, GLOB_ERR, NULL, &found);
	if (ret && ret != GLOB_NOMATCH)
		return err_set(err, -EIO, "cannot read " INSTANCE_DIR);
	ret = 0;
	for (size_t k = 0; k < found.gl_pathc && !ret; k++) {
		const char *file = strrchr(found.gl_pathv[k], '/') + 1;

		snprintf(name, sizeof(name), "%.*s",
			 (int)(strlen(file) - strlen(FILE_SUFFIX)), file);
		ret = instance_load(name, &i);
		if (ret) {
			explain(err, ret, name);
		} else if (i) {
			i->next = *out;
			*out = i;
		}
	}
	globfree(&found);
	if (ret) {
		instances_free(*out);
		*out = NULL;
	}
	return ret;
}

bool instance_serves(const struct instance *i, const struct endpoint *ep)
{
	char text[ENDPOINT_TEXT_MAX];

	return has_line(i->text, "service", endpoint_format(ep, text));
}

bool instance_has_source(const struct instance *i, const struct ip_addr *addr)
{
	char text[ADDR_TEXT_MAX];

	return has_line(i->text, "source", "0.0.0.0") ||
	       has_line(i->text, "source", addr_format(addr, text));
}

void instance_service_ports(const struct instance *i, struct port_set *out)
{
	const char *service = i->text;
	unsigned port;

	while ((service = find_value(service, "service")))
		if (sscanf(service, "%*[^:\n]:%5u", &port) == 1 &&
		    port <= PORT_MAX)
			port_set_add(out, port);
}

/* ------------------------------------------------------------- the own file */

static int refuse_running(int fd, const char *name, struct err *err)
{
	char *text = port_set_text(fd);
	const char *pid = text ? find_value(text, "pid") : NULL;

	err_set(err, -EADDRINUSE,
		"instance \"%s\" is already running (pid %d): stop it first, "
		"or choose another --name",
		name, pid ? atoi(pid) : 0);
	free(text);
	return -EADDRINUSE;
}

int instance_claim(const char *name, const struct owner *owner, int *fd,
		   struct err *err)
{
	int ret;

	*fd = open_plain(name, O_RDWR | O_CREAT);
	ret = *fd < 0 ? *fd : 0;
	if (!ret) {
		make_private(*fd, 0600);
		ret = owner_give(*fd, owner);
	}
	if (ret)
		err_set(err, ret,
			"cannot write " INSTANCE_DIR "/%s" FILE_SUFFIX
			": %s: %s",
			name, strerror(-ret), instance_advice(ret));
	else if (lock_wait(*fd, LOCK_KILLED_MS))
		ret = refuse_running(*fd, name, err);
	if (ret && *fd >= 0)
		close(*fd);
	if (ret)
		*fd = -1;
	return ret;
}

static void print(FILE *file, const struct instance *i,
		  const struct endpoint *services, size_t n_services,
		  const struct ip_addr *sources, size_t n_sources)
{
	char text[ENDPOINT_TEXT_MAX];
	struct place here;

	place_here(&here);
	fprintf(file,
		FILE_HEADER "boot %s\nnetns %" PRIu64 "\npid %d\n"
			    "ports %u-%u\nadded ",
		here.boot, here.netns, (int)i->pid, i->lo, i->hi);
	port_set_print(&i->added, file);
	(void)fputc('\n', file);
	for (size_t k = 0; k < n_services; k++)
		fprintf(file, "service %s\n",
			endpoint_format(&services[k], text));
	for (size_t k = 0; k < n_sources; k++)
		fprintf(file, "source %s\n", addr_format(&sources[k], text));
	(void)fputs("end\n", file);
}

/* Writes in place, since the lock is on the file. */
int instance_write(int fd, const struct instance *i,
		   const struct endpoint *services, size_t n_services,
		   const struct ip_addr *sources, size_t n_sources)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int ret = 0;
	ssize_t n;

	if (!file)
		return -errno;
	print(file, i, services, n_services, sources, n_sources);
	if (fclose(file) == EOF) {
		free(text);
		return -ENOMEM;
	}
	n = pwrite(fd, text, len, 0);
	if (n == -1 || ftruncate(fd, (off_t)len) == -1)
		ret = -errno;
	else if ((size_t)n != len)
		ret = -ENOSPC;
	free(text);
	return ret;
}

void instance_add_source(int fd, const struct ip_addr *source)
{
	char addr[ADDR_TEXT_MAX], line[ADDR_TEXT_MAX + 16];
	const off_t end = lseek(fd, 0, SEEK_END);
	const int len = snprintf(line, sizeof(line), "source %s\n",
				 addr_format(source, addr));

	if (end != -1)
		(void)!pwrite(fd, line, (size_t)len, end);
}

void instance_remove(const char *name)
{
	char path[PATH_OF_MAX];

	(void)unlink(path_of(path, name));
}
