/* SPDX-License-Identifier: MIT */
/*
 * fuzz_resp.c - errors of Redis, ids, keys and REDIS_NODES
 *
 * A redirection is to a slot, a host and a port that can be; an id that is read
 * is written as it was, but for zeros in front; a key's slot is that of its
 * tag.
 */
#include <assert.h>
#include <stdint.h>

#include "core/ids.h"
#include "core/nodes.h"
#include "core/resp_err.h"
#include "core/slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge_redirect(struct slice text)
{
	static struct slotmap map;
	struct resp_redirect r;
	enum resp_err error = resp_err_parse(text, &r);

	if (error != RESP_ERR_MOVED && error != RESP_ERR_ASK)
		return;
	assert(r.slot < SLOTS && r.port > 0 && r.port <= 65535);
	assert(r.host.len < SLOT_HOST_MAX);
	slotmap_init(&map);
	assert(slotmap_move(&map, r.slot, r.host.len ? r.host : SLICE("asked"),
			    r.port) == 0);
	assert(map.node_of[r.slot] == 0);
}

static void judge_id(struct slice text)
{
	char written[MSGID_TEXT_MAX];
	struct msgid id, again;

	if (!msgid_parse(text, &id))
		return;
	msgid_format(id, written);
	assert(msgid_parse(slice_of(written), &again));
	assert(msgid_compare(id, again) == 0);
}

/* REDIS_NODES */
static void judge_nodes(struct slice text)
{
	struct slot_node nodes[NODES_MAX];
	char why[NODES_WHY_MAX];
	const unsigned count = nodes_parse(text, nodes, why);

	assert(count > 0 || why[0]);
	for (unsigned i = 0; i < count; i++) {
		assert(nodes[i].host[0]);
		assert(nodes[i].port > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = {(const char *)data, size};

	judge_redirect(text);
	judge_id(text);
	judge_nodes(text);
	assert(slot_of(text) < SLOTS);
	return 0;
}
