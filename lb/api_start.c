/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app.h"
#include "board/flows_read.h"
#include "board/handover.h"
#include "clock.h"
#include "core/time.h"
#include "host/listener.h"
#include "host/spawn.h"
#include "host/state_file.h"
#include "log.h"
#include "steps.h"

/* How long the end waits for the last lines of the flow log. */
#define WAIT_MS	     2000
#define WAIT_KEEP_MS 500 /* the next start waits for us: its packets do */

#define TOKEN_MIN 16

static_assert(FLOWS_READ_AT == STATE_FLOWS_AT,
	      "or it would see the secret, which is before the flows");

/* What the child gets: descriptors by their numbers there; -1: none. */
struct gifts {
	int fds[HANDOVER_END];
	struct handover told;
};

/* ---------------------------------------------------------- what it is told */

static bool is_token(const char *text)
{
	const size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len >= TOKEN_MIN && len < HANDOVER_TOKEN_MAX;
}

/* Without it nothing can be changed over TCP, which is no harm. */
static int read_token(const struct app *app, char token[HANDOVER_TOKEN_MAX],
		      struct err *err)
{
	const char *path = app->config.api.token_file;
	char text[HANDOVER_TOKEN_MAX + 2];
	int fd, ret;
	ssize_t n;

	if (!app->config.api.has_tcp || !path[0])
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && errno == ENOENT) {
		log_info("there is no %s: nothing can be changed by the API's "
			 "TCP port",
			 path);
		return 0;
	}
	n = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);
	ret = n == -1 ? -errno : 0;
	if (fd != -1)
		close(fd);
	if (ret)
		return err_set(err, ret, "api_token_file %s: %s", path,
			       strerror(-ret));
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (!is_token(text))
		return err_set(err, -EINVAL,
			       "api_token_file %s: expected one line of %d to "
			       "%d printable characters without blanks, for "
			       "example from: openssl rand -hex 16",
			       path, TOKEN_MIN, HANDOVER_TOKEN_MAX - 1);
	snprintf(token, HANDOVER_TOKEN_MAX, "%s", text);
	return 0;
}

/* Each name with a final 0, and one more at the end: there is room, see below.
 */
static void split_hosts(const char *joined, char hosts[HANDOVER_HOSTS_MAX])
{
	snprintf(hosts, HANDOVER_HOSTS_MAX, "%s", joined);
	for (char *c = hosts; *c; c++)
		if (*c == ',')
			*c = '\0';
}

static int tell(const struct app *app, struct handover *told, struct err *err)
{
	const struct config *c = &app->config;
	const struct api_config *a = &c->api;

	*told = (struct handover){
		.magic = HANDOVER_MAGIC,
		.version = HANDOVER_VERSION,
		.bytes = sizeof(*told),
		.flows = c->flows,
		.uid = app->user.owner.uid,
		.gid = app->user.owner.gid,
		.api_uid = app->api.user.owner.uid,
		.api_gid = app->api.user.owner.gid,
		.change = app->api.user.change,
		.filter = c->sandbox,
		.writes = a->writes,
		.read_token = api_config_read_needs_token(a),
		.free_write = api_config_is_free(a),
		.log_json = a->flow_log_json,
		.verbosity = c->verbosity,
		.tcp = a->tcp,
	};
	snprintf(told->program, sizeof(told->program), "%s", L4LB_VERSION);
	snprintf(told->name, sizeof(told->name), "%s", c->name);
	snprintf(told->local, sizeof(told->local), "%s", a->socket);
	snprintf(told->flow_log, sizeof(told->flow_log), "%s", a->flow_log);
	split_hosts(a->hosts, told->hosts);
	return read_token(app, told->token, err);
}

/* ------------------------------------------------------- what it is given */

/* A mapping of this can never become writable. */
static int read_only(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void close_all(int fds[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fds[i] != -1)
			close(fds[i]);
		fds[i] = -1;
	}
}

static int make_channels(struct app *app, struct gifts *g, struct err *err)
{
	static const int types[] = {HANDOVER_ASKS, HANDOVER_CHANGES};
	int ends[2];

	for (unsigned i = 0; i < API_CHANNELS; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
			return err_set(err, -errno, "socketpair: %s",
				       strerror(errno));
		app->api.channels[i] = ends[0];
		g->fds[types[i]] = ends[1];
	}
	return 0;
}

static int open_memory(const struct app *app, struct gifts *g, struct err *err)
{
	const struct {
		enum handover_fd place;
		int fd;
	} shared[] = {
		{HANDOVER_BOARD, publish_board_fd(app)},
		{HANDOVER_JOURNAL, publish_journal_fd(app)},
		{HANDOVER_NOTES, publish_notes_fd(app)},
	};
	bool failed = false;

	g->fds[HANDOVER_FLOWS] = read_only(state_fd(app->state));
	failed = g->fds[HANDOVER_FLOWS] == -1;
	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared) && !failed;
	     i++) {
		int *fd = &g->fds[shared[i].place];

		*fd = fcntl(shared[i].fd, F_DUPFD_CLOEXEC, HANDOVER_END);
		failed = *fd == -1;
	}
	if (failed)
		return err_set(err, -errno,
			       "what l4lb-api shall see cannot be opened: %s "
			       "(is /proc mounted?)",
			       strerror(errno));
	return 0;
}

static int open_socket(struct app *app, struct gifts *g, struct err *err)
{
	const struct api_config *a = &app->config.api;
	/* Only one instance of this name is there: it is locked. */
	const bool ours = !a->socket_set;
	int ret = 0;

	if (a->socket[0])
		ret = listener_local(&g->fds[HANDOVER_LOCAL], a->socket,
				     &app->user.owner, ours, err);
	app->api.made_socket = !ret && a->socket[0];
	return ret ? api_trouble(app, ret, err) : 0;
}

/* The child opens it as its own user, which could not create it here. */
static void create_flow_log(const struct app *app)
{
	const char *path = app->config.api.flow_log;
	int fd;

	if (!path[0])
		return;
	/* No link is followed: the folder may be somebody else's. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd == -1)
		return;
	if (app->api.user.change)
		(void)owner_give(fd, &app->api.user.owner);
	close(fd);
}

/* The pipe holds all of it, so nobody has to read meanwhile. */
static int write_told(struct gifts *g, struct err *err)
{
	int ends[2], ret = 0;

	for (int fd = HANDOVER_TOLD + 1; fd < HANDOVER_END; fd++)
		if (g->fds[fd] != -1)
			g->told.has |= 1u << fd;
	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_set(err, -errno, "pipe: %s", strerror(errno));
	g->fds[HANDOVER_TOLD] = ends[0];
	if (write(ends[1], &g->told, sizeof(g->told)) != sizeof(g->told))
		ret = err_set(err, -EIO, "pipe: %s", strerror(errno));
	close(ends[1]);
	return ret;
}

/* ------------------------------------------------------------------- the child
 */

static void on_end(void *arg, int status)
{
	struct app *app = arg;

	app->api.pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	/* A worker that was there may serve on. */
	log_warn("l4lb-api has ended for good (%s %d): nobody starts it again "
		 "before this balancer's next start; it balances all the same",
		 WIFSIGNALED(status) ? "signal" : "exit",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Of the environment, it gets only how to log, and in which zone. */
static void choose_environment(char *env[], char journal[64], char zone[64])
{
	const char *value = getenv("JOURNAL_STREAM");
	unsigned n = 0;

	if (value && snprintf(journal, 64, "JOURNAL_STREAM=%s", value) < 64)
		env[n++] = journal;
	value = getenv("TZ");
	if (value && snprintf(zone, 64, "TZ=%s", value) < 64)
		env[n++] = zone;
	env[n] = NULL;
}

static int spawn(struct app *app, struct gifts *g, struct err *err)
{
	char journal[64], zone[64], name[] = "l4lb-keep", *env[3];
	char *const argv[] = {name, app->config.name, NULL};
	const struct spawn child = {
		.path = app->api.program,
		.argv = argv,
		.env = env,
		.fds = g->fds,
		.n = HANDOVER_END,
	};
	int ret;

	choose_environment(env, journal, zone);
	ret = spawn_program(&child, &app->api.pid);
	if (ret) {
		app->api.pid = 0;
		return err_set(err, ret, "cannot start %s: %s",
			       app->api.program, strerror(-ret));
	}
	(void)children_add(&app->children, app->api.pid, on_end, app);
	return 0;
}

static int give_and_start(struct app *app, struct gifts *g, struct err *err)
{
	int ret = tell(app, &g->told, err);

	if (!ret)
		ret = make_channels(app, g, err);
	if (!ret)
		ret = open_memory(app, g, err);
	if (!ret)
		ret = open_socket(app, g, err);
	if (ret)
		return ret;
	create_flow_log(app);
	g->fds[HANDOVER_TCP] = app->api.tcp;
	app->api.tcp = -1;
	ret = write_told(g, err);
	return ret ? ret : spawn(app, g, err);
}

static void remove_socket(struct app *app)
{
	if (app->api.made_socket)
		(void)unlink(app->config.api.socket);
	app->api.made_socket = false;
}

static int start(struct app *app, struct err *err)
{
	struct gifts g;
	int ret;

	if (!app->api.program[0])
		return 0;
	for (int i = 0; i < HANDOVER_END; i++)
		g.fds[i] = -1;
	sandbox_api_user(&app->api.user);
	ret = give_and_start(app, &g, err);
	/* They are the child's. */
	close_all(g.fds, HANDOVER_END);
	if (!ret)
		return 0;
	close_all(app->api.channels, API_CHANNELS);
	remove_socket(app);
	return api_trouble(app, ret, err);
}

/*
 * It sees that the channel is closed, writes the rest of the flow log and ends.
 * Under systemd, what is there after our end is killed at once.
 */
static void wait_for_child(struct app *app, bool keep)
{
	const uint64_t until_ns =
		clock_now_ns() + (keep ? WAIT_KEEP_MS : WAIT_MS) * NS_PER_MS;

	/* Not for signals: nobody reads them now, so one would make us spin. */
	while (app->api.pid && clock_now_ns() < until_ns) {
		(void)poll(NULL, 0, 5);
		children_reap(&app->children);
	}
}

static void stop(struct app *app, bool keep)
{
	close_all(app->api.channels, API_CHANNELS);
	remove_socket(app);
	wait_for_child(app, keep);
}

const struct step step_api = {"api", start, stop};
