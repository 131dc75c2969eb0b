/* SPDX-License-Identifier: MIT */
/*
 * cases.h - seeds that once broke a rule, and what was wrong
 *
 * A seed is a history of the simulator as it was: when the simulator changes
 * it becomes another one. So each case names the seed at the time, and the
 * unit test that holds the defect for ever is the engine's; here the seeds
 * stay as histories known to be rich.
 */
#ifndef L4LB_SIM_CASES_H
#define L4LB_SIM_CASES_H

#include <stdint.h>

struct sim_case {
	uint64_t seed;
	const char *defect;
};

static const struct sim_case cases[] = {
	{191, "a bare ACK that overtakes the SYN-ACK reset a fresh server"},
	{123, "a SYN passed through TIME_WAIT: its connection was nobody's"},
	{34, "after a restart a SYN with data was never answered for"},
	{338, "half-open checks on ports still remembered: a healthy backend "
	      "went down"},
	{226, "a SYN passed through an abandoned connection: the tracker "
	      "stayed with the dead one"},
	{1165, "a blind ACK of 0 revived a refused flow"},
	{502171, "after a jump of the clock a keepalive probe had no time to "
		 "be answered"},
	{40490, "a SYN of while we were cut off, given up after that, ejected "
		"a backend"},
};

#endif
