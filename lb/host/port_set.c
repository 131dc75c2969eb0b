/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/port_set.h"

#define RESERVED_PATH "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define RANGE_PATH    "/proc/sys/net/ipv4/ip_local_port_range"

/* More than the longest list: every second port, with 5 digits and a comma. */
#define TEXT_MAX (256u << 10)

void port_set_add(struct port_set *s, struct port_range range)
{
	for (unsigned port = range.lo; port <= range.hi; port++)
		s->has[port] = true;
}

void port_set_remove(struct port_set *s, const struct port_set *others)
{
	for (unsigned port = 0; port <= PORT_MAX; port++)
		s->has[port] &= !others->has[port];
}

unsigned port_set_count(const struct port_set *s, struct port_range range)
{
	unsigned count = 0;

	for (unsigned port = range.lo; port <= range.hi; port++)
		count += s->has[port];
	return count;
}

int port_set_parse(struct port_set *s, const char *text)
{
	unsigned long lo, hi;
	char *end;

	while (*text && *text != '\n') {
		lo = hi = strtoul(text, &end, 10);
		if (*end == '-')
			hi = strtoul(end + 1, &end, 10);
		if (end == text || lo > hi || hi > PORT_MAX)
			return -EINVAL;
		port_set_add(s, (struct port_range){lo, hi});
		text = *end == ',' ? end + 1 : end;
	}
	return 0;
}

void port_set_print(const struct port_set *s, FILE *file)
{
	const char *comma = "";
	unsigned hi;

	for (unsigned lo = 0; lo <= PORT_MAX; lo = hi + 1) {
		hi = lo;
		if (!s->has[lo])
			continue;
		while (hi < PORT_MAX && s->has[hi + 1])
			hi++;
		fprintf(file, "%s%u", comma, lo);
		if (hi > lo)
			fprintf(file, "-%u", hi);
		comma = ",";
	}
}

/* By one large read(): the kernel shows its list to no others. */
char *port_set_text(int fd)
{
	char *text = malloc(TEXT_MAX);
	ssize_t n = text ? pread(fd, text, TEXT_MAX - 1, 0) : -1;

	if (n == -1) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

int reserved_ports_read(struct port_set *out)
{
	const int fd = open(RESERVED_PATH, O_RDONLY | O_CLOEXEC);
	char *text = fd == -1 ? NULL : port_set_text(fd);
	int ret = text ? 0 : -errno;

	memset(out, 0, sizeof(*out));
	if (text)
		ret = port_set_parse(out, text);
	free(text);
	if (fd != -1)
		close(fd);
	return ret;
}

/*
 * At offset 0 the kernel replaces its list, at others it adds. It takes whole
 * ports of a text longer than a page, and stdio goes on there. The buffer keeps
 * stdio from writing half a port.
 */
int reserved_ports_change(const struct port_set *now,
			  const struct port_set *after)
{
	char buffer[TEXT_MAX];
	FILE *file;

	if (memcmp(now, after, sizeof(*now)) == 0)
		return 0;
	file = fopen(RESERVED_PATH, "we");
	if (!file)
		return -errno;
	(void)setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	port_set_print(after, file);
	(void)fputc('\n', file); /* alone it clears the list */
	return fclose(file) == EOF ? -errno : 0;
}

struct port_range host_ports(void)
{
	FILE *file = fopen(RANGE_PATH, "re");
	struct port_range r;

	if (!file || fscanf(file, "%u %u", &r.lo, &r.hi) != 2 ||
	    r.hi > PORT_MAX)
		r = (struct port_range){32768, 60999}; /* the default */
	if (file)
		(void)fclose(file);
	return r;
}

static bool is_closing(unsigned state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 ||
	       state == TCP_CLOSING || state == TCP_LAST_ACK ||
	       state == TCP_TIME_WAIT;
}

/*
 * "   0: 0100007F:1F90 REMOTE:PORT 0A ...": words in network order. The last
 * word of an IPv6 address is its IPv4 address; ::, like 0.0.0.0, takes all.
 */
static int add_used(struct port_set *used, const struct ip_addr *at,
		    const char *path)
{
	const uint32_t any = INADDR_ANY, v4 = at ? addr_to_v4(at) : any;
	FILE *file = fopen(path, "re");
	unsigned word, port, state;
	char line[512], addr[33];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*x %2x",
			   addr, &port, &state) != 3)
			continue;
		word = strtoul(addr + strlen(addr) - 8, NULL, 16);
		if (!at || ((word == v4 || word == any) && !is_closing(state)))
			used->has[port] = true;
	}
	(void)fclose(file);
	return 0;
}

int used_ports_read(struct port_set *used, const struct ip_addr *at)
{
	int ret = add_used(used, at, "/proc/net/tcp");

	if (ret)
		return ret;
	ret = add_used(used, at, "/proc/net/tcp6");
	return ret == -ENOENT ? 0 : ret; /* the kernel has no IPv6 */
}
