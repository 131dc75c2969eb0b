/* SPDX-License-Identifier: MIT */
/*
 * services.h - the services and backends of the configuration, on this host
 */
#ifndef L4LB_SERVICES_H
#define L4LB_SERVICES_H

struct app;
struct backend_spec;

/* Logs how the backend is reached. */
void services_tell_backend(struct app *app, const struct backend_spec *b);

#endif
