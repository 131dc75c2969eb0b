/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_query.c - any address, headers and body: a reply that is JSON, of a
 * status that there is, and no 2xx for a change (l4lb is not there)
 *
 * The first byte says the method (7) and whether it comes by TCP (8). Then come
 * lines: the address, Host, Authorization, If-Match and Content-Type; the rest
 * is the body.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api.h"
#include "api/exchange.h"
#include "board/shared.h"
#include "control/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLOWS 8

static struct api api;
/* The writers of what it reads; they stay. */
static struct board *shown;
static struct journal *journal_of;
static struct auth auth = {
	.writes = true, .token = "token", .hosts = "example.org\0"};

static void fill_board(struct board *b)
{
	struct board_global global = {
		.generation = 41, .services = 2, .flows_high = FLOWS};

	for (unsigned i = 0; i < 2; i++) {
		struct board_service s = {.slot = SLOT_LIVE, .n_backends = 2};

		memcpy(s.name, i ? "web" : "chat", 4);
		for (unsigned k = 0; k < 2; k++) {
			struct board_backend row = {.slot = SLOT_LIVE};

			row.addr.addr = addr_from_v4(0x0b00000a + (k << 24));
			row.addr.port = 80;
			memcpy(row.id, k ? "spare" : "backend1", k ? 6 : 9);
			board_write_backend(b, i, k, &row);
		}
		board_write_service(b, i, &s);
	}
	board_write_global(b, &global);
}

static void fill_flows(struct flow *flows)
{
	static const uint8_t secret[FLOW_SECRET_BYTES] = {1};
	struct flow_table t;

	assert(flow_table_init(&t, flows, FLOWS, secret, NULL, NULL) == 0);
	for (uint16_t i = 0; i < 3; i++) {
		struct flow_identity id = {.proto = 6};

		id.client.addr = addr_from_v4(0x0900000a);
		id.client.port = (uint16_t)(1 + i);
		id.nat.port = (uint16_t)(100 + i);
		assert(flow_open(&t, &id, 1));
	}
	flow_table_free(&t);
}

static int closed_channel(void)
{
	int ends[2];

	assert(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	close(ends[1]);
	return ends[0];
}

/* Once; it stays until the end. */
static void start(void)
{
	static struct flow flows[FLOWS];
	static struct flow_note notes[FLOWS];
	const struct board_spec spec = {
		.name = "fuzz",
		.services = CONFIG_SERVICES_MAX,
		.backends = CONFIG_BACKENDS_MAX,
		.pools = 1,
		.taps = 1,
		.flows = FLOWS,
		.journal_records = JOURNAL_RECORDS_MIN,
	};
	struct board_reader *board;
	struct journal_reader *journal;
	struct flows_reader *reader;
	const void *at;
	struct err err;
	size_t bytes;

	assert(!board_open(&shown, &spec, &err));
	fill_board(shown);
	assert(!shared_map(board_fd(shown), "board", 0, &at, &bytes, &err));
	assert(!board_reader_open(at, bytes, &board, &err));
	assert(!journal_open(&journal_of, JOURNAL_RECORDS_MIN, &err));
	assert(!shared_map(journal_fd(journal_of), "journal", 0, &at, &bytes,
			   &err));
	assert(!journal_reader_open(at, bytes, &journal, &err));
	fill_flows(flows);
	assert(!flows_reader_open(flows, sizeof(flows), notes, sizeof(notes),
				  FLOWS, &reader, &err));
	api.board = board;
	api.journal = journal;
	api.flows = reader;
	api.asks = channel_end_new(closed_channel());
	api.changes = channel_end_new(closed_channel());
	auth_init(&auth);
}

/* The next line, "" if there is none; cut out of @text. */
static char *take_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (end) {
		*end = '\0';
		*text = end + 1;
	} else {
		*text = line + strlen(line);
	}
	return line;
}

static const char *or_none(const char *header)
{
	return *header ? header : NULL;
}

static void check_stream(struct reply *reply)
{
	struct text part = {0};
	bool more = true;

	while (more) {
		more = reply->more(reply->state, &part);
		if (part.len)
			text_cut(&part, 0);
	}
	text_free(&part);
}

static void check_reply(struct exchange *x, const struct asked *asked)
{
	struct reply *reply = &x->reply;
	json_t *json;

	assert(reply->status >= 200 && reply->status < 600);
	assert(reply->status != 502);
	if (reply->status < 300 && strcmp(asked->method, "GET") != 0)
		assert(x->request.dry_run || !x->request.route ||
		       strcmp(asked->method, "HEAD") == 0);
	if (reply->more) {
		check_stream(reply);
		return;
	}
	if (strcmp(reply->type, "application/json") != 0)
		return;
	json = json_loadb(text_get(&reply->body), reply->body.len, 0, NULL);
	assert(json);
	assert(reply->status < 400 || reply->status == 503 ||
	       json_object_get(json, "error"));
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const methods[] = {"GET",   "POST", "DELETE",
					      "HEAD",  "PUT",  "OPTIONS",
					      "PATCH", "get"};
	struct asked asked = {0};
	struct exchange x;
	char *text, *rest;

	if (!api.board)
		start();
	if (size == 0)
		return 0;
	text = malloc(size);
	assert(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	rest = text;
	asked.method = methods[data[0] & 7];
	asked.caller.local = !(data[0] & 8);
	asked.caller.has_uid = true;
	asked.uri = take_line(&rest);
	asked.caller.host = or_none(take_line(&rest));
	asked.caller.authorization = or_none(take_line(&rest));
	asked.if_match = or_none(take_line(&rest));
	asked.content_type = or_none(take_line(&rest));
	exchange_begin(&x, &api, &auth, &asked);
	/* With what comes after a zero byte, too. */
	exchange_take(&x, rest, (size_t)(text + size - 1 - rest));
	exchange_finish(&x, &api);
	check_reply(&x, &asked);
	exchange_free(&x);
	free(text);
	return 0;
}
