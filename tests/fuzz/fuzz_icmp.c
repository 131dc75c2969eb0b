/* SPDX-License-Identifier: MIT */
/*
 * fuzz_icmp.c - any bytes as an ICMP error, and as a packet to complain about
 *
 * The first byte says whether checksums are made right, so that what lies
 * behind them is reached, and gives the size of the narrow hop. Whatever is
 * accepted leaves within bounds, with right checksums, about the segment asked
 * for; whatever we originate is an error that we would accept.
 *
 * Built with tests/rig/frames.c, the oracle for checksums.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/icmp.h"
#include "fix_icmp.h"
#include "frames.h"
#include "parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(const struct icmp_message *m)
{
	assert(m->len >= IP_HEADER_LEN + ICMP_HEADER_LEN);
	assert(m->len <= ICMP_MESSAGE_MAX);
	assert(frame_get16(m->ip + 2) == m->len);
	assert(frame_sum(m->ip, IP_HEADER_LEN) == 0xffff);
	assert(frame_sum(m->ip + IP_HEADER_LEN, m->len - IP_HEADER_LEN) ==
	       0xffff);
	assert(memcmp(m->ip + 12, m->src.b + 12, 4) == 0);
	assert(memcmp(m->ip + 16, m->dst.b + 12, 4) == 0);
}

static void try_error(const uint8_t *ip, uint32_t len)
{
	const struct flow_pair to = {frame_endpoint("198.18.0.2", 40112),
				     frame_endpoint("198.18.0.1", 20000)};
	enum drop_reason why = DROP_REASONS;
	struct icmp_error m, again;

	if (parse_icmp(&m, ip, len, &why)) {
		assert(why < DROP_REASONS);
		return;
	}
	assert(m.tcp_len >= 8);
	assert(m.tcp_at + m.tcp_len <= m.msg.len);
	assert(!icmp_is_frag_needed(&m) || icmp_path_mtu(&m) >= ICMP_MTU_MIN);
	if (icmp_ttl(&m) <= 1)
		return;
	icmp_translate(&m, &to.dst.addr, &to.src.addr, &to);
	check_message(&m.msg);
	assert(parse_icmp(&again, m.msg.ip, m.msg.len, &why) == 0);
	assert(memcmp(&again.quoted, &m.quoted, sizeof(m.quoted)) == 0);
	assert(again.seq == m.seq);
	assert(again.tcp_len == m.tcp_len);
}

static void try_packet(const uint8_t *ip, uint32_t len, uint32_t mtu)
{
	enum drop_reason why;
	struct icmp_message out;
	struct icmp_error m;
	struct packet p;

	if (parse_packet(&p, ip, len, &why))
		return;
	if (icmp_frag_needed(&out, &p, mtu)) {
		check_message(&out);
		assert(packet_len(&p) > mtu);
		assert(parse_icmp(&m, out.ip, out.len, &why) == 0);
		assert(icmp_path_mtu(&m) == mtu);
		assert(memcmp(&m.quoted, &p.key, sizeof(p.key)) == 0);
	}
	packet_clamp_mss(&p, (uint16_t)mtu);
	if (mtu && (p.tcp.flags & TCP_SYN))
		assert(p.tcp.mss <= mtu);
	packet_complete_csum(&p);
	if (p.payload_len == 0) {
		uint16_t was = frame_get16(p.hdr + 36);

		frame_fix_csums(p.hdr, p.hdr_len);
		/* 0 and 0xffff are the same number in one's complement. */
		assert(frame_get16(p.hdr + 36) % 0xffff == was % 0xffff);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len, mtu;
	uint8_t *ip;

	if (size < 1 || size > 65536)
		return 0;
	len = (uint32_t)size - 1;
	ip = malloc(len + !len);
	assert(ip);
	memcpy(ip, data + 1, len);
	mtu = data[0] / 2 * 12u; /* 0 to 1524 */
	if (data[0] & 1)
		fix_icmp(ip, len);
	try_error(ip, len);
	memcpy(ip, data + 1, len);
	if (data[0] & 1)
		frame_fix_csums(ip, len);
	try_packet(ip, len, mtu);
	free(ip);
	return 0;
}
