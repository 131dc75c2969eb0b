/* SPDX-License-Identifier: MIT */
/*
 * state_file.h - the layout of the state file; for state.c and its tests
 *
 * The header, in a page of its own, then the flows. Numbers are in host byte
 * order: the file never leaves its host, nor the boot that wrote it.
 *
 * The flows begin at 64 KiB, the largest page of any machine: so a reader can
 * map them alone, without the secret that the header has. In version 1 they
 * began at 4 KiB; such a file is read once, and copied.
 */
#ifndef L4LB_STATE_FILE_H
#define L4LB_STATE_FILE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "core/flow.h"
#include "host/instance.h"

#define STATE_MAGIC    "l4lbflow" /* 8 bytes, no final 0 in the file */
#define STATE_VERSION  2	  /* of header and struct flow */
#define STATE_FLOWS_AT 65536	  /* bytes; the header has the first page */

#define STATE_V1	  1 /* differs in: */
#define STATE_V1_FLOWS_AT 4096

struct state_header {
	char magic[8];
	uint32_t version;
	uint32_t flow_size;
	uint32_t flows;
	uint32_t pid; /* of the last process, for messages */
	struct place place;
	uint16_t nat_lo, nat_hi; /* host byte order; 0: unknown */
	uint16_t probe_lo;	 /* the same; 0 also in older files */
	uint16_t zero;
	uint8_t secret[FLOW_SECRET_BYTES];
	uint64_t check; /* XXH64 of everything above */
};
static_assert(sizeof(struct state_header) == 280, "no padding: checksummed");
static_assert(sizeof(struct state_header) <= STATE_V1_FLOWS_AT, "in its page");
static_assert(STATE_FLOWS_AT % 65536 == 0, "on a page, of any size");
static_assert(STATE_V1_FLOWS_AT % 64 == 0, "flows are aligned");

/* Where the flows begin, in a file of @version. */
static inline size_t state_flows_at(uint32_t version)
{
	return version == STATE_V1 ? STATE_V1_FLOWS_AT : STATE_FLOWS_AT;
}

static inline size_t state_bytes_of(uint32_t version, uint32_t flows)
{
	return state_flows_at(version) + (size_t)flows * sizeof(struct flow);
}

static inline size_t state_file_bytes(uint32_t flows)
{
	return state_bytes_of(STATE_VERSION, flows);
}

/*
 * True if the file has content that l4lb has not written, that is, if it does
 * not begin with the magic number. A file that begins with zeros is l4lb's: its
 * pages were allocated, then the machine lost power before the header reached
 * the disk.
 */
static inline bool state_file_is_foreign(int fd)
{
	char magic[sizeof(((struct state_header *)0)->magic)];
	static const char none[sizeof(magic)];
	ssize_t n = pread(fd, magic, sizeof(magic), 0);

	return n > 0 && (n < (ssize_t)sizeof(magic) ||
			 (memcmp(magic, STATE_MAGIC, sizeof(magic)) != 0 &&
			  memcmp(magic, none, sizeof(magic)) != 0));
}

uint64_t state_header_check(const struct state_header *h);

#endif
