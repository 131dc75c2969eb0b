/* SPDX-License-Identifier: MIT */
/*
 * reservation.h - what a reservation holds, and its record; for reserve.c,
 * which decides what it gets
 */
#ifndef L4LB_RESERVATION_H
#define L4LB_RESERVATION_H

#include "host/reserve.h"

/* Has the sources of @req, and no service yet. NULL: no memory. */
struct reservation *reservation_new(const struct reserve_request *req);

/* Closes and frees; leaves the record and the kernel's list as they are. */
void reservation_free(struct reservation *r);

/* Binds @ep into its slot. @others: to say who else has it. */
int reservation_bind(struct reservation *r, unsigned slot,
		     const struct endpoint *ep, const struct instance *others,
		     struct err *err);

/* Writes the record anew. The caller holds the folder's lock. */
int reservation_write(const struct reservation *r, struct err *err);

#endif
