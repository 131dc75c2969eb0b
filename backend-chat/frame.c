/* SPDX-License-Identifier: MIT */
/*
 * See frame.h. Takes one byte at a time, so that the boundaries of reads cannot
 * matter.
 */
#include "frame.h"

#include <assert.h>
#include <string.h>

/* RFC 854, 885 and 1184: commands of one byte, then those with an option. */
#define TELNET_FIRST 0xec
#define TELNET_LAST  0xf9
#define TELNET_WILL  0xfb
#define TELNET_WONT  0xfc
#define TELNET_DO    0xfd
#define TELNET_DONT  0xfe
#define TELNET_IAC   0xff
/* Of the options in use. Few, as UTF-16 also begins with FF FE. */
#define TELNET_OPTION_MAX 49

void framer_init(struct framer *f, size_t max, bool serves)
{
	assert(max >= 4);
	assert(max <= CHAT_LINE_MAX);
	memset(f, 0, sizeof(*f));
	f->max = max;
	f->serves = serves;
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
	return f->serves && !f->continued && f->len == CHAT_PROBE_LEN &&
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

/*
 * The length of the telnet command that the byte ends, or 0. Until then its
 * bytes are the beginning of a line, as they may turn out to be.
 */
static size_t telnet_len(const struct framer *f, unsigned char byte)
{
	const unsigned char *line = (const unsigned char *)f->line;

	if (!f->serves || f->continued || f->len == 0 || line[0] != TELNET_IAC)
		return 0;
	if (f->len == 1)
		return byte >= TELNET_FIRST && byte <= TELNET_LAST ? 2 : 0;
	if (f->len == 2 && line[1] >= TELNET_WILL && line[1] <= TELNET_DONT &&
	    byte <= TELNET_OPTION_MAX && byte != '\r' && byte != '\n')
		return 3;
	return 0;
}

/*
 * Forgets a command that is complete. Nothing is agreed to, so the client goes
 * on to edit and to show what is typed. It has to be told: after control-C it
 * shows nothing until its DO TIMING-MARK is answered.
 */
static enum frame take_telnet(struct framer *f, size_t len, unsigned char last)
{
	const unsigned char verb = (unsigned char)f->line[1];

	f->len = 0;
	if (len < 3 || (verb != TELNET_DO && verb != TELNET_WILL))
		return FRAME_NONE;
	f->line[1] = (char)(verb == TELNET_DO ? TELNET_WONT : TELNET_DONT);
	f->line[2] = (char)last;
	f->line_len = 3;
	return FRAME_TELNET;
}

enum frame framer_next(struct framer *f, const char **in, const char *end)
{
	forget_used(f);
	while (*in < end) {
		const char byte = **in;
		const size_t telnet = telnet_len(f, (unsigned char)byte);

		if (telnet > 0) {
			++*in;
			if (take_telnet(f, telnet, (unsigned char)byte) ==
			    FRAME_TELNET)
				return FRAME_TELNET;
			continue;
		}
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
