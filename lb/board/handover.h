/* SPDX-License-Identifier: MIT */
/*
 * handover.h - what l4lb gives to l4lb-api when it starts it
 *
 * Descriptors, each with a number of its own, and one struct, which is read
 * from the first of them. Nothing comes by the environment, and nothing secret
 * by the arguments. Both programs are of one build: another one is refused.
 */
#ifndef L4LB_HANDOVER_H
#define L4LB_HANDOVER_H

#include <assert.h>
#include <stdint.h>

#include "core/addr.h"

#define HANDOVER_PROGRAM "l4lb-api"
#define HANDOVER_MAGIC	 "l4lbapi" /* 8 bytes with the final 0 */
#define HANDOVER_VERSION 1

/* The descriptors of l4lb-api at its start, beside the standard ones. */
enum handover_fd {
	HANDOVER_TOLD = 3, /* a pipe: the struct below */
	HANDOVER_ASKS,	   /* SOCK_SEQPACKET: questions (docs/commands.md) */
	HANDOVER_CHANGES,  /* the same, for what changes something */
	HANDOVER_BOARD,	   /* memory, from here on: read-only */
	HANDOVER_JOURNAL,
	HANDOVER_FLOWS, /* the state file: map it from STATE_FLOWS_AT on */
	HANDOVER_NOTES,
	HANDOVER_LOCAL, /* the listening UNIX socket */
	HANDOVER_TCP,	/* the listening TCP socket */
	HANDOVER_END,
};

#define HANDOVER_NAME_MAX  32
#define HANDOVER_HOSTS_MAX 1024
#define HANDOVER_PATH_MAX  108
#define HANDOVER_TOKEN_MAX 256

struct handover {
	char magic[8];
	uint32_t version;
	uint32_t bytes;	   /* of this struct */
	char program[16];  /* version of l4lb, for messages */
	uint32_t has;	   /* 1 << descriptor, for each that is there */
	uint32_t flows;	   /* slots of the flow table */
	uint32_t uid, gid; /* as whom l4lb runs */
	/* Whom l4lb-api becomes. */
	uint32_t api_uid, api_gid;
	uint8_t change;	    /* 0: it cannot, and stays who it is */
	uint8_t filter;	    /* system calls: sandbox = on */
	uint8_t writes;	    /* api_writes; l4lb sees to it, too */
	uint8_t read_token; /* over TCP, reading needs the token */
	uint8_t free_write; /* over TCP, writing needs none: loopback */
	uint8_t log_json;   /* flow_log_format = json */
	uint8_t zero[2];
	int32_t verbosity;   /* as log_set_level() */
	struct endpoint tcp; /* where HANDOVER_TCP listens */
	char name[HANDOVER_NAME_MAX];
	char local[HANDOVER_PATH_MAX];	  /* where HANDOVER_LOCAL listens */
	char flow_log[HANDOVER_PATH_MAX]; /* "": none */
	/* Names that a Host header may have, each with a final 0; then a 0. */
	char hosts[HANDOVER_HOSTS_MAX];
	char token[HANDOVER_TOKEN_MAX]; /* "": there is none */
};
static_assert(sizeof(struct handover) <= 4096, "a pipe takes it at once");

#endif
