/* SPDX-License-Identifier: MIT */
/*
 * change.h - what a request changes: commands, carried out together
 *
 * The commands of one request are one transaction of the channel (docs/
 * commands.md, section 5). If-Match is compared in it, after `begin`, when
 * nobody else can change anything: what was true then is what is changed.
 */
#ifndef L4LB_API_CHANGE_H
#define L4LB_API_CHANGE_H

#include "api/api.h"
#include "api/http.h"

/*
 * Carries out the lines of @commands, or checks them if the request says
 * dry_run. False: nothing was changed, and @reply says why. True: @reply has
 * the generation; of a dry run, all of the reply.
 */
bool change_carry_out(struct api *api, const struct request *request,
		      const char *commands, struct reply *reply);

/*
 * Gives one command that is not a change of the configuration, or is more than
 * that. False: @reply says why not; 412 if the generation is not that of
 * If-Match. @answer is freed with answer_free() in any case.
 */
bool change_command(struct api *api, const struct request *request,
		    const char *command, unsigned wait_ms,
		    struct answer *answer, struct reply *reply);

/* The reply to a command that was refused. */
void reply_refused(struct reply *reply, const struct answer *answer);

/* Adds an array of the lines that begin with @word and a blank; "": all. */
struct json_writer;
void json_put_lines(struct json_writer *w, const char *key, const char *word,
		    const char *lines);
/* Adds an array of all lines but those that are l4lb's own (next_id). */
void json_put_changes(struct json_writer *w, const char *key,
		      const char *lines);

#endif
