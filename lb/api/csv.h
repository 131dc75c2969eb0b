/* SPDX-License-Identifier: MIT */
/*
 * csv.h - services and backends in the columns of HAProxy's CSV statistics
 *
 * What collects numbers of HAProxy (Telegraf, Datadog, collectd) collects ours.
 * A service is a frontend, its servers and a backend, all of mode tcp. Columns
 * that mean nothing here stay empty; docs/metrics.md says what the others are.
 */
#ifndef L4LB_API_CSV_H
#define L4LB_API_CSV_H

#include <stdint.h>

#include "api/snapshot.h"
#include "control/text.h"

void csv_print(struct text *out, const struct snapshot *shot, uint64_t now_ns);

#endif
