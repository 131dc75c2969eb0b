/* SPDX-License-Identifier: MIT */
/*
 * tcp_track.c - one connection as a man in the middle must see it
 *
 * Sequence numbers here are relative: 0 is the side's own SYN. Every walk is
 * repeated from initial numbers around which 32 bits wrap.
 */
#include <string.h>

#include "core/tcp_track.h"
#include "frames.h"
#include "unit.h"

#define ORIG  FLOW_ORIG
#define REPLY FLOW_REPLY
#define FAR   0x40000000u

#define CLIENT_WINDOW 10000
#define SERVER_WINDOW 20000

/* After establish(): what both sides have sent, their SYN included. */
#define CLIENT_END 101
#define SERVER_END 201

static const uint32_t isns[][FLOW_SIDES] = {
	{1000, 5000},
	{0, 0},
	{0xffffffff, 0xffffffff},
	{0xfffffffe, 0x7fffffff},
	{0x7fffffff, 0x80000000},
	{0xffffffff - 50, 0x80000000 - 50}, /* wraps inside the data */
	{0xffffffff - CLIENT_END, 0xffffffff - SERVER_END},
	{0x7fffffff - CLIENT_END, 1},
};

struct conn {
	struct tcp_track t;
	uint32_t isn[FLOW_SIDES];
	uint16_t window[FLOW_SIDES];
};

static struct tcp_segment segment(const struct conn *c, enum flow_side side,
				  uint8_t flags, uint32_t seq, uint32_t ack,
				  uint32_t len)
{
	return (struct tcp_segment){
		.seq = c->isn[side] + seq,
		.ack = flags & ACK ? c->isn[!side] + ack : 0,
		.window = c->window[side],
		.flags = flags,
		.wscale = TCP_NO_WSCALE,
		.mss = flags & SYN ? 1460 : 0,
		.len = len,
	};
}

static enum tcp_verdict put(struct conn *c, enum flow_side side, uint8_t flags,
			    uint32_t seq, uint32_t ack, uint32_t len)
{
	struct tcp_segment seg = segment(c, side, flags, seq, ack, len);

	return tcp_track(&c->t, side, &seg);
}

static void taken(struct conn *c, enum flow_side side, uint8_t flags,
		  uint32_t seq, uint32_t ack, uint32_t len, enum tcp_state then,
		  enum tcp_verdict as)
{
	enum tcp_verdict verdict = put(c, side, flags, seq, ack, len);

	ck_assert_msg(verdict == as,
		      "side %d flags %02x seq %u ack %u len %u: verdict %d",
		      side, flags, seq, ack, len, verdict);
	ck_assert_msg(c->t.state == then, "%s, not %s",
		      tcp_state_name(c->t.state), tcp_state_name(then));
}

static void valid(struct conn *c, enum flow_side side, uint8_t flags,
		  uint32_t seq, uint32_t ack, uint32_t len, enum tcp_state then)
{
	taken(c, side, flags, seq, ack, len, then, TCP_VALID);
}

/* The same for a retransmission in an established connection. */
static void repeated(struct conn *c, enum flow_side side, uint8_t flags,
		     uint32_t seq, uint32_t ack, uint32_t len)
{
	taken(c, side, flags, seq, ack, len, TCP_ESTABLISHED, TCP_REPEATED);
}

/* The segment gets @verdict and leaves no trace whatever. */
static void ignored(struct conn *c, enum flow_side side, uint8_t flags,
		    uint32_t seq, uint32_t ack, uint32_t len,
		    enum tcp_verdict verdict)
{
	const struct tcp_track before = c->t;
	enum tcp_verdict got = put(c, side, flags, seq, ack, len);

	ck_assert_msg(got == verdict,
		      "side %d flags %02x seq %u ack %u len %u: verdict %d",
		      side, flags, seq, ack, len, got);
	ck_assert_mem_eq(&before, &c->t, sizeof(before));
}

static struct conn syn_sent(int isn)
{
	struct conn c = {
		.isn = {isns[isn][0], isns[isn][1]},
		.window = {CLIENT_WINDOW, SERVER_WINDOW},
	};
	struct tcp_segment syn = segment(&c, ORIG, SYN, 0, 0, 0);

	tcp_track_open(&c.t, &syn);
	ck_assert_int_eq(c.t.state, TCP_SYN_SENT);
	return c;
}

static struct conn syn_received(int isn)
{
	struct conn c = syn_sent(isn);

	valid(&c, REPLY, SYN | ACK, 0, 1, 0, TCP_SYN_RECEIVED);
	return c;
}

/* 100 bytes from the client, 200 from the backend, all acknowledged */
static struct conn established(int isn)
{
	struct conn c = syn_received(isn);

	valid(&c, ORIG, ACK, 1, 1, 0, TCP_ESTABLISHED);
	valid(&c, ORIG, ACK | PSH, 1, 1, 100, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK, 1, 101, 0, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK | PSH, 1, 101, 200, TCP_ESTABLISHED);
	valid(&c, ORIG, ACK, 101, 201, 0, TCP_ESTABLISHED);
	return c;
}

/* The client's FIN, which nobody acknowledged yet */
static struct conn fin_wait(int isn)
{
	struct conn c = established(isn);

	valid(&c, ORIG, FIN | ACK, 101, 201, 0, TCP_FIN_WAIT);
	return c;
}

/* Both FINs crossed, neither acknowledged */
static struct conn closing(int isn)
{
	struct conn c = fin_wait(isn);

	valid(&c, REPLY, FIN | ACK, 201, 101, 0, TCP_CLOSING);
	return c;
}

static struct conn time_wait(int isn)
{
	struct conn c = closing(isn);

	valid(&c, REPLY, ACK, 202, 102, 0, TCP_CLOSING);
	valid(&c, ORIG, ACK, 102, 202, 0, TCP_TIME_WAIT);
	return c;
}

/* The client's RST at exactly what the backend expects */
static struct conn reset(int isn)
{
	struct conn c = established(isn);

	valid(&c, ORIG, RST, 101, 0, 0, TCP_RESET);
	return c;
}

static struct conn (*const make[TCP_STATES])(int isn) = {
	[TCP_SYN_SENT] = syn_sent,
	[TCP_SYN_RECEIVED] = syn_received,
	[TCP_ESTABLISHED] = established,
	[TCP_FIN_WAIT] = fin_wait,
	[TCP_CLOSING] = closing,
	[TCP_TIME_WAIT] = time_wait,
	[TCP_RESET] = reset,
};

/*
 * What each side may send in each state. END is the next number of the sender,
 * everything acknowledges all of the other side unless it says otherwise.
 */
enum event {
	EV_SYN,	     /* its first SYN (or SYN-ACK) again */
	EV_NEW_SYN,  /* one with another initial number */
	EV_ACK,	     /* nothing but an ACK */
	EV_DATA,     /* 10 new bytes */
	EV_OLD_DATA, /* its last byte again */
	EV_FIN,	     /* its FIN, again if it was sent */
	EV_RST,	     /* exact; toward SYN_SENT: that acknowledges the SYN */
	EV_RST_OFF,  /* one further */
	EV_RST_FAR,  /* far outside; toward SYN_SENT: without an ACK */
	EV_FAR,	     /* data far outside the window */
	EV_ACK_FAR,  /* acknowledges one more than was sent */
	EVENTS
};

/*
 * A cell: the verdict (V valid, O out of window, R bad RST, * not specified)
 * and the state afterwards (= the same, ? not specified).
 */
static const char *const expected[TCP_STATES][FLOW_SIDES][EVENTS] = {
	/* clang-format off */
/*		  SYN   NEWSYN ACK   DATA  OLD   FIN   RST   OFF   FAR   FARDATA FARACK */
[TCP_SYN_SENT] = {
	/* Nothing but the SYN makes sense before an answer; a client that
	 * gives up sends no RST (RFC 9293 section 3.10.5).
	 */
	[ORIG] = { "VSS", "*=", "*=", "*=", "*=", "*=", "*?", "R=", "R=", "*=", "*=" },
	/* Any initial number is right for the first answer. */
	[REPLY] = { "VSR", "VSR", "*=", "*=", "*=", "*=", "VRE", "R=", "R=", "*=", "*=" },
},
[TCP_SYN_RECEIVED] = {
	[ORIG] = { "VSR", "O=", "VES", "VES", "*?", "VFW", "VRE", "R=", "R=", "O=", "O=" },
	/* The SYN-ACK got lost: it comes again. */
	[REPLY] = { "VSR", "VSR", "*=", "*=", "*=", "*?", "VRE", "R=", "R=", "O=", "O=" },
},
[TCP_ESTABLISHED] = {
	/* A SYN here is at most answered by a challenge ACK (RFC 5961 4.2). */
	[ORIG] = { "*=", "O=", "V=", "V=", "V=", "VFW", "VRE", "R=", "R=", "O=", "O=" },
	[REPLY] = { "*=", "O=", "V=", "V=", "V=", "VFW", "VRE", "R=", "R=", "O=", "O=" },
},
[TCP_FIN_WAIT] = {
	[ORIG] = { "*=", "O=", "V=", "*=", "V=", "V=", "VRE", "R=", "R=", "O=", "O=" },
	[REPLY] = { "*=", "O=", "V=", "V=", "V=", "VCL", "VRE", "R=", "R=", "O=", "O=" },
},
[TCP_CLOSING] = {
	[ORIG] = { "*=", "O=", "V=", "*=", "V=", "V=", "VRE", "R=", "R=", "O=", "O=" },
	[REPLY] = { "*=", "O=", "V=", "*=", "V=", "V=", "VRE", "R=", "R=", "O=", "O=" },
},
[TCP_TIME_WAIT] = {
	/* Left only for a new flow: tcp_track_superseded() decides. */
	[ORIG] = { "*=", "*=", "V=", "*=", "V=", "V=", "*=", "*=", "*=", "O=", "O=" },
	[REPLY] = { "*=", "*=", "V=", "*=", "V=", "V=", "*=", "*=", "*=", "O=", "O=" },
},
[TCP_RESET] = {
	/* Who goes on was not reset (rule 6). */
	[ORIG] = { "*=", "*=", "VES", "VES", "*?", "VFW", "*=", "R=", "R=", "O=", "O=" },
	[REPLY] = { "*=", "*=", "VES", "VES", "*?", "VFW", "*=", "R=", "R=", "O=", "O=" },
},
	/* clang-format on */
};

static uint32_t end_of(const struct conn *c, enum flow_side side)
{
	return c->t.side[side].end - c->isn[side];
}

static struct tcp_segment event_segment(const struct conn *c,
					enum flow_side side, enum event ev)
{
	const bool answer = c->t.state == TCP_SYN_SENT && side == REPLY;
	const bool fin_sent = c->t.side[side].flags & TCP_SIDE_FIN;
	const uint8_t syn = side == ORIG ? SYN : SYN | ACK;
	uint32_t end = answer ? 1 : end_of(c, side);
	uint32_t ack =
		answer || c->t.state != TCP_SYN_SENT ? end_of(c, !side) : 0;

	switch (ev) {
	case EV_SYN: return segment(c, side, syn, 0, 1, 0);
	case EV_NEW_SYN: return segment(c, side, syn, 5000000, 1, 0);
	case EV_ACK: return segment(c, side, ACK, end, ack, 0);
	case EV_DATA: return segment(c, side, ACK, end, ack, 10);
	case EV_OLD_DATA: return segment(c, side, ACK, end - 1, ack, 1);
	case EV_FIN: return segment(c, side, FIN | ACK, end - fin_sent, ack, 0);
	case EV_RST: return segment(c, side, RST | ACK, end, ack, 0);
	case EV_RST_OFF:
		return segment(c, side, RST | ACK, end + 1, ack + answer, 0);
	case EV_RST_FAR:
		return segment(c, side, RST, answer ? 0 : end + FAR, 0, 0);
	case EV_FAR: return segment(c, side, ACK, end + FAR, ack, 10);
	case EV_ACK_FAR: return segment(c, side, ACK, end, ack + 1, 0);
	case EVENTS: break;
	}
	abort();
}

static bool verdict_is(char want, enum tcp_verdict got)
{
	switch (want) {
	case 'V': return got == TCP_VALID || got == TCP_REPEATED;
	case 'O': return got == TCP_OUT_OF_WINDOW;
	case 'R': return got == TCP_BAD_RST;
	default: return true;
	}
}

static bool state_is(const char *want, enum tcp_state before,
		     enum tcp_state got)
{
	static const char names[TCP_STATES][3] = {"SS", "SR", "ES", "FW",
						  "CL", "TW", "RE"};

	if (*want == '?')
		return true;
	return *want == '=' ? got == before : strcmp(want, names[got]) == 0;
}

START_TEST(each_state_follows_each_segment_from_each_side)
{
	const enum tcp_state from = (enum tcp_state)_i;

	for (size_t i = 0; i < ARRAY_LEN(isns) * FLOW_SIDES * EVENTS; i++) {
		enum flow_side side = i / EVENTS % FLOW_SIDES;
		enum event ev = i % EVENTS;
		const char *want = expected[from][side][ev];
		struct conn c = make[from]((int)(i / EVENTS / FLOW_SIDES));
		const struct tcp_track before = c.t;
		struct tcp_segment seg = event_segment(&c, side, ev);
		enum tcp_verdict got = tcp_track(&c.t, side, &seg);

		ck_assert_msg(verdict_is(want[0], got) &&
				      state_is(want + 1, from, c.t.state),
			      "%s, side %d, event %d, isn %u %u: "
			      "want %s, verdict %d, then %s",
			      tcp_state_name(from), side, ev, c.isn[0],
			      c.isn[1], want, got, tcp_state_name(c.t.state));
		if (got == TCP_OUT_OF_WINDOW || got == TCP_BAD_RST)
			ck_assert_mem_eq(&before, &c.t, sizeof(before));
	}
}
END_TEST

START_TEST(syn_ack_must_acknowledge_the_syn)
{
	static const uint32_t acks[] = {0, 2, 100, FAR, 0x80000001, 0xffffffff};
	struct conn c = syn_sent(_i);

	for (size_t i = 0; i < ARRAY_LEN(acks); i++)
		ignored(&c, REPLY, SYN | ACK, 0, acks[i], 0, TCP_OUT_OF_WINDOW);
	valid(&c, REPLY, SYN | ACK, 0, 1, 0, TCP_SYN_RECEIVED);
}
END_TEST

/* The first was lost behind us, and the backend knows nothing of it: with SYN
 * cookies, say. Data that came with it counts no more either.
 */
START_TEST(another_syn_ack_counts_until_the_client_has_acknowledged_one)
{
	enum { OTHER = 0x40000000 };
	struct conn c = syn_received(_i);

	valid(&c, REPLY, ACK, 1, 1, 100, TCP_SYN_RECEIVED);
	valid(&c, REPLY, SYN | ACK, OTHER, 1, 0, TCP_SYN_RECEIVED);
	ignored(&c, REPLY, SYN | ACK, 5, 2, 0, TCP_OUT_OF_WINDOW);
	ignored(&c, ORIG, ACK, 1, 1, 0, TCP_OUT_OF_WINDOW);
	ignored(&c, ORIG, ACK, 1, 101, 0, TCP_OUT_OF_WINDOW);
	valid(&c, ORIG, ACK, 1, OTHER + 1, 0, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK, OTHER + 1, 1, 100, TCP_ESTABLISHED);
	valid(&c, ORIG, ACK, 1, OTHER + 101, 50, TCP_ESTABLISHED);
	ignored(&c, REPLY, SYN | ACK, 0, 1, 0, TCP_OUT_OF_WINDOW);
	valid(&c, ORIG, RST, 51, 0, 0, TCP_RESET);
}
END_TEST

START_TEST(client_must_acknowledge_exactly_the_syn_ack)
{
	static const uint32_t acks[] = {0, 2, 3, FAR, 0x80000001, 0xffffffff};
	struct conn c = syn_received(_i);

	for (size_t i = 0; i < ARRAY_LEN(acks); i++) {
		put(&c, ORIG, ACK, 1, acks[i], 0);
		ck_assert_int_eq(c.t.state, TCP_SYN_RECEIVED);
	}
	valid(&c, ORIG, ACK, 1, 1, 0, TCP_ESTABLISHED);
}
END_TEST

/* RFC 7413: the SYN's data may be acknowledged, or not. */
START_TEST(syn_with_data_may_be_answered_in_both_ways)
{
	for (uint32_t ack = 1; ack <= 11; ack += 10) {
		struct conn c = syn_sent(_i);
		struct tcp_segment syn = segment(&c, ORIG, SYN, 0, 0, 10);

		tcp_track_open(&c.t, &syn);
		valid(&c, REPLY, SYN | ACK, 0, ack, 0, TCP_SYN_RECEIVED);
		valid(&c, ORIG, ACK, ack, 1, 0, TCP_ESTABLISHED);
	}
}
END_TEST

/* RFC 7413: the backend need not wait for the client's ACK to send data. */
START_TEST(data_may_follow_the_syn_ack_at_once)
{
	struct conn c = syn_sent(_i);
	struct tcp_segment syn = segment(&c, ORIG, SYN, 0, 0, 10);

	tcp_track_open(&c.t, &syn);
	valid(&c, REPLY, SYN | ACK, 0, 11, 0, TCP_SYN_RECEIVED);
	valid(&c, REPLY, ACK, 1, 11, 1000, TCP_SYN_RECEIVED);
	valid(&c, REPLY, ACK, 1001, 11, 1000, TCP_SYN_RECEIVED);
	ignored(&c, ORIG, ACK, 11, 0, 0, TCP_OUT_OF_WINDOW);
	ignored(&c, ORIG, ACK, 11, 2002, 0, TCP_OUT_OF_WINDOW);
	valid(&c, ORIG, ACK, 11, 1, 0, TCP_ESTABLISHED);
	for (uint32_t at = 2001; at < 100000; at += 1000) {
		valid(&c, REPLY, ACK, at, 11, 1000, TCP_ESTABLISHED);
		valid(&c, ORIG, ACK, 11, at - 1000, 0, TCP_ESTABLISHED);
	}
}
END_TEST

START_TEST(refusal_must_acknowledge_the_syn)
{
	struct conn c = syn_sent(_i);

	ignored(&c, REPLY, RST, 0, 0, 0, TCP_BAD_RST);
	ignored(&c, REPLY, RST, 1, 0, 0, TCP_BAD_RST);
	ignored(&c, REPLY, RST | ACK, 0, 0, 0, TCP_BAD_RST);
	ignored(&c, REPLY, RST | ACK, 0, 2, 0, TCP_BAD_RST);
	ignored(&c, REPLY, RST | ACK, 0, FAR, 0, TCP_BAD_RST);
	valid(&c, REPLY, RST | ACK, 0 - c.isn[1], 1, 0, TCP_RESET);
}
END_TEST

/* RFC 5961 section 3.2: not in the window, but exactly there. */
START_TEST(rst_counts_only_at_exactly_the_expected_sequence)
{
	static const uint32_t off[] = {
		1,	    2,		100,	   9999,       10000,
		19999,	    20000,	FAR,	   0x7fffffff, 0x80000000,
		0x80000001, 0xfffffffe, 0xffffffff};

	for (size_t i = 0; i < ARRAY_LEN(off); i++) {
		struct conn c = established(_i);

		ignored(&c, ORIG, RST, CLIENT_END + off[i], 0, 0, TCP_BAD_RST);
		ignored(&c, REPLY, RST, SERVER_END + off[i], 0, 0, TCP_BAD_RST);
		ignored(&c, ORIG, RST | ACK, CLIENT_END + off[i], SERVER_END, 0,
			TCP_BAD_RST);
	}
	for (int side = 0; side < FLOW_SIDES; side++) {
		struct conn c = established(_i);

		valid(&c, side, RST, end_of(&c, side), 0, 0, TCP_RESET);
		c = established(_i);
		valid(&c, side, RST | ACK, end_of(&c, side), end_of(&c, !side),
		      0, TCP_RESET);
	}
}
END_TEST

/*
 * With data under way the receiver expects either what it acknowledged or,
 * when all arrived, the end of it. Beyond the end is never right.
 */
START_TEST(rst_with_data_under_way_counts_at_both_ends_of_it)
{
	struct conn c = established(_i), d;

	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, 1000, TCP_ESTABLISHED);
	d = c;
	ignored(&d, REPLY, RST, SERVER_END + 1001, 0, 0, TCP_BAD_RST);
	ignored(&d, REPLY, RST, SERVER_END - 1, 0, 0, TCP_BAD_RST);
	valid(&d, REPLY, RST, SERVER_END + 1000, 0, 0, TCP_RESET);
	d = c;
	valid(&d, REPLY, RST, SERVER_END, 0, 0, TCP_RESET);
}
END_TEST

START_TEST(rst_of_a_client_that_never_saw_the_syn_ack_counts)
{
	struct conn c = syn_received(_i);

	ignored(&c, ORIG, RST, 0, 0, 0, TCP_BAD_RST);
	ignored(&c, ORIG, RST, 2, 0, 0, TCP_BAD_RST);
	valid(&c, ORIG, RST, 1, 0, 0, TCP_RESET);
}
END_TEST

static void send_blindly(struct conn *c, struct random *r, uint8_t flags)
{
	const struct tcp_track before = c->t;
	enum flow_side side = random_below(r, FLOW_SIDES);
	uint32_t seq, ack, len = random_below(r, 1461);

	/* beyond anything that a window could reach */
	seq = end_of(c, side) + 100000 + random_below(r, 0xffffffff - 200000);
	ack = end_of(c, !side);
	/* A SYN-ACK in SYN_RECEIVED needs to know the client's number. */
	if (random_below(r, 2) ||
	    (flags == (SYN | ACK) && before.state == TCP_SYN_RECEIVED))
		ack += 1 + random_below(r, UINT32_MAX);
	put(c, side, flags, seq, ack, flags & (SYN | RST) ? 0 : len);
	unit_check(memcmp(&before, &c->t, sizeof(before)) == 0,
		   "%s: flags %02x at %u", tcp_state_name(before.state), flags,
		   seq);
}

START_TEST(blind_segments_outside_the_window_change_nothing)
{
	static const uint8_t flags[] = {RST,	   RST | ACK,	   SYN,
					SYN | ACK, FIN | ACK,	   ACK,
					ACK | PSH, FIN | ACK | PSH};
	struct random r = {(uint64_t)_i};

	for (int state = TCP_SYN_RECEIVED; state < TCP_STATES; state++) {
		for (int i = 0; i < 2000; i++) {
			struct conn c = make[state](_i % 8);

			send_blindly(&c, &r, flags[i % ARRAY_LEN(flags)]);
			i += 7; /* make() costs more than the segment */
			for (int n = 0; n < 8; n++)
				send_blindly(&c, &r,
					     flags[n % ARRAY_LEN(flags)]);
		}
	}
}
END_TEST

/* RFC 5961 section 4.2: wherever it is, it gets at most a challenge ACK. */
START_TEST(syn_inside_the_window_changes_nothing)
{
	static const uint8_t flags[] = {SYN, SYN | ACK};
	static const uint32_t ahead[] = {0, 1, 1000, 9999};

	for (int state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++) {
		for (size_t i = 0; i < 16; i++) {
			struct conn c = make[state](_i);
			enum flow_side side = i / 8;

			ignored(&c, side, flags[i / 4 % 2],
				end_of(&c, side) + ahead[i % 4],
				end_of(&c, !side), 0, TCP_OUT_OF_WINDOW);
		}
	}
}
END_TEST

/* RFC 5961 section 5.2: not even with a right sequence number. */
START_TEST(acknowledgment_of_what_was_never_sent_is_refused)
{
	static const uint32_t beyond[] = {1, 2, 1000, 20000, FAR, 0x7ffffff0};
	struct conn c = established(_i);

	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		ignored(&c, ORIG, ACK, CLIENT_END, SERVER_END + beyond[i], 0,
			TCP_OUT_OF_WINDOW);
		ignored(&c, REPLY, ACK, SERVER_END, CLIENT_END + beyond[i], 50,
			TCP_OUT_OF_WINDOW);
		ignored(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END + beyond[i],
			0, TCP_OUT_OF_WINDOW);
	}
}
END_TEST

START_TEST(very_old_acknowledgment_is_refused)
{
	struct conn c = established(_i);

	ignored(&c, ORIG, ACK, CLIENT_END, SERVER_END - 1000000, 10,
		TCP_OUT_OF_WINDOW);
	ignored(&c, REPLY, ACK, SERVER_END, CLIENT_END - FAR, 10,
		TCP_OUT_OF_WINDOW);
}
END_TEST

START_TEST(late_and_repeated_segments_are_valid_and_move_nothing_back)
{
	struct conn c = established(_i);
	struct tcp_track before = c.t;

	repeated(&c, ORIG, ACK | PSH, 1, 1, 100);
	repeated(&c, REPLY, ACK | PSH, 1, 101, 200);
	valid(&c, REPLY, ACK, 1, 101, 0, TCP_ESTABLISHED);
	valid(&c, ORIG, ACK, 101, 1, 0, TCP_ESTABLISHED);
	repeated(&c, ORIG, ACK, 50, 101, 51);
	for (int side = 0; side < FLOW_SIDES; side++) {
		ck_assert_uint_eq(c.t.side[side].end, before.side[side].end);
		ck_assert_uint_eq(c.t.side[side].ack, before.side[side].ack);
		ck_assert_uint_eq(c.t.side[side].limit,
				  before.side[side].limit);
	}
}
END_TEST

/* What we did not capture was not forwarded; the rest arrives with a hole. */
START_TEST(data_after_a_hole_is_valid)
{
	struct conn c = established(_i);

	valid(&c, ORIG, ACK, CLIENT_END + 1460, SERVER_END, 1460,
	      TCP_ESTABLISHED);
	ck_assert_uint_eq(end_of(&c, ORIG), CLIENT_END + 2920);
	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, 0, TCP_ESTABLISHED);
	/* what was lost before us is sent again */
	repeated(&c, ORIG, ACK, CLIENT_END, SERVER_END, 1460);
	ck_assert_uint_eq(end_of(&c, ORIG), CLIENT_END + 2920);
	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END + 2920, 0,
	      TCP_ESTABLISHED);
}
END_TEST

START_TEST(keep_alive_probe_and_its_answer_are_valid)
{
	struct conn c = established(_i);

	for (uint32_t len = 0; len < 2; len++) {
		valid(&c, ORIG, ACK, CLIENT_END - 1, SERVER_END, len,
		      TCP_ESTABLISHED);
		valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, 0,
		      TCP_ESTABLISHED);
		valid(&c, REPLY, ACK, SERVER_END - 1, CLIENT_END, len,
		      TCP_ESTABLISHED);
	}
	ck_assert_uint_eq(end_of(&c, ORIG), CLIENT_END);
}
END_TEST

/* The window is a limit: up to it, not beyond. */
/* --- retransmissions ------------------------------------------------------ */

/* Of each side: @seq is counted from the end of what it has sent. */
static const struct {
	int32_t seq;
	uint32_t len;
	enum tcp_verdict verdict;
} copies[] = {
	{-100, 100, TCP_REPEATED}, /* the last segment */
	{-100, 99, TCP_REPEATED},  /* but for a byte */
	{-50, 50, TCP_REPEATED},   {-100, 101, TCP_VALID}, /* with new data */
	{-99, 100, TCP_VALID},	   {0, 100, TCP_VALID},	   {0, 1, TCP_VALID},
	{100, 100, TCP_VALID}, /* one before was lost */
	{-2, 1, TCP_REPEATED},	   {-1, 1, TCP_REPEATED}, /* not acknowledged:
							     no keepalive */
	{-1, 0, TCP_VALID},				  /* without data */
	{-100, 0, TCP_VALID},
};

START_TEST(nothing_but_old_data_is_a_retransmission)
{
	for (int side = 0; side < FLOW_SIDES; side++) {
		for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
			struct conn c = established(_i);
			uint32_t end[2] = {CLIENT_END, SERVER_END};

			valid(&c, side, ACK, end[side], end[!side], 100,
			      TCP_ESTABLISHED);
			taken(&c, side, ACK,
			      end[side] + 100 + (uint32_t)copies[i].seq,
			      end[!side], copies[i].len, TCP_ESTABLISHED,
			      copies[i].verdict);
		}
	}
}
END_TEST

/* Its ACK was lost behind us: the sender cannot know. */
START_TEST(what_was_acknowledged_may_be_sent_again_too)
{
	struct conn c = established(_i);

	repeated(&c, ORIG, ACK, 1, SERVER_END, 100);
	repeated(&c, REPLY, ACK, 1, CLIENT_END, 200);
	/* one byte of it would be a keepalive */
	valid(&c, ORIG, ACK, CLIENT_END - 1, SERVER_END, 1, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK, SERVER_END - 1, CLIENT_END, 1, TCP_ESTABLISHED);
}
END_TEST

START_TEST(repeated_syns_and_bare_fins_are_no_retransmissions)
{
	struct conn c = syn_received(_i);

	valid(&c, ORIG, SYN, 0, 0, 0, TCP_SYN_RECEIVED);
	valid(&c, REPLY, SYN | ACK, 0, 1, 0, TCP_SYN_RECEIVED);
	c = established(_i);
	valid(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END, 0, TCP_FIN_WAIT);
	valid(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END, 0, TCP_FIN_WAIT);
	/* but with the data before it the FIN is one the second time */
	c = established(_i);
	valid(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END, 50, TCP_FIN_WAIT);
	taken(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END, 50, TCP_FIN_WAIT,
	      TCP_REPEATED);
	taken(&c, ORIG, ACK, CLIENT_END, SERVER_END, 50, TCP_FIN_WAIT,
	      TCP_REPEATED);
	/* beyond the FIN nothing was sent before, whatever it is */
	valid(&c, ORIG, ACK, CLIENT_END + 51, SERVER_END, 50, TCP_FIN_WAIT);
}
END_TEST

START_TEST(sender_may_fill_the_window_and_no_more)
{
	struct conn c = established(_i);

	ignored(&c, REPLY, ACK, SERVER_END + CLIENT_WINDOW + 2, CLIENT_END, 9,
		TCP_OUT_OF_WINDOW);
	ignored(&c, ORIG, ACK, CLIENT_END + SERVER_WINDOW + 2, SERVER_END, 9,
		TCP_OUT_OF_WINDOW);
	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, CLIENT_WINDOW,
	      TCP_ESTABLISHED);
	valid(&c, ORIG, ACK, CLIENT_END, SERVER_END, SERVER_WINDOW,
	      TCP_ESTABLISHED);
}
END_TEST

/* RFC 9293 section 3.8.6.1: a probe lies beyond a closed window. */
START_TEST(zero_window_probe_is_valid)
{
	struct conn c = established(_i);
	uint32_t end = SERVER_END + CLIENT_WINDOW;

	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, CLIENT_WINDOW,
	      TCP_ESTABLISHED);
	c.window[ORIG] = 0;
	valid(&c, ORIG, ACK, CLIENT_END, end, 0, TCP_ESTABLISHED);
	for (int i = 0; i < 3; i++) {
		valid(&c, REPLY, ACK, end, CLIENT_END, 1, TCP_ESTABLISHED);
		valid(&c, ORIG, ACK, CLIENT_END, end, 0, TCP_ESTABLISHED);
	}
	valid(&c, REPLY, ACK, end - 1, CLIENT_END, 0, TCP_ESTABLISHED);
	c.window[ORIG] = 5000;
	valid(&c, ORIG, ACK, CLIENT_END, end, 0, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK, end, CLIENT_END, 5000, TCP_ESTABLISHED);
	valid(&c, ORIG, ACK, CLIENT_END, end + 5000, 0, TCP_ESTABLISHED);
}
END_TEST

START_TEST(fin_into_a_closed_window_is_valid)
{
	struct conn c = established(_i);
	uint32_t end = SERVER_END + CLIENT_WINDOW;

	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, CLIENT_WINDOW,
	      TCP_ESTABLISHED);
	c.window[ORIG] = 0;
	valid(&c, ORIG, ACK, CLIENT_END, end, 0, TCP_ESTABLISHED);
	valid(&c, REPLY, FIN | ACK, end, CLIENT_END, 0, TCP_FIN_WAIT);
}
END_TEST

/* RFC 9293 section 3.8.6: what was once allowed may be under way. */
START_TEST(smaller_window_takes_nothing_back)
{
	struct conn c = established(_i);

	c.window[ORIG] = 10;
	valid(&c, ORIG, ACK, CLIENT_END, SERVER_END, 0, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK, SERVER_END, CLIENT_END, CLIENT_WINDOW,
	      TCP_ESTABLISHED);
}
END_TEST

static struct conn scaled(uint8_t client, uint8_t server)
{
	struct conn c = syn_sent(0);
	struct tcp_segment syn = segment(&c, ORIG, SYN, 0, 0, 0);
	struct tcp_segment answer = segment(&c, REPLY, SYN | ACK, 0, 1, 0);

	syn.wscale = client;
	answer.wscale = server;
	tcp_track_open(&c.t, &syn);
	ck_assert_int_eq(tcp_track(&c.t, REPLY, &answer), TCP_VALID);
	/* RFC 7323 section 2.2: windows of SYNs are never scaled */
	ck_assert_uint_eq(c.t.side[REPLY].limit - c.isn[ORIG],
			  1 + SERVER_WINDOW);
	valid(&c, ORIG, ACK, 1, 1, 0, TCP_ESTABLISHED);
	valid(&c, REPLY, ACK, 1, 1, 0, TCP_ESTABLISHED);
	return c;
}

START_TEST(the_window_field_is_what_was_offered)
{
	struct conn c = scaled(7, 4);

	ck_assert_uint_eq(tcp_track_window(&c.t, ORIG), c.window[ORIG]);
	ck_assert_uint_eq(tcp_track_window(&c.t, REPLY), c.window[REPLY]);
	c = established(_i);
	ck_assert_uint_eq(tcp_track_window(&c.t, ORIG), c.window[ORIG]);
	c.t.side[ORIG].limit = c.t.side[ORIG].ack + 100000;
	ck_assert_uint_eq(tcp_track_window(&c.t, ORIG), UINT16_MAX);
	c.t.side[ORIG].limit = c.t.side[ORIG].ack;
	ck_assert_uint_eq(tcp_track_window(&c.t, ORIG), 0);
}
END_TEST

START_TEST(windows_are_scaled_as_both_sides_agreed)
{
	for (uint8_t shift = 0; shift <= 14; shift++) {
		struct conn c = scaled(shift, 14 - shift);

		ck_assert_uint_eq(c.t.side[ORIG].limit - c.isn[REPLY],
				  1 + ((uint32_t)CLIENT_WINDOW << shift));
		ck_assert_uint_eq(
			c.t.side[REPLY].limit - c.isn[ORIG],
			1 + ((uint32_t)SERVER_WINDOW << (14 - shift)));
		valid(&c, REPLY, ACK, (uint32_t)CLIENT_WINDOW << shift, 1, 1,
		      TCP_ESTABLISHED);
	}
}
END_TEST

START_TEST(windows_are_not_scaled_when_one_side_did_not_offer_it)
{
	static const uint8_t offers[][2] = {{7, TCP_NO_WSCALE},
					    {TCP_NO_WSCALE, 7}};

	for (int i = 0; i < 2; i++) {
		struct conn c = scaled(offers[i][0], offers[i][1]);

		ck_assert_uint_eq(c.t.side[ORIG].limit - c.isn[REPLY],
				  1 + CLIENT_WINDOW);
		ck_assert_uint_eq(c.t.side[REPLY].limit - c.isn[ORIG],
				  1 + SERVER_WINDOW);
	}
}
END_TEST

START_TEST(mss_of_each_side_is_kept)
{
	struct conn c = established(_i);

	ck_assert_uint_eq(c.t.side[ORIG].mss, 1460);
	ck_assert_uint_eq(c.t.side[REPLY].mss, 1460);
}
END_TEST

/* A gigabyte and more in each direction, past every wrap. */
START_TEST(long_transfer_stays_valid_across_wraps)
{
	struct conn c = scaled(14, 14);
	uint32_t at[FLOW_SIDES] = {1, 1};

	for (uint64_t sent = 0; sent < 10ull << 30; sent += 1u << 20) {
		for (int side = 0; side < FLOW_SIDES; side++) {
			unit_check(put(&c, side, ACK, at[side], at[!side],
				       1 << 20) == TCP_VALID,
				   "data of side %d at %u", side, at[side]);
			at[side] += 1 << 20;
			unit_check(put(&c, !side, ACK, at[!side], at[side],
				       0) == TCP_VALID,
				   "ack of side %d at %u", !side, at[side]);
		}
	}
	valid(&c, ORIG, RST, at[ORIG], 0, 0, TCP_RESET);
}
END_TEST

/* @first closes, the other still sends, then closes too. */
static void close_one_by_one(int isn, enum flow_side first)
{
	struct conn c = established(isn);
	uint32_t at = end_of(&c, first), other = end_of(&c, !first);

	valid(&c, first, FIN | ACK, at, other, 0, TCP_FIN_WAIT);
	valid(&c, !first, ACK, other, at + 1, 0, TCP_FIN_WAIT);
	for (int i = 0; i < 100; i++) {
		valid(&c, !first, ACK, other, at + 1, 1000, TCP_FIN_WAIT);
		other += 1000;
		valid(&c, first, ACK, at + 1, other, 0, TCP_FIN_WAIT);
	}
	valid(&c, !first, FIN | ACK, other, at + 1, 0, TCP_CLOSING);
	valid(&c, !first, FIN | ACK, other, at + 1, 0, TCP_CLOSING);
	valid(&c, first, ACK, at + 1, other + 1, 0, TCP_TIME_WAIT);
	valid(&c, !first, FIN | ACK, other, at + 1, 0, TCP_TIME_WAIT);
}

START_TEST(half_closed_connection_still_carries_data)
{
	close_one_by_one(_i, ORIG);
	close_one_by_one(_i, REPLY);
}
END_TEST

START_TEST(fins_that_cross_close_the_connection)
{
	for (int first = 0; first < FLOW_SIDES; first++) {
		struct conn c = established(_i);
		uint32_t at = end_of(&c, first), other = end_of(&c, !first);

		valid(&c, first, FIN | ACK, at, other, 0, TCP_FIN_WAIT);
		valid(&c, !first, FIN | ACK, other, at, 0, TCP_CLOSING);
		valid(&c, first, ACK, at + 1, other + 1, 0, TCP_CLOSING);
		valid(&c, !first, ACK, other + 1, at + 1, 0, TCP_TIME_WAIT);
	}
}
END_TEST

START_TEST(fin_with_data_counts_where_the_data_ends)
{
	struct conn c = established(_i);
	uint32_t end = CLIENT_END + 500;

	valid(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END, 500, TCP_FIN_WAIT);
	valid(&c, REPLY, FIN | ACK, SERVER_END, end, 0, TCP_CLOSING);
	valid(&c, ORIG, ACK, end + 1, SERVER_END + 1, 0, TCP_CLOSING);
	/* the data was acknowledged, the FIN only now */
	valid(&c, REPLY, ACK, SERVER_END + 1, end + 1, 0, TCP_TIME_WAIT);
}
END_TEST

START_TEST(three_segments_can_close_a_connection)
{
	struct conn c = established(_i);

	valid(&c, REPLY, FIN | ACK, SERVER_END, CLIENT_END, 0, TCP_FIN_WAIT);
	valid(&c, ORIG, FIN | ACK, CLIENT_END, SERVER_END + 1, 0, TCP_CLOSING);
	valid(&c, REPLY, ACK, SERVER_END + 1, CLIENT_END + 1, 0, TCP_TIME_WAIT);
}
END_TEST

/* Each state is restored as it was, and goes on from there. */
START_TEST(reset_connection_is_revived_by_a_later_segment)
{
	for (int state = TCP_SYN_RECEIVED; state <= TCP_CLOSING; state++) {
		for (int side = 0; side < FLOW_SIDES; side++) {
			struct conn c = make[state](_i);
			uint32_t at = end_of(&c, side);
			uint32_t other = end_of(&c, !side);

			valid(&c, side, RST, at, 0, 0, TCP_RESET);
			ignored(&c, side, ACK, at + FAR, other, 0,
				TCP_OUT_OF_WINDOW);
			if (state == TCP_SYN_RECEIVED)
				valid(&c, ORIG, ACK, 1, 1, 0, TCP_ESTABLISHED);
			else
				valid(&c, side, ACK, at, other, 0,
				      (enum tcp_state)state);
		}
	}
}
END_TEST

START_TEST(new_syn_replaces_only_what_is_over_or_was_never_answered)
{
	static const uint32_t isn[] = {2,	   50,	      CLIENT_END + 2,
				       100000,	   FAR,	      0x90000000,
				       0xffff0000, 0xffffffff};

	for (int state = 0; state < TCP_STATES; state++) {
		struct conn c = make[state](_i);
		const struct tcp_track before = c.t;

		for (size_t i = 0; i < ARRAY_LEN(isn); i++) {
			struct tcp_segment syn =
				segment(&c, ORIG, SYN, isn[i], 0, 0);
			bool want = state == TCP_SYN_SENT ||
				    state == TCP_RESET ||
				    state == TCP_TIME_WAIT;

			ck_assert_msg(tcp_track_superseded(&c.t, &syn) == want,
				      "%s, %u further",
				      tcp_state_name((enum tcp_state)state),
				      isn[i]);
		}
		ck_assert_mem_eq(&before, &c.t, sizeof(before));
	}
}
END_TEST

/* Found by fuzz_engine: it counted as an ACK of a SYN-ACK nobody had sent. */
START_TEST(syn_with_an_ack_from_the_client_is_no_copy)
{
	struct conn c = syn_sent(_i);
	const struct tcp_track before = c.t;

	ck_assert_int_eq(put(&c, ORIG, SYN | ACK, 0, 1, 0), TCP_OUT_OF_WINDOW);
	ck_assert_mem_eq(&before, &c.t, sizeof(before));
}
END_TEST

START_TEST(copy_of_the_syn_replaces_nothing)
{
	for (int state = 0; state < TCP_TIME_WAIT; state++) {
		struct conn c = make[state](_i);
		struct tcp_segment copy = segment(&c, ORIG, SYN, 0, 0, 0);

		ck_assert_msg(!tcp_track_superseded(&c.t, &copy), "%s",
			      tcp_state_name((enum tcp_state)state));
	}
}
END_TEST

START_TEST(states_are_named_as_in_the_dump)
{
	static const char *const names[TCP_STATES] = {
		"SYN_SENT", "SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT",
		"CLOSING",  "TIME_WAIT",    "RESET",
	};

	for (int i = 0; i < TCP_STATES; i++) {
		enum tcp_state s = (enum tcp_state)i;

		ck_assert_str_eq(tcp_state_name(s), names[i]);
		ck_assert(tcp_is_half_open(s) == (i <= TCP_SYN_RECEIVED));
		ck_assert(tcp_is_closed(s) == (i >= TCP_TIME_WAIT));
	}
}
END_TEST

int main(void)
{
	enum { ALL = ARRAY_LEN(isns) };
	const struct unit_test tests[] = {
		{each_state_follows_each_segment_from_each_side, TCP_STATES},
		{syn_ack_must_acknowledge_the_syn, ALL},
		{another_syn_ack_counts_until_the_client_has_acknowledged_one,
		 ALL},
		{client_must_acknowledge_exactly_the_syn_ack, ALL},
		{syn_with_data_may_be_answered_in_both_ways, ALL},
		{data_may_follow_the_syn_ack_at_once, ALL},
		{refusal_must_acknowledge_the_syn, ALL},
		{rst_counts_only_at_exactly_the_expected_sequence, ALL},
		{rst_with_data_under_way_counts_at_both_ends_of_it, ALL},
		{rst_of_a_client_that_never_saw_the_syn_ack_counts, ALL},
		{blind_segments_outside_the_window_change_nothing, ALL},
		{syn_inside_the_window_changes_nothing, ALL},
		{acknowledgment_of_what_was_never_sent_is_refused, ALL},
		{very_old_acknowledgment_is_refused, ALL},
		{late_and_repeated_segments_are_valid_and_move_nothing_back,
		 ALL},
		{data_after_a_hole_is_valid, ALL},
		{keep_alive_probe_and_its_answer_are_valid, ALL},
		{nothing_but_old_data_is_a_retransmission, ALL},
		{what_was_acknowledged_may_be_sent_again_too, ALL},
		{repeated_syns_and_bare_fins_are_no_retransmissions, ALL},
		{sender_may_fill_the_window_and_no_more, ALL},
		{zero_window_probe_is_valid, ALL},
		{fin_into_a_closed_window_is_valid, ALL},
		{smaller_window_takes_nothing_back, ALL},
		{the_window_field_is_what_was_offered, ARRAY_LEN(isns)},
		{windows_are_scaled_as_both_sides_agreed, 0},
		{windows_are_not_scaled_when_one_side_did_not_offer_it, 0},
		{mss_of_each_side_is_kept, ALL},
		{long_transfer_stays_valid_across_wraps, 0},
		{half_closed_connection_still_carries_data, ALL},
		{fins_that_cross_close_the_connection, ALL},
		{fin_with_data_counts_where_the_data_ends, ALL},
		{three_segments_can_close_a_connection, ALL},
		{reset_connection_is_revived_by_a_later_segment, ALL},
		{new_syn_replaces_only_what_is_over_or_was_never_answered, ALL},
		{copy_of_the_syn_replaces_nothing, ALL},
		{syn_with_an_ack_from_the_client_is_no_copy, ALL},
		{states_are_named_as_in_the_dump, 0},
	};

	return unit_run("tcp_track", tests, ARRAY_LEN(tests));
}
