/* SPDX-License-Identifier: MIT */
/*
 * guard_watch.c - sees when somebody deletes the guard, and writes it again
 *
 * Two sockets. The writer stays open, so that no other socket gets its port id;
 * the kernel puts the port id of whoever made a change into each notification.
 * The reader receives the notifications through a filter that drops those of
 * the writer. So our own transactions, however many backends they name, can
 * neither wake us nor fill the receive buffer.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "core/limit.h"
#include "core/time.h"
#include "host/guard_count.h"
#include "host/guard_list.h"
#include "host/guard_watch.h"
#include "host/nft.h"

/* Another program may load thousands of rules at once. */
#define RECEIVE_BUFFER (1 << 20)
#define READS_MAX      256 /* per call; the next call reads the rest */

/* The kernel sends no message longer than NLMSG_GOODSIZE. */
#define NOTICE_MAX 16384

#define TABLE_NAME_MAX	 64
#define PROCESS_NAME_MAX 16 /* TASK_COMM_LEN */

/* In all of these messages the attribute of this number names the table. */
#define ATTR_TABLE ((int)NFTA_TABLE_NAME)
static_assert(ATTR_TABLE == (int)NFTA_CHAIN_TABLE, "of a chain");
static_assert(ATTR_TABLE == (int)NFTA_RULE_TABLE, "of a rule");
static_assert(ATTR_TABLE == (int)NFTA_SET_TABLE, "of a set");
static_assert(ATTR_TABLE == (int)NFTA_SET_ELEM_LIST_TABLE, "of its elements");

#define NAME_MAX_LEN 32 /* of an instance, see guard_spec */

struct guard_watch {
	struct guard_spec spec; /* points to what follows */
	char name[NAME_MAX_LEN];
	struct guard_list sets[GUARD_SETS];
	uint16_t *skipped;
	char interfaces[GUARD_WATCH_INTERFACES_MAX][GUARD_INTERFACE_LEN];
	size_t n_interfaces; /* a copy of what the kernel has now */
	char table[TABLE_NAME_MAX];
	struct mnl_socket *writer, *reader;
	struct limit repairs;
	bool missing;  /* a part of our table was deleted and is not back */
	bool unread;   /* notifications were lost, perhaps of our table */
	bool deleting; /* the deleting transaction has not ended yet */
	char culprit[PROCESS_NAME_MAX]; /* who deleted it; "": not known */
	unsigned repaired;		/* repairs since the last message */
	struct err failure;		/* why the last repair failed, or "" */
	struct err sentence;
	uint64_t told_ns; /* of the last message; 0: none */
};

/* ------------------------------------------------------------ the sockets */

/*
 * Drops messages that @portid caused. BPF loads big-endian; netlink is in host
 * byte order.
 */
static int keep_out(struct mnl_socket *nl, uint32_t portid)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct nlmsghdr, nlmsg_pid)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(portid), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	return setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_ATTACH_FILTER,
			  &filter, sizeof(filter));
}

static int open_reader(struct guard_watch *w)
{
	const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	const int size = RECEIVE_BUFFER;
	int group = NFNLGRP_NFTABLES, fd;

	w->reader = mnl_socket_open2(NETLINK_NETFILTER, flags);
	if (!w->reader)
		return -errno;
	/* A size above the host's limit needs privilege, and is optional. */
	fd = mnl_socket_get_fd(w->reader);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (keep_out(w->reader, mnl_socket_get_portid(w->writer)) == -1 ||
	    mnl_socket_bind(w->reader, 0, MNL_SOCKET_AUTOPID) == -1 ||
	    mnl_socket_setsockopt(w->reader, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) == -1)
		return -errno;
	return 0;
}

/* Watch before writing the guard, so that no deletion is missed. */
static int begin(struct guard_watch *w, struct err *err)
{
	int ret = nft_open(&w->writer);

	if (!ret)
		ret = open_reader(w);
	if (ret)
		return guard_explain(err, ret, w->spec.name);
	return guard_up(w->writer, &w->spec, err);
}

/* After every change of the lists, which may move. */
static void point_to_lists(struct guard_watch *w)
{
	const struct guard_list *sets = w->sets;

	w->spec.services = (const void *)sets[GUARD_SERVICES].keys;
	w->spec.n_services = sets[GUARD_SERVICES].n;
	w->spec.backends = (const void *)sets[GUARD_BACKENDS].keys;
	w->spec.n_backends = sets[GUARD_BACKENDS].n;
	w->spec.sources = (const void *)sets[GUARD_SOURCES].keys;
	w->spec.n_sources = sets[GUARD_SOURCES].n;
}

/* Returns 0 or -ENOMEM. */
static int copy_spec(struct guard_watch *w, const struct guard_spec *spec)
{
	w->spec = *spec;
	assert(strlen(spec->name) < sizeof(w->name));
	snprintf(w->name, sizeof(w->name), "%s", spec->name);
	w->spec.name = w->name;
	snprintf(w->table, sizeof(w->table), "l4lb_%s", spec->name);
	assert(spec->n_interfaces <= GUARD_WATCH_INTERFACES_MAX);
	w->n_interfaces = spec->n_interfaces;
	if (w->n_interfaces)
		memcpy(w->interfaces, spec->interfaces,
		       w->n_interfaces * sizeof(w->interfaces[0]));
	w->spec.interfaces = w->interfaces;
	w->skipped = calloc(spec->n_skipped + 1, sizeof(*w->skipped));
	if (!w->skipped ||
	    guard_list_fill(&w->sets[GUARD_SERVICES], spec->services,
			    sizeof(*spec->services), spec->n_services) ||
	    guard_list_fill(&w->sets[GUARD_BACKENDS], spec->backends,
			    sizeof(*spec->backends), spec->n_backends) ||
	    guard_list_fill(&w->sets[GUARD_SOURCES], spec->sources,
			    sizeof(*spec->sources), spec->n_sources))
		return -ENOMEM;
	if (spec->n_skipped)
		memcpy(w->skipped, spec->skipped,
		       spec->n_skipped * sizeof(*w->skipped));
	w->spec.skipped = w->skipped;
	point_to_lists(w);
	return 0;
}

int guard_watch_open(struct guard_watch **out, const struct guard_spec *spec,
		     struct err *err)
{
	struct guard_watch *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return err_set(err, -ENOMEM, "out of memory");
	limit_init(&w->repairs, GUARD_WATCH_PER_S, GUARD_WATCH_BURST);
	ret = copy_spec(w, spec);
	ret = ret ? err_set(err, ret, "out of memory") : begin(w, err);
	if (ret) {
		guard_watch_close(w);
		return ret;
	}
	*out = w;
	return 0;
}

void guard_watch_close(struct guard_watch *w)
{
	if (!w)
		return;
	if (w->reader)
		mnl_socket_close(w->reader);
	if (w->writer)
		mnl_socket_close(w->writer);
	for (int set = 0; set < GUARD_SETS; set++)
		guard_list_free(&w->sets[set]);
	free(w->skipped);
	free(w);
}

int guard_watch_fd(const struct guard_watch *w)
{
	return w ? mnl_socket_get_fd(w->reader) : -1;
}

/* ---------------------------------------------------------- notifications */

/* The text of attribute @type, or NULL. */
static const char *text_of(const struct nlmsghdr *nlh, int type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg)) if (
		mnl_attr_get_type(attr) == type &&
		mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) ==
			0) return mnl_attr_get_str(attr);
	return NULL;
}

/* A transaction ended: notes the name of the process that sent it. */
static void note_end(struct guard_watch *w, const struct nlmsghdr *nlh)
{
	const char *name = text_of(nlh, NFTA_GEN_PROC_NAME);

	if (w->deleting && name)
		snprintf(w->culprit, sizeof(w->culprit), "%s", name);
	w->deleting = false;
}

/*
 * Every message type that does not add counts as a deletion, since later
 * kernels have more such types (NFT_MSG_DESTROYTABLE). One transaction deletes
 * the guard only once.
 */
static void note(struct guard_watch *w, const struct nlmsghdr *nlh)
{
	const struct nfgenmsg *family = mnl_nlmsg_get_payload(nlh);
	const char *table;

	if (NFNL_SUBSYS_ID(nlh->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*family))
		return;
	switch (NFNL_MSG_TYPE(nlh->nlmsg_type)) {
	case NFT_MSG_NEWGEN: note_end(w, nlh); return;
	case NFT_MSG_NEWTABLE:
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_NEWRULE:
	case NFT_MSG_NEWSET:
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_NEWOBJ:
	case NFT_MSG_NEWFLOWTABLE: return;
	default: break;
	}
	table = text_of(nlh, ATTR_TABLE);
	if (!w->deleting && family->nfgen_family == NFPROTO_IPV4 && table &&
	    strcmp(table, w->table) == 0)
		w->missing = w->deleting = true;
}

static void read_notices(struct guard_watch *w, bool all)
{
	char buf[NOTICE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const int fd = mnl_socket_get_fd(w->reader);
	const struct nlmsghdr *nlh;
	unsigned reads;
	ssize_t n;
	int left;

	for (reads = 0; reads < READS_MAX && (all || !w->missing); reads++) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1 || n > (ssize_t)sizeof(buf)) { /* ENOBUFS */
			w->missing = w->unread = true;
			w->deleting = false;
			continue;
		}
		left = (int)n;
		for (nlh = (const struct nlmsghdr *)buf;
		     mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			note(w, nlh);
	}
}

/* ----------------------------------------------------------------- repair */

static void repair(struct guard_watch *w)
{
	w->missing = true;
	if (guard_up(w->writer, &w->spec, &w->failure))
		return;
	w->failure.text[0] = '\0';
	w->missing = false;
	w->repaired++;
}

void guard_watch_narrow(struct guard_watch *w,
			const char (*interfaces)[GUARD_INTERFACE_LEN], size_t n)
{
	struct err ignored;

	if (!w ||
	    (n == w->n_interfaces &&
	     memcmp(w->interfaces, interfaces, n * sizeof(*interfaces)) == 0))
		return;
	assert(n <= GUARD_WATCH_INTERFACES_MAX);
	memcpy(w->interfaces, interfaces, n * sizeof(*interfaces));
	w->spec.interfaces = w->interfaces;
	w->spec.n_interfaces = w->n_interfaces = n;
	/* If the kernel refuses now, repair() tries again. */
	if (guard_up(w->writer, &w->spec, &ignored))
		w->missing = true;
}

bool guard_watch_count(struct guard_watch *w, uint64_t *packets)
{
	return w && guard_count(w->writer, w->spec.name, packets);
}

/* ---------------------------------------------------------------- changes */

/*
 * -ENOENT: somebody has deleted the guard, or a part of it, and we have not
 * read that yet. The lists are right already, so repair() writes the change
 * too.
 */
static int change(struct guard_watch *w, enum guard_set set, const void *key,
		  bool add, struct err *err)
{
	const int ret = guard_change(w->writer, w->spec.name, set, key, add);

	if (ret != -ENOENT)
		return guard_explain(err, ret, w->spec.name);
	repair(w);
	if (w->failure.text[0] == '\0')
		return 0;
	*err = w->failure;
	return -EIO;
}

int guard_watch_add(struct guard_watch *w, enum guard_set set, const void *key,
		    struct err *err)
{
	int ret;

	if (!w)
		return 0;
	ret = guard_list_add(&w->sets[set], key);
	point_to_lists(w);
	if (ret < 0)
		return err_set(err, ret, "out of memory");
	if (ret == 0) /* it is there for another reason, too */
		return 0;
	ret = change(w, set, key, true, err);
	if (ret) {
		(void)guard_list_remove(&w->sets[set], key);
		point_to_lists(w);
	}
	return ret;
}

int guard_watch_del(struct guard_watch *w, enum guard_set set, const void *key,
		    struct err *err)
{
	int ret;

	if (!w || !guard_list_remove(&w->sets[set], key))
		return 0;
	point_to_lists(w);
	ret = change(w, set, key, false, err);
	if (ret)
		w->missing = true; /* read() writes the guard without it */
	return ret;
}

/* Returns the message for the log; NULL if there is none, or not yet. */
static const char *tell(struct guard_watch *w, uint64_t now_ns)
{
	const bool failed = w->failure.text[0] != '\0';
	char who[PROCESS_NAME_MAX + sizeof("\"\"")] = "somebody";

	if ((!w->repaired && !failed) ||
	    (w->told_ns &&
	     now_ns - w->told_ns < GUARD_WATCH_QUIET_S * NS_PER_S))
		return NULL;
	if (w->culprit[0])
		snprintf(who, sizeof(who), "\"%s\"", w->culprit);
	if (failed)
		err_set(&w->sentence, 0, "the guard is gone and stays so: %s",
			w->failure.text);
	else if (w->unread && !w->culprit[0])
		err_set(&w->sentence, 0,
			"nftables changes too fast to follow, the guard was put "
			"up again to be sure: table=%s times=%u",
			w->table, w->repaired);
	else
		err_set(&w->sentence, 0,
			"the guard was deleted by %s and is up again; what came "
			"in between this host may have reset: table=%s "
			"times=%u",
			who, w->table, w->repaired);
	w->repaired = 0;
	w->unread = false;
	w->culprit[0] = '\0';
	w->told_ns = now_ns;
	return w->sentence.text;
}

const char *guard_watch_read(struct guard_watch *w, uint64_t now_ns)
{
	if (!w)
		return NULL;
	/*
	 * Repair before reading more notices than necessary. The process that
	 * deleted the guard will close its socket next, and that blocks all of
	 * nftables until the deleted objects are freed. The notice that ends
	 * its transaction and names the process is read when the guard is back.
	 */
	do {
		read_notices(w, false);
		if (!w->missing || !limit_allow(&w->repairs, now_ns))
			break;
		repair(w);
	} while (!w->missing);
	if (w->missing)
		read_notices(w, true); /* else poll() would return at once */
	return tell(w, now_ns);
}
