/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/port_set.h"

#define RESERVED_PATH "/proc/sys/net/ipv4/ip_local_reserved_ports"
#define RANGE_PATH    "/proc/sys/net/ipv4/ip_local_port_range"

/*
 * More than the longest list: every second port, with 5 digits and a comma. The
 * kernel shows its list to one large read() only.
 */
#define TEXT_MAX (256u << 10)

void port_set_add_range(struct port_set *s, unsigned lo, unsigned hi)
{
	for (unsigned port = lo; port <= hi; port++)
		port_set_add(s, port);
}

void port_set_add_all(struct port_set *s, const struct port_set *other)
{
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		s->words[i] |= other->words[i];
}

void port_set_remove_all(struct port_set *s, const struct port_set *other)
{
	for (unsigned i = 0; i < PORT_SET_WORDS; i++)
		s->words[i] &= ~other->words[i];
}

bool port_set_equal(const struct port_set *a, const struct port_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

unsigned port_set_count(const struct port_set *s, unsigned lo, unsigned hi)
{
	unsigned count = 0;

	for (unsigned port = lo; port <= hi; port++)
		count += port_set_has(s, port);
	return count;
}

/* Reads one port and moves *text behind it. */
static bool take_port(const char **text, unsigned *port)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*port = (unsigned)strtoul(*text, &end, 10);
	*text = end;
	return *port <= PORT_MAX;
}

int port_set_parse(struct port_set *s, const char *text)
{
	unsigned lo, hi;

	while (*text && *text != '\n') {
		if (!take_port(&text, &lo))
			return -EINVAL;
		hi = lo;
		if (*text == '-' && (text++, !take_port(&text, &hi) || hi < lo))
			return -EINVAL;
		port_set_add_range(s, lo, hi);
		if (*text == ',')
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	return 0;
}

void port_set_print(const struct port_set *s, FILE *file)
{
	const char *comma = "";
	unsigned hi;

	for (unsigned lo = 0; lo <= PORT_MAX; lo = hi + 1) {
		hi = lo;
		if (!port_set_has(s, lo))
			continue;
		while (hi < PORT_MAX && port_set_has(s, hi + 1))
			hi++;
		fprintf(file, "%s%u", comma, lo);
		if (hi > lo)
			fprintf(file, "-%u", hi);
		comma = ",";
	}
}

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
	int ret = text ? port_set_parse(memset(out, 0, sizeof(*out)), text)
		       : -errno;

	if (fd != -1)
		close(fd);
	free(text);
	return ret;
}

/*
 * At offset 0 the kernel replaces its list, at other offsets it adds. It takes
 * a text longer than a page in parts.
 */
static int write_list(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (size_t done = 0; done < len; done += (size_t)n) {
		n = pwrite(fd, text + done, len - done, (off_t)done);
		if (n <= 0)
			return n == -1 ? -errno : -EIO;
	}
	return 0;
}

int reserved_ports_write(const struct port_set *ports)
{
	const int fd = open(RESERVED_PATH, O_WRONLY | O_CLOEXEC);
	int ret = fd == -1 ? -errno : -ENOMEM;
	char *text = NULL;
	size_t len = 0;
	FILE *file = fd == -1 ? NULL : open_memstream(&text, &len);

	if (file) {
		port_set_print(ports, file);
		(void)fputc('\n', file); /* alone it clears the list */
		if (fclose(file) == 0)
			ret = write_list(fd, text, len);
	}
	free(text);
	if (fd != -1)
		close(fd);
	return ret;
}

void host_ports_range(unsigned *lo, unsigned *hi)
{
	FILE *file = fopen(RANGE_PATH, "re");

	if (!file || fscanf(file, "%u %u", lo, hi) != 2 || *hi > PORT_MAX) {
		*lo = 32768; /* the kernel's default */
		*hi = 60999;
	}
	if (file)
		(void)fclose(file);
}

/* "   0: 0100007F:1F90 REMOTE:PORT 0A ...": words in network order. */
static bool parse_socket(const char *line, struct endpoint *local,
			 unsigned *state)
{
	unsigned port, w[4];
	char addr[33];

	if (sscanf(line, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*x %2x", addr,
		   &port, state) != 3)
		return false;
	if (sscanf(addr, "%8x%8x%8x%8x", &w[0], &w[1], &w[2], &w[3]) == 4)
		memcpy(local->addr.b, w, sizeof(w));
	else
		local->addr = addr_from_v4(w[0]);
	local->port = htons((uint16_t)port);
	return true;
}

static bool is_closing(unsigned state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 ||
	       state == TCP_CLOSING || state == TCP_LAST_ACK ||
	       state == TCP_TIME_WAIT;
}

/* True if a socket at @local is in the way of @ep. :: takes IPv4 as well. */
static bool is_at(const struct endpoint *local, const struct endpoint *ep)
{
	const struct ip_addr any = addr_from_v4(INADDR_ANY);

	return local->port == ep->port &&
	       (!addr_is_set(&local->addr) || addr_equal(&local->addr, &any) ||
		addr_equal(&local->addr, &ep->addr));
}

int used_ports_read(struct port_set *used, const struct endpoint *ep,
		    bool *closing)
{
	static const char *const paths[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	struct endpoint local;
	unsigned state;
	char line[512];

	*closing = true;
	for (int i = 0; i < 2; i++) {
		FILE *file = fopen(paths[i], "re");

		if (!file && i == 1 && errno == ENOENT)
			return 0; /* the kernel has no IPv6 */
		if (!file)
			return -errno;
		while (fgets(line, sizeof(line), file)) {
			if (!parse_socket(line, &local, &state))
				continue;
			port_set_add(used, ntohs(local.port));
			if (ep && is_at(&local, ep) && !is_closing(state))
				*closing = false;
		}
		(void)fclose(file);
	}
	return 0;
}
