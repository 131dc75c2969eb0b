/* SPDX-License-Identifier: MIT */
/*
 * config.h - the user's settings, from command line and configuration file
 *
 * Both produce one struct config. It is checked for all errors that exist on
 * any host (syntax, ranges, duplicates, a backend that is a service). Errors
 * that depend on this host (an address that is not ours, a taken port) are
 * found by the parts that use it.
 *
 * l4lb(8) and l4lb.conf(5) define the defaults and the meaning of every key.
 */
#ifndef L4LB_CONFIG_H
#define L4LB_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "control/config_api.h"
#include "core/addr.h"
#include "core/err.h"
#include "core/params.h"
#include "core/slot.h"

#define CONFIG_SERVICES_MAX   64
#define CONFIG_BACKENDS_MAX   256 /* per service */
#define CONFIG_SOURCES_MAX    16  /* per service */
#define CONFIG_INTERFACES_MAX 16
#define CONFIG_NAME_MAX	      32 /* bytes with the final 0: [A-Za-z0-9_-] */
#define CONFIG_IDS_MAX	      999999999u /* the last of backend1, backend2... */
#define CONFIG_PATH_MAX	      108
#define CONFIG_WEIGHT_MAX     256

#define CONFIG_FLOWS_DEFAULT 65536u
#define CONFIG_FLOWS_MAX     (4u << 20)
#define CONFIG_PORT_DEFAULT  20000 /* service port of the positional form */
#define CONFIG_NAT_LO	     10240
#define CONFIG_NAT_HI	     32767
#define CONFIG_BUSY_POLL_US  0	  /* off; see docs/bench/notes.md */
#define CONFIG_NAT_MIN	     1024 /* refuse fewer free NAT ports than this */

#define CONFIG_CLAMP_OFF  0 /* as FORWARD_CLAMP_... */
#define CONFIG_CLAMP_AUTO UINT32_MAX
#define CONFIG_CLAMP_MIN  536	/* RFC 9293 3.7.1: every host accepts it */
#define CONFIG_CLAMP_MAX  65495 /* the largest IPv4 packet, less its headers */

enum guard_mode { GUARD_AUTO, GUARD_KEEP, GUARD_NONE };
enum datapath { DATAPATH_AUTO, DATAPATH_PCAP, DATAPATH_BPF };

/*
 * Services and backends have slots, as in the engine: place i of .services is
 * service i there. A place keeps its content until nothing names it any more.
 * In a struct config a slot is free, live or leaving. n_services and n_backends
 * are one more than the highest place that was ever used: whoever walks a
 * table skips the places that are not live.
 */
struct backend_config {
	enum slot slot;
	enum leave leaves; /* of SLOT_LEAVING: what happens to its flows */
	/*
	 * What users call it: unique in its service, and also in the whole
	 * configuration if it is backend1, backend2..., which l4lb assigns.
	 */
	char id[CONFIG_NAME_MAX];
	struct endpoint addr;	      /* its identity: never changes */
	struct backend_params params; /* .weight: at most CONFIG_WEIGHT_MAX */
};

struct service_config {
	enum slot slot;
	enum leave leaves; /* as in struct backend_config */
	char name[CONFIG_NAME_MAX];
	struct endpoint listen; /* its identity: never changes */
	struct service_params params;
	/* As the user says; 0: config_finish() chooses those in params. */
	uint32_t fast_ms, eject_max_ms;
	struct hash_key hash_key; /* not set: the configuration's */
	unsigned n_sources;	  /* 0: chosen by the route (design rule 8) */
	struct ip_addr sources[CONFIG_SOURCES_MAX];
	unsigned n_backends;
	/* CONFIG_BACKENDS_MAX, owned. NULL: the slot was never used. */
	struct backend_config *backends;
};

static inline bool service_is_live(const struct service_config *s)
{
	return s->slot == SLOT_LIVE;
}

static inline bool backend_is_live(const struct backend_config *b)
{
	return b->slot == SLOT_LIVE;
}

struct config {
	char name[CONFIG_NAME_MAX];
	bool name_set; /* by the user: not the port of the first service */
	unsigned n_services;
	struct service_config *services; /* CONFIG_SERVICES_MAX, owned */
	uint32_t next_id; /* N of the next backendN; ids are not used again */
	unsigned n_interfaces; /* 0: all */
	char interfaces[CONFIG_INTERFACES_MAX][16];
	uint32_t flows;
	struct engine_timeouts timeouts;
	uint32_t busy_poll_us;	  /* time to poll before sleeping; 0: off */
	uint32_t mss_clamp;	  /* CONFIG_CLAMP_..., or the largest MSS */
	struct hash_key hash_key; /* of services that have none */
	uint16_t nat_lo, nat_hi;  /* host byte order, inclusive */
	bool nat_ports_set;	  /* by the user: do not choose another range */
	enum guard_mode guard;
	enum datapath datapath;
	char state[CONFIG_PATH_MAX];   /* "": none */
	bool state_set;		       /* by the user, possibly to "" */
	char control[CONFIG_PATH_MAX]; /* path of the UNIX socket */
	bool control_set;
	struct api_config api;
	char user[CONFIG_NAME_MAX]; /* to run as, or "auto" */
	bool sandbox;		    /* filter system calls (seccomp) */
	int verbosity;		    /* 0: normal, +1 per -v, -1 per -q */
	bool check;		    /* check and exit */
	bool diff;		    /* with .check: against what runs */
};

enum config_result {
	CONFIG_OK,
	CONFIG_SHOWN, /* --help or --version was printed: exit 0 */
	CONFIG_DOWN,  /* --down: remove what instance .name has left */
};

/*
 * Reads the command line and the file that it names. Returns CONFIG_OK,
 * another result or a negative errno with @err set. main() exits with 2 on an
 * error, but with 1 for -EIO, -EACCES (the file could not be read on this host)
 * and -ENOMEM. -EAGAIN: no name server answered; -ENODATA: no name server knows
 * a host's name. Both may be different later. @c needs no preparation. After
 * any result config_free() is allowed and .check is set.
 */
int config_read(struct config *c, int argc, char *argv[], struct err *err);

/* Finds the address of a host name. On failure @err has the reason. */
typedef int config_resolve_fn(const char *host, struct ip_addr *out,
			      struct err *err);

/* The same with another way to find addresses; never prints or shows. */
int config_read_again(struct config *c, int argc, char *argv[],
		      config_resolve_fn *resolve, struct err *err);

/* The file of --config in arguments that config_read() took; NULL: none. */
const char *config_path(int argc, char *argv[]);

/*
 * Parses the text of a file alone and fills in defaults, for the fuzzer and the
 * tests. Makes no system call: addresses must be numeric, host names are
 * refused.
 */
int config_parse(struct config *c, const char *path, const char *text,
		 struct err *err);

void config_free(struct config *c);

/*
 * Makes @to equal to @from, slot by slot. @to needs no preparation. -ENOMEM:
 * config_free(@to) is allowed.
 */
int config_copy(struct config *to, const struct config *from);

/*
 * The steps of config_read(). config_init() is the first. config_finish() is
 * the last and fills in what depends on the others. If a step fails, @err says
 * only what is wrong with the value. The caller puts the option or line in
 * front (config_text() does).
 */

int config_init(struct config *c, struct err *err);
/* Parses the text of a file. @resolve NULL: host names are refused. */
int config_text(struct config *c, const char *path, const char *text,
		config_resolve_fn *resolve, struct err *err);
/* Sets one key of [global] as the file would. */
int config_set(struct config *c, const char *key, const char *value,
	       struct err *err);
/* In the lowest free slot. */
int config_add_service(struct config *c, const char *name,
		       struct service_config **out, struct err *err);
int config_set_scheduler(struct service_config *s, const char *name,
			 struct err *err);
int config_set_listen(struct config *c, struct service_config *s,
		      const struct endpoint *listen, struct err *err);
/*
 * Adds a copy in the lowest free slot of the service. .slot needs no value. An
 * empty .id becomes the next of backend1, backend2... -EEXIST: the service has
 * the backend already; @err gives no advice.
 */
int config_add_backend(struct config *c, struct service_config *s,
		       const struct backend_config *backend, struct err *err);
/* Out of service; the slot is leaving until it is freed. */
void config_remove_service(struct service_config *s, enum leave leaves);
void config_remove_backend(struct backend_config *b, enum leave leaves);
/* The slot is free again, and another one may take it. */
void config_free_service(struct config *c, struct service_config *s);
void config_free_backend(struct service_config *s, struct backend_config *b);
/* The live service of that name, the live backend of that id, or NULL. */
struct service_config *config_find_service(const struct config *c,
					   const char *name);
struct backend_config *config_find_id(const struct service_config *s,
				      const char *id);
/* True if the id is one that l4lb assigns: backend and digits. */
bool config_id_is_automatic(const char *id);
/* N of backendN, or 0. */
uint32_t config_id_number(const char *id);
/*
 * Gives a live backend another id; @id may be what it has. -EINVAL: it is no
 * name, or another live backend has it.
 */
int config_set_id(struct config *c, struct service_config *s,
		  struct backend_config *b, const char *id, struct err *err);
/* Only checks whether it could, and copies the name to @out. */
int config_check_id(const struct config *c, const struct service_config *s,
		    const struct backend_config *b, const char *id,
		    char out[CONFIG_NAME_MAX], struct err *err);
/* Check for values that are right alone but contradict each other. */
int config_check_service(const struct service_config *s, struct err *err);
int config_check_timeouts(const struct config *c, struct err *err);
int config_finish(struct config *c, struct err *err);

#endif
