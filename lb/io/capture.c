/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/capture.h"
#include "io/tap_program.h"

struct capture {
	pcap_t *pcap;
	struct capture_spec spec;
	struct tap_program judge; /* the kernel's filter, for user space */
	bool judges; /* the kernel has no room for it: user space filters */
	/* Frames in the ring that an earlier filter may have let pass. */
	unsigned unsettled;
	struct tap_links links;
	bool truncated;
	struct capture_stats stats;
	capture_frame_fn *fn;
	void *arg;
};

/* libpcap prepends this header, with the kernel's metadata, to each packet. */
#define COOKED_LEN SLL2_HDR_LEN

static int activate_error(struct err *err, const struct capture *c, int status)
{
	const char *why = pcap_geterr(c->pcap);

	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return err_set(err, -EPERM,
			       "no permission to capture packets; run as root "
			       "or with CAP_NET_RAW and CAP_NET_ADMIN");
	case PCAP_ERROR: break; /* the text alone gives the reason */
	default:
		return err_set(err, -EIO, "cannot capture: %s: %s",
			       pcap_statustostr(status), why);
	}
	if (strstr(why, strerror(ENOMEM)))
		return err_set(
			err, -ENOMEM,
			"cannot capture: no memory for a ring of %zu KiB (%s); "
			"free as much, or raise the limit (ulimit -v, or that "
			"of the container)",
			capture_memory(c->spec.slots, c->spec.snaplen) / 1024,
			why);
	return err_set(err, -EIO, "cannot capture: %s", why);
}

/* Returns 0 or -errno. */
static int attach_one(struct capture *c, const struct tap_match *match)
{
	struct tap_program program;
	struct sock_fprog kernel;
	int ret = tap_program_kernel(&program, c->spec.ring, match, &c->links);

	if (ret)
		return ret;
	kernel.len = (unsigned short)program.n;
	kernel.filter = program.code;
	if (setsockopt(pcap_fileno(c->pcap), SOL_SOCKET, SO_ATTACH_FILTER,
		       &kernel, sizeof(kernel)) == -1)
		ret = -errno;
	tap_program_free(&program);
	return ret;
}

/*
 * The kernel changes from the old filter to the new one between two packets;
 * pcap_setfilter() shuts out all of them for a moment. If the kernel has no
 * memory for all of the filter, user space does the rest.
 */
static int attach(struct capture *c)
{
	int ret = attach_one(c, &c->spec.match);

	c->judges = ret != 0;
	c->unsettled =
		2 * c->spec.slots; /* it may have a few more than asked */
	return ret ? attach_one(c, NULL) : 0;
}

int capture_set_match(struct capture *c, const struct tap_match *m,
		      struct err *err)
{
	const struct tap_match before = c->spec.match;
	struct tap_program judge;
	int ret = tap_program_judge(&judge, c->spec.ring, m);

	if (ret)
		return err_set(err, ret, "no memory for the captures' filter");
	c->spec.match = *m;
	ret = attach(c);
	if (ret) { /* the kernel has the old filter */
		tap_program_free(&judge);
		c->spec.match = before;
		return err_set(err, ret, "cannot attach the filter: %s",
			       strerror(-ret));
	}
	tap_program_free(&c->judge);
	c->judge = judge;
	return 0;
}

/*
 * Immediate mode means TPACKET_V2, where one slot holds one frame of any size.
 * libpcap divides the ring's size in bytes by the size of a slot. Then it asks
 * for blocks of a power of two pages that hold whole slots, so a slot of
 * slightly more than 64 KiB takes 128 KiB of memory.
 */
static size_t slot_bytes(uint32_t snaplen)
{
	return snaplen + CAPTURE_SLOT_HEADER;
}

/* Returns the slots per block; @block gets its size in bytes. */
static size_t slots_of_block(uint32_t snaplen, size_t *block)
{
	*block = (size_t)getpagesize();
	while (*block < slot_bytes(snaplen))
		*block *= 2;
	return *block / slot_bytes(snaplen);
}

size_t capture_slot(uint32_t snaplen)
{
	size_t block, n = slots_of_block(snaplen, &block);

	return block / n;
}

size_t capture_memory(unsigned slots, uint32_t snaplen)
{
	size_t block, n = slots_of_block(snaplen, &block);

	return block * ((slots + n - 1) / n);
}

static int activate(struct capture *c, struct err *err)
{
	char why[PCAP_ERRBUF_SIZE];
	int status;

	c->pcap = pcap_create("any", why);
	if (!c->pcap)
		return err_set(err, -ENODEV, "cannot capture: %s", why);
	pcap_set_snaplen(c->pcap, (int)(c->spec.snaplen + COOKED_LEN));
	pcap_set_buffer_size(
		c->pcap, (int)(slot_bytes(c->spec.snaplen) * c->spec.slots));
	pcap_set_immediate_mode(c->pcap, 1);
	pcap_set_protocol_linux(c->pcap, ETH_P_IP);
	status = pcap_activate(c->pcap);
	if (status < 0)
		return activate_error(err, c, status);
	if (pcap_set_datalink(c->pcap, DLT_LINUX_SLL2) == -1 ||
	    pcap_setdirection(c->pcap, PCAP_D_IN) == -1 ||
	    pcap_setnonblock(c->pcap, 1, why) == -1)
		return err_set(err, -EIO, "cannot capture: %s",
			       pcap_geterr(c->pcap));
	return 0;
}

int capture_open(struct capture **out, const struct capture_spec *spec,
		 const struct tap_links *links, struct err *err)
{
	struct capture *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->spec = *spec;
	c->links = *links;
	ret = activate(c, err);
	if (!ret)
		ret = capture_set_match(c, &spec->match, err);
	if (ret) {
		capture_close(c); /* accepts a half-built capture */
		return ret;
	}
	*out = c;
	return 0;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	tap_program_free(&c->judge);
	if (c->pcap)
		pcap_close(c->pcap);
	free(c);
}

void capture_set_links(struct capture *c, const struct tap_links *links)
{
	if (tap_links_equal(&c->links, links))
		return;
	c->links = *links;
	/* On ENOMEM the kernel keeps the old filter; is_for_us() checks. */
	(void)attach(c);
}

int capture_fd(const struct capture *c)
{
	return pcap_get_selectable_fd(c->pcap);
}

/* Filters frames that entered the ring before there was any filter. */
static bool is_for_us(const struct capture *c, const struct sll2_header *from)
{
	return from->sll2_protocol == htons(ETH_P_IP) &&
	       from->sll2_pkttype == PACKET_HOST &&
	       tap_links_have(&c->links, (int)ntohl(from->sll2_if_index));
}

static void on_frame(u_char *user, const struct pcap_pkthdr *h,
		     const u_char *frame)
{
	struct capture *c = (struct capture *)user;
	const u_char *ip = frame + COOKED_LEN;
	struct sll2_header from;
	uint32_t len;
	int ifindex;

	if (h->caplen <= COOKED_LEN)
		return;
	len = h->caplen - COOKED_LEN;
	memcpy(&from, frame, COOKED_LEN);
	if (!is_for_us(c, &from) || ((c->judges || c->unsettled) &&
				     !tap_program_takes(&c->judge, ip, len)))
		return;
	ifindex = (int)ntohl(from.sll2_if_index);
	arrivals_note(c->spec.arrivals, ifindex, c->spec.ring);
	if (h->len > h->caplen)
		c->truncated = true;
	c->fn(c->arg, ip, len, ifindex);
}

int capture_read(struct capture *c, int max, capture_frame_fn *fn, void *arg)
{
	int n;

	c->fn = fn;
	c->arg = arg;
	n = pcap_dispatch(c->pcap, max, on_frame, (u_char *)c);
	/* Fewer than could be: the ring was empty, all of before is read. */
	if (n < max || (unsigned)n > c->unsettled)
		c->unsettled = 0;
	else
		c->unsettled -= (unsigned)n;
	return n < 0 ? -EIO : n;
}

bool capture_truncated(const struct capture *c)
{
	return c->truncated;
}

void capture_get_stats(struct capture *c, struct capture_stats *out)
{
	struct pcap_stat stat;

	if (pcap_stats(c->pcap, &stat) == 0) {
		c->stats.received =
			capture_widen(c->stats.received, stat.ps_recv);
		c->stats.dropped =
			capture_widen(c->stats.dropped, stat.ps_drop);
	}
	*out = c->stats;
}
