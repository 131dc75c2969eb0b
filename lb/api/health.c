/* SPDX-License-Identifier: MIT */
/* health.c - GET /lb/health: is there somebody behind each service? */
#include "api/api.h"
#include "api/http.h"
#include "api/json.h"
#include "api/look.h"
#include "api/routes.h"
#include "clock.h"
#include "core/time.h"

/* The board is written ten times a second. */
#define STALLED_NS (5 * NS_PER_S)

struct tally {
	unsigned services, backends, healthy;
	unsigned without; /* services with no healthy backend */
};

static void count(struct tally *h, const struct api *api, unsigned services)
{
	for (unsigned i = 0; i < services; i++) {
		struct board_service s;
		struct board_backend b;
		unsigned healthy = 0;

		if (!look_service(api, i, &s) || s.slot != SLOT_LIVE)
			continue;
		h->services++;
		for (unsigned k = 0; k < s.n_backends; k++) {
			if (!look_backend(api, i, k, &b) || b.slot != SLOT_LIVE)
				continue;
			h->backends++;
			healthy += look_is_healthy(&b);
		}
		h->healthy += healthy;
		h->without += !healthy;
	}
}

static void answer(struct api *api, const struct request *request,
		   struct reply *reply)
{
	const uint64_t now_ns = clock_now_ns();
	struct json_writer w = json_writer(&reply->body);
	struct tally h = {0};
	struct board_global global;
	const bool known = board_read_global(api->board, &global);
	const bool stalled =
		!known || now_ns > global.published_ns + STALLED_NS;
	const char *why = stalled ? "l4lb has been silent for 5 s" : NULL;

	(void)request;
	if (known)
		count(&h, api, global.services);
	if (!stalled && h.without)
		why = "a service has no healthy backend";
	else if (!stalled && !h.services)
		why = "there is no service";
	json_put_object(&w, NULL);
	json_put_text(&w, "status",
		      why		       ? "unhealthy"
		      : h.healthy < h.backends ? "degraded"
					       : "healthy");
	if (why)
		json_put_text(&w, "reason", why);
	json_put_number(&w, "services", h.services);
	json_put_number(&w, "total_backends", h.backends);
	json_put_number(&w, "healthy_backends", h.healthy);
	json_put_number(&w, "uptime_s", look_uptime_s(api, now_ns));
	json_put_end(&w);
	reply->status = why ? 503 : 200;
}

const struct route health_routes[] = {
	{METHOD_GET, "/lb/health", answer, .flags = ROUTE_OPEN,
	 .summary = "Whether each service has a healthy backend: 200 healthy "
		    "or degraded, 503 unhealthy"},
	{0},
};
