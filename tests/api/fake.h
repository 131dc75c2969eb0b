/* SPDX-License-Identifier: MIT */
/*
 * fake.h - an l4lb for tests of the API: its board, its table, its channels
 *
 * A thread answers the channels as docs/commands.md says, with the real parser
 * of commands and a real configuration, and shows it on a real board. There are
 * no packets: flows are put into the table by the test.
 */
#ifndef L4LB_TEST_FAKE_H
#define L4LB_TEST_FAKE_H

#include <jansson.h>
#include <threads.h>

#include "api/api.h"
#include "api/auth.h"
#include "api/http.h"
#include "control/config.h"

#define FAKE_FLOWS    64
#define FAKE_SAID_MAX 4096

struct fake {
	struct api api;
	struct auth auth;
	/* What it has. */
	struct config running, base;
	uint64_t generation;
	struct flow *flows;
	struct flow_note *notes;
	struct journal *journal;
	char said[FAKE_SAID_MAX]; /* commands so far, a line each */
	/* How it is to be. */
	const char *refuses; /* the code with which it refuses `commit` */
	bool silent;	     /* it answers nothing */
	bool lags;	     /* its rows come after its answer */
	bool never_ours;     /* a change of others is open */
	/* Inside. */
	struct config changing;
	bool begun;
	int ends[2][2];
	thrd_t thread;
	mtx_t lock; /* of all above but the memory that the API maps */
	struct board *board;
	const void *at[2]; /* mapped: board, journal */
	size_t bytes[2];
};

/* @text: a configuration file. */
void fake_start(struct fake *f, const char *text);
void fake_stop(struct fake *f);

/* The generation now; and forgets what was said. */
uint64_t fake_generation(struct fake *f);
void fake_forget(struct fake *f);

struct endpoint fake_endpoint(const char *addr, uint16_t port);

/* @n flows to the first two backends in turn; their ids are from 1 on. */
void fake_open_flows(struct fake *f, unsigned n);

struct told {
	unsigned status;
	uint64_t generation; /* as in the ETag */
	struct text body;
	json_t *json; /* NULL: it is none */
	char allow[64];
};

/* A request by the UNIX socket, from root. @body, @if_match: NULL: none. */
struct told fake_ask(struct fake *f, const char *method, const char *uri,
		     const char *body, const char *if_match);
void told_free(struct told *t);

#endif
