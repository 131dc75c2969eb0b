// SPDX-License-Identifier: MIT
// The bar that tells of a connection that is not there, with its countdown.
import { $ } from './dom.js';
import { t } from './texts.js';

let counter = 0;

function words({ state, reason, full }) {
	if (state === 'ended')
		return t(!reason ? 'you_left' : /operator/.test(reason) ? 'removed' : 'taken_over');
	if (state === 'waiting')
		return t(!navigator.onLine ? 'offline' : full ? 'full' : 'reconnecting');
	return state === 'open' ? '' : t('connecting');
}

export function showConnection(socket) {
	const { state, due } = socket;
	const count = () => $('bar-count').textContent = state === 'waiting' ? t('in_s', Math.max(1, Math.ceil((due - Date.now()) / 1000))) : '';
	clearInterval(counter);
	if (state === 'waiting')
		counter = setInterval(count, 250);
	count();
	$('bar').hidden = state === 'open';
	$('bar').className = state;
	$('bar-text').textContent = words(socket);
	$('bar-button').hidden = state === 'connecting';
	$('bar-button').textContent = t(state === 'ended' ? 'connect' : 'now');
	$('bar-button').onclick = () => socket.now();
}
