/* SPDX-License-Identifier: MIT */
/*
 * publish.h - what l4lb shows to l4lb-api: fills the board and the journal
 *
 * The rows of the board are written in rounds, a round every 100 ms (those of
 * ports and interfaces once a second), at most
 * PUBLISH_ROWS of them in each turn of the loop. After a change and what
 * happens to a backend the next round begins at once, with that backend.
 * Nothing is asked of the kernel for it.
 *
 * All rows are written between two calls of the engine, so what holds then
 * between its numbers holds in each row.
 *
 * Whoever reads is not known here: all of this is the same without l4lb-api.
 */
#ifndef L4LB_PUBLISH_H
#define L4LB_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "board/board.h"
#include "board/journal.h"
#include "board/shared.h"
#include "core/engine.h"
#include "core/note.h"

struct app;

#define PUBLISH_ROWS	 64    /* a turn */
#define PUBLISH_REFUSALS 1000u /* recorded in a second; all are counted */

struct publish_place {
	uint16_t service, backend;
};

/* The row that is written next. */
struct publish_walk {
	bool runs;
	unsigned service, backend; /* BOARD_BACKENDS: the service itself */
	unsigned pool, tap;
	/* Of the backends of .service so far. */
	uint32_t flows, live, takes_flows, up;
};

/* How busy the loop was when this second began. */
struct publish_second {
	uint64_t at_ns, busy_ns;
	uint32_t busy_ppm; /* in the one before */
	uint64_t longest_ns;
};

/* Zeroed: nothing is shown. */
struct publish {
	struct board *board;
	struct journal *journal;
	struct shared notes;
	uint64_t turn_ns;	   /* the time at the last turn */
	uint64_t round_ns;	   /* the last round began */
	uint64_t round_generation; /* of the configuration when it began */
	uint64_t rows_generation;  /* the same of the last one that is over */
	uint64_t pools_ns;	   /* the last one with ports and interfaces */
	uint64_t part_ns;	   /* it goes on, but not before */
	uint64_t global_ns;
	bool soon; /* something happened since then */
	/* Backends that something happened to: written in the next turn. */
	struct publish_place urgent[PUBLISH_ROWS];
	unsigned n_urgent;
	struct publish_walk walk;
	unsigned services; /* slots that were ever in use */
	struct publish_second second;
	int64_t wall_offset_ns;
	uint64_t refusals_ns; /* the second of .refusals began */
	uint32_t refusals;
	uint64_t skipped; /* refusals that were only counted */
	uint64_t hups, reloads_ok, reloads_failed;
	uint64_t changed_ns;
	char changed[BOARD_TEXT_MAX];
	bool stopping;
};

/* For l4lb-api: read-only, close-on-exec, ours. After step_publish. */
int publish_board_fd(const struct app *app);
int publish_journal_fd(const struct app *app);
int publish_notes_fd(const struct app *app);

/*
 * Call it in each turn of the loop. Returns when to call it again at the
 * latest, as change_turn().
 */
uint64_t publish_turn(struct app *app);

/* A whole round now, whatever it takes: at the end. */
void publish_all(struct app *app);

/* The next round begins at once. */
void publish_soon(struct app *app);
void publish_soon_backend(struct app *app, unsigned service, unsigned backend);

/* Callbacks of the engine, @arg is the app (core/engine.h). */
void publish_flow(struct app *app, enum flow_event event,
		  const struct flow *flow, const struct flow_note *note);
void publish_refused(struct app *app, unsigned service,
		     const struct endpoint *client, enum drop_reason why);
void publish_backend(struct app *app, enum backend_event event,
		     unsigned service, unsigned backend, enum check_result why);

/*
 * What somebody asked for. @by: who, as "uid:0"; "": nobody, or it is not
 * known. A text that is too long is cut.
 */
void publish_operator(struct app *app, enum journal_operator what,
		      const char *by, const char *text);
/* A commit: there is another generation. */
void publish_changed(struct app *app, const char *why);
void publish_hup(struct app *app);
void publish_reloaded(struct app *app, bool ok, const char *by,
		      const char *text);

#endif
