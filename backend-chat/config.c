/* SPDX-License-Identifier: MIT */
/*
 * See config.h. inih splits the lines. Debian's build gives the handler no line
 * number, but it handles each line before it asks for the next, so the reader
 * counts; the reader also refuses what inih would cut or join without a word:
 * long lines, and indented ones.
 */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_LEN_MAX 4096 /* with the final NUL */

#define CLIENTS_DEFAULT	 1000
#define BARE_QUEUE_BYTES ((size_t)1024 * 1024)
#define LOG_QUEUE_BYTES	 ((size_t)64 * 1024)
#define LOG_MESSAGES	 10000
#define ROOMS_DEFAULT	 1000
#define DRAIN_DEFAULT_MS 2000
#define HOOKS_DEFAULT	 20
#define HOOKS_MAX	 10000

void config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->hub = (struct hub_options){
		.clients = CLIENTS_DEFAULT,
		.queue_bytes = BARE_QUEUE_BYTES,
		.commands = true,
		.rooms = ROOMS_DEFAULT,
		.drain_ms = DRAIN_DEFAULT_MS,
		.lobby = "lobby",
		.origins = c->origins,
	};
	c->history = (struct store_options){
		.keep_days = 30,
		.max_per_room = 100000,
		.max_mib = 256,
	};
	c->report.level = LEVEL_INFO;
	c->redis.stream_max = LOG_MESSAGES;
	c->redis.version = L4LB_VERSION;
	c->redis.nodes = c->redis_nodes;
	c->redis_port = 6379;
	snprintf(c->redis_host, sizeof(c->redis_host), "127.0.0.1");
}

/* Of a server with a log, which all but a bare "chat_serv PORT" have. */
static void have_log(struct config *c)
{
	c->hub.has_log = c->hub.has_rate = true;
	c->log = LOG_MESSAGES;
	if (!c->has_queue)
		c->hub.queue_bytes = LOG_QUEUE_BYTES;
}

/* ----------------------------------------------------------------- values */

static int fail(char *why, const char *text)
{
	snprintf(why, CONFIG_WHY_MAX, "%s", text);
	return -1;
}

static int take_number(const char *text, unsigned long min, unsigned long max,
		       unsigned long *out, char *why)
{
	if (slice_number(slice_of(text), max, out) && *out >= min)
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "'%.80s': give a number from %lu to %lu",
		 text, min, max);
	return -1;
}

static int take_switch(const char *text, bool *out, char *why)
{
	*out = strcmp(text, "on") == 0;
	if (*out || strcmp(text, "off") == 0)
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "'%.80s': give on or off", text);
	return -1;
}

static int take_text(const char *text, char *out, size_t size, char *why)
{
	if (strlen(text) < size) {
		memcpy(out, text, strlen(text) + 1);
		return 0;
	}
	snprintf(why, CONFIG_WHY_MAX, "longer than %zu bytes", size - 1);
	return -1;
}

/* A number and "k" or "m": bytes. */
static int take_bytes(const char *text, unsigned long min, unsigned long max,
		      size_t *out, char *why)
{
	struct slice digits = slice_of(text);
	unsigned long unit = 1, number;

	if (digits.len > 0 && digits.at[digits.len - 1] == 'k')
		unit = 1024;
	if (digits.len > 0 && digits.at[digits.len - 1] == 'm')
		unit = 1024 * 1024;
	digits.len -= unit > 1;
	if (slice_number(digits, max / unit, &number) && number * unit >= min) {
		*out = number * unit;
		return 0;
	}
	snprintf(why, CONFIG_WHY_MAX,
		 "'%.80s': give a size such as 64k or 1m, from %luk to %luk",
		 text, min / 1024, max / 1024);
	return -1;
}

/* A number and "ms" or "s". */
static int take_time(const char *text, unsigned long max_ms, unsigned *out_ms,
		     char *why)
{
	struct slice digits = slice_of(text);
	unsigned long unit = 0, number;

	if (digits.len > 2 && strcmp(text + digits.len - 2, "ms") == 0) {
		unit = 1;
		digits.len -= 2;
	} else if (digits.len > 1 && text[digits.len - 1] == 's') {
		unit = 1000;
		digits.len--;
	}
	if (unit && slice_number(digits, max_ms / unit, &number)) {
		*out_ms = (unsigned)(number * unit);
		return 0;
	}
	snprintf(why, CONFIG_WHY_MAX,
		 "'%.80s': give a time such as 2s or 500ms, at most %lus", text,
		 max_ms / 1000);
	return -1;
}

/* The first line of a file that only its owner should read. */
static int take_secret(const char *path, char *out, char *why)
{
	FILE *file = fopen(path, "re");

	if (!file || !fgets(out, CONFIG_SECRET_MAX, file)) {
		snprintf(why, CONFIG_WHY_MAX, "%.200s: cannot be read: %s",
			 path, file ? "it is empty" : strerror(errno));
		if (file)
			fclose(file);
		return -1;
	}
	fclose(file);
	out[strcspn(out, "\r\n")] = '\0';
	return out[0] ? 0 : fail(why, "the file begins with an empty line");
}

int config_listen(struct config *c, const char *text, char *why)
{
	static const struct {
		const char *name;
		enum sniff_port kind;
	} kinds[] = {{"auto", SNIFF_AUTO},
		     {"line", SNIFF_ONLY_LINES},
		     {"web", SNIFF_ONLY_WEB}};
	struct config_listen *l = &c->listens[c->listen_count];
	char where[300], kind[16] = "auto";
	unsigned long port;
	const char *colon;

	if (c->listen_count == LISTENERS_MAX)
		return fail(why, "at most 16 ports");
	if (sscanf(text, "%299s %15s", where, kind) < 1)
		return fail(why, "give [ADDRESS:]PORT [auto|line|web]");
	colon = strrchr(where, ':');
	memset(l, 0, sizeof(*l));
	if (colon && (size_t)(colon - where) < sizeof(l->address))
		memcpy(l->address, where, (size_t)(colon - where));
	if (l->address[0] == '[') { /* IPv6 */
		memmove(l->address, l->address + 1, strlen(l->address));
		l->address[strcspn(l->address, "]")] = '\0';
	}
	if (take_number(colon ? colon + 1 : where, 0, 65535, &port, why))
		return -1;
	l->port = (unsigned)port;
	for (size_t i = 0; i < 3; i++) {
		if (strcmp(kind, kinds[i].name) != 0)
			continue;
		l->kind = kinds[i].kind;
		c->listen_count++;
		return 0;
	}
	snprintf(why, CONFIG_WHY_MAX, "'%s': give auto, line or web", kind);
	return -1;
}

/* ------------------------------------------------------------------- keys */

static int key_max_clients(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 1, 1000000, &number, why);

	if (!error)
		c->hub.clients = (unsigned)number;
	return error;
}

static int key_workers(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 1, 4, &number, why);

	if (!error)
		c->hub.workers = (unsigned)number;
	return error;
}

static int key_max_rooms(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 1, 100000, &number, why);

	if (!error)
		c->hub.rooms = (unsigned)number;
	return error;
}

static int key_log(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 0, 1000000, &number, why);

	if (!error)
		c->log = (unsigned)number;
	return error;
}

static int key_queue(struct config *c, const char *text, char *why)
{
	c->has_queue = true;
	return take_bytes(text, 64 * 1024, 1048576ul * 1024,
			  &c->hub.queue_bytes, why);
}

static int key_drain(struct config *c, const char *text, char *why)
{
	return take_time(text, 60000, &c->hub.drain_ms, why);
}

static int key_commands(struct config *c, const char *text, char *why)
{
	return take_switch(text, &c->hub.commands, why);
}

static int key_rate(struct config *c, const char *text, char *why)
{
	return take_switch(text, &c->hub.has_rate, why);
}

static int key_strict_nicks(struct config *c, const char *text, char *why)
{
	return take_switch(text, &c->hub.strict_nicks, why);
}

static int key_instance(struct config *c, const char *text, char *why)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at <= ' ' || *at == 0x7f)
			return fail(why, "an id has no blanks");
	return take_text(text, c->hub.instance, sizeof(c->hub.instance), why);
}

static int key_default_room(struct config *c, const char *text, char *why)
{
	char folded[ROOM_MAX_BYTES];

	if (!name_is_room(slice_of(text)))
		return fail(why, "a room has 1 to 64 letters, digits, _ - .");
	name_key(slice_of(text), folded);
	return take_text(folded, c->hub.lobby, sizeof(c->hub.lobby), why);
}

static int key_motd(struct config *c, const char *text, char *why)
{
	int error = take_text(text, c->motd, sizeof(c->motd), why);

	c->hub.motd = slice_of(c->motd);
	return error;
}

static int key_cors_origin(struct config *c, const char *text, char *why)
{
	int error =
		take_text(text, c->cors_origin, sizeof(c->cors_origin), why);

	c->hub.cors_origin = slice_of(c->cors_origin);
	return error;
}

/* "https://one.example https://two.example" */
static int key_origins(struct config *c, const char *text, char *why)
{
	while (*(text += strspn(text, " ,"))) {
		const size_t len = strcspn(text, " ,");
		char *out = c->origin_texts[c->hub.origin_count];

		if (c->hub.origin_count == CONFIG_ORIGINS_MAX)
			return fail(why, "at most 16 origins");
		if (len >= sizeof(c->origin_texts[0]))
			return fail(why, "an origin is too long");
		memcpy(out, text, len);
		out[len] = '\0';
		c->origins[c->hub.origin_count++] = slice_of(out);
		text += len;
	}
	return 0;
}

static int key_webhook_secret(struct config *c, const char *text, char *why)
{
	int error = take_secret(text, c->webhook_secret, why);

	c->hub.webhook_secret = slice_of(c->webhook_secret);
	return error;
}

/* "20/s" */
static int key_webhook_rate(struct config *c, const char *text, char *why)
{
	struct slice digits = slice_of(text);
	unsigned long number = 0;

	c->has_hooks = true;
	if (digits.len > 2 && strcmp(text + digits.len - 2, "/s") == 0) {
		digits.len -= 2;
		if (!slice_number(digits, HOOKS_MAX, &number))
			number = 0;
	}
	c->hub.hooks = (unsigned)number;
	if (number > 0 || strcmp(text, "off") == 0)
		return 0;
	snprintf(why, CONFIG_WHY_MAX,
		 "'%.80s': give a rate such as 20/s, from 1/s to %d/s, or off",
		 text, HOOKS_MAX);
	return -1;
}

static int key_admin_token(struct config *c, const char *text, char *why)
{
	int error = take_secret(text, c->admin_token, why);

	c->hub.admin_token = slice_of(c->admin_token);
	return error;
}

static int key_history_file(struct config *c, const char *text, char *why)
{
	int error =
		take_text(text, c->history_path, sizeof(c->history_path), why);

	c->history.path = strcmp(text, "off") == 0 ? NULL : c->history_path;
	return error;
}

/* A number of days, "30d". */
static int key_history_keep(struct config *c, const char *text, char *why)
{
	struct slice digits = slice_of(text);
	unsigned long days;

	if (digits.len > 1 && digits.at[digits.len - 1] == 'd') {
		digits.len--;
		if (slice_number(digits, 36500, &days)) {
			c->history.keep_days = (unsigned)days;
			return 0;
		}
	}
	snprintf(why, CONFIG_WHY_MAX,
		 "'%.80s': give days such as 30d; 0d keeps all", text);
	return -1;
}

static int key_history_per_room(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 0, 100000000, &number, why);

	if (!error)
		c->history.max_per_room = (unsigned)number;
	return error;
}

static int key_history_size(struct config *c, const char *text, char *why)
{
	size_t bytes;
	int error = take_bytes(text, 0, LONG_MAX, &bytes, why);

	if (error)
		return error;
	if (bytes > 0 && bytes < 1024 * 1024) {
		snprintf(why, CONFIG_WHY_MAX,
			 "'%.80s': give 1m or more, or 0 for no limit", text);
		return -1;
	}
	c->history.max_mib = (unsigned)(bytes / (1024 * 1024));
	return 0;
}

static int key_history_durability(struct config *c, const char *text, char *why)
{
	c->history.full = strcmp(text, "full") == 0;
	if (c->history.full || strcmp(text, "normal") == 0)
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "'%.80s': give normal or full", text);
	return -1;
}

/* Who asks for a log wants to know when. */
static int key_log_level(struct config *c, const char *text, char *why)
{
	c->report.dated = true;
	for (int level = 0; level < LEVELS; level++) {
		c->report.level = (enum log_level)level;
		if (strcmp(text, log_level_name(c->report.level)) == 0)
			return 0;
	}
	snprintf(why, CONFIG_WHY_MAX,
		 "'%.80s': give notice, info, request or debug", text);
	return -1;
}

static int key_log_format(struct config *c, const char *text, char *why)
{
	c->report.dated = true;
	c->report.format = strcmp(text, "json") == 0 ? LOG_JSON : LOG_TEXT;
	if (c->report.format == LOG_JSON || strcmp(text, "text") == 0)
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "'%.80s': give text or json", text);
	return -1;
}

static int key_log_file(struct config *c, const char *text, char *why)
{
	c->report.dated = true;
	c->report.path = strcmp(text, "off") == 0 ? NULL : c->log_path;
	if (!text[0])
		return fail(why, "give a path, or off");
	return take_text(text, c->log_path, sizeof(c->log_path), why);
}

static int key_redis_mode(struct config *c, const char *text, char *why)
{
	c->redis.cluster = strcmp(text, "cluster") == 0;
	c->has_redis = c->redis.cluster || strcmp(text, "standalone") == 0;
	if (c->has_redis || strcmp(text, "off") == 0)
		return 0;
	snprintf(why, CONFIG_WHY_MAX,
		 "'%.80s': give off, standalone or cluster", text);
	return -1;
}

static int key_redis_host(struct config *c, const char *text, char *why)
{
	if (!text[0] || strpbrk(text, " \t"))
		return fail(why, "a host has no blanks");
	return take_text(text, c->redis_host, sizeof(c->redis_host), why);
}

static int key_redis_port(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 1, 65535, &number, why);

	if (!error)
		c->redis_port = (unsigned)number;
	return error;
}

static int key_redis_nodes(struct config *c, const char *text, char *why)
{
	c->redis.node_count = nodes_parse(slice_of(text), c->redis_nodes, why);
	return c->redis.node_count > 0 ? 0 : -1;
}

static int key_redis_password(struct config *c, const char *text, char *why)
{
	c->redis.password = c->redis_password;
	return take_secret(text, c->redis_password, why);
}

/* It is within the tag of each key: "{PREFIXroom}:log". */
static int key_redis_prefix(struct config *c, const char *text, char *why)
{
	if (strpbrk(text, "{} \t"))
		return fail(why, "a prefix has no blanks and no { or }");
	c->redis.prefix = c->redis_prefix;
	return take_text(text, c->redis_prefix, sizeof(c->redis_prefix), why);
}

static int key_redis_stream_max(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 100, 10000000, &number, why);

	if (!error)
		c->redis.stream_max = (unsigned)number;
	return error;
}

static int key_redis_wait(struct config *c, const char *text, char *why)
{
	unsigned long number;
	int error = take_number(text, 0, 16, &number, why);

	if (!error)
		c->redis.wait = (unsigned)number;
	return error;
}

static const struct key {
	const char *section, *name;
	int (*take)(struct config *c, const char *text, char *why);
} keys[] = {
	{"chat", "listen", config_listen},
	{"chat", "instance", key_instance},
	{"chat", "max_clients", key_max_clients},
	{"chat", "queue", key_queue},
	{"chat", "workers", key_workers},
	{"chat", "commands", key_commands},
	{"chat", "strict_nicks", key_strict_nicks},
	{"chat", "rate", key_rate},
	{"chat", "default_room", key_default_room},
	{"chat", "max_rooms", key_max_rooms},
	{"chat", "log", key_log},
	{"chat", "drain", key_drain},
	{"chat", "motd", key_motd},
	{"history", "file", key_history_file},
	{"history", "keep", key_history_keep},
	{"history", "max_per_room", key_history_per_room},
	{"history", "max_size", key_history_size},
	{"history", "durability", key_history_durability},
	{"log", "level", key_log_level},
	{"log", "format", key_log_format},
	{"log", "file", key_log_file},
	{"redis", "mode", key_redis_mode},
	{"redis", "host", key_redis_host},
	{"redis", "port", key_redis_port},
	{"redis", "nodes", key_redis_nodes},
	{"redis", "password_file", key_redis_password},
	{"redis", "prefix", key_redis_prefix},
	{"redis", "stream_max", key_redis_stream_max},
	{"redis", "wait", key_redis_wait},
	{"webhook", "secret_file", key_webhook_secret},
	{"webhook", "rate", key_webhook_rate},
	{"web", "origins", key_origins},
	{"web", "cors_origin", key_cors_origin},
	{"admin", "token_file", key_admin_token},
};

/* ------------------------------------------------------------------- file */

struct parse {
	struct config *config;
	FILE *file;
	unsigned line;
	char why[CONFIG_WHY_MAX]; /* of this line; empty: nothing is wrong */
};

/* fgets() for inih. */
static char *read_line(char *text, int size, void *stream)
{
	struct parse *p = stream;

	if (p->why[0] || !fgets(text, size, p->file))
		return NULL;
	p->line++;
	if (strlen(text) == (size_t)size - 1 && text[size - 2] != '\n')
		snprintf(p->why, sizeof(p->why), "the line is too long");
	if (*text == ' ' || *text == '\t')
		memmove(text, text + strspn(text, " \t"),
			strlen(text + strspn(text, " \t")) + 1);
	return p->why[0] ? NULL : text;
}

static int on_key(void *user, const char *section, const char *name,
		  const char *value)
{
	struct parse *p = user;
	char why[CONFIG_WHY_MAX] = "";

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].section, section) != 0 ||
		    strcmp(keys[i].name, name) != 0)
			continue;
		if (keys[i].take(p->config, value, why) != 0)
			snprintf(p->why, sizeof(p->why), "%s: %.400s", name,
				 why);
		return p->why[0] == '\0';
	}
	snprintf(p->why, sizeof(p->why), "there is no key %.60s in [%.60s]",
		 name, section);
	return 0;
}

int config_read(struct config *c, const char *path, char *why)
{
	struct parse p = {.config = c, .file = fopen(path, "re")};
	int error;

	if (!p.file) {
		snprintf(why, CONFIG_WHY_MAX, "%.200s: cannot be read: %s",
			 path, strerror(errno));
		return -1;
	}
	have_log(c);
	ini_max_line = LINE_LEN_MAX;
	ini_stop_on_first_error = 1;
	error = ini_parse_stream(read_line, &p, on_key, &p);
	fclose(p.file);
	if (error && !p.why[0])
		snprintf(p.why, sizeof(p.why),
			 "expected [SECTION] or KEY = VALUE");
	if (!p.why[0])
		return 0;
	snprintf(why, CONFIG_WHY_MAX, "%.200s:%u: %.250s", path, p.line, p.why);
	return -1;
}

int config_environment(struct config *c, char *why)
{
	static const struct {
		const char *name;
		int (*take)(struct config *c, const char *text, char *why);
	} variables[] = {
		{"INSTANCE_ID", key_instance},
		{"REDIS_MODE", key_redis_mode},
		{"REDIS_HOST", key_redis_host},
		{"REDIS_PORT", key_redis_port},
		{"REDIS_NODES", key_redis_nodes},
	};
	char reason[CONFIG_WHY_MAX];

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *text = getenv(variables[i].name);

		if (!text || variables[i].take(c, text, reason) == 0)
			continue;
		snprintf(why, CONFIG_WHY_MAX, "%s: %.250s", variables[i].name,
			 reason);
		return -1;
	}
	if (c->has_redis && !c->hub.has_log)
		have_log(c);
	return 0;
}

/* One server, unless a cluster has its list. */
static void finish_redis(struct config *c)
{
	struct slot_node *node = &c->redis_nodes[0];

	c->redis.instance = c->hub.instance;
	c->redis.address = c->address;
	if (c->redis.cluster && c->redis.node_count > 0)
		return;
	snprintf(node->host, sizeof(node->host), "%s", c->redis_host);
	node->port = (uint16_t)c->redis_port;
	c->redis.node_count = 1;
}

void config_finish(struct config *c, unsigned port)
{
	char host[40] = "host";

	(void)gethostname(host, sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	if (!c->hub.instance[0])
		snprintf(c->hub.instance, sizeof(c->hub.instance), "%s-%u",
			 host, port);
	if (c->hub.has_rate && !c->has_hooks)
		c->hub.hooks = HOOKS_DEFAULT;
	c->report.instance = c->hub.instance;
	snprintf(c->address, sizeof(c->address), "%s:%u", host, port);
	c->hub.address = c->address;
	finish_redis(c);
}
