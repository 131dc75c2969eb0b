/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "api/flow_json.h"
#include "core/flow_end.h"
#include "core/sched.h"
#include "core/tcp_track.h"
#include "core/time.h"

void json_put_us(struct json_writer *w, const char *key, uint32_t us)
{
	if (us)
		json_put_real(w, key, us / 1e3, 3);
	else
		json_put_null(w, key);
}

const char *note_why_name(uint8_t why)
{
	return why ? sched_name((enum sched_kind)(why - 1)) : NULL;
}

/* endpoint_format() of an IPv4 address, in a tenth of the time. */
static void put_endpoint(struct json_writer *w, const char *key,
			 const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX], *at = text + sizeof(text) - 1;
	unsigned parts[5] = {e->addr.b[12], e->addr.b[13], e->addr.b[14],
			     e->addr.b[15], ntohs(e->port)};

	if (!addr_is_v4(&e->addr)) {
		json_put_text(w, key, endpoint_format(e, text));
		return;
	}
	*at = '\0';
	for (int i = 4; i >= 0; i--) {
		do {
			*--at = (char)('0' + parts[i] % 10);
			parts[i] /= 10;
		} while (parts[i]);
		if (i)
			*--at = i == 4 ? ':' : '.';
	}
	json_put_text(w, key, at);
}

static void put_side(struct json_writer *w, const char *key,
		     const struct flow *flow, const struct flow_note *note,
		     enum flow_side side)
{
	json_put_object(w, key);
	json_put_number(w, "packets", flow->packets[side]);
	json_put_number(w, "bytes", flow->bytes[side]);
	json_put_number(w, "retransmits", note->retransmits[side]);
	json_put_end(w);
}

static void put_since(struct json_writer *w, const char *key, uint64_t then_ns,
		      uint64_t now_ns)
{
	const uint64_t ns = now_ns > then_ns ? now_ns - then_ns : 0;

	json_put_real(w, key, (double)(ns / NS_PER_MS) / 1e3, 3);
}

void json_put_flow(struct json_writer *w, const char *service,
		   const char *backend, uint32_t index, const struct flow *flow,
		   const struct flow_note *note, uint64_t now_ns)
{
	const struct endpoint client = flow_client(flow), vip = flow_vip(flow),
			      nat = flow_nat(flow), to = flow_backend(flow);

	json_put_number(w, "id", flow->id);
	json_put_number(w, "index", index);
	json_put_text(w, "service", service);
	put_endpoint(w, "client", &client);
	put_endpoint(w, "vip", &vip);
	put_endpoint(w, "nat", &nat);
	put_endpoint(w, "backend", &to);
	json_put_text(w, "backend_id", backend);
	json_put_text(w, "state",
		      tcp_state_name((enum tcp_state)flow->tcp.state));
	if (note->end)
		json_put_text(w, "end",
			      flow_end_name((enum flow_end)note->end));
	put_since(w, "age_s", flow->opened_ns, now_ns);
	put_since(w, "idle_s", flow->seen_ns, now_ns);
	put_side(w, "c2s", flow, note, FLOW_ORIG);
	put_side(w, "s2c", flow, note, FLOW_REPLY);
	json_put_us(w, "handshake_ms", note->handshake_us);
	json_put_us(w, "first_byte_ms", note->first_byte_us);
	json_put_number(w, "tries", note->tries);
	json_put_text(w, "why", note_why_name(note->why));
}
