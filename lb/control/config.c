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

static_assert(sizeof(RUN_DIR ".flows") + CONFIG_NAME_MAX <= CONFIG_PATH_MAX,
	      "the default paths fit any name");

int config_init(struct config *c, struct err *err)
{
	memset(c, 0, sizeof(*c));
	c->flows = CONFIG_FLOWS_DEFAULT;
	c->nat_lo = CONFIG_NAT_LO;
	c->nat_hi = CONFIG_NAT_HI;
	c->guard = GUARD_AUTO;
	c->datapath = DATAPATH_AUTO;
	strcpy(c->user, "auto");
	c->sandbox = true;
	c->timeouts = (struct engine_timeouts)ENGINE_TIMEOUTS_DEFAULT;
	c->mss_clamp = CONFIG_CLAMP_OFF;
	c->busy_poll_us = CONFIG_BUSY_POLL_US;
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

/* Adjusts defaults to the values that the user did give. */
static void finish_service(struct service_config *s)
{
	static const struct service_params defaults = SERVICE_PARAMS_DEFAULT;
	struct health_params *h = &s->params.health;
	struct breaker_params *b = &s->params.breaker;

	if (!h->fast_ms)
		h->fast_ms = h->interval_ms < defaults.health.fast_ms
				     ? h->interval_ms
				     : defaults.health.fast_ms;
	if (!b->open_max_ms)
		b->open_max_ms = b->open_ms > defaults.breaker.open_max_ms
					 ? b->open_ms
					 : defaults.breaker.open_max_ms;
}

int config_check_service(const struct service_config *s, struct err *err)
{
	const struct health_params *h = &s->params.health;
	const struct breaker_params *breaker = &s->params.breaker;
	char a[TIME_TEXT_MAX], b[TIME_TEXT_MAX];

	if (h->fast_ms > h->interval_ms)
		return err_set(err, -EINVAL,
			       "fast_interval (%s) is longer than interval "
			       "(%s); it is for checks in doubt",
			       value_time_text(h->fast_ms, a),
			       value_time_text(h->interval_ms, b));
	if (breaker->open_max_ms && breaker->open_max_ms < breaker->open_ms)
		return err_set(err, -EINVAL,
			       "eject_max (%s) is shorter than eject_time "
			       "(%s); the latter doubles up to the former",
			       value_time_text(breaker->open_max_ms, a),
			       value_time_text(breaker->open_ms, b));
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
	assert(c->n_services > 0);
	for (unsigned i = 0; i < c->n_services; i++)
		finish_service(&c->services[i]);
	if (!c->name[0])
		snprintf(c->name, sizeof(c->name), "%u",
			 ntohs(c->services[0].listen.port));
	if (!c->state_set)
		snprintf(c->state, sizeof(c->state), RUN_DIR "%s.flows",
			 c->name);
	if (!c->control[0])
		snprintf(c->control, sizeof(c->control), RUN_DIR "%s.sock",
			 c->name);
	if (strcmp(c->state, c->control) == 0) {
		char quoted[QUOTED_MAX];

		return err_set(err, -EINVAL,
			       "state and control are both \"%s\"; expected "
			       "two paths, for example " RUN_DIR
			       "chat.flows and " RUN_DIR "chat.sock",
			       value_quote(c->control, quoted));
	}
	return 0;
}

int config_add_service(struct config *c, const char *name,
		       struct service_config **out, struct err *err)
{
	struct service_config *s;

	if (c->n_services == CONFIG_SERVICES_MAX)
		return err_set(err, -EINVAL, "more than %d services",
			       CONFIG_SERVICES_MAX);
	s = &c->services[c->n_services];
	memset(s, 0, sizeof(*s));
	if (value_name(s->name, name, err))
		return -EINVAL;
	s->backends = calloc(CONFIG_BACKENDS_MAX, sizeof(*s->backends));
	if (!s->backends)
		return err_set(err, -ENOMEM, "out of memory");
	s->params = (struct service_params)SERVICE_PARAMS_DEFAULT;
	s->params.health.fast_ms = 0; /* config_finish() sets them */
	s->params.breaker.open_max_ms = 0;
	c->n_services++;
	*out = s;
	return 0;
}

static const struct service_config *service_at(const struct config *c,
					       const struct endpoint *e)
{
	for (unsigned i = 0; i < c->n_services; i++)
		if (endpoint_equal(&c->services[i].listen, e))
			return &c->services[i];
	return NULL;
}

static bool has_backend(const struct service_config *s,
			const struct endpoint *e)
{
	for (unsigned i = 0; i < s->n_backends; i++)
		if (endpoint_equal(&s->backends[i].addr, e))
			return true;
	return false;
}

int config_set_listen(struct config *c, struct service_config *s,
		      const struct endpoint *listen, struct err *err)
{
	const struct service_config *other = service_at(c, listen);

	if (other)
		return err_set(err, -EINVAL,
			       "service \"%s\" listens there already; each "
			       "needs an address and port of its own",
			       other->name);
	for (unsigned i = 0; i < c->n_services; i++)
		if (has_backend(&c->services[i], listen))
			return err_set(err, -EINVAL,
				       "it is also a backend of service "
				       "\"%s\": the balancer would be sending "
				       "to itself",
				       c->services[i].name);
	s->listen = *listen;
	return 0;
}

int config_add_backend(struct config *c, struct service_config *s,
		       const struct backend_config *backend, struct err *err)
{
	const struct service_config *service = service_at(c, &backend->addr);

	if (service)
		return err_set(err, -EINVAL,
			       "service \"%s\" listens there: the balancer "
			       "would be sending to itself",
			       service->name);
	if (has_backend(s, &backend->addr))
		return err_set(err, -EEXIST,
			       "the service has that backend already");
	if (s->n_backends == CONFIG_BACKENDS_MAX)
		return err_set(err, -EINVAL,
			       "more than %d backends in one service",
			       CONFIG_BACKENDS_MAX);
	s->backends[s->n_backends++] = *backend;
	return 0;
}

int config_set_scheduler(struct service_config *s, const char *name,
			 struct err *err)
{
	static const char *const later[] = {"wlc", "hash", "maglev", "p2c"};

	for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
		if (strcmp(name, later[i]) == 0)
			return err_set(err, -EINVAL,
				       "not built yet; expected rr, wrr or "
				       "lc");
	s->params.scheduler = sched_by_name(name);
	if (s->params.scheduler == SCHED_KINDS)
		return err_set(err, -EINVAL, "expected rr, wrr or lc");
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
