/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "host/spawn.h"

/* Out of the way: each dup2() of the child may overwrite another one. */
static int move_up(const struct spawn *s)
{
	for (int i = STDERR_FILENO + 1; i < s->n; i++) {
		const int fd = s->fds[i];

		if (fd == -1)
			continue;
		s->fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, s->n);
		if (s->fds[i] == -1) {
			s->fds[i] = fd;
			return -errno;
		}
		close(fd);
	}
	return 0;
}

static int plan_descriptors(posix_spawn_file_actions_t *actions,
			    const struct spawn *s)
{
	int ret = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
						   "/dev/null", O_RDWR, 0);

	if (!ret)
		ret = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO,
						       STDOUT_FILENO);
	for (int fd = STDERR_FILENO + 1; !ret && fd < s->n; fd++)
		if (s->fds[fd] != -1)
			ret = posix_spawn_file_actions_adddup2(actions,
							       s->fds[fd], fd);
	return ret;
}

static int plan_signals(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int ret;

	sigfillset(&all);
	sigemptyset(&none);
	ret = posix_spawnattr_setsigdefault(attributes, &all);
	if (!ret)
		ret = posix_spawnattr_setsigmask(attributes, &none);
	if (!ret)
		ret = posix_spawnattr_setflags(attributes,
					       POSIX_SPAWN_SETSIGDEF |
						       POSIX_SPAWN_SETSIGMASK);
	return ret;
}

static int run(const struct spawn *s, posix_spawn_file_actions_t *actions,
	       posix_spawnattr_t *attributes, pid_t *pid)
{
	int ret = plan_descriptors(actions, s);

	if (!ret)
		ret = plan_signals(attributes);
	if (!ret)
		ret = posix_spawn(pid, s->path, actions, attributes, s->argv,
				  s->env);
	return ret;
}

int spawn_program(const struct spawn *s, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int ret = move_up(s);

	if (ret)
		return ret;
	ret = posix_spawn_file_actions_init(&actions);
	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attributes);
	if (!ret) {
		ret = run(s, &actions, &attributes, pid);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -ret;
}
