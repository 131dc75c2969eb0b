/* SPDX-License-Identifier: MIT */
/*
 * config_api.h - how people and programs reach the balancer: the keys that
 * l4lb-api works with (docs/l4lb.conf.5)
 */
#ifndef L4LB_CONFIG_API_H
#define L4LB_CONFIG_API_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/err.h"

#define CONFIG_API_PATH_MAX  108
#define CONFIG_API_HOSTS_MAX 1024 /* bytes of all names with their ends */
#define CONFIG_TOKEN_FILE    "/etc/l4lb/token"
#define CONFIG_JOURNAL_MIN   1024u /* records; a power of two each */
#define CONFIG_JOURNAL	     65536u
#define CONFIG_JOURNAL_MAX   (1u << 20)

enum api_read { API_READ_AUTO, API_READ_OPEN, API_READ_TOKEN };

struct config;
struct target;
struct text;

struct api_config {
	char socket[CONFIG_API_PATH_MAX]; /* of the UNIX socket; "": none */
	bool socket_set;		  /* by the user, possibly to "" */
	bool has_tcp;
	struct endpoint tcp; /* address 0.0.0.0: all of this host */
	char token_file[CONFIG_API_PATH_MAX]; /* "": none */
	enum api_read read;
	bool writes;
	char hosts[CONFIG_API_HOSTS_MAX];   /* names joined by commas */
	char flow_log[CONFIG_API_PATH_MAX]; /* "": none */
	bool flow_log_json;
	uint32_t journal;
};

#define API_CONFIG_DEFAULT                                       \
	{                                                        \
		.token_file = CONFIG_TOKEN_FILE, .writes = true, \
		.journal = CONFIG_JOURNAL,                       \
	}

/* True if there is anything for l4lb-api to do. */
bool api_config_is_used(const struct api_config *a);

/* Over TCP: whether reading needs the token, and whether nothing does. */
bool api_config_read_needs_token(const struct api_config *a);
bool api_config_is_free(const struct api_config *a);

/* True if the API listens on @e, a service's. */
bool api_config_has(const struct api_config *a, const struct endpoint *e);

/* As config_finish(): fills in what depends on others, and checks it. */
int api_config_finish(struct config *c, struct err *err);

/* For the table of keys (config_keys.c). */
int set_api(struct target *t, const char *value, struct err *err);
int set_api_socket(struct target *t, const char *value, struct err *err);
int set_api_token_file(struct target *t, const char *value, struct err *err);
int set_api_read(struct target *t, const char *value, struct err *err);
int set_api_host(struct target *t, const char *value, struct err *err);
int set_flow_log(struct target *t, const char *value, struct err *err);
int set_journal(struct target *t, const char *value, struct err *err);
void print_api(const struct target *t, struct text *out);
void print_api_socket(const struct target *t, struct text *out);
void print_api_token_file(const struct target *t, struct text *out);
void print_api_read(const struct target *t, struct text *out);
void print_api_host(const struct target *t, struct text *out);
void print_flow_log(const struct target *t, struct text *out);
void print_journal(const struct target *t, struct text *out);

#endif
