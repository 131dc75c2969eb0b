/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "api/flow_log_line.h"
#include "core/flow_end.h"
#include "core/sched.h"
#include "core/time.h"

#define NUMBER_MAX 24 /* bytes of a number, with the final 0 */

const char *wall_format(uint64_t wall_ns, char text[WALL_TEXT_MAX])
{
	const time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;
	size_t len = 0;

	if (gmtime_r(&seconds, &tm))
		len = strftime(text, WALL_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, WALL_TEXT_MAX - len, ".%03uZ",
		 (unsigned)(wall_ns % NS_PER_S / NS_PER_MS));
	return text;
}

static const char *wall_of(uint64_t time_ns, const struct flow_log_style *style,
			   char text[WALL_TEXT_MAX])
{
	return wall_format(time_ns + (uint64_t)style->wall_offset_ns, text);
}

/* A time that is 0 if it is not known. */
static const char *known_ms(uint32_t us, bool json, char text[NUMBER_MAX])
{
	if (!us)
		return json ? "null" : "-";
	snprintf(text, NUMBER_MAX, "%.2f", us / 1000.0);
	return text;
}

static const char *end_name(unsigned reason)
{
	return reason < FLOW_ENDS ? flow_end_name((enum flow_end)reason)
				  : "unknown";
}

static const char *name_or_dash(const char *name)
{
	return name && *name ? name : "-";
}

static const char text_form[] =
	"%s end=%s service=%s client=%s vip=%s nat=%s backend=%s id=%s "
	"flow=%" PRIu64 " dur_s=%.3f hs_ms=%s first_ms=%s "
	"c2s=%" PRIu64 "/%" PRIu64 " s2c=%" PRIu64 "/%" PRIu64 " rtx=%u/%u "
	"tries=%u why=%s\n";

/* A name has no character that JSON would want escaped. */
static const char json_form[] =
	"{\"time\":\"%s\",\"end\":\"%s\",\"service\":\"%s\",\"client\":\"%s\","
	"\"vip\":\"%s\",\"nat\":\"%s\",\"backend\":\"%s\",\"id\":\"%s\","
	"\"flow\":%" PRIu64 ",\"dur_s\":%.3f,\"hs_ms\":%s,\"first_ms\":%s,"
	"\"c2s\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "},"
	"\"s2c\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "},"
	"\"rtx\":{\"c2s\":%u,\"s2c\":%u},\"tries\":%u,\"why\":\"%s\"}\n";

static size_t cut_length(int len)
{
	if (len < 0)
		return 0;
	return len < FLOW_LOG_LINE_MAX ? (size_t)len : FLOW_LOG_LINE_MAX - 1;
}

size_t flow_log_line(char out[FLOW_LOG_LINE_MAX],
		     const struct journal_record *r, const char *service,
		     const char *backend, const struct flow_log_style *style)
{
	const struct journal_flow *f = &r->flow;
	const struct endpoint *ends[4] = {&f->client, &f->vip, &f->nat,
					  &f->backend};
	char end[4][ENDPOINT_TEXT_MAX], time[WALL_TEXT_MAX];
	char handshake[NUMBER_MAX], first[NUMBER_MAX];
	const char *why = f->why ? sched_name(f->why - 1u) : NULL;

	for (int i = 0; i < 4; i++)
		endpoint_format(ends[i], end[i]);
	return cut_length(snprintf(
		out, FLOW_LOG_LINE_MAX, style->json ? json_form : text_form,
		wall_of(r->time_ns, style, time), end_name(r->reason),
		name_or_dash(service), end[0], end[1], end[2], end[3],
		name_or_dash(backend), r->id, (double)f->duration_ns / NS_PER_S,
		known_ms(f->handshake_us, style->json, handshake),
		known_ms(f->first_byte_us, style->json, first),
		f->packets[FLOW_ORIG], f->bytes[FLOW_ORIG],
		f->packets[FLOW_REPLY], f->bytes[FLOW_REPLY],
		f->retransmits[FLOW_ORIG], f->retransmits[FLOW_REPLY], f->tries,
		name_or_dash(why)));
}

size_t flow_log_lost_line(char out[FLOW_LOG_LINE_MAX], uint64_t lost,
			  uint64_t time_ns, const struct flow_log_style *style)
{
	char time[WALL_TEXT_MAX];

	return cut_length(snprintf(
		out, FLOW_LOG_LINE_MAX,
		style->json ? "{\"time\":\"%s\",\"lost\":%" PRIu64 "}\n"
			    : "%s lost=%" PRIu64 "\n",
		wall_of(time_ns, style, time), lost));
}
