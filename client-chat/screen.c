/* SPDX-License-Identifier: MIT */
/*
 * See screen.h. Uses readline's callback interface, driven by the poll() of
 * session.c. readline may be called from one thread only, so the client, unlike
 * the server, has one thread.
 */
#include "screen.h"
#include "write_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <readline/history.h>
#include <readline/readline.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Global, because readline's callbacks take no argument. */
static struct {
	const char *prompt; /* NULL: plain output */
	char *entered;
	bool ended;
} screen;

/*
 * Enter removes the typed line from the screen. The server sends it back, and
 * that copy stays, in its place among the others.
 */
static int submit(int count, int key)
{
	(void)count;
	(void)key;
	free(screen.entered);
	screen.entered = strdup(rl_line_buffer);
	if (rl_line_buffer[0])
		add_history(rl_line_buffer);
	using_history();
	rl_replace_line("", 1);
	return 0;
}

static void at_end(char *line)
{
	free(line);
	screen.ended = true;
}

static void bind_keys(Keymap map)
{
	rl_bind_key_in_map('\r', submit, map);
	rl_bind_key_in_map('\n', submit, map);
	rl_bind_key_in_map('\t', rl_insert, map); /* no completion */
}

void screen_open(const char *prompt)
{
	screen.prompt = prompt;
	if (!prompt)
		return;
	rl_readline_name = "chat_clnt";
	/* session.c handles signals. */
	rl_catch_signals = 0;
	rl_catch_sigwinch = 0;
	rl_change_environment = 0;
	rl_initialize();
	bind_keys(emacs_standard_keymap);
	bind_keys(vi_insertion_keymap);
	bind_keys(vi_movement_keymap);
	stifle_history(1000);
	rl_callback_handler_install(prompt, at_end);
}

bool screen_show(const char *line, size_t len)
{
	if (screen.prompt)
		rl_clear_visible_line();
	fflush(stdout); /* readline writes there */
	if (!write_out(line, len))
		return false;
	if (screen.prompt) {
		rl_on_new_line();
		rl_redisplay();
	}
	return true;
}

bool screen_key(char **entered)
{
	rl_callback_read_char();
	*entered = screen.entered;
	screen.entered = NULL;
	return !screen.ended;
}

void screen_resized(void)
{
	if (screen.prompt)
		rl_resize_terminal();
}

void screen_suspend(void)
{
	if (screen.prompt)
		rl_deprep_terminal();
	raise(SIGSTOP);
	if (screen.prompt) {
		rl_prep_terminal(1);
		rl_forced_update_display();
	}
}

void screen_close(void)
{
	if (!screen.prompt)
		return;
	rl_clear_visible_line();
	rl_callback_handler_remove();
	fflush(stdout);
	screen.prompt = NULL;
	free(screen.entered);
	screen.entered = NULL;
}
