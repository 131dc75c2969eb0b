/* SPDX-License-Identifier: MIT */
/*
 * sniff.c - writes the frames of one interface to a file, for the lab's tests
 *
 *	sniff INTERFACE FILE FILTER
 *
 * Says "listening" when it does. At SIGTERM it first takes what the kernel
 * still holds: all that happened before the signal is in the file. Exits 1 if
 * the kernel had to drop a frame. (tcpdump promises neither, and cannot give
 * up its privileges in a user namespace, where it insists on doing so.)
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <pcap/pcap.h>

#define SNAPLEN 65600 /* a super-packet and its Ethernet header */
#define SLOTS	512   /* immediate mode: one frame a slot */
#define BUFFER	(SNAPLEN * SLOTS)

static volatile sig_atomic_t ended;

static void end(int sig)
{
	(void)sig;
	ended = 1;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "sniff: %s: %s\n", what, why);
	exit(2);
}

static pcap_t *open_capture(const char *interface, const char *filter)
{
	char error[PCAP_ERRBUF_SIZE];
	struct bpf_program program;
	pcap_t *p = pcap_create(interface, error);

	if (!p)
		die(interface, error);
	pcap_set_snaplen(p, SNAPLEN);
	pcap_set_buffer_size(p, BUFFER);
	pcap_set_immediate_mode(p, 1);
	if (pcap_activate(p) < 0)
		die(interface, pcap_geterr(p));
	if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) == -1 ||
	    pcap_setfilter(p, &program) == -1)
		die(filter, pcap_geterr(p));
	pcap_freecode(&program);
	if (pcap_setnonblock(p, 1, error) == -1)
		die(interface, error);
	return p;
}

int main(int argc, char *argv[])
{
	struct sigaction action = {.sa_handler = end};
	struct pcap_stat stats = {0};
	sigset_t waiting, running;
	pcap_dumper_t *file;
	struct pollfd wait;
	pcap_t *p;
	int n;

	if (argc != 4)
		die("usage", "sniff INTERFACE FILE FILTER");

	/* The signal is let in only while we wait, so none is missed. */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&running);
	sigaddset(&running, SIGTERM);
	sigaddset(&running, SIGINT);
	sigprocmask(SIG_BLOCK, &running, &waiting);

	p = open_capture(argv[1], argv[3]);
	file = pcap_dump_open(p, argv[2]);
	if (!file)
		die(argv[2], pcap_geterr(p));
	printf("listening\n");
	fflush(stdout);

	wait.fd = pcap_get_selectable_fd(p);
	wait.events = POLLIN;
	for (;;) {
		n = pcap_dispatch(p, -1, pcap_dump, (unsigned char *)file);
		if (n < 0)
			die(argv[1], pcap_geterr(p));
		if (n > 0)
			continue;
		pcap_dump_flush(file);
		if (ended)
			break;
		ppoll(&wait, 1, NULL, &waiting);
	}

	pcap_stats(p, &stats);
	pcap_dump_close(file);
	pcap_close(p);
	if (stats.ps_drop) {
		fprintf(stderr, "sniff: %u frames dropped\n", stats.ps_drop);
		return 1;
	}
	return 0;
}
