/* SPDX-License-Identifier: MIT */
/*
 * flows_read.h - the flow table, read by another process
 *
 * The state file of l4lb (or its memfd, with --state none) is mapped read-only,
 * from the first flow on: what is before it, the secret of the hashes, is not
 * mapped. Beside each flow lies its note (core/note.h), in a memfd of its own.
 *
 * l4lb never waits for a reader and knows of none. A copy of a flow has the
 * identity of one flow; its counters may be a packet apart from each other. A
 * listing goes from index 0 to flows_reader_end(): every flow that is open all
 * the while appears once, those that open or close meanwhile may appear, as may
 * a flow without an answer that is given to another backend at that instant.
 */
#ifndef L4LB_FLOWS_READ_H
#define L4LB_FLOWS_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/flow.h"
#include "core/note.h"

/* host/state_file.h: STATE_FLOWS_AT. On a page of any machine. */
#define FLOWS_READ_AT 65536

struct flows_reader;

/*
 * @flows: the state file from FLOWS_READ_AT on, mapped by shared_map(). @notes:
 * the memory of the notes; NULL: they are unknown. @size: places in the
 * table, as board_head.flows says. Both stay mapped until flows_reader_close().
 * -EINVAL: one of them is too short for @size. -ENOMEM.
 *
 * Any number of threads may read with one reader.
 */
int flows_reader_open(const void *flows, size_t flows_bytes, const void *notes,
		      size_t notes_bytes, uint32_t size,
		      struct flows_reader **out, struct err *err);
void flows_reader_close(struct flows_reader *r); /* accepts NULL */

/*
 * One more than the last place that was ever used. @high: .flows_high of a
 * global row. Places from there on are not to be read: that would take memory
 * for them.
 */
uint32_t flows_reader_end(const struct flows_reader *r, uint32_t high);

/*
 * Copies the flow in place @index, and its note unless @note is NULL. False:
 * there is none, or it came and went meanwhile.
 */
bool flows_read(const struct flows_reader *r, uint32_t index, struct flow *flow,
		struct flow_note *note);

#endif
