/* SPDX-License-Identifier: MIT */
/* look.h - rows of the board as several handlers read them */
#ifndef L4LB_API_LOOK_H
#define L4LB_API_LOOK_H

#include "api/api.h"
#include "core/slot.h"

/* A service or backend that is there, LIVE or LEAVING; else false. */
bool look_service(const struct api *api, unsigned service,
		  struct board_service *out);
bool look_backend(const struct api *api, unsigned service, unsigned backend,
		  struct board_backend *out);

/* The LIVE service of that name. */
bool look_service_named(const struct api *api, const char *name,
			unsigned *service, struct board_service *out);

/* The names of all LIVE services, for a message: "chat, web". */
#define LOOK_NAMES_MAX 400
const char *look_service_names(const struct api *api,
			       char names[LOOK_NAMES_MAX]);

/* Up by its checks and by what clients found. */
bool look_is_healthy(const struct board_backend *b);

/* Since this process of l4lb started. */
uint64_t look_uptime_s(const struct api *api, uint64_t now_ns);

/* Services that ever had a slot. */
unsigned look_services(const struct api *api);

const char *look_admin_name(unsigned admin);
const char *look_breaker_name(unsigned breaker);

#endif
