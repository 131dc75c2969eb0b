/* SPDX-License-Identifier: MIT */
/*
 * sim_run - histories by hand: one seed, or very many
 *
 *	sim_run --seed S [--trace]	one, every event as a line
 *	sim_run --seeds N [--from S] [--jobs J]
 *
 * A broken rule is printed with the seed and the step; --seed repeats it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "totals.h"
#include "world.h"

static bool run_seed(uint64_t seed, bool trace, struct stats *sum)
{
	struct world *w = world_new(seed, trace);
	const char *broken = world_run(w);

	totals_add(sum, &w->stats);
	if (broken)
		printf("seed %" PRIu64 ", step %" PRIu64 ": %s\n", seed,
		       w->step, broken);
	fflush(stdout);
	world_free(w);
	return !broken;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Every @jobs-th seed: one process of several. */
static int run_share(uint64_t from, uint64_t n, unsigned job, unsigned jobs)
{
	struct stats sum = {0};
	uint64_t failed = 0, ran = 0;
	double start = seconds();

	for (uint64_t i = job; i < n; i += jobs, ran++)
		failed += !run_seed(from + i, false, &sum);
	printf("%" PRIu64 " seeds, %" PRIu64 " failed, %.0f seeds/s\n", ran,
	       failed, (double)ran / (seconds() - start));
	totals_print(&sum);
	return failed ? 1 : 0;
}

static int run_many(uint64_t from, uint64_t n, unsigned jobs)
{
	int result = 0, status;

	for (unsigned job = 0; job < jobs; job++) {
		pid_t pid = fork();

		if (pid == -1) {
			perror("sim_run: fork");
			return 1;
		}
		if (pid == 0)
			exit(run_share(from, n, job, jobs));
	}
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			result = 1;
	return result;
}

static int usage(void)
{
	fputs("usage: sim_run --seed S [--trace]\n"
	      "       sim_run --seeds N [--from S] [--jobs J]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 'n'},
		{"from", required_argument, NULL, 'f'},
		{"jobs", required_argument, NULL, 'j'},
		{"trace", no_argument, NULL, 't'},
		{0},
	};
	uint64_t seed = 0, seeds = 0, from = 1;
	struct stats sum = {0};
	unsigned jobs = 1;
	bool trace = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'n': seeds = strtoull(optarg, NULL, 0); break;
		case 'f': from = strtoull(optarg, NULL, 0); break;
		case 'j': jobs = (unsigned)strtoul(optarg, NULL, 0); break;
		case 't': trace = true; break;
		default: return usage();
		}
	}
	if (!seed == !seeds || optind != argc || jobs == 0)
		return usage();
	if (seeds)
		return run_many(from, seeds, jobs);
	if (!run_seed(seed, trace, &sum))
		return 1;
	totals_print(&sum);
	return 0;
}
