/* SPDX-License-Identifier: MIT */
/*
 * See frame.h. Takes one byte at a time, so that the boundaries of reads cannot
 * matter.
 */
#include "frame.h"

#include <assert.h>
#include <string.h>

void framer_init(struct framer *f, size_t max, bool probes)
{
	assert(max >= 4);
	assert(max <= CHAT_LINE_MAX);
	memset(f, 0, sizeof(*f));
	f->max = max;
	f->probes = probes;
}

static void forget_used(struct framer *f)
{
	memmove(f->line, f->line + f->used, f->len - f->used);
	f->len -= f->used;
	f->used = 0;
	f->line_len = 0;
}

/* Length of the UTF-8 character that a lead byte begins; 1 for other bytes. */
static size_t utf8_need(unsigned char lead)
{
	if (lead >= 0xf0)
		return 4;
	if (lead >= 0xe0)
		return 3;
	return lead >= 0xc0 ? 2 : 1;
}

/* Number of bytes at the end that begin a character without completing it. */
static size_t utf8_cut(const char *text, size_t len)
{
	for (size_t back = 1; back <= 3 && back < len; back++) {
		unsigned char byte = (unsigned char)text[len - back];

		if ((byte & 0xc0) != 0x80) /* not a continuation byte */
			return utf8_need(byte) > back ? back : 0;
	}
	return 0;
}

static void hand_out_piece(struct framer *f)
{
	f->line_len = f->len - utf8_cut(f->line, f->len);
	f->used = f->line_len;
	f->whole = false;
	f->continued = true;
}

/* Returns false for the empty rest of a line whose pieces filled it exactly. */
static bool hand_out_line(struct framer *f)
{
	bool is_rest = f->continued;

	f->line_len = f->len;
	while (f->line_len > 0 && f->line[f->line_len - 1] == '\r')
		f->line_len--;
	f->used = f->len;
	f->whole = !is_rest;
	f->continued = false;
	if (is_rest && f->line_len == 0) {
		forget_used(f);
		return false;
	}
	return true;
}

static bool probe_is_complete(const struct framer *f)
{
	return f->probes && !f->continued && f->len == CHAT_PROBE_LEN &&
	       memcmp(f->line, CHAT_PROBE, CHAT_PROBE_LEN) == 0;
}

/*
 * A prober compares what one read returns with what it sent in one write. So a
 * newline that has arrived belongs to the same event.
 */
static enum frame hand_out_probe(struct framer *f, const char **in,
				 const char *end)
{
	const char *p = *in;

	f->len = 0;
	while (p < end && *p == '\r')
		p++;
	if (p < end && *p == '\n') {
		*in = p + 1;
		return FRAME_PROBE_LINE;
	}
	f->after_probe = true;
	return FRAME_PROBE;
}

enum frame framer_next(struct framer *f, const char **in, const char *end)
{
	forget_used(f);
	while (*in < end) {
		char byte = **in;

		if (byte == '\0' || (f->after_probe && byte == '\r')) {
			++*in;
			continue;
		}
		if (byte == '\n') {
			++*in;
			if (f->after_probe) {
				f->after_probe = false;
				return FRAME_PROBE_END;
			}
			if (hand_out_line(f))
				return FRAME_LINE;
			continue;
		}
		f->after_probe = false;
		if (f->len == f->max) {
			hand_out_piece(f);
			return FRAME_LINE;
		}
		f->line[f->len++] = byte;
		++*in;
		if (probe_is_complete(f))
			return hand_out_probe(f, in, end);
	}
	return FRAME_NONE;
}

enum frame framer_end(struct framer *f)
{
	forget_used(f);
	if (f->len == 0)
		return FRAME_NONE;
	return hand_out_line(f) ? FRAME_LINE : FRAME_NONE;
}

bool framer_is_idle(const struct framer *f)
{
	return f->len == 0 && !f->continued && !f->after_probe;
}

bool framer_line_quits(const struct framer *f)
{
	return f->whole && f->line_len == 1 &&
	       (f->line[0] == 'q' || f->line[0] == 'Q');
}
