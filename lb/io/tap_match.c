/* SPDX-License-Identifier: MIT */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/tap_match.h"

static void write_services(FILE *f, const struct tap_match *m, const char *dir)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, "(");
	for (unsigned i = 0; i < m->n_services; i++)
		fprintf(f, "%s(%s host %s and %s port %u)", i ? " or " : "",
			dir, addr_format(&m->services[i].addr, text), dir,
			ntohs(m->services[i].port));
	fprintf(f, ")");
}

static void write_sources(FILE *f, const struct tap_match *m)
{
	char text[ADDR_TEXT_MAX];

	fprintf(f, "(");
	for (unsigned i = 0; i < m->n_sources; i++)
		fprintf(f, "%sdst host %s", i ? " or " : "",
			addr_format(&m->sources[i], text));
	fprintf(f, ")");
}

/*
 * Matches a client's SYN to a service that fits a slot of the SYN ring. Only lo
 * has longer ones, with the data of Fast Open.
 */
static void write_syn(FILE *f, const struct tap_match *m)
{
	fprintf(f,
		"(tcp[tcpflags] & (tcp-syn|tcp-ack|tcp-rst|tcp-fin) == "
		"tcp-syn and ip[2:2] <= %d and ",
		TAP_SYN_MAX);
	write_services(f, m, "dst");
	fprintf(f, ")");
}

/* A string that grows as it is printed to. */
struct text {
	FILE *f; /* NULL: out of memory */
	char *s;
	size_t len;
};

static void text_open(struct text *t)
{
	t->s = NULL;
	t->f = open_memstream(&t->s, &t->len);
}

/* Returns the text, which the caller frees; NULL: out of memory. */
static char *text_close(struct text *t)
{
	if (fclose(t->f) != EOF)
		return t->s;
	free(t->s);
	return NULL;
}

char *tap_match_syns(const struct tap_match *m)
{
	struct text t;

	text_open(&t);
	if (!t.f)
		return NULL;
	fprintf(t.f, "ip and tcp and ");
	write_syn(t.f, m);
	return text_close(&t);
}

/*
 * By destination only, so that backends never change it (design rule 12). What
 * we send to a client on this host comes by lo from the service's address, and
 * its port may be in the NAT range: it must not be captured.
 */
char *tap_match_flows(const struct tap_match *m)
{
	char addr[ADDR_TEXT_MAX];
	struct text text;
	FILE *f;

	text_open(&text);
	f = text.f;
	if (!f)
		return NULL;
	fprintf(f, "ip and ((tcp and not ");
	write_syn(f, m); /* a service port may be in the NAT range too */
	fprintf(f, " and (");
	write_services(f, m, "dst");
	fprintf(f, " or (dst portrange %u-%u and ", m->nat_lo, m->nat_hi);
	write_sources(f, m);
	fprintf(f, " and not ");
	write_services(f, m, "src");
	fprintf(f, "))) or ((ip[6:2] & 0x1fff != 0 and ip proto 6 or "
		   "icmp[0] == 3 or icmp[0] == 11 or icmp[0] == 12) and (");
	write_sources(f, m);
	for (unsigned i = 0; i < m->n_services; i++)
		fprintf(f, " or dst host %s",
			addr_format(&m->services[i].addr, addr));
	fprintf(f, ")))");
	return text_close(&text);
}
