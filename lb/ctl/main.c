/* SPDX-License-Identifier: MIT */
/*
 * main.c - arguments, one subcommand, its exit code
 *
 * The only file that prints errors and exits.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/complete.h"
#include "ctl/http.h"
#include "ctl/options.h"
#include "ctl/table.h"

#define WIDTH_MIN 40 /* a narrower terminal breaks the lines itself */

/* COLUMNS, or the terminal; a file or a pipe has no width. */
static unsigned output_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned width = 0;

	if (columns)
		width = (unsigned)strtoul(columns, NULL, 10);
	else if (isatty(STDOUT_FILENO) &&
		 ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	return width && width < WIDTH_MIN ? WIDTH_MIN : width;
}

static int finish_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	/* Who has read enough, as head(1), is no failure of ours. */
	if (errno == EPIPE)
		return code;
	fprintf(stderr, "l4lbctl: cannot write to standard output: %s\n",
		strerror(errno));
	return code ? code : CTL_REFUSED;
}

int main(int argc, char *argv[])
{
	struct ctl c = {.out = stdout, .token_file = getenv("L4LB_TOKEN_FILE")};
	const struct subcommand *subcommand;
	struct err err;
	int code;

	signal(SIGPIPE, SIG_IGN);
	setlocale(LC_CTYPE, "");
	c.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	c.width = output_width();
	if (argc > 1 && strcmp(argv[1], "complete") == 0) {
		complete(&c, argc - 2, argv + 2);
		http_close(c.http);
		return finish_output(CTL_OK);
	}
	code = options_read(&c, argc, argv, &subcommand, &err);
	if (!code && subcommand)
		code = subcommand->run(&c, &err);
	http_close(c.http);
	if (code) {
		/* Most of it may be what the other side has said. */
		fputs("l4lbctl: ", stderr);
		table_text(stderr, err.text, 0, 0, c.utf8);
		fputc('\n', stderr);
	}
	return finish_output(code);
}
