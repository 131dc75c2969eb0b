/* SPDX-License-Identifier: MIT */
/*
 * main.c - l4lb-api: l4lb's child that talks with people and programs
 *
 * The order matters: what l4lb shares is mapped and its descriptors are closed,
 * every privilege is given up, and only then anything that comes from outside
 * is looked at.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/handed.h"
#include "api/keeper.h"
#include "api/powerless.h"
#include "log.h"

#define NICENESS 10 /* packets come first */
/* If memory runs out, we go, and not what balances. */
#define OOM_SCORE "500"

static void come_second(void)
{
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	(void)!nice(NICENESS);
	if (fd == -1)
		return;
	(void)!write(fd, OOM_SCORE, strlen(OOM_SCORE));
	close(fd);
}

static int fail(const struct err *err)
{
	fprintf(stderr, HANDOVER_PROGRAM ": %s\n", err->text);
	return 1;
}

int main(int argc, char *argv[])
{
	static struct handover told;
	struct api_setup setup;
	struct err err;

	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts(HANDOVER_PROGRAM " " L4LB_VERSION);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (handed_take(&told, &setup, &err))
		return fail(&err);
	log_set_level(told.verbosity);
	come_second();
	if (powerless_become(&told, &err))
		return fail(&err);
	keeper_run(&setup, argv[0]);
	return 0;
}
