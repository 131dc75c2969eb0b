// SPDX-License-Identifier: MIT
// What a typed line is: something to say, or a command as line clients have it.

const COMMANDS = ['help', 'join', 'rooms', 'who', 'msg', 'me', 'nick', 'topic', 'history', 'server', 'quit'];

// {say} | {command, rest} | {unknown}. "/usr/bin", "/42", "/ " are text, "//me"
// says "/me"; a mistyped command is not said.
export function parse(text) {
	const [, slash, word, rest] = text.match(/^(\/\/?)([A-Za-z]+)(?:\s+([^]*))?$/) ?? [];
	const name = word?.toLowerCase();
	if (!word || (slash === '//' && !COMMANDS.includes(name)))
		return { say: text };
	if (slash === '//')
		return { say: text.slice(1) };
	if (!COMMANDS.includes(name))
		return { unknown: word };
	return { command: name, rest: (rest ?? '').trim() };
}
