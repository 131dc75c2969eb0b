/* SPDX-License-Identifier: MIT */
/*
 * config_print.h - the values of keys, printed as the file would have them
 *
 * Each adds what the .set of its key reads back to the same value. Always the
 * same text for the same value, so values may be compared as text.
 */
#ifndef L4LB_CONFIG_PRINT_H
#define L4LB_CONFIG_PRINT_H

#include "control/config_keys.h"

/* Of keys that set one field: by its type. */
void print_word(const struct target *t, struct text *out);
void print_number(const struct target *t, struct text *out);
void print_number_or_auto(const struct target *t, struct text *out);
void print_ms(const struct target *t, struct text *out);
void print_ms_or_auto(const struct target *t, struct text *out);
void print_ms_or_off(const struct target *t, struct text *out);
void print_seconds(const struct target *t, struct text *out);
void print_seconds_or_off(const struct target *t, struct text *out);

void print_name(const struct target *t, struct text *out);
void print_flows(const struct target *t, struct text *out);
void print_nat_ports(const struct target *t, struct text *out);
void print_interface(const struct target *t, struct text *out);
void print_guard(const struct target *t, struct text *out);
void print_datapath(const struct target *t, struct text *out);
void print_state(const struct target *t, struct text *out);
void print_control(const struct target *t, struct text *out);
void print_user(const struct target *t, struct text *out);
void print_hash_key(const struct target *t, struct text *out);
void print_mss_clamp(const struct target *t, struct text *out);
void print_listen(const struct target *t, struct text *out);
void print_scheduler(const struct target *t, struct text *out);
void print_source(const struct target *t, struct text *out);
void print_check(const struct target *t, struct text *out);

#endif
