/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/service_port.h"

/*
 * Without SO_REUSEADDR a bound socket excludes all others, whatever options
 * they set. But bind() would then fail for a minute after a server on that port
 * has stopped. If only closing connections of it are left, the option is set
 * for this one call.
 */
static int bind_service(int fd, const struct endpoint *ep)
{
	const struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = ep->port,
		.sin_addr.s_addr = addr_to_v4(&ep->addr),
	};
	const int on = 1, off = 0;
	struct port_set live = {.has = {false}};
	int ret;

	/* The address may be added to the host later. */
	(void)setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	ret = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
	if (ret != -EADDRINUSE || used_ports_read(&live, &ep->addr) ||
	    live.has[ntohs(ep->port)])
		return ret;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ret = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	return ret;
}

int service_port_bind(const struct endpoint *ep)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int ret = fd == -1 ? -errno : bind_service(fd, ep);

	if (!ret)
		return fd;
	if (fd != -1)
		close(fd);
	return ret;
}

int service_port_explain(struct err *err, int ret, const struct endpoint *ep,
			 const struct instance *others)
{
	const struct instance *i = others;
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(ep, text);
	if (ret == -EACCES || ret == -EPERM)
		return err_set(err, -EACCES,
			       "service %s: no permission to use a port this "
			       "low: run as root, or choose a higher port",
			       text);
	if (ret != -EADDRINUSE)
		return err_set(err, ret, "service %s: cannot bind it: %s", text,
			       strerror(-ret));
	while (i && !(i->running && instance_has(i, "service", text)))
		i = i->next;
	if (i)
		return err_set(err, ret,
			       "service %s is served by instance \"%s\" (pid "
			       "%d): stop it, or choose another port",
			       text, i->name, (int)i->pid);
	return err_set(err, ret,
		       "service %s: another program uses this port: stop it, "
		       "or choose another port (who it is: ss -tanp 'sport = "
		       ":%u')",
		       text, ntohs(ep->port));
}

/*
 * An instance that had started before chose its NAT ports without knowing of
 * our services, so it may use the port of one.
 */
void service_port_shared(struct err *warning, const struct endpoint *ep,
			 const struct instance *others)
{
	char text[ENDPOINT_TEXT_MAX], addr[ADDR_TEXT_MAX];
	const unsigned port = ntohs(ep->port);

	addr_format(&ep->addr, addr);
	for (const struct instance *i = others; i; i = i->next)
		if (port >= i->range.lo && port <= i->range.hi &&
		    (instance_has(i, "source", addr) ||
		     instance_has(i, "source", "0.0.0.0")))
			err_set(warning, 0,
				"service %s is among the NAT ports %u-%u of "
				"instance \"%s\", which started earlier and "
				"may use it: packets of no connection get no "
				"reset there; give that one other ports with "
				"--nat-ports, or start it later",
				endpoint_format(ep, text), i->range.lo,
				i->range.hi, i->name);
}
