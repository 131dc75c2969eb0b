/* SPDX-License-Identifier: MIT */
/*
 * burn.c - takes processor time, and does nothing with it
 *
 *	burn PERMILLE SECONDS
 *
 * So much of one processor, in slices of 10 ms as a busy program would have.
 * Prints "burnt MS", the time of the processor that it got.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NS	 1000000000ull
#define SLICE_NS (10 * 1000000ull)

static uint64_t now(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

int main(int argc, char *argv[])
{
	uint64_t share, begin, end;

	if (argc != 3)
		return 2;
	share = strtoull(argv[1], NULL, 10);
	begin = now(CLOCK_MONOTONIC);
	end = begin + strtoull(argv[2], NULL, 10) * NS;
	for (uint64_t t = begin; t < end; t = now(CLOCK_MONOTONIC)) {
		/* Its due by now, less what it had. */
		const uint64_t due = (t - begin + SLICE_NS) * share / 1000;
		const struct timespec pause = {.tv_nsec = SLICE_NS / 10};

		if (now(CLOCK_PROCESS_CPUTIME_ID) >= due)
			nanosleep(&pause, NULL);
	}
	printf("burnt %llu\n",
	       (unsigned long long)now(CLOCK_PROCESS_CPUTIME_ID) / 1000000);
	return 0;
}
