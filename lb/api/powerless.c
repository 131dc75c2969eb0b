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

static int drop(const struct handover *told, struct err *err)
{
	capng_flags_t flags = CAPNG_DROP_SUPP_GRP;
	int ret;

	/* The bounding set needs a capability that a unit does not give. */
	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		flags |= CAPNG_CLEAR_BOUNDING;
	capng_clear(CAPNG_SELECT_BOTH);
	if (told->change) {
		ret = capng_change_id((int)told->api_uid, (int)told->api_gid,
				      flags);
	} else {
		/* May be refused: then there are no groups that matter. */
		if (geteuid() == 0)
			(void)!setgroups(0, NULL);
		ret = capng_apply(CAPNG_SELECT_CAPS);
	}
	if (ret < 0)
		return err_set(err, -EPERM, "cannot become uid %u: %s (%d)",
			       told->api_uid, strerror(errno), ret);
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
