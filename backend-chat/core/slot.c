/* SPDX-License-Identifier: MIT */
/* See slot.h. The CRC is XMODEM's, as the cluster specification says. */
#include "core/slot.h"

static uint16_t crc16(struct slice s)
{
	uint16_t crc = 0;

	for (size_t i = 0; i < s.len; i++) {
		crc ^= (uint16_t)((unsigned char)s.at[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021
						      : crc << 1);
	}
	return crc;
}

/* From the first "{" to the next "}", if there is anything between them. */
static struct slice tag_of(struct slice key)
{
	const char *open = key.len ? memchr(key.at, '{', key.len) : NULL;
	const char *close;
	size_t left;

	if (!open)
		return key;
	left = key.len - (size_t)(open + 1 - key.at);
	close = memchr(open + 1, '}', left);
	if (!close || close == open + 1)
		return key;
	return (struct slice){open + 1, (size_t)(close - open - 1)};
}

unsigned slot_of(struct slice key)
{
	return crc16(tag_of(key)) % SLOTS;
}

void slotmap_init(struct slotmap *m)
{
	m->count = 0;
	memset(m->node_of, SLOT_UNKNOWN, sizeof(m->node_of));
}

/*
 * Finds the node or adds it. Returns its index or -1: too many nodes, no port,
 * or a host that is empty or too long.
 */
static int get_node(struct slotmap *m, struct slice host, unsigned port)
{
	struct slot_node *node = &m->nodes[m->count];

	if (host.len == 0 || host.len >= SLOT_HOST_MAX || port == 0 ||
	    port > 65535)
		return -1;
	for (unsigned i = 0; i < m->count; i++)
		if (m->nodes[i].port == port &&
		    slice_equal(slice_of(m->nodes[i].host), host))
			return (int)i;
	if (m->count == SLOT_NODES)
		return -1;
	memcpy(node->host, host.at, host.len);
	node->host[host.len] = '\0';
	node->port = (uint16_t)port;
	return (int)m->count++;
}

bool slotmap_add(struct slotmap *m, unsigned first, unsigned last,
		 struct slice host, unsigned port, struct slice asked)
{
	int node;

	if (first > last || last >= SLOTS)
		return false;
	node = get_node(m, host.len ? host : asked, port);
	if (node < 0)
		return false;
	memset(m->node_of + first, node, last - first + 1);
	return true;
}

int slotmap_move(struct slotmap *m, unsigned slot, struct slice host,
		 unsigned port)
{
	int node = slot < SLOTS ? get_node(m, host, port) : -1;

	if (node >= 0)
		m->node_of[slot] = (uint8_t)node;
	return node;
}

int slotmap_find(const struct slotmap *m, struct slice key)
{
	unsigned node = m->node_of[slot_of(key)];

	return node == SLOT_UNKNOWN ? -1 : (int)node;
}

bool slotmap_is_complete(const struct slotmap *m)
{
	return !memchr(m->node_of, SLOT_UNKNOWN, sizeof(m->node_of));
}
