/* SPDX-License-Identifier: MIT */
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
static const char *advice(int ret)
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

int instance_explain(struct err *err, int ret, const char *verb,
		     const char *what)
{
	return err_set(err, ret, "cannot %s %s: %s: %s", verb, what,
		       strerror(-ret), advice(ret));
}

/* -------------------------------------------------- the folder, the files */

static const char *path_of(char out[PATH_OF_MAX], const char *name)
{
	snprintf(out, PATH_OF_MAX, INSTANCE_DIR "/%s" FILE_SUFFIX, name);
	return out;
}

/*
 * Whoever may open a file may lock it, and we would wait for that lock. An
 * earlier version left the files open to all.
 */
static int make_private(int fd, mode_t mode, const struct owner *owner)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    (st.st_mode & (S_IRWXG | S_IRWXO)))
		(void)fchmod(fd, mode);
	return owner_give(fd, owner);
}

static int lock_folder(const struct owner *owner, int wait_ms, struct err *err)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
	int fd = -1, ret;

	if (mkdir(INSTANCE_DIR, 0700) == 0 || errno == EEXIST)
		fd = open(INSTANCE_DIR, flags);
	ret = fd == -1 ? -errno : make_private(fd, 0700, owner);
	if (!ret)
		ret = lock_wait(fd, wait_ms);
	if (!ret)
		return fd;
	if (fd != -1)
		close(fd);
	return instance_explain(err, ret, "use the folder", INSTANCE_DIR);
}

int instances_lock(const struct owner *owner, struct err *err)
{
	return lock_folder(owner, LOCK_OTHERS_MS, err);
}

int instances_lock_now(struct err *err)
{
	return lock_folder(NULL, 0, err);
}

/* Refuses a FIFO, where open() would wait, and a device: -errno. */
static int open_plain(const char *path, int flags)
{
	const int fd =
		open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
}

/* ------------------------------------------------------------------ reading */

/* What follows "KEY " in a line after the first; NULL: there is no such. */
static const char *find_value(const char *text, const char *key)
{
	char start[16];
	const int len = snprintf(start, sizeof(start), "\n%s ", key);
	const char *found = strstr(text, start);

	return found ? found + len : NULL;
}

bool instance_has(const struct instance *i, const char *key, const char *value)
{
	char line[16 + ENDPOINT_TEXT_MAX];

	snprintf(line, sizeof(line), "\n%s %s\n", key, value);
	return strstr(i->text, line);
}

void instance_service_ports(const struct instance *i, struct port_set *out)
{
	const char *service = i->text;
	unsigned port;

	while ((service = find_value(service, "service")))
		if (sscanf(service, "%*[^:\n]:%5u", &port) == 1 &&
		    port <= PORT_MAX)
			out->has[port] = true;
}

static bool is_here(const struct instance *i)
{
	struct place here;
	char netns[24];

	place_here(&here);
	snprintf(netns, sizeof(netns), "%" PRIu64, here.netns);
	return instance_has(i, "boot", here.boot) &&
	       instance_has(i, "netns", netns);
}

static bool parse(struct instance *i)
{
	const char *pid = find_value(i->text, "pid");
	const char *ports = find_value(i->text, "ports");
	const char *added = find_value(i->text, "added");
	struct port_range *r = &i->range;

	i->pid = pid ? atoi(pid) : 0;
	return ports && sscanf(ports, "%5u-%5u\n", &r->lo, &r->hi) == 2 &&
	       r->lo > 0 && r->lo <= r->hi && r->hi <= PORT_MAX &&
	       (!added || port_set_parse(&i->added, added) == 0);
}

/* 1; 0 if there is nothing in it for us: it is empty, or of elsewhere. */
static int read_record(struct instance *i, int fd)
{
	i->running = flock(fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK;
	i->text = port_set_text(fd);
	if (!i->text)
		return -errno;
	if (!i->text[0])
		return 0;
	if (strncmp(i->text, FILE_HEADER, strlen(FILE_HEADER)) != 0 ||
	    !strstr(i->text, "\nend\n"))
		return -EINVAL;
	if (!is_here(i))
		return 0;
	return parse(i) ? 1 : -EINVAL;
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

int instance_load(const char *name, struct instance **out, struct err *err)
{
	struct instance *i = calloc(1, sizeof(*i));
	char path[PATH_OF_MAX];
	int fd = -1, ret = -ENOMEM;

	*out = NULL;
	if (i) {
		snprintf(i->name, sizeof(i->name), "%s", name);
		fd = open_plain(path_of(path, name), O_RDONLY);
		ret = fd < 0 ? fd : read_record(i, fd);
	}
	if (fd >= 0)
		close(fd); /* also releases our own lock */
	if (ret == 1) {
		*out = i;
		return 0;
	}
	instances_free(i);
	if (ret == 0 || ret == -ENOENT)
		return 0;
	if (ret != -EINVAL)
		return instance_explain(err, ret, "read", path_of(path, name));
	return err_set(err, ret,
		       "%s is not understood: if no instance \"%s\" runs, "
		       "clear it with: l4lb --down %s",
		       path, name, name);
}

int instances_read(struct instance **out, const char *except, struct err *err)
{
	char name[INSTANCE_NAME_MAX];
	struct instance *i;
	glob_t found;
	int ret = glob(INSTANCE_DIR "/*" FILE_SUFFIX, GLOB_ERR, NULL, &found);

	*out = NULL;
	if (ret && ret != GLOB_NOMATCH)
		return err_set(err, -EIO, "cannot read " INSTANCE_DIR);
	ret = 0;
	for (size_t k = 0; k < found.gl_pathc && !ret; k++) {
		const char *file = strrchr(found.gl_pathv[k], '/') + 1;

		snprintf(name, sizeof(name), "%.*s",
			 (int)(strlen(file) - strlen(FILE_SUFFIX)), file);
		if (strcmp(name, except) == 0)
			continue;
		ret = instance_load(name, &i, err);
		if (i) {
			i->next = *out;
			*out = i;
		}
	}
	globfree(&found);
	return ret;
}

/* ------------------------------------------------------------- the own file */

static int refuse_running(int fd, const char *name, const char *instead,
			  struct err *err)
{
	char *text = port_set_text(fd);
	const char *pid = text ? find_value(text, "pid") : NULL;

	err_set(err, -EADDRINUSE,
		"instance \"%s\" is already running (pid %d): stop it first%s",
		name, pid ? atoi(pid) : 0, instead);
	free(text);
	return -EADDRINUSE;
}

int instance_claim(const char *name, const struct owner *owner,
		   const char *instead, int *fd, struct err *err)
{
	char path[PATH_OF_MAX];
	int ret;

	*fd = open_plain(path_of(path, name), O_RDWR | O_CREAT);
	ret = *fd < 0 ? *fd : make_private(*fd, 0600, owner);
	if (ret)
		instance_explain(err, ret, "write", path);
	else if (lock_wait(*fd, LOCK_KILLED_MS))
		ret = refuse_running(*fd, name, instead, err);
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
		here.boot, here.netns, (int)getpid(), i->range.lo, i->range.hi);
	port_set_print(&i->added, file);
	for (size_t k = 0; k < n_services; k++)
		fprintf(file, "\nservice %s",
			endpoint_format(&services[k], text));
	for (size_t k = 0; k < n_sources; k++)
		fprintf(file, "\nsource %s", addr_format(&sources[k], text));
	(void)fputs("\nend\n", file);
}

/* In place, since the lock is on the file. */
int instance_write(int fd, const struct instance *i,
		   const struct endpoint *services, size_t n_services,
		   const struct ip_addr *sources, size_t n_sources,
		   struct err *err)
{
	char *text = NULL, path[PATH_OF_MAX];
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int ret = -ENOMEM;
	ssize_t n;

	if (file)
		print(file, i, services, n_services, sources, n_sources);
	if (file && fclose(file) == 0) {
		n = pwrite(fd, text, len, 0);
		if (n == -1 || ftruncate(fd, (off_t)len) == -1)
			ret = -errno;
		else
			ret = (size_t)n == len ? 0 : -ENOSPC;
	}
	free(text);
	if (!ret)
		return 0;
	return instance_explain(err, ret, "write", path_of(path, i->name));
}

int instance_add_source(int fd, const struct ip_addr *source)
{
	char text[ADDR_TEXT_MAX];

	if (lseek(fd, 0, SEEK_END) == -1 ||
	    dprintf(fd, "source %s\n", addr_format(source, text)) < 0)
		return -errno;
	return 0;
}

void instance_remove(const char *name)
{
	char path[PATH_OF_MAX];

	(void)unlink(path_of(path, name));
}
