/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "api/flow_names.h"
#include "control/config.h"

#define SERVICES CONFIG_SERVICES_MAX
#define BACKENDS SERVICE_BACKENDS_MAX

struct named_backend {
	struct endpoint addr;
	char id[BOARD_NAME_MAX];
};

struct named_service {
	char name[BOARD_NAME_MAX];
	struct endpoint listen;
	struct named_backend *backends[BACKENDS]; /* as they are met */
};

struct flow_names {
	const struct api *api;
	struct named_service *services[SERVICES];
};

struct flow_names *flow_names_new(const struct api *api)
{
	struct flow_names *n = calloc(1, sizeof(*n));

	if (n)
		n->api = api;
	return n;
}

void flow_names_free(struct flow_names *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < SERVICES; i++) {
		if (!n->services[i])
			continue;
		for (unsigned k = 0; k < BACKENDS; k++)
			free(n->services[i]->backends[k]);
		free(n->services[i]);
	}
	free(n);
}

/* Of a slot that is free the board has its last owner. */
static struct named_service *find_service(struct flow_names *n,
					  const struct flow *flow)
{
	const struct endpoint vip = flow_vip(flow);
	struct named_service *s;
	struct board_service row;

	if (flow->service >= SERVICES)
		return NULL;
	s = n->services[flow->service];
	if (!s)
		s = n->services[flow->service] = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	if (!endpoint_equal(&s->listen, &vip)) {
		memset(&row, 0, sizeof(row));
		(void)board_read_service(n->api->board, flow->service, &row);
		memcpy(s->name, row.name, sizeof(s->name));
		s->listen = row.listen;
	}
	return endpoint_equal(&s->listen, &vip) ? s : NULL;
}

static const char *find_id(struct flow_names *n, struct named_service *s,
			   const struct flow *flow)
{
	const struct endpoint addr = flow_backend(flow);
	struct named_backend *b;
	struct board_backend row;

	if (flow->backend >= BACKENDS)
		return "";
	b = s->backends[flow->backend];
	if (!b)
		b = s->backends[flow->backend] = calloc(1, sizeof(*b));
	if (!b)
		return "";
	if (!endpoint_equal(&b->addr, &addr)) {
		memset(&row, 0, sizeof(row));
		(void)board_read_backend(n->api->board, flow->service,
					 flow->backend, &row);
		memcpy(b->id, row.id, sizeof(b->id));
		b->addr = row.addr;
	}
	return endpoint_equal(&b->addr, &addr) ? b->id : "";
}

void flow_names_of(struct flow_names *n, const struct flow *flow,
		   const char **service, const char **backend)
{
	struct named_service *s = find_service(n, flow);

	*service = s ? s->name : "";
	*backend = s ? find_id(n, s, flow) : "";
}
