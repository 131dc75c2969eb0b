// SPDX-License-Identifier: MIT
// The dialog that asks for a name.
import { $ } from './dom.js';
import { t } from './texts.js';

const isGuest = nick => /^guest-/.test(nick);
let take;

// why: what was wrong with the last one; take(nick) gets the answer.
export function askNick(own, why, then) {
	take = nick => nick && nick !== own ? then(nick) : $('nick').close();
	$('nick-why').textContent = why;
	$('nick-cancel').textContent = t(isGuest(own) ? 'as_guest' : 'cancel');
	if ($('nick').open)
		return;
	$('nick-name').value = isGuest(own) ? '' : own;
	$('nick').showModal();
}

$('nick-cancel').onclick = () => $('nick').close();
$('nick-form').onsubmit = event => {
	event.preventDefault();
	take($('nick-name').value.trim().normalize('NFC'));
};
// Chromium gives the field its focus back, but not the caret.
$('nick').onclose = () => {
	const field = document.activeElement;
	field.setSelectionRange?.(field.selectionStart, field.selectionEnd);
};
