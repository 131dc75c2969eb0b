/* SPDX-License-Identifier: MIT */
/*
 * network.h - what the kernel reports of links, addresses and routes
 */
#ifndef L4LB_NETWORK_H
#define L4LB_NETWORK_H

struct app;

/* Reads what is waiting, logs it, and passes it on to presence and captures. */
void network_read(struct app *app);

#endif
