/* SPDX-License-Identifier: MIT */
/*
 * What chat_serv is told to do: by a file (INI), the environment and the
 * command line, in this order of strength, weakest first.
 */
#ifndef CHAT_CONFIG_H
#define CHAT_CONFIG_H

#include "core/nodes.h"
#include "io/accept.h"
#include "io/bus.h"
#include "io/hub.h"
#include "io/report.h"
#include "io/store.h"

/* Bytes of a sentence that says what is wrong: of each why below. */
#define CONFIG_WHY_MAX	   512
#define CONFIG_ORIGINS_MAX 16
#define CONFIG_SECRET_MAX  256

struct config_listen {
	char address[256]; /* empty: every address */
	unsigned port;
	enum sniff_port kind;
};

struct config {
	struct hub_options hub; /* its slices point into this struct */
	struct config_listen listens[LISTENERS_MAX];
	unsigned listen_count;
	unsigned log; /* messages of a room that are kept in memory */
	struct store_options history; /* .path NULL: none */
	bool has_redis;
	struct bus_options redis; /* its texts are in this struct */
	struct report_options report;

	/* Private: texts. */
	char address[64];
	char redis_host[SLOT_HOST_MAX], redis_prefix[32];
	char redis_password[CONFIG_SECRET_MAX];
	unsigned redis_port;
	struct slot_node redis_nodes[NODES_MAX];
	char history_path[1024], log_path[1024];
	char motd[1024], cors_origin[256];
	char admin_token[CONFIG_SECRET_MAX], webhook_secret[CONFIG_SECRET_MAX];
	char origin_texts[CONFIG_ORIGINS_MAX][256];
	struct slice origins[CONFIG_ORIGINS_MAX];
	bool has_queue, has_hooks; /* they were given */
};

/* The defaults of a bare "chat_serv PORT". Not to be copied from then on. */
void config_init(struct config *c);

/*
 * Reads the file. Its defaults are those of a server with a log. Returns 0, or
 * -1 with one sentence in why, which names file and line.
 */
int config_read(struct config *c, const char *path, char *why);

/*
 * INSTANCE_ID, REDIS_MODE, REDIS_HOST, REDIS_PORT, REDIS_NODES. Returns 0 or -1
 * with one sentence in why.
 */
int config_environment(struct config *c, char *why);

/* "[ADDRESS:]PORT [auto|line|web]". Returns 0 or -1 with a sentence in why. */
int config_listen(struct config *c, const char *text, char *why);

/*
 * Fills in what nobody gave: the instance's id from host and first port, and
 * the address that other instances show.
 */
void config_finish(struct config *c, unsigned port);

#endif
