/* SPDX-License-Identifier: MIT */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "api/powerless.h"
#include "host/syscall_filter.h"
#include "log.h"

/* Not capng_change_id(): it needs CAP_SETPCAP, which a unit does not give. */
static int change_user(const struct handover *told)
{
	if (setgroups(0, NULL) == -1 ||
	    setresgid(told->api_gid, told->api_gid, told->api_gid) == -1 ||
	    setresuid(told->api_uid, told->api_uid, told->api_uid) == -1)
		return -errno;
	return 0;
}

static int drop(const struct handover *told, struct err *err)
{
	int ret = 0;

	capng_get_caps_process();
	/* What can be gained by a file is nothing with no_new_privs, anyway. */
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		(void)capng_apply(CAPNG_SELECT_BOUNDS);
	}
	if (told->change)
		ret = change_user(told);
	else if (geteuid() == 0)
		/* May be refused: then there are no groups that matter. */
		(void)!setgroups(0, NULL);
	if (ret)
		return err_set(err, ret, "cannot become uid %u: %s",
			       told->api_uid, strerror(-ret));
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return err_set(err, -EPERM, "cannot drop capabilities: %s",
			       strerror(errno));
	return 0;
}

/* Nobody looks at what follows as closely as at the start: be sure. */
static int check(const struct handover *told, struct err *err)
{
	capng_get_caps_process();
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return err_set(err, -EPERM,
			       "capabilities are left that were given up");
	if (told->change &&
	    (getuid() != told->api_uid || geteuid() != told->api_uid))
		return err_set(err, -EPERM, "is still uid %u, not %u",
			       (unsigned)geteuid(), told->api_uid);
	return 0;
}

/* Filters are not everywhere; that is said, but no error. */
static int filter(const struct handover *told, struct err *err)
{
	int ret = told->filter ? filter_load_api(err) : 0;

	if (ret == -EOPNOTSUPP)
		log_info("l4lb-api: system calls are not filtered: %s",
			 err->text);
	return ret == -EOPNOTSUPP ? 0 : ret;
}

int powerless_become(const struct handover *told, struct err *err)
{
	int ret = drop(told, err);

	if (!ret && !told->change)
		log_info("l4lb-api runs as uid=%u, as l4lb does: it cannot "
			 "become another user here",
			 (unsigned)geteuid());
	if (!ret && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		ret = err_set(err, -errno, "no_new_privs: %s", strerror(errno));
	if (!ret)
		ret = check(told, err);
	return ret ? ret : filter(told, err);
}
