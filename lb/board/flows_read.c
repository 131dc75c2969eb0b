/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "board/flows_read.h"
#include "board/latch.h"

/* A flow that is torn is being opened, closed or given another backend. */
#define TRIES 100

struct flows_reader {
	const struct flow *flows;
	const struct flow_note *notes; /* NULL: unknown */
	uint32_t size;
};

int flows_reader_open(const void *flows, size_t flows_bytes, const void *notes,
		      size_t notes_bytes, uint32_t size,
		      struct flows_reader **out, struct err *err)
{
	struct flows_reader *r;

	if (size > FLOWS_MAX || flows_bytes / sizeof(struct flow) < size)
		return err_set(err, -EINVAL,
			       "the flow table has %zu bytes, which is too "
			       "short for %u flows",
			       flows_bytes, size);
	if (notes && notes_bytes / sizeof(struct flow_note) < size)
		return err_set(err, -EINVAL,
			       "the notes have %zu bytes, which is too short "
			       "for those of %u flows",
			       notes_bytes, size);
	r = malloc(sizeof(*r));
	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	*r = (struct flows_reader){flows, notes, size};
	*out = r;
	return 0;
}

void flows_reader_close(struct flows_reader *r)
{
	free(r);
}

/*
 * Places are used for the first time in their order, so those that came after
 * @high was told follow it; a place that was used has a generation.
 */
uint32_t flows_reader_end(const struct flows_reader *r, uint32_t high)
{
	uint32_t end = high < r->size ? high : r->size;

	while (end < r->size &&
	       __atomic_load_n(&r->flows[end].generation, __ATOMIC_RELAXED))
		end++;
	return end;
}

/*
 * The checksum is of the addresses and the generation. Service, backend and
 * pool change with the addresses, while .open is 0, so a copy that has new ones
 * beside old addresses sees here either that or the new checksum: if .open is 1
 * again, acquiring it makes what was stored before visible to the next loads.
 */
static bool is_same(const struct flow *live, const struct flow *copy)
{
	return __atomic_load_n(&live->open, __ATOMIC_ACQUIRE) == 1 &&
	       __atomic_load_n(&live->generation, __ATOMIC_RELAXED) ==
		       copy->generation &&
	       __atomic_load_n(&live->check, __ATOMIC_RELAXED) == copy->check &&
	       flow_is_whole(copy);
}

bool flows_read(const struct flows_reader *r, uint32_t index, struct flow *flow,
		struct flow_note *note)
{
	const struct flow *live;

	if (index >= r->size)
		return false;
	live = &r->flows[index];
	for (int i = 0; i < TRIES; i++) {
		if (!__atomic_load_n(&live->open, __ATOMIC_ACQUIRE))
			return false;
		latch_load(flow, live, sizeof(*flow));
		if (note && r->notes)
			latch_load(note, &r->notes[index], sizeof(*note));
		else if (note)
			*note = (struct flow_note){.end = 0};
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (is_same(live, flow))
			return true;
	}
	return false;
}
