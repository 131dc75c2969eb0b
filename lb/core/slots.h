/* SPDX-License-Identifier: MIT */
/* slots.h - fills and empties the slots of services and backends */
#ifndef L4LB_SLOTS_H
#define L4LB_SLOTS_H

#include "core/state.h"

/* SLOT_FREE -> SLOT_PREPARED, without the service's backends; -ENOMEM. */
int slots_fill_service(struct engine *e, unsigned service,
		       const struct service_spec *spec);

/* The same; -ENOSPC or -ENOMEM: no pool is left, and nothing has changed. */
int slots_fill_backend(struct engine *e, unsigned service, unsigned backend,
		       const struct backend_spec *spec, uint64_t now_ns);

/* -> SLOT_FREE. No flow names it. A service has no backends any more. */
void slots_empty_service(struct engine *e, unsigned service);
void slots_empty_backend(struct engine *e, unsigned service, unsigned backend);

/* Starts the life of one that is prepared, or the end of it. */
void slots_enter_service(struct service *s, uint64_t now_ns);
void slots_enter_backend(struct engine *e, struct backend *b, bool proven,
			 uint64_t now_ns);
void slots_leave_backend(struct engine *e, struct backend *b, enum leave then,
			 uint64_t now_ns);

/* Sets what follows from the parameters of @s. */
void slots_set_params(struct engine *e, struct service *s,
		      const struct service_params *params);

/*
 * Makes room for the SYNs that all services may keep. -ENOMEM: some of their
 * flows will have only one backend to try.
 */
int slots_room_for_syns(struct engine *e);

/* As the user means it: all zero never opens. */
struct breaker_params slots_breaker(const struct service_params *params);

#endif
