/* SPDX-License-Identifier: MIT */
/*
 * privileges.c - what the start needs to be allowed, and how it is given up
 * (design rule 14)
 */
#include <cap-ng.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"
#include "host/syscall_filter.h"
#include "log.h"
#include "steps.h"

static int need_privilege(struct err *err)
{
	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW) &&
	    capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		return 0;
	return err_set(err, -EPERM,
		       "no permission: l4lb needs CAP_NET_RAW and "
		       "CAP_NET_ADMIN; run it with sudo");
}

/*
 * One socket for each interface that packets leave by, and for each running
 * check. If the limit is reached, each of them fails with its own message, and
 * none names the cause.
 */
#define FILES_MIN 256

static int need_files(struct err *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return err_set(err, -errno, "limit of open files: %s",
			       strerror(errno));
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max >= FILES_MIN)
		return 0;
	return err_set(
		err, -EMFILE,
		"%ju open files are allowed and %d are needed: raise the "
		"limit (ulimit -n)",
		(uintmax_t)files.rlim_max, FILES_MIN);
}

static int need(struct app *app, struct err *err)
{
	int ret = need_privilege(err);

	if (!ret)
		ret = sandbox_user(&app->user, app->config.user, err);
	return ret ? ret : need_files(err);
}

const struct step step_permission = {"permission", need, NULL};

static int drop_root(struct app *app, struct err *err)
{
	int ret = sandbox_become(&app->user, err);

	if (!ret)
		log_debug("runs as uid=%u from here on", (unsigned)geteuid());
	return ret;
}

const struct step step_user = {"user", drop_root, NULL};

static int filter_calls(struct app *app, struct err *err)
{
	const struct user *u = &app->user;
	const char *unfiltered;
	int ret = sandbox_filter(app->config.sandbox, &unfiltered, err);

	if (ret)
		return ret;
	if (unfiltered && app->config.sandbox)
		log_warn("system calls are not filtered: %s", unfiltered);
	log_info("runs as uid=%u%s%s%s%s%s caps=net_raw,net_admin%s "
		 "no_new_privs filter=%s",
		 (unsigned)geteuid(), *u->name ? " user=" : "", u->name,
		 u->stays ? " (" : "", u->stays ? u->stays : "",
		 u->stays ? ")" : "",
		 sandbox_has_low_ports() ? ",net_bind_service" : "",
		 unfiltered ? "none" : FILTER_NAME);
	return 0;
}

const struct step step_sandbox = {"sandbox", filter_calls, NULL};
