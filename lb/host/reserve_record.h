/* SPDX-License-Identifier: MIT */
/*
 * reserve_record.h - which instance holds which ports, in /run/l4lb
 *
 * One file per instance, NAME.ports, written when it takes its ports and
 * removed when it gives them back. The instance holds a lock (flock) on it as
 * long as it lives. A file without a lock was left by a crash, or by a clean
 * exit that keeps the guard: what it names still belongs to that instance. The
 * folder's lock is held during every decision and change. Only their owner may
 * open the folder (0700) and the files (0600), since whoever can open them can
 * lock them. The owner is the user that l4lb runs as. Root, who starts l4lb,
 * can open them too, and does not trust what is there: no links, only plain
 * files.
 *
 *   l4lb-ports 1
 *   boot 3f0c6f0e-...           what follows holds for this boot and
 *   netns 4026531840            this network namespace only
 *   pid 4242
 *   ports 10240-32767           the NAT range
 *   added 10240-20000,20002     what it put into ip_local_reserved_ports
 *   service 198.18.0.1:20000
 *   source 198.18.0.1           0.0.0.0: not known yet, any
 *   end
 *
 * iptables/guard.sh reads it too. Private to lb/host/reserve*.c.
 */
#ifndef L4LB_RESERVE_RECORD_H
#define L4LB_RESERVE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/addr.h"
#include "core/err.h"
#include "host/owner.h"
#include "host/reserve_ports.h"

#define RECORD_DIR	"/run/l4lb"
#define RECORD_NAME_MAX 32 /* bytes, with the terminating 0 */

struct record {
	struct record *next;
	char name[RECORD_NAME_MAX];
	bool running; /* somebody holds the lock: the instance lives */
	bool here;    /* from this boot and network namespace */
	pid_t pid;
	uint16_t lo, hi;
	struct port_set added;
	struct ip_addr *sources; /* owned; so is services */
	size_t n_sources;
	struct endpoint *services;
	size_t n_services;
};

/*
 * Creates the folder if necessary, and locks it. Returns its descriptor; -EBUSY
 * if another process keeps it locked for seconds. @owner: the user who will own
 * the folder, or NULL.
 */
int record_dir_lock(const struct owner *owner, struct err *err);
void record_dir_unlock(int dir); /* closes it */

/* The caller of the functions below must hold the folder's lock. */

/* All records of this boot and network namespace; free with record_free(). */
int record_read_all(int dir, struct record **out, struct err *err);
void record_free(struct record *list);

/*
 * Opens and locks the file of @name; *made is true if it is new. -EADDRINUSE:
 * an instance of that name is running. @owner: as above.
 */
int record_claim(int dir, const char *name, const struct owner *owner, int *fd,
		 bool *made, struct err *err);
int record_write(int fd, const struct record *record);
void record_remove(int dir, const char *name);

/* Advice on a negative errno of these functions, to end a message with. */
const char *record_advice(int code);

#endif
