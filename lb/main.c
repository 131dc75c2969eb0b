/* SPDX-License-Identifier: MIT */
/*
 * main.c - arguments, configuration, start, loop, end
 *
 * The only file that prints errors and exits.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app.h"
#include "clock.h"
#include "control/config.h"
#include "control/files.h"
#include "control/running.h"
#include "core/time.h"
#include "host/down.h"
#include "log.h"

#define EXIT_HOST   1 /* this host does not allow it, or it failed later */
#define EXIT_CONFIG 2 /* wrong on any host */

/*
 * If a standard descriptor is closed, the next file opened would get its
 * number, and the dump would be written into a socket.
 */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int fail(const struct err *err, int code)
{
	fprintf(stderr, "l4lb: %s\n", err->text);
	return code;
}

/* Success if the requested output could be written. */
static int end_of_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	fprintf(stderr, "l4lb: cannot write to standard output: %s\n",
		strerror(errno));
	return EXIT_HOST;
}

static bool may_come(int ret)
{
	return ret == -EAGAIN || ret == -ENODATA;
}

/*
 * At a boot, host names may be resolvable only later. Each try reads the whole
 * configuration, so its other errors are found then.
 */
static int read_config(struct app *app, struct err *err)
{
	struct config *c = &app->config;
	const struct timespec second = {.tv_sec = 1};
	struct err told = {.text = ""};
	int ret;

	while (may_come(ret = config_read(c, app->argc, app->argv, err)) &&
	       !c->check) {
		if (strcmp(told.text, err->text) != 0)
			log_warn("%s; l4lb waits for it", err->text);
		notify_status(&app->supervision.notify, err->text);
		told = *err;
		nanosleep(&second, NULL);
	}
	if (told.text[0] && ret == 0)
		log_info("all host names are known");
	return ret;
}

/* A name server that does not answer is a fault of this host. */
static int exit_code(int ret)
{
	return ret == -EIO || ret == -EACCES || ret == -EAGAIN || ret == -ENOMEM
		       ? EXIT_HOST
		       : EXIT_CONFIG;
}

static int take_down(const char *name)
{
	struct err err;

	if (down_instance(name, &err))
		return fail(&err, EXIT_HOST);
	printf("l4lb: instance \"%s\" is down: no guard, ports or flows of it "
	       "are left\n",
	       name);
	return end_of_output();
}

static int check(const struct config *c)
{
	struct err err;

	if (files_check(c, &err))
		return fail(&err, EXIT_HOST);
	if (c->diff) {
		/* Another file can be wrong only beside what runs. */
		if (running_print_diff(c, &err))
			return fail(&err, EXIT_HOST);
		return end_of_output();
	}
	printf("l4lb: the configuration is right: %u service%s\n",
	       c->n_services, c->n_services == 1 ? "" : "s");
	return end_of_output();
}

static int balance(struct app *app)
{
	struct err err;
	int code = 0;

	log_set_level(app->config.verbosity);
	if (app_start(app, &err)) {
		code = fail(&err, EXIT_HOST);
	} else {
		log_info("ready pid=%d start_ms=%.1f", (int)getpid(),
			 (double)(clock_now_ns() - app->started_ns) /
				 NS_PER_MS);
		supervision_ready(app);
		if (!app_run(app))
			code = EXIT_HOST;
		supervision_stopping(app);
		watch_log_counters(app);
	}
	app_finish(app);
	return code;
}

int main(int argc, char *argv[])
{
	static struct app app;
	struct config *c = &app.config;
	struct err err;
	int ret, code;

	app.argc = argc;
	app.argv = argv;
	fill_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* so that write() returns EFBIG */
	supervision_open(&app);
	ret = read_config(&app, &err);
	if (ret == CONFIG_SHOWN)
		code = end_of_output();
	else if (ret == CONFIG_DOWN)
		code = take_down(c->name);
	else if (ret < 0)
		code = fail(&err, exit_code(ret));
	else
		code = c->check ? check(c) : balance(&app);
	config_free(c);
	supervision_close(&app);
	return code;
}
