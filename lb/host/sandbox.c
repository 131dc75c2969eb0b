/* SPDX-License-Identifier: MIT */
#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/syscall_filter.h"
#include "host/sandbox.h"

/* ------------------------------------------------------------- whom to be */

/* True if @id exists in this namespace; @map: /proc/self/uid_map or gid_map. */
static bool is_mapped(const char *map, uint32_t id)
{
	FILE *file = fopen(map, "re");
	uint32_t inside, outside, count;
	bool found = false;

	if (!file)
		return true; /* no /proc: try it, and see */
	while (!found &&
	       fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
		found = id >= inside && id - inside < count;
	(void)fclose(file);
	return found;
}

/* The reason why nobody can become @to here, or NULL. */
static const char *no_such_user(const struct owner *to)
{
	if (!is_mapped("/proc/self/uid_map", to->uid) ||
	    !is_mapped("/proc/self/gid_map", to->gid))
		return "this user namespace has no other user";
	return NULL;
}

/* The reason why root cannot become @to, or NULL. */
static const char *obstacle(const struct owner *to)
{
	const char *why = no_such_user(to);

	if (why)
		return why;
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_CHOWN))
		return "without CAP_SETUID, CAP_SETGID and CAP_CHOWN root "
		       "cannot be another user";
	return NULL;
}

/*
 * Whom the name @name would mean. The same uid at each start, or our files
 * would belong to somebody else. If it is taken, the next free one. All
 * instances use the same, as they share /run/l4lb.
 */
static struct owner nobodys(const char *name)
{
	const char *c = name;
	uint32_t hash = 2166136261u, n = SANDBOX_UID_HI - SANDBOX_UID_LO + 1;
	uid_t uid = 0;

	for (; *c; c++) /* FNV-1a */
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	for (uint32_t i = 0; i < n; i++) {
		uid = SANDBOX_UID_LO + (hash + i) % n;
		if (!getpwuid(uid) && !getgrgid(uid))
			break;
	}
	return (struct owner){uid, uid};
}

static int stay(struct user *out, const char *wanted, const char *why,
		struct err *err)
{
	if (strcmp(wanted, SANDBOX_AUTO) != 0 && out->owner.uid != geteuid())
		return err_set(err, -EPERM,
			       "user \"%s\": cannot become that user: %s; "
			       "leave it out to stay who starts l4lb",
			       wanted, why);
	out->change = false;
	out->owner = (struct owner){geteuid(), getegid()};
	out->stays = why;
	out->name[0] = '\0';
	return 0;
}

int sandbox_user(struct user *out, const char *wanted, struct err *err)
{
	const bool automatic = strcmp(wanted, SANDBOX_AUTO) == 0;
	const struct passwd *pw = getpwnam(automatic ? SANDBOX_USER : wanted);
	const char *why;

	memset(out, 0, sizeof(*out));
	if (pw) {
		out->owner = (struct owner){pw->pw_uid, pw->pw_gid};
		snprintf(out->name, sizeof(out->name), "%s", pw->pw_name);
	} else if (automatic) {
		out->owner = nobodys(SANDBOX_USER);
	} else if (wanted[strspn(wanted, "0123456789")] == '\0') {
		return err_set(err, -ENOENT,
			       "--user \"%s\": a number is not the name of a "
			       "user; expected for example " SANDBOX_USER
			       ", or auto",
			       wanted);
	} else {
		return err_set(err, -ENOENT,
			       "there is no user \"%s\" on this host; useradd "
			       "--system %s makes one, or leave it out",
			       wanted, wanted);
	}
	if (geteuid() != 0)
		return stay(out, wanted, "not started as root", err);
	if (out->owner.uid == 0)
		return stay(out, wanted, "as configured", err);
	why = obstacle(&out->owner);
	if (why)
		return stay(out, wanted, why, err);
	out->change = true;
	return 0;
}

/*
 * Not only root may be allowed to make that user: a unit with User=l4lb has
 * these two capabilities for us.
 */
static const char *api_obstacle(const struct owner *to)
{
	const char *why = no_such_user(to);

	if (why)
		return why;
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID))
		return "another user needs CAP_SETUID and CAP_SETGID";
	return NULL;
}

void sandbox_api_user(struct user *out)
{
	const struct passwd *pw = getpwnam(SANDBOX_API_USER);

	memset(out, 0, sizeof(*out));
	if (pw) {
		out->owner = (struct owner){pw->pw_uid, pw->pw_gid};
		snprintf(out->name, sizeof(out->name), "%s", pw->pw_name);
	} else {
		out->owner = nobodys(SANDBOX_API_USER);
	}
	out->stays = api_obstacle(&out->owner);
	out->change = !out->stays;
	if (out->stays) {
		out->owner = (struct owner){geteuid(), getegid()};
		out->name[0] = '\0';
	}
}

/* -------------------------------------------------------------- becoming it */

/*
 * For packets, for the guard and the links, and for services below port 1024
 * that come later. Whoever started us without the last one has none of those.
 */
static void select_kept(void)
{
	const capng_type_t both = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
	bool low_ports;

	capng_get_caps_process();
	low_ports =
		capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
	capng_clear(CAPNG_SELECT_BOTH);
	capng_updatev(CAPNG_ADD, both, CAP_NET_RAW, CAP_NET_ADMIN, -1);
	if (low_ports)
		capng_update(CAPNG_ADD, both, CAP_NET_BIND_SERVICE);
}

static int become(const struct user *user, struct err *err)
{
	int ret;

	select_kept();
	if (user->change) {
		ret = capng_change_id(
			(int)user->owner.uid, (int)user->owner.gid,
			CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
		if (ret)
			return err_set(err, -EPERM,
				       "cannot become uid %u: %s (%d)",
				       (unsigned)user->owner.uid,
				       strerror(errno), ret);
		return 0;
	}
	/* May be refused: then there are no groups that root could use. */
	if (geteuid() == 0)
		(void)!setgroups(0, NULL);
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return err_set(err, -EPERM, "cannot drop capabilities: %s",
			       strerror(errno));
	return 0;
}

int sandbox_become(const struct user *user, struct err *err)
{
	int ret = become(user, err);

	if (ret)
		return ret;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return err_set(err, -errno, "no_new_privs: %s",
			       strerror(errno));
	return 0;
}

bool sandbox_has_low_ports(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_BIND_SERVICE);
}

int sandbox_filter(bool filter, const char **filtered, struct err *err)
{
	int ret = filter ? filter_load(err) : 0;

	*filtered = "as configured";
	if (ret == -EOPNOTSUPP)
		*filtered = err->text;
	else if (!ret && filter)
		*filtered = NULL;
	return ret == -EOPNOTSUPP ? 0 : ret;
}
