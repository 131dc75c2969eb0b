/* SPDX-License-Identifier: MIT */
/*
 * config.c - struct config: its initial state, additions, final checks
 *
 * Each service and backend is checked against the others when it is added. The
 * line or argument that caused a conflict is still known then.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config.h"
#include "control/config_value.h"

#define RUN_DIR "/run/l4lb/"

static_assert(sizeof(RUN_DIR ".control") + CONFIG_NAME_MAX <= CONFIG_PATH_MAX,
	      "the default paths fit any name");

int config_init(struct config *c, struct err *err)
{
	memset(c, 0, sizeof(*c));
	c->flows = CONFIG_FLOWS_DEFAULT;
	c->nat_lo = CONFIG_NAT_LO;
	c->nat_hi = CONFIG_NAT_HI;
	c->guard = GUARD_AUTO;
	c->datapath = DATAPATH_AUTO;
	c->api = (struct api_config)API_CONFIG_DEFAULT;
	strcpy(c->user, "auto");
	c->sandbox = true;
	c->timeouts = (struct engine_timeouts)ENGINE_TIMEOUTS_DEFAULT;
	c->mss_clamp = CONFIG_CLAMP_OFF;
	c->busy_poll_us = CONFIG_BUSY_POLL_US;
	c->next_id = 1;
	c->services = calloc(CONFIG_SERVICES_MAX, sizeof(*c->services));
	if (!c->services)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void config_free(struct config *c)
{
	for (unsigned i = 0; i < c->n_services; i++)
		free(c->services[i].backends);
	free(c->services);
	c->services = NULL;
	c->n_services = 0;
}

static struct backend_config *new_backends(void)
{
	return calloc(CONFIG_BACKENDS_MAX, sizeof(struct backend_config));
}

static int copy_service(struct service_config *to,
			const struct service_config *from)
{
	*to = *from;
	if (!from->backends)
		return 0;
	to->backends = new_backends();
	if (!to->backends)
		return -ENOMEM;
	memcpy(to->backends, from->backends,
	       from->n_backends * sizeof(*to->backends));
	return 0;
}

int config_copy(struct config *to, const struct config *from)
{
	int ret = 0;

	*to = *from;
	to->n_services = 0;
	to->services = calloc(CONFIG_SERVICES_MAX, sizeof(*to->services));
	if (!to->services)
		return -ENOMEM;
	while (ret == 0 && to->n_services < from->n_services) {
		const unsigned i = to->n_services++;

		ret = copy_service(&to->services[i], &from->services[i]);
	}
	return ret;
}

/* Adjusts defaults to the values that the user did give. */
static void finish_service(const struct config *c, struct service_config *s)
{
	static const struct service_params defaults = SERVICE_PARAMS_DEFAULT;
	struct health_params *h = &s->params.health;
	struct breaker_params *b = &s->params.breaker;

	h->fast_ms = s->fast_ms ? s->fast_ms
		     : h->interval_ms < defaults.health.fast_ms
			     ? h->interval_ms
			     : defaults.health.fast_ms;
	b->open_max_ms = s->eject_max_ms ? s->eject_max_ms
			 : b->open_ms > defaults.breaker.open_max_ms
				 ? b->open_ms
				 : defaults.breaker.open_max_ms;
	s->params.hash_key = s->hash_key.set ? s->hash_key : c->hash_key;
}

int config_check_service(const struct service_config *s, struct err *err)
{
	const uint32_t interval_ms = s->params.health.interval_ms;
	const uint32_t open_ms = s->params.breaker.open_ms;
	char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX];

	if (s->fast_ms > interval_ms)
		return err_set(err, -EINVAL,
			       "fast_interval (%s) is longer than interval "
			       "(%s); it is for checks in doubt",
			       value_time_text(s->fast_ms, a),
			       value_time_text(interval_ms, b));
	if (s->eject_max_ms && s->eject_max_ms < open_ms)
		return err_set(err, -EINVAL,
			       "eject_max (%s) is shorter than eject_time "
			       "(%s); the latter doubles up to the former",
			       value_time_text(s->eject_max_ms, a),
			       value_time_text(open_ms, b));
	return 0;
}

int config_check_timeouts(const struct config *c, struct err *err)
{
	const struct engine_timeouts *t = &c->timeouts;
	char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX];

	if (t->keepalive && t->keepalive >= (t->established + 2) / 3)
		return err_set(err, -EINVAL,
			       "keepalive (%s) is too long: three of them must "
			       "be shorter than idle_timeout (%s)",
			       value_time_text(t->keepalive * 1000, a),
			       value_time_text(t->established * 1000, b));
	return 0;
}

int config_finish(struct config *c, struct err *err)
{
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]))
			finish_service(c, &c->services[i]);
	if (!c->name[0] && c->n_services == 0)
		return err_set(err, -EINVAL, "no service and no name");
	if (!c->name[0])
		snprintf(c->name, sizeof(c->name), "%u",
			 ntohs(c->services[0].listen.port));
	if (!c->state_set)
		snprintf(c->state, sizeof(c->state), RUN_DIR "%s.flows",
			 c->name);
	if (!c->control[0])
		snprintf(c->control, sizeof(c->control), RUN_DIR "%s.control",
			 c->name);
	return api_config_finish(c, err);
}

static struct service_config *free_service(struct config *c)
{
	for (unsigned i = 0; i < CONFIG_SERVICES_MAX; i++)
		if (c->services[i].slot == SLOT_FREE)
			return &c->services[i];
	return NULL;
}

int config_add_service(struct config *c, const char *name,
		       struct service_config **out, struct err *err)
{
	struct service_config *s = free_service(c);
	struct backend_config *backends;
	unsigned index;

	if (!s)
		return err_set(err, -ENOSPC, "more than %d services",
			       CONFIG_SERVICES_MAX);
	memset(s, 0, sizeof(*s));
	if (value_name(s->name, name, err))
		return -EINVAL;
	backends = new_backends();
	if (!backends)
		return err_set(err, -ENOMEM, "out of memory");
	s->backends = backends;
	index = (unsigned)(s - c->services);
	if (index >= c->n_services)
		c->n_services = index + 1;
	s->params = (struct service_params)SERVICE_PARAMS_DEFAULT;
	s->slot = SLOT_LIVE;
	*out = s;
	return 0;
}

void config_remove_service(struct service_config *s, enum leave leaves)
{
	s->slot = SLOT_LEAVING;
	s->leaves = leaves;
}

void config_remove_backend(struct backend_config *b, enum leave leaves)
{
	b->slot = SLOT_LEAVING;
	b->leaves = leaves;
}

void config_free_service(struct config *c, struct service_config *s)
{
	free(s->backends);
	memset(s, 0, sizeof(*s));
	while (c->n_services > 0 &&
	       c->services[c->n_services - 1].slot == SLOT_FREE)
		c->n_services--;
}

void config_free_backend(struct service_config *s, struct backend_config *b)
{
	memset(b, 0, sizeof(*b));
	while (s->n_backends > 0 &&
	       s->backends[s->n_backends - 1].slot == SLOT_FREE)
		s->n_backends--;
}

struct service_config *config_find_service(const struct config *c,
					   const char *name)
{
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]) &&
		    strcmp(c->services[i].name, name) == 0)
			return &c->services[i];
	return NULL;
}

struct backend_config *config_find_id(const struct service_config *s,
				      const char *id)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_is_live(&s->backends[i]) &&
		    strcmp(s->backends[i].id, id) == 0)
			return &s->backends[i];
	return NULL;
}

static const struct service_config *service_at(const struct config *c,
					       const struct endpoint *e)
{
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]) &&
		    endpoint_equal(&c->services[i].listen, e))
			return &c->services[i];
	return NULL;
}

static bool has_backend(const struct service_config *s,
			const struct endpoint *e)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (backend_is_live(&s->backends[i]) &&
		    endpoint_equal(&s->backends[i].addr, e))
			return true;
	return false;
}

int config_set_listen(struct config *c, struct service_config *s,
		      const struct endpoint *listen, struct err *err)
{
	const struct service_config *other = service_at(c, listen);
	char text[ENDPOINT_TEXT_MAX];

	if (other)
		return err_set(err, -EINVAL,
			       "service \"%s\" listens there already; each "
			       "needs an address and port of its own",
			       other->name);
	for (unsigned i = 0; i < c->n_services; i++)
		if (service_is_live(&c->services[i]) &&
		    has_backend(&c->services[i], listen))
			return err_set(err, -EINVAL,
				       "it is also a backend of service "
				       "\"%s\": the balancer would be sending "
				       "to itself",
				       c->services[i].name);
	if (api_config_has(&c->api, listen))
		return err_set(err, -EINVAL,
			       "the API listens there, see api = %s; choose "
			       "another port",
			       endpoint_format(&c->api.tcp, text));
	s->listen = *listen;
	return 0;
}

/* ------------------------------------------------------------------- ids */

#define ID_PREFIX "backend"

bool config_id_is_automatic(const char *id)
{
	const size_t len = strlen(ID_PREFIX);

	return strncmp(id, ID_PREFIX, len) == 0 && id[len] &&
	       id[len + strspn(id + len, "0123456789")] == 0;
}

/* Number N of an id backendN, as l4lb would write it. */
static int automatic_number(const char *id, uint32_t *number, struct err *err)
{
	const char *digits = id + strlen(ID_PREFIX);

	if (*digits == '0' ||
	    value_number(digits, 1, CONFIG_IDS_MAX, number, err))
		return err_set(err, -EINVAL,
			       "ids of " ID_PREFIX " and a number are given "
			       "by l4lb, as " ID_PREFIX "1; choose another");
	return 0;
}

uint32_t config_id_number(const char *id)
{
	uint32_t number = 0;
	struct err none;

	if (!config_id_is_automatic(id) || automatic_number(id, &number, &none))
		return 0;
	return number;
}

static int check_id_is_free(const struct config *c,
			    const struct service_config *s,
			    const struct backend_config *self, const char *id,
			    struct err *err)
{
	const bool automatic = config_id_is_automatic(id);

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct service_config *other = &c->services[i];
		const struct backend_config *b;
		char text[ENDPOINT_TEXT_MAX];

		if (!service_is_live(other) || (other != s && !automatic))
			continue;
		b = config_find_id(other, id);
		if (b && b != self)
			return err_set(err, -EINVAL,
				       "\"%s\" is the id of backend %s of "
				       "service \"%s\"",
				       id, endpoint_format(&b->addr, text),
				       other->name);
	}
	return 0;
}

int config_check_id(const struct config *c, const struct service_config *s,
		    const struct backend_config *b, const char *id,
		    char out[CONFIG_NAME_MAX], struct err *err)
{
	char name[CONFIG_NAME_MAX];
	uint32_t number;

	if (value_name(name, id, err) ||
	    (config_id_is_automatic(name) &&
	     automatic_number(name, &number, err)) ||
	    check_id_is_free(c, s, b, name, err))
		return -EINVAL;
	memcpy(out, name, sizeof(name));
	return 0;
}

int config_set_id(struct config *c, struct service_config *s,
		  struct backend_config *b, const char *id, struct err *err)
{
	int ret = config_check_id(c, s, b, id, b->id, err);
	uint32_t number;

	if (ret)
		return ret;
	number = config_id_number(b->id);
	if (number >= c->next_id)
		c->next_id = number + 1;
	return 0;
}

static int give_id(struct config *c, struct backend_config *b, struct err *err)
{
	if (c->next_id > CONFIG_IDS_MAX)
		return err_set(err, -EINVAL,
			       "all ids up to " ID_PREFIX "%u were used; give "
			       "one of your own with id=NAME",
			       CONFIG_IDS_MAX);
	snprintf(b->id, sizeof(b->id), ID_PREFIX "%u", c->next_id++);
	return 0;
}

static struct backend_config *free_backend(struct service_config *s)
{
	for (unsigned i = 0; i < CONFIG_BACKENDS_MAX; i++)
		if (s->backends[i].slot == SLOT_FREE)
			return &s->backends[i];
	return NULL;
}

int config_add_backend(struct config *c, struct service_config *s,
		       const struct backend_config *backend, struct err *err)
{
	const struct service_config *service = service_at(c, &backend->addr);
	struct backend_config *b, draft = *backend;
	unsigned index;
	int ret;

	if (service)
		return err_set(err, -EINVAL,
			       "service \"%s\" listens there: the balancer "
			       "would be sending to itself",
			       service->name);
	if (has_backend(s, &backend->addr))
		return err_set(err, -EEXIST,
			       "the service has that backend already");
	b = free_backend(s);
	if (!b)
		return err_set(err, -ENOSPC,
			       "more than %d backends in one service",
			       CONFIG_BACKENDS_MAX);
	ret = draft.id[0] ? config_set_id(c, s, &draft, backend->id, err)
			  : give_id(c, &draft, err);
	if (ret)
		return ret;
	draft.slot = SLOT_LIVE;
	*b = draft;
	index = (unsigned)(b - s->backends);
	if (index >= s->n_backends)
		s->n_backends = index + 1;
	return 0;
}

int config_set_scheduler(struct service_config *s, const char *name,
			 struct err *err)
{
	const enum sched_kind kind = sched_by_name(name);

	if (kind == SCHED_KINDS)
		return err_set(err, -EINVAL, "expected " SCHED_NAMES);
	s->params.scheduler = kind;
	return 0;
}

int config_parse(struct config *c, const char *path, const char *text,
		 struct err *err)
{
	int ret = config_init(c, err);

	if (ret == 0)
		ret = config_text(c, path, text, NULL, err);
	if (ret == 0) {
		struct err reason;

		ret = config_finish(c, &reason);
		if (ret)
			err_set(err, ret, "%.160s: %s", path, reason.text);
	}
	if (ret)
		config_free(c);
	return ret;
}
