/* SPDX-License-Identifier: MIT */
/*
 * state.h - the flow table in a mapped file, which outlives the process
 *
 * kill -9 at any moment leaves every whole flow in the file; the next process
 * of this boot and network namespace finds them there (design rule 13). What
 * the file says is believed here only as far as its header goes; of the flows,
 * engine_adopt() decides one by one.
 *
 * All of it is allocated when it is opened, so a full disk is an error at the
 * start and never a SIGBUS later. A lock (flock) keeps a second process out;
 * guard.sh looks at it, too.
 */
#ifndef L4LB_STATE_H
#define L4LB_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/err.h"
#include "core/flow.h"
#include "io/owner.h"

struct state;

/*
 * Opens or creates the file for @flows flows; "" is memory that dies with the
 * process. A file that cannot be used is replaced by a fresh one, see
 * state_why_fresh(); one that others could have written is first moved aside,
 * to PATH.old. What l4lb has not written is not touched, and an error: somebody
 * has mistaken the name. A file of another size is copied: the connections stay.
 *
 * @owner: who goes on with it after the start, or NULL; the file is given to
 * that user, and so is its folder, if it is made here.
 *
 * -EEXIST: it is not l4lb's. -EADDRINUSE: another process has it. -ENOSPC: no room for it. -EINVAL: not a
 * file, or fewer @flows than connections in it. Others as open(2) has them.
 */
int state_open(struct state **out, const char *path, uint32_t flows,
	       const struct owner *owner, struct err *err);

/* Leaves the file to the next start. NULL is fine. */
void state_close(struct state *s);

/* The same, but the file goes: there is nothing to go on with. */
void state_remove(struct state *s);

/* Memory for the flow table, 64-byte aligned. */
struct flow *state_flows(struct state *s);

/* Random, made with the file. */
const uint8_t *state_secret(const struct state *s);

/* Flows of an earlier process may be there. */
bool state_found(const struct state *s);

/* Why a file that was there is not used, for the log; NULL if it is. */
const char *state_why_fresh(const struct state *s);

/* It was empty: state_remove() had no right to remove it. */
bool state_was_empty(const struct state *s);

/*
 * The NAT range of the process before, host byte order; false if it is not
 * known. A flow can only go on while its port is in the range.
 */
bool state_ports(const struct state *s, uint16_t *lo, uint16_t *hi);

/* The first of the ports in it that no flow was given, for health checks, host
 * byte order; 0: not known.
 */
uint16_t state_probe_ports(const struct state *s);

/* For the next process. @probe_lo: 0 if there are none. */
void state_set_ports(struct state *s, uint16_t lo, uint16_t hi,
		     uint16_t probe_lo);

/* Sets @used, by host byte order, for each NAT port that a flow in the file
 * has, whatever the state it is in.
 */
#define STATE_PORTS 65536
void state_mark_ports(const struct state *s, bool used[STATE_PORTS]);

/* What the flows in the file need: without it they cannot go on. */
struct state_backend {
	struct endpoint vip, backend;
	struct ip_addr source; /* our address toward the backend */
	uint32_t flows;	       /* that are open or were closed lately */
};
#define STATE_BACKENDS_MAX 4096

/*
 * The distinct ones, in order of appearance: at most STATE_BACKENDS_MAX, the
 * others are left out. *out is to be freed. -ENOMEM.
 */
int state_backends(const struct state *s, struct state_backend **out,
		   size_t *n);

#endif
