/* SPDX-License-Identifier: MIT */
/*
 * change.h - services and backends that come, change and go while packets flow
 *
 * Whoever calls this chooses the numbers of the slots (core/slot.h). A change
 * has three parts:
 *
 *   prepare  all that can fail; no packet sees it, and undo takes it back
 *   commit   cannot fail, and takes microseconds: call all of it between two
 *            batches of packets
 *   finish   what leaves keeps its flows. When the last has ended, take away
 *            what the host holds for it, and free the slot.
 *
 * Flows name services and backends by slot. A slot that leaves takes no new
 * flow, but packets of its flows go on.
 */
#ifndef L4LB_CHANGE_H
#define L4LB_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/slot.h"

/*
 * Prepare. -EINVAL: there is no such slot, or the spec exceeds a limit; -EBUSY:
 * the slot is in use, or its service leaves; -ENOSPC: no pool is free, see
 * engine_spec.pools_max; -ENOMEM. A service is prepared before its backends,
 * and without them (@spec->backends is ignored). A backend whose service is
 * undone is undone with it.
 */
int engine_prepare_service(struct engine *e, unsigned service,
			   const struct service_spec *spec, uint64_t now_ns,
			   struct err *err);
int engine_prepare_backend(struct engine *e, unsigned service, unsigned backend,
			   const struct backend_spec *spec, uint64_t now_ns,
			   struct err *err);
void engine_undo_service(struct engine *e, unsigned service);
void engine_undo_backend(struct engine *e, unsigned service, unsigned backend);

/*
 * Before and after many commits in a row, without a packet or a tick in
 * between: each scheduler then looks at its backends once, not once for each
 * commit.
 */
void engine_begin_changes(struct engine *e);
void engine_end_changes(struct engine *e);

/*
 * Commit: SLOT_PREPARED -> SLOT_LIVE. If the service is checked and others take
 * its flows, a backend takes none until a check has passed, and then slow start
 * applies (BACKEND_PROVEN). Not so for backends that enter with their service,
 * at the same @now_ns: they begin as at the start of the program.
 */
void engine_enter_service(struct engine *e, unsigned service, uint64_t now_ns);
void engine_enter_backend(struct engine *e, unsigned service, unsigned backend,
			  uint64_t now_ns);

/*
 * Commit: other parameters for one that is SLOT_LIVE. A service may change each
 * of them; running checks are void if how to check has changed, but who is up
 * stays up. A drain begins, and begins anew, with each change of what is wanted
 * of the backend. When it takes flows again, slow start applies if it is
 * checked; after ADMIN_DISABLED it begins as a newcomer.
 */
void engine_set_service(struct engine *e, unsigned service,
			const struct service_params *params, uint64_t now_ns);
void engine_set_backend(struct engine *e, unsigned service, unsigned backend,
			const struct backend_params *params, uint64_t now_ns);

/*
 * Commit. The timers of existing flows follow in the next calls of
 * engine_tick(), some hundred flows each.
 */
void engine_set_timeouts(struct engine *e,
			 const struct engine_timeouts *timeouts,
			 uint64_t now_ns);

/*
 * Commit: SLOT_LIVE -> SLOT_LEAVING. A service takes its backends along, and
 * SYNs to it are refused by a RST, whatever drop_all_down says. It may leave
 * when another one enters that has its address.
 */
void engine_leave_backend(struct engine *e, unsigned service, unsigned backend,
			  enum leave then, uint64_t now_ns);
void engine_leave_service(struct engine *e, unsigned service, enum leave then,
			  uint64_t now_ns);

/*
 * Finish. engine_next_left() returns a slot that leaves and may be freed: no
 * flow names it, and what was asked in its name is over. @backend is -1 for the
 * service itself, after all its backends are free. False: there is none now.
 * The slot stays the next until it is freed.
 */
bool engine_next_left(const struct engine *e, uint64_t now_ns,
		      unsigned *service, int *backend);
void engine_free_backend(struct engine *e, unsigned service, unsigned backend);
void engine_free_service(struct engine *e, unsigned service);

/* SLOT_FREE also for numbers that no slot has. */
enum slot engine_service_slot(const struct engine *e, unsigned service);
enum slot engine_backend_slot(const struct engine *e, unsigned service,
			      unsigned backend);

/*
 * Ends the flow at @index of the table by resets that both sides believe. False
 * if it is not flow @id any more, or is closed already, or the outbox has no
 * room now.
 */
bool engine_kill_flow(struct engine *e, uint32_t index, uint64_t id,
		      uint64_t now_ns);

#endif
