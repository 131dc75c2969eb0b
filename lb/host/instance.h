/* SPDX-License-Identifier: MIT */
/*
 * instance.h - which instances of l4lb there are on this host
 *
 * One file per instance, /run/l4lb/NAME.ports, written when it takes its ports
 * and removed when it gives them back. The instance holds a lock (flock) on it
 * as long as it lives. A file without a lock was left by a crash, or by a clean
 * exit that keeps the guard: what it names still belongs to that instance. The
 * folder's lock is held during every decision and change, so instances that
 * start or stop at the same time never see each other half-way.
 *
 * Only their owner may open the folder (0700) and the files (0600), since
 * whoever can open them can lock them. The owner is the user that l4lb runs as.
 * Root, who starts l4lb, can open them too, and does not trust what is there:
 * no links, only plain files.
 *
 *   l4lb-ports 1
 *   boot 3f0c6f0e-...           what follows holds for this boot and
 *   netns 4026531840            this network namespace only
 *   pid 4242
 *   ports 10240-32767           the NAT range
 *   added 32768-40000           what it put into ip_local_reserved_ports
 *   service 198.18.0.1:20000
 *   source 198.18.0.1           0.0.0.0: not known yet, any
 *   end                         the record is complete
 *   source 198.18.0.2           added while it runs
 *
 * An earlier version read no lines after "end", and gave instances with
 * different sources the same ports.
 */
#ifndef L4LB_INSTANCE_H
#define L4LB_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/addr.h"
#include "core/err.h"
#include "host/owner.h"
#include "host/port_set.h"

#define INSTANCE_DIR	  "/run/l4lb"
#define INSTANCE_NAME_MAX 32 /* bytes, with the terminating 0 */

/* Ports and flows mean something only within one boot and network namespace. */
#define PLACE_BOOT_MAX 40 /* boot_id has 36 */
struct place {
	char boot[PLACE_BOOT_MAX]; /* padded with 0 */
	uint64_t netns;
};
void place_here(struct place *out);

/*
 * Waits for an exclusive lock (flock) on the file. -EBUSY: another process kept
 * it for @wait_ms. Others need milliseconds. A process that was just killed
 * keeps its locks while the kernel frees its memory: 0.14 s for its rings.
 */
#define LOCK_OTHERS_MS 5000
#define LOCK_KILLED_MS 1000
int lock_wait(int fd, int wait_ms);

struct instance {
	struct instance *next;
	char name[INSTANCE_NAME_MAX];
	bool running; /* somebody holds the lock */
	pid_t pid;
	struct port_range range; /* its NAT ports */
	struct port_set added;
	char *text; /* the whole record, owned */
};

/*
 * Creates the folder if necessary, and locks it. Returns its descriptor, which
 * the caller closes to unlock; -EBUSY if another process keeps it locked.
 * @owner: the user who will own the folder, or NULL. The caller of all
 * functions below must hold this lock, except for instance_add_source().
 */
int instances_lock(const struct owner *owner, struct err *err);

/* The same without waiting: -EBUSY if another process has it locked now. */
int instances_lock_now(struct err *err);

/*
 * One, or all but one, of this boot and network namespace; free them with
 * instances_free(), also after an error. *out stays NULL if there is none, or
 * only an empty record: that instance died before it took anything. -EINVAL: a
 * record is not understood.
 */
int instance_load(const char *name, struct instance **out, struct err *err);
int instances_read(struct instance **out, const char *except, struct err *err);
void instances_free(struct instance *list);

/* True if the record has the line "KEY VALUE". */
bool instance_has(const struct instance *i, const char *key, const char *value);
/* Adds the ports of its services. */
void instance_service_ports(const struct instance *i, struct port_set *out);

/*
 * Opens and locks the file of @name, and creates it if necessary. -EADDRINUSE:
 * an instance of that name is running; @instead ends that sentence, with what
 * else than to stop it can be done. *fd is -1 after an error. @owner: as above.
 */
int instance_claim(const char *name, const struct owner *owner,
		   const char *instead, int *fd, struct err *err);

/* @i gives name, range and added. */
int instance_write(int fd, const struct instance *i,
		   const struct endpoint *services, size_t n_services,
		   const struct ip_addr *sources, size_t n_sources,
		   struct err *err);
/*
 * Appends one to a record that is complete; needs no lock, never waits. 0 or
 * -errno.
 */
int instance_add_source(int fd, const struct ip_addr *source);

void instance_remove(const char *name);

/* Sets "cannot VERB WHAT: REASON: ADVICE", and returns @ret, negative. */
int instance_explain(struct err *err, int ret, const char *verb,
		     const char *what);

#endif
