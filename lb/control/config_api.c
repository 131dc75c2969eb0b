/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/config_api.h"
#include "control/config_keys.h"
#include "control/config_value.h"

static_assert(CONFIG_API_PATH_MAX == CONFIG_PATH_MAX, "value_path() fills it");

#define ANY_ADDRESS "0.0.0.0:"

static struct api_config *of(const struct target *t)
{
	return &t->config->api;
}

/* ------------------------------------------------------------- the address */

static bool is_any(const struct endpoint *e)
{
	static const struct ip_addr any = {.b = {[10] = 0xff, [11] = 0xff}};

	return addr_equal(&e->addr, &any);
}

static int read_endpoint(struct target *t, const char *value,
			 struct endpoint *out, struct err *err)
{
	const size_t any = strlen(ANY_ADDRESS);

	if (strncmp(value, ANY_ADDRESS, any) != 0)
		return value_endpoint(value, t->resolve, out, err);
	memset(out, 0, sizeof(*out));
	out->addr = addr_from_v4(0);
	return value_port(value + any, &out->port, err);
}

int set_api(struct target *t, const char *value, struct err *err)
{
	struct endpoint tcp = {.port = 0};
	struct err reason;
	int ret = 0;

	of(t)->has_tcp = strcmp(value, "off") != 0;
	if (of(t)->has_tcp)
		ret = read_endpoint(t, value, &tcp, &reason);
	if (ret)
		return err_set(err, ret, "%s; or off", reason.text);
	of(t)->tcp = tcp;
	return 0;
}

void print_api(const struct target *t, struct text *out)
{
	char text[ENDPOINT_TEXT_MAX];

	text_add(out, "%s",
		 of(t)->has_tcp ? endpoint_format(&of(t)->tcp, text) : "off");
}

/* --------------------------------------------------------------- the files */

static int set_path(char out[CONFIG_PATH_MAX], const char *value,
		    const char *example, struct err *err)
{
	if (strcmp(value, "none") == 0) {
		out[0] = 0;
		return 0;
	}
	/* A path that depends on where somebody stood leads astray later. */
	if (value[0] != '/')
		return err_set(err, -EINVAL,
			       "expected a path that begins with /, for "
			       "example %s, or none",
			       example);
	return value_path(out, value, example, err);
}

static void add_path(const char *path, struct text *out)
{
	text_add(out, "%s", *path ? path : "none");
}

int set_api_socket(struct target *t, const char *value, struct err *err)
{
	const int ret =
		set_path(of(t)->socket, value, "/run/l4lb/chat.sock", err);

	if (ret == 0)
		of(t)->socket_set = true;
	return ret;
}

void print_api_socket(const struct target *t, struct text *out)
{
	add_path(of(t)->socket, out);
}

int set_api_token_file(struct target *t, const char *value, struct err *err)
{
	return set_path(of(t)->token_file, value, CONFIG_TOKEN_FILE, err);
}

void print_api_token_file(const struct target *t, struct text *out)
{
	add_path(of(t)->token_file, out);
}

int set_flow_log(struct target *t, const char *value, struct err *err)
{
	return set_path(of(t)->flow_log, value, "/var/log/l4lb/flows.log", err);
}

void print_flow_log(const struct target *t, struct text *out)
{
	add_path(of(t)->flow_log, out);
}

/* ------------------------------------------------------------- who may what */

static const char *const read_names[] = {
	[API_READ_AUTO] = "auto",
	[API_READ_OPEN] = "open",
	[API_READ_TOKEN] = "token",
};

int set_api_read(struct target *t, const char *value, struct err *err)
{
	int read = 0;

	if (value_choice(value, read_names, 3, "auto, open or token", &read,
			 err))
		return -EINVAL;
	of(t)->read = (enum api_read)read;
	return 0;
}

void print_api_read(const struct target *t, struct text *out)
{
	text_add(out, "%s", read_names[of(t)->read]);
}

static int add_host(char hosts[CONFIG_API_HOSTS_MAX], const char *name,
		    struct err *err)
{
	const size_t len = strlen(hosts);
	char quoted[QUOTED_MAX];

	if (!value_is_host_name(name))
		return err_set(err, -EINVAL,
			       "\"%s\" is no host name; expected for example "
			       "balancer.example.org",
			       value_quote(name, quoted));
	if (len + strlen(name) + 2 > CONFIG_API_HOSTS_MAX)
		return err_set(err, -EINVAL,
			       "the names are longer than %d bytes in all",
			       CONFIG_API_HOSTS_MAX);
	snprintf(hosts + len, CONFIG_API_HOSTS_MAX - len, "%s%s",
		 len ? "," : "", name);
	return 0;
}

int set_api_host(struct target *t, const char *value, struct err *err)
{
	char hosts[CONFIG_API_HOSTS_MAX] = "", item[HOST_NAME_BYTES + 2];
	unsigned n = 0;
	int ret = 0;

	if (strcmp(value, "none") != 0) {
		ret = value_check_commas(value, "lb.example.org, lb", err);
		for (; !ret && value_next_item(&value, item, sizeof(item)); n++)
			ret = add_host(hosts, item, err);
		if (!ret && n == 0)
			ret = err_set(err, -EINVAL,
				      "expected one or several host names, for "
				      "example balancer.example.org, or none");
	}
	if (!ret)
		memcpy(of(t)->hosts, hosts, sizeof(hosts));
	return ret;
}

void print_api_host(const struct target *t, struct text *out)
{
	text_add(out, "%s", *of(t)->hosts ? of(t)->hosts : "none");
}

bool api_config_read_needs_token(const struct api_config *a)
{
	return a->read == API_READ_TOKEN ||
	       (a->read == API_READ_AUTO && !addr_is_loopback(&a->tcp.addr));
}

bool api_config_is_free(const struct api_config *a)
{
	return a->token_file[0] == 0;
}

/* ------------------------------------------------------------- the journal */

int set_journal(struct target *t, const char *value, struct err *err)
{
	uint32_t n = 0;

	if (value_number(value, CONFIG_JOURNAL_MIN, CONFIG_JOURNAL_MAX, &n,
			 err) ||
	    n & (n - 1))
		return err_set(err, -EINVAL,
			       "expected a power of two from %u to %u, for "
			       "example %u",
			       CONFIG_JOURNAL_MIN, CONFIG_JOURNAL_MAX,
			       CONFIG_JOURNAL);
	of(t)->journal = n;
	return 0;
}

void print_journal(const struct target *t, struct text *out)
{
	text_add(out, "%u", of(t)->journal);
}

/* ------------------------------------------------------------ all together */

bool api_config_is_used(const struct api_config *a)
{
	return a->has_tcp || a->socket[0] || a->flow_log[0];
}

bool api_config_has(const struct api_config *a, const struct endpoint *e)
{
	return a->has_tcp && a->tcp.port == e->port &&
	       (is_any(&a->tcp) || addr_equal(&a->tcp.addr, &e->addr));
}

static int check_services(const struct config *c, struct err *err)
{
	char api[ENDPOINT_TEXT_MAX];

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *s = &c->services[i];

		if (service_is_live(s) && api_config_has(&c->api, &s->listen))
			return err_set(err, -EINVAL,
				       "api \"%s\": service \"%s\" listens "
				       "there; choose another port",
				       endpoint_format(&c->api.tcp, api),
				       s->name);
	}
	return 0;
}

/* Whoever reaches the port from elsewhere could do anything. */
static int check_token(const struct api_config *a, struct err *err)
{
	char api[ENDPOINT_TEXT_MAX];

	if (!a->has_tcp || !api_config_is_free(a))
		return 0;
	if (a->read == API_READ_TOKEN)
		return err_set(err, -EINVAL,
			       "api_read = token, but api_token_file = none: "
			       "there would be no token");
	if (addr_is_loopback(&a->tcp.addr))
		return 0;
	return err_set(err, -EINVAL,
		       "api \"%s\" can be reached from other hosts, so "
		       "api_token_file = none is not allowed; write a secret "
		       "into " CONFIG_TOKEN_FILE ", or use api = "
		       "127.0.0.1:%u",
		       endpoint_format(&a->tcp, api), ntohs(a->tcp.port));
}

static int check_paths(const struct config *c, struct err *err)
{
	const struct {
		const char *key, *path;
	} files[] = {
		{"state", c->state},
		{"control", c->control},
		{"api_socket", c->api.socket},
		{"flow_log", c->api.flow_log},
	};
	char quoted[QUOTED_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		for (size_t k = 0; k < i; k++)
			if (*files[i].path &&
			    strcmp(files[i].path, files[k].path) == 0)
				return err_set(
					err, -EINVAL,
					"%s and %s are both \"%s\"; "
					"expected two paths",
					files[k].key, files[i].key,
					value_quote(files[i].path, quoted));
	return 0;
}

int api_config_finish(struct config *c, struct err *err)
{
	int ret;

	if (!c->api.socket_set)
		snprintf(c->api.socket, sizeof(c->api.socket),
			 "/run/l4lb/%s.sock", c->name);
	ret = check_services(c, err);
	if (!ret)
		ret = check_token(&c->api, err);
	return ret ? ret : check_paths(c, err);
}
