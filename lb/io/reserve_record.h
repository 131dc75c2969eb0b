/* SPDX-License-Identifier: MIT */
/*
 * reserve_record.h - who holds which ports, in /run/l4lb
 *
 * One file per instance, NAME.ports, written when it takes its ports and
 * removed when it gives them back. The instance holds a lock (flock) on it as
 * long as it lives, so a file without one was left by a crash, or by a clean
 * exit that keeps its guard: what it names is still its own. The folder's lock
 * is held while anything is decided or changed. Nobody but their owner may open
 * the folder (0700) or the files (0600), since who can open can lock. The owner
 * is the user that l4lb runs as; root, who starts it, may as well, and so does
 * not trust what is there: no links, nothing but plain files.
 *
 *   l4lb-ports 1
 *   boot 3f0c6f0e-...           what follows holds for this boot and
 *   netns 4026531840            this network namespace only
 *   pid 4242
 *   ports 10240-32767           the NAT range
 *   added 10240-20000,20002     what it put into ip_local_reserved_ports
 *   service 198.18.0.1:20000
 *   source 198.18.0.1           0.0.0.0: may come to be any
 *   end
 *
 * iptables/guard.sh reads it too. Private to lb/io/reserve*.c.
 */
#ifndef L4LB_RESERVE_RECORD_H
#define L4LB_RESERVE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/addr.h"
#include "core/err.h"
#include "io/owner.h"
#include "io/reserve_ports.h"

#define RECORD_DIR	"/run/l4lb"
#define RECORD_NAME_MAX 32 /* bytes with the final 0 */

struct record {
	struct record *next;
	char name[RECORD_NAME_MAX];
	bool running; /* the instance lives: somebody holds the lock */
	bool here;    /* of this boot and network namespace */
	pid_t pid;
	uint16_t lo, hi;
	struct port_set added;
	struct ip_addr *sources; /* owned, as services */
	size_t n_sources;
	struct endpoint *services;
	size_t n_services;
};

/*
 * Creates the folder if need be and locks it. Returns its descriptor; -EBUSY
 * if another process keeps it locked for seconds. @owner: who goes on with what
 * is there, or NULL; the folder is given to that user.
 */
int record_dir_lock(const struct owner *owner, struct err *err);
void record_dir_unlock(int dir); /* closes it */

/* The other functions are for the holder of the folder's lock. */

/* All records of this boot and network namespace; free with record_free(). */
int record_read_all(int dir, struct record **out, struct err *err);
void record_free(struct record *list);

/*
 * Opens and locks the file of @name; *made tells whether it was new.
 * -EADDRINUSE if an instance of that name is running. @owner: as above.
 */
int record_claim(int dir, const char *name, const struct owner *owner, int *fd,
		 bool *made, struct err *err);
int record_write(int fd, const struct record *record);
void record_remove(int dir, const char *name);

/* What to do about a negative errno of these, to end a sentence with. */
const char *record_advice(int code);

#endif
