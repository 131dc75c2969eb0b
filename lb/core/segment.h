/* SPDX-License-Identifier: MIT */
/* segment.h - a TCP segment that the engine originates, as a description */
#ifndef L4LB_SEGMENT_H
#define L4LB_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/packet.h"

/* Without payload; io/originate builds it with libnet. */
struct segment {
	struct endpoint src, dst;
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;	     /* enum tcp_flag */
	bool to_backend;     /* else to a client */
	uint8_t options_len; /* bytes, a multiple of 4 */
	uint8_t options[TCP_OPTIONS_MAX];
};

#endif
