/* SPDX-License-Identifier: MIT */
/*
 * state.h - the flow table in a mapped file, which outlives the process
 *
 * kill -9 at any moment leaves every complete flow in the file. The next
 * process of this boot and network namespace finds the flows there (design rule
 * 13). Only the header is judged here; engine_adopt() judges the flows one by
 * one.
 *
 * The whole file is allocated when it is opened, so a full disk is an error at
 * the start and never a SIGBUS later. A lock (flock) keeps a second process
 * out; guard.sh looks at this lock too.
 */
#ifndef L4LB_HOST_STATE_H
#define L4LB_HOST_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/err.h"
#include "core/flow.h"
#include "host/owner.h"

struct state;

/*
 * Opens or creates the file for @flows flows; "" means memory that dies with
 * the process. A file that cannot be used is replaced by a fresh one, see
 * state_why_fresh(). A file of version 1 is copied into a new one, so its
 * connections stay. A file that another user could have written is first moved
 * aside, to PATH.old. A file that l4lb has not written is left alone, and that
 * is an error: the user has mistaken the name. A file of another size is
 * copied, so its connections stay.
 *
 * @owner: the user who will own the file after the start, or NULL. The folder
 * is given to that user too, if it is created here.
 *
 * -EEXIST: l4lb has not written the file. -EADDRINUSE: another process uses it.
 * -ENOSPC: no room on the disk. -EINVAL: not a plain file, or it holds more
 * connections than @flows. Others as of open(2).
 */
int state_open(struct state **out, const char *path, uint32_t flows,
	       const struct owner *owner, struct err *err);

/* Leaves the file to the next start. Accepts NULL. */
void state_close(struct state *s);

/*
 * Closes and removes the file: nothing in it is needed any more. Who has mapped
 * it can go on reading.
 */
void state_remove(struct state *s);

/* Memory of the flow table, 64-byte aligned. */
struct flow *state_flows(struct state *s);

/*
 * The file, or the memfd that is there instead; for others to map from
 * STATE_FLOWS_AT on (state_file.h). It stays open as long as @s.
 */
int state_fd(const struct state *s);

/* Random bytes, drawn when the file was first created. */
const uint8_t *state_secret(const struct state *s);

/* True if the file may contain flows of an earlier process. */
bool state_found(const struct state *s);

/* Those, for needs.h: *n slots of the table, 0 if there is no such file. */
const struct flow *state_found_flows(const struct state *s, uint32_t *n);

/* Why an existing file is not used, for the log; NULL if it is used. */
const char *state_why_fresh(const struct state *s);

/* True if the file was empty: state_remove() was not permitted to remove it. */
bool state_was_empty(const struct state *s);

/*
 * The NAT range of the previous process, host byte order; false if it is
 * unknown. A flow can continue only if its port is in the range.
 */
bool state_ports(const struct state *s, uint16_t *lo, uint16_t *hi);

/*
 * The first port of that range kept for health checks instead of flows, host
 * byte order; 0: unknown.
 */
uint16_t state_probe_ports(const struct state *s);

/* Records them for the next process. @probe_lo 0: no such ports. */
void state_set_ports(struct state *s, uint16_t lo, uint16_t hi,
		     uint16_t probe_lo);

#endif
