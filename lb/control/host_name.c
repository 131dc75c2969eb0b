/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "clock.h"
#include "control/config_value.h"
#include "control/host_name.h"
#include "control/text.h"
#include "core/time.h"

#define NAMES_MAX 4096 /* more are asked for, but not remembered */

struct known {
	char host[256];
	struct ip_addr addr;
};

/* Shared with children, one of which writes at a time. */
struct memory {
	uint32_t n;
	struct known known[NAMES_MAX];
};
static struct memory *memory;

/* Of this process alone: which names were asked for, and how long it took. */
static bool asked[NAMES_MAX];
static uint64_t asked_ns;
static struct text warnings;

/* The index of the name, or -1. */
static int find(const char *host)
{
	for (uint32_t i = 0; memory && i < memory->n && i < NAMES_MAX; i++)
		if (strcmp(memory->known[i].host, host) == 0)
			return (int)i;
	return -1;
}

void host_name_share(void)
{
	void *new;

	if (memory)
		return;
	new = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (new != MAP_FAILED)
		memory = new;
}

static void remember(const char *host, const struct ip_addr *addr)
{
	int i = find(host);

	host_name_share();
	if (!memory || (i == -1 && memory->n >= NAMES_MAX))
		return;
	if (i == -1) {
		i = (int)memory->n++;
		snprintf(memory->known[i].host, sizeof(memory->known[i].host),
			 "%s", host);
	}
	memory->known[i].addr = *addr;
}

/* RFC 6761 section 6.4: no name server will ever know the name. */
static bool is_never(const char *host)
{
	const char *dot = strrchr(host, '.');

	return strcasecmp(dot ? dot + 1 : host, "invalid") == 0;
}

int host_name_ask(const char *host, struct ip_addr *out, struct err *err)
{
	const struct addrinfo hints = {.ai_family = AF_INET,
				       .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct sockaddr_in sin;
	char quoted[QUOTED_MAX];
	int status = getaddrinfo(host, NULL, &hints, &found);

	if (status == EAI_NONAME || status == EAI_NODATA ||
	    status == EAI_ADDRFAMILY)
		return err_set(err, is_never(host) ? -EINVAL : -ENODATA,
			       "host \"%s\" is not known, or has no IPv4 "
			       "address; expected for example 192.168.0.11",
			       value_quote(host, quoted));
	if (status)
		return err_set(err, -EAGAIN,
			       "host \"%s\" could not be looked up (%s); write "
			       "its IPv4 address instead",
			       value_quote(host, quoted),
			       status == EAI_SYSTEM ? strerror(errno)
						    : gai_strerror(status));
	memcpy(&sin, found->ai_addr, sizeof(sin));
	freeaddrinfo(found);
	*out = addr_from_v4(sin.sin_addr.s_addr);
	return 0;
}

int host_name_lookup(const char *host, struct ip_addr *out, struct err *err)
{
	int ret = host_name_ask(host, out, err);

	if (!ret)
		remember(host, out);
	return ret;
}

/* The answer of this reload, or the address of before. */
static int use_known(int i, const char *why, struct ip_addr *out)
{
	const struct known *known = &memory->known[i];
	char text[ADDR_TEXT_MAX], quoted[QUOTED_MAX];

	*out = known->addr;
	if (why)
		text_add(&warnings, "%s: %s keeps the address %s\n", why,
			 value_quote(known->host, quoted),
			 addr_format(out, text));
	return 0;
}

int host_name_lookup_again(const char *host, struct ip_addr *out,
			   struct err *err)
{
	int i = find(host);
	uint64_t begin_ns;
	int ret;

	if (i != -1 && asked[i])
		return use_known(i, NULL, out);
	if (i != -1 && asked_ns > HOST_NAME_WAIT_S * NS_PER_S)
		return use_known(i, "the name servers are too slow", out);
	begin_ns = clock_now_ns();
	ret = host_name_lookup(host, out, err);
	asked_ns += clock_now_ns() - begin_ns;
	if (i == -1)
		i = find(host);
	if (i != -1)
		asked[i] = true;
	return ret && i != -1 ? use_known(i, err->text, out) : ret;
}

const char *host_name_warnings(void)
{
	return text_get(&warnings);
}
