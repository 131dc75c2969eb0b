/* SPDX-License-Identifier: MIT */
/*
 * note.h - what is noted of each flow, beside the flow table
 *
 * Notes are not in the state file: those of flows from an earlier process begin
 * anew, with NOTE_ADOPTED and everything else 0. A reader in another process
 * copies the flow and its note, and trusts both if the flow is whole and has
 * the same generation as before (flow.h).
 *
 * How a flow ends. Each flow that was opened ends exactly once: FLOW_ENDED is
 * told then, with @end set. A reset may turn out to be forged, when its
 * receiver goes on (design rule 6): then FLOW_REVIVED is told, @end is
 * FLOW_END_NONE again, NOTE_REVIVED is set, and the flow ends once more later,
 * with its final numbers. So FLOW_ENDED is told as often as FLOW_OPENED,
 * FLOW_REVIVED and the flows that were adopted open, together. What a flow
 * counts after its end (a last ACK, a reset that is answered) nobody is told.
 */
#ifndef L4LB_NOTE_H
#define L4LB_NOTE_H

#include <assert.h>
#include <stdint.h>

#include "core/tcp_track.h"

enum note_flag {
	NOTE_ADOPTED = 0x01, /* opened by an earlier process */
	NOTE_REVIVED = 0x02, /* has ended before */
	NOTE_BACKUP = 0x04,  /* its backend is a backup */
	/* ICMP says that the backend asked last cannot be reached. */
	NOTE_UNREACHABLE = 0x08,
};

/* Times are at least 1; 0: not yet, or unknown. UINT32_MAX: that or more. */
struct flow_note {
	/* From the client's SYN until its SYN-ACK was forwarded: as long as
	 * the client waited, whatever was asked meanwhile.
	 */
	uint32_t handshake_us;
	/* From then until the first payload byte of the backend. It includes
	 * the way to the client and back, and how long the client waits until
	 * it asks, if it has to ask first.
	 */
	uint32_t first_byte_us;
	/* Segments of each side with nothing but data that it had sent before
	 * (tcp_track.h says what counts); 65535: that or more.
	 */
	uint16_t retransmits[FLOW_SIDES];
	uint8_t end;   /* enum flow_end */
	uint8_t tries; /* backends that were asked, from 1; 255: or more */
	uint8_t why; /* 1 + the enum sched_kind that chose the last of these */
	uint8_t flags; /* enum note_flag */
};
static_assert(sizeof(struct flow_note) == 16, "with the flow table <= 256");

#endif
