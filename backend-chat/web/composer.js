// SPDX-License-Identifier: MIT
// The field that one writes in.
import { $ } from './dom.js';
import { t } from './texts.js';

const BYTES_MAX = 4096; // of the server
const TYPING_MS = 3000; // between two times that we say that we type

const field = $('text');
let said = 0;

const tooLong = () => new TextEncoder().encode(field.value.trim()).length - BYTES_MAX;

// Its height, and whether it can be sent.
function fit() {
	field.style.height = 'auto';
	field.style.height = field.scrollHeight + 2 + 'px';
	$('limit').textContent = tooLong() > 0 ? t('too_long', tooLong()) : '';
	$('send').disabled = !field.value.trim() || tooLong() > 0;
}

export function setDraft(text) {
	field.value = text;
	fit();
}

export const draft = () => field.value;

// submit(text) takes what is sent; typing(): somebody writes.
export function startComposer(submit, typing) {
	const send = event => {
		event.preventDefault();
		if ($('send').disabled)
			return;
		const text = field.value.normalize('NFC').trim();
		setDraft('');
		submit(text);
	};
	$('say').onsubmit = send;
	field.onkeydown = event => {
		// An input method takes Enter for itself while it composes (229: Safari).
		if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229)
			send(event);
	};
	field.oninput = () => {
		fit();
		if (!field.value.trim() || field.value[0] === '/' || Date.now() - said < TYPING_MS)
			return;
		said = Date.now();
		typing();
	};
}
