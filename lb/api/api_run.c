/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "api/api.h"
#include "api/api_run.h"
#include "api/auth.h"
#include "api/flow_log.h"
#include "api/server.h"
#include "log.h"

#define TICK_MS 1000

struct worker {
	struct api api;
	struct auth auth;
	struct board_reader *board;
	struct flows_reader *flows;
	struct journal_reader *journal;
	struct server *local, *tcp;
};

static int open_readers(struct worker *w, const struct api_setup *setup,
			struct err *err)
{
	int ret = board_reader_open(setup->board.at, setup->board.bytes,
				    &w->board, err);

	if (!ret)
		ret = journal_reader_open(setup->journal.at,
					  setup->journal.bytes, &w->journal,
					  err);
	if (!ret)
		ret = flows_reader_open(setup->flows.at, setup->flows.bytes,
					setup->notes.at, setup->notes.bytes,
					setup->told->flows, &w->flows, err);
	w->api.board = w->board;
	w->api.journal = w->journal;
	w->api.flows = w->flows;
	return ret;
}

static int open_channels(struct worker *w, const struct api_setup *setup,
			 struct err *err)
{
	w->api.asks = channel_end_new(setup->asks);
	w->api.changes = channel_end_new(setup->changes);
	if (w->api.asks && w->api.changes)
		return 0;
	return err_set(err, -ENOMEM, "out of memory");
}

/* Until here the keeper had it ignored. */
static int start_flow_log(struct worker *w, const struct api_setup *setup,
			  struct err *err)
{
	const struct flow_log_spec spec = {
		.path = setup->told->flow_log,
		.json = setup->told->log_json,
		.board = w->board,
		.journal = w->journal,
		.state = &setup->shared->flow_log,
	};

	signal(SIGHUP, flow_log_hup);
	if (!*spec.path)
		return 0;
	return flow_log_start(&w->api.flow_log, &spec, err);
}

static int start_servers(struct worker *w, const struct api_setup *setup,
			 struct err *err)
{
	const struct handover *told = setup->told;
	int ret = 0;

	w->auth.writes = told->writes;
	w->auth.tcp_token = told->read_token;
	w->auth.tcp_writes = told->free_write;
	w->auth.uid = told->uid;
	w->auth.token = told->token;
	w->auth.hosts = told->hosts;
	auth_init(&w->auth);
	if (setup->local_listener != -1)
		ret = server_start(&w->local, &w->api, &w->auth,
				   setup->local_listener, true, err);
	if (!ret && setup->tcp_listener != -1)
		ret = server_start(&w->tcp, &w->api, &w->auth,
				   setup->tcp_listener, false, err);
	return ret;
}

/* Until l4lb closes its end of a channel. */
static void wait_for_end(struct worker *w, const struct api_setup *setup)
{
	struct pollfd ends[] = {{.fd = setup->asks}, {.fd = setup->changes}};

	for (;;) {
		const int n = poll(ends, 2, TICK_MS);

		if (n > 0 || (n == -1 && errno != EINTR))
			return;
		if (w->local)
			server_tick(w->local);
		if (w->tcp)
			server_tick(w->tcp);
	}
}

int api_run(const struct api_setup *setup)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct err err;
	int ret = w ? 0 : err_set(&err, -ENOMEM, "out of memory");

	if (!ret)
		ret = open_readers(w, setup, &err);
	if (!ret)
		ret = open_channels(w, setup, &err);
	if (!ret)
		ret = start_flow_log(w, setup, &err);
	if (!ret)
		ret = start_servers(w, setup, &err);
	if (ret)
		log_warn("l4lb-api: %s", err.text);
	else
		wait_for_end(w, setup);
	if (!w)
		return ret;
	/* First: whoever ends l4lb does not wait for us for long. */
	flow_log_finish(w->api.flow_log);
	server_stop(w->local);
	server_stop(w->tcp);
	flow_log_free(w->api.flow_log);
	channel_end_free(w->api.asks);
	channel_end_free(w->api.changes);
	flows_reader_close(w->flows);
	journal_reader_close(w->journal);
	board_reader_close(w->board);
	free(w);
	return ret;
}
