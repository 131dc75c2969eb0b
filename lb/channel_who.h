/* SPDX-License-Identifier: MIT */
/*
 * channel_who.h - who gives a command, and whether it is carried out
 *
 * l4lb-api asks for others: it puts "by WHO " in front of what they want. With
 * api_writes = no, it can only ask, whatever has become of it.
 */
#ifndef L4LB_CHANNEL_WHO_H
#define L4LB_CHANNEL_WHO_H

#include "channel.h"

/*
 * Finds out who gives the command @text, and notes it in channel.by. Returns
 * the command itself, or NULL with @err: -EINVAL, -EACCES.
 */
const char *channel_judge(struct app *app, const struct asker *who,
			  const char *text, int *ret, struct err *err);

#endif
