/* SPDX-License-Identifier: MIT */
/*
 * ask.h - asks l4lb by its control channel, one after the other
 *
 * Commands and replies are those of docs/commands.md. Each channel has a lock,
 * which several threads of the server want; who does not get it, or no reply,
 * within a time is told so (503). A reply that comes too late is skipped by
 * whoever asks next.
 */
#ifndef L4LB_API_ASK_H
#define L4LB_API_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "control/text.h"
#include "core/err.h"

#define ASK_LOCK_MS   1000  /* for others to finish */
#define ASK_REPLY_MS  1000  /* for a reply */
#define ASK_COMMIT_MS 10000 /* ...to something that needs many turns */
#define ASK_CODE_MAX  24
#define ASK_WHO_MAX   64 /* bytes with the final 0 */

struct channel_end;

struct answer {
	char code[ASK_CODE_MAX]; /* "" for ok, else as docs/commands.md has it;
				  * ASK_SILENT, ASK_WAITED
				  */
	char sentence[ERR_TEXT_MAX];
	uint64_t generation; /* after ok; else 0 */
	struct text lines;   /* owned */
};
#define ASK_SILENT "no-answer" /* l4lb did not answer in time, or is gone */
#define ASK_WAITED "locked"    /* others kept the channel for too long */

/* @fd: SOCK_SEQPACKET, connected; stays the caller's. NULL: no memory. */
struct channel_end *channel_end_new(int fd);
void channel_end_free(struct channel_end *end); /* accepts NULL */

/* Takes the channel for several questions; false: others have it. */
bool ask_lock(struct channel_end *end, struct answer *answer);
void ask_unlock(struct channel_end *end);

/*
 * Asks while the channel is locked. @who: put before the command as `by WHO`;
 * NULL: nobody. True: the answer is ok. @answer need not be prepared; free it
 * with answer_free() in any case.
 */
bool ask_locked(struct channel_end *end, const char *who, const char *command,
		unsigned wait_ms, struct answer *answer);

/* The same with a lock of its own. */
bool ask(struct channel_end *end, const char *who, const char *command,
	 unsigned wait_ms, struct answer *answer);

void answer_free(struct answer *answer);

#endif
