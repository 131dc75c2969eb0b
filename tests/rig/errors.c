/* SPDX-License-Identifier: MIT */
/* errors.c - see errors.h; slow and obvious on purpose */
#include "errors.h"

#include <assert.h>
#include <string.h>

static const uint8_t segment_options[12] = {1, 1, 8, 10, 0, 1,
					    2, 3, 4, 5,	 6, 7};

uint32_t error_segment_len(const struct error *e)
{
	return 20 + e->segment.options_len + e->segment.payload_len;
}

/* The whole quoted packet; returns the length of its IP header. */
static uint32_t build_quoted(const struct error *e, uint8_t *out)
{
	uint32_t len = frame_build(&e->segment, out), extra = e->ip_options_len;

	if (extra) {
		memmove(out + 20 + extra, out + 20, len - 20);
		memset(out + 20, 1, extra); /* NOPs */
		out[0] = (uint8_t)(0x45 + extra / 4);
		frame_put16(out + 2, len + extra);
		frame_put16(out + 10, 0);
		frame_put16(out + 10, (uint16_t)~frame_sum(out, 20 + extra));
	}
	return 20 + extra;
}

void error_fix_csums(uint8_t *ip, uint32_t len)
{
	assert(len >= ERROR_HEADERS);
	frame_put16(ip + 10, 0);
	frame_put16(ip + 10, (uint16_t)~frame_sum(ip, 20));
	frame_put16(ip + 22, 0);
	frame_put16(ip + 22, (uint16_t)~frame_sum(ip + 20, len - 20));
}

bool error_is_right(const uint8_t *ip, uint32_t len)
{
	return len >= ERROR_HEADERS && frame_get16(ip + 2) == len &&
	       frame_sum(ip, 20) == 0xffff &&
	       frame_sum(ip + 20, len - 20) == 0xffff;
}

uint32_t error_build(const struct error *e, uint8_t *out)
{
	static uint8_t quoted[FRAME_MAX];
	uint32_t quote = build_quoted(e, quoted) + e->tcp_quoted, len;
	struct ip_addr src = frame_addr(e->src), dst = frame_addr(e->dst);

	assert(e->tcp_quoted <= error_segment_len(e));
	memset(out, 0, ERROR_HEADERS + quote + e->pad_to);
	memcpy(out + ERROR_HEADERS, quoted, quote);
	if (quote < e->pad_to)
		quote = e->pad_to;
	len = ERROR_HEADERS + quote;
	if (e->extension_len) {
		assert(quote % 4 == 0);
		out[25] = (uint8_t)(quote / 4);
		for (uint32_t i = 0; i < e->extension_len; i++)
			out[len++] = (uint8_t)(0x20 + i);
	}

	out[0] = 0x45;
	out[1] = 0xc0;
	frame_put16(out + 2, len);
	out[8] = e->ttl;
	out[9] = 1;
	memcpy(out + 12, src.b + 12, 4);
	memcpy(out + 16, dst.b + 12, 4);
	out[20] = e->type;
	out[21] = e->code;
	frame_put16(out + 26, e->mtu);
	error_fix_csums(out, len);
	return len;
}

struct error error_arriving(bool by_client)
{
	struct error e = {
		.src = by_client ? "198.19.7.1" : "203.0.113.9",
		.dst = by_client ? "198.19.0.1" : "198.18.0.1",
		.type = 3,
		.code = 4,
		.ttl = 61,
		.mtu = 1400,
		.segment =
			{
				.seq = 0x89abcdef,
				.ack = 0x01234567,
				.window = 502,
				.flags = ACK,
				.ttl = 57,
				.id = 0x1234,
				.options = segment_options,
				.options_len = sizeof(segment_options),
				.payload_len = 1448,
			},
	};

	if (by_client) {
		e.segment.src = frame_endpoint("198.19.0.1", 10245);
		e.segment.dst = frame_endpoint("198.19.0.11", 9001);
	} else {
		e.segment.src = frame_endpoint("198.18.0.1", 20000);
		e.segment.dst = frame_endpoint("203.0.113.77", 40112);
	}
	e.tcp_quoted = error_segment_len(&e);
	return e;
}

struct error error_translated(const struct error *arriving, bool by_client)
{
	struct error e = *arriving;

	e.ttl--;
	if (by_client) {
		e.src = "198.18.0.1";
		e.dst = "203.0.113.77";
		e.segment.src = frame_endpoint("203.0.113.77", 40112);
		e.segment.dst = frame_endpoint("198.18.0.1", 20000);
	} else {
		e.src = "198.19.0.1";
		e.dst = "198.19.0.11";
		e.segment.src = frame_endpoint("198.19.0.11", 9001);
		e.segment.dst = frame_endpoint("198.19.0.1", 10245);
	}
	return e;
}
