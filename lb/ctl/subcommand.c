/* SPDX-License-Identifier: MIT */
#include "ctl/subcommand.h"

#define ANY 1000 /* words */

#define THEN                                                                   \
	"then= says what becomes of its connections: drain leaves them until " \
	"they\nend, or until drain_timeout; reset ends them at once; keep "    \
	"leaves them alone."

#define SERVICE_TOO                                                           \
	"SERVICE is needed only if several services have such a backend. ID " \
	"is its\nid or ADDRESS:PORT."

const char *const flow_terms[] = {
	"client=",	"vip=",		"nat=",	  "service=", "backend=",
	"state=",	"id=",		"age>",	  "age<",     "idle>",
	"idle<",	"bytes>",	"bytes<", "packets>", "packets<",
	"retransmits>", "retransmits<", NULL,
};

/* clang-format off */
const struct subcommand subcommands[] = {
	{"status", NULL, "",
	 "services and backends: how they are, what they do",
	 "The figures count from the start of l4lb. With --rate they are those of "
	 "one\nsecond, which it waits for.",
	 OPTION_RATE, 0, 0, status_run},
	{"flows", NULL, "[FILTER...]",
	 "connections, all of them or those that match",
	 "Shows 100 unless told otherwise. All FILTERs must hold; commas mean or:\n"
	 "  client=ADDRESS[/BITS][:PORT]   vip=, nat= likewise\n"
	 "  service=NAME   backend=ID   state=STATE   id=NUMBER\n"
	 "  age>10m   idle<5s   bytes>1M   packets<3   retransmits>0\n"
	 "< and > need quotes in a shell. --json shows one object; with --all, one "
	 "for\neach line.",
	 OPTION_LIMIT | OPTION_ALL, 0, ANY, flows_run},
	{"flow", NULL, "NUMBER [kill]",
	 "one connection and what happened to it; or reset it",
	 "kill resets both sides.", 0, 1, 2, flow_run},
	{"backend", "list", "[SERVICE]",
	 "backends, as in status", NULL, 0, 0, 1, backend_list_run},
	{"backend", "show", "[SERVICE] ID",
	 "all that is known of one, and why it is down",
	 SERVICE_TOO, 0, 1, 2, backend_show_run},
	{"backend", "add", "[SERVICE] HOST:PORT [weight=N] [backup] [id=NAME]",
	 "a new backend; it gets connections after a check",
	 "SERVICE is needed only if there are several. A host name is resolved "
	 "once.",
	 OPTION_DRY_RUN, 1, ANY, backend_add_run},
	{"backend", "remove", "[SERVICE] ID [then=drain|reset|keep]",
	 "no new connections, and then it is gone",
	 SERVICE_TOO "\n" THEN, OPTION_DRY_RUN, 1, ANY, backend_remove_run},
	{"backend", "drain", "[SERVICE] ID [for=TIME] [then=drain|reset|keep]",
	 "no new connections; those that it has go on",
	 SERVICE_TOO "\nfor=5m: what is left after five minutes ends as then= "
	 "says.\n" THEN,
	 OPTION_DRY_RUN, 1, ANY, backend_drain_run},
	{"backend", "enable", "[SERVICE] ID",
	 "takes connections again, with the weight that it had",
	 SERVICE_TOO, OPTION_DRY_RUN, 1, 2, backend_enable_run},
	{"backend", "disable", "[SERVICE] ID [then=drain|reset|keep]",
	 "no connections and no checks",
	 SERVICE_TOO "\n" THEN, OPTION_DRY_RUN, 1, ANY, backend_disable_run},
	{"backend", "weight", "[SERVICE] ID N",
	 "its share of new connections; 0 is the same as drain",
	 SERVICE_TOO, OPTION_DRY_RUN, 2, 3, backend_weight_run},
	{"service", "list", "",
	 "services and what they count", NULL, 0, 0, 0, service_list_run},
	{"service", "add", "NAME listen=ADDRESS:PORT [KEY=VALUE...]",
	 "a new service; its backends come by backend add",
	 "Keys and values are those of a [service] in l4lb.conf(5).",
	 OPTION_DRY_RUN, 2, ANY, service_add_run},
	{"service", "set", "SERVICE KEY=VALUE...",
	 "changes keys of a service",
	 "Keys and values are those of a [service] in l4lb.conf(5); name=NEW "
	 "renames it.",
	 OPTION_DRY_RUN, 2, ANY, service_set_run},
	{"service", "remove", "SERVICE [then=drain|reset|keep]",
	 "no new connections, and then it is gone",
	 THEN, OPTION_DRY_RUN, 1, 2, service_remove_run},
	{"set", NULL, "KEY=VALUE...",
	 "changes keys of [global], see l4lb.conf(5)",
	 NULL, OPTION_DRY_RUN, 1, ANY, set_run},
	{"reload", NULL, "",
	 "reads the edited file, and carries out what differs",
	 "What was changed at run time stays, unless the file says something new "
	 "there.\n--reset forgets it. --dry-run shows what would be done.",
	 OPTION_DRY_RUN | OPTION_RESET, 0, 0, reload_run},
	{"diff", NULL, "",
	 "what was changed at run time, as commands", NULL, 0, 0, 0, diff_run},
	{"save", NULL, "",
	 "keeps what was changed at run time over a reboot",
	 "--print shows a configuration file for what runs, and saves nothing.",
	 OPTION_PRINT, 0, 0, save_run},
	{"events", NULL, "[kind=KIND]",
	 "what happened: backends, operators",
	 "-f waits for more, until it is interrupted.",
	 OPTION_FOLLOW | OPTION_LIMIT | OPTION_SINCE, 0, ANY, events_run},
	{"raw", NULL, "[COMMAND...]",
	 "commands of docs/commands.md, all of them or none",
	 "One COMMAND is one word of the shell: 'backend set chat backend2 "
	 "weight=3'.\nWithout any it reads them from its input, a line each.",
	 OPTION_DRY_RUN, 0, ANY, raw_run},
	{"stop", NULL, "",
	 "ends l4lb: resets connections, leaves no rule or file",
	 "The service manager's own way is systemctl stop.", 0, 0, 0, stop_run},
	{.name = NULL},
};
/* clang-format on */
