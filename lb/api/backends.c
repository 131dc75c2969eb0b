/* SPDX-License-Identifier: MIT */
/* backends.c - GET /lb/backends and /lb/backends/{id} */
#include "api/backend_json.h"
#include "api/find.h"
#include "api/look.h"
#include "api/routes.h"
#include "clock.h"

static void list_service(const struct api *api, unsigned service,
			 const struct board_service *s, struct json_writer *w,
			 uint64_t now_ns)
{
	struct board_backend b;

	for (unsigned k = 0; k < s->n_backends; k++)
		if (look_backend(api, service, k, &b))
			json_put_backend(w, NULL, s->name, &b, now_ns);
}

static void list(struct api *api, const struct request *request,
		 struct reply *reply)
{
	const char *name = request_query(request, "service");
	struct json_writer w = json_writer(&reply->body);
	const uint64_t now_ns = clock_now_ns();
	const unsigned n = look_services(api);
	struct board_service s;
	unsigned only;

	if (name && !find_service(api, name, &only, &s, reply))
		return;
	json_put_array(&w, NULL);
	if (name)
		list_service(api, only, &s, &w, now_ns);
	else
		for (unsigned i = 0; i < n; i++)
			if (look_service(api, i, &s))
				list_service(api, i, &s, &w, now_ns);
	json_put_end(&w);
}

static void show(struct api *api, const struct request *request,
		 struct reply *reply)
{
	struct json_writer w = json_writer(&reply->body);
	struct found found;

	if (!find_backend(api, request->id, request_query(request, "service"),
			  &found, reply))
		return;
	json_put_backend(&w, NULL, found.s.name, &found.b, clock_now_ns());
}

static const struct route_value which[] = {
	{"service", VALUE_TEXT, "only of the service of that name"},
	{0},
};

const struct route backends_routes[] = {
	{METHOD_GET, "/lb/backends", list, which,
	 .summary = "All backends, those that leave included"},
	{METHOD_GET, "/lb/backends/{id}", show, which,
	 .summary = "One backend, by its id or ADDRESS:PORT"},
	{0},
};
