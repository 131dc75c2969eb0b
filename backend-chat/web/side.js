// SPDX-License-Identifier: MIT
// What stands beside the messages: rooms, members, the server and its fellows.
// On small screens these are drawers.
import { $, el, face } from './dom.js';
import { t } from './texts.js';

const PEOPLE = 200; // that are listed, as by /who

const badge = n => n > 0 ? el('span', { class: 'badge' }, n > 99 ? '99+' : String(n)) : '';

function entry(room, isCurrent, open) {
	const button = el('button', { onclick: () => open(room.name) },
		el('span', { class: 'name' }, room.isDirect ? room.name : '#' + room.name), badge(room.unread));
	if (isCurrent)
		button.ariaCurrent = 'true';
	button.classList.toggle('unread', room.unread > 0);
	return el('li', {}, button);
}

export function showRooms(rooms, current, others, open) {
	$('room-list').replaceChildren(...rooms.map(room => entry(room, room === current, open)));
	$('other-list').replaceChildren(...others.map(room => el('li', {},
		el('button', { title: room.topic, onclick: () => open(room.id) },
			el('span', { class: 'name' }, '#' + room.id), el('span', { class: 'count' }, String(room.here))))));
	$('more').hidden = others.length === 0;
}

export function showMembers(room, me, direct) {
	const list = [...room.members].sort(([a], [b]) => a.localeCompare(b));
	$('people-count').textContent = room.isDirect ? '' : list.length + room.unnamed;
	$('people-list').replaceChildren(...list.slice(0, PEOPLE).map(([nick, instance]) =>
		el('li', {}, el('button', { disabled: nick === me, onclick: () => direct(nick) },
			face(el('span', { ariaHidden: 'true' }), nick),
			el('span', { class: 'name' }, el('bdi', {}, nick), el('small', {}, instance))))));
	$('people-more').textContent = list.length > PEOPLE ? t('more_people', list.length - PEOPLE) : '';
	$('unnamed').textContent = room.unnamed > 0 ? t('unnamed', room.unnamed) : '';
}

export function showRedis(state) {
	$('redis').textContent = t(state);
	$('redis').className = state;
	$('redis-bar').hidden = state !== 'down';
	$('redis-bar').textContent = state === 'down' ? t('redis_down') : '';
}

export function showInstances(list, own) {
	const most = Math.max(1, ...list.map(instance => instance.clients));
	list.sort((a, b) => a.id.localeCompare(b.id));
	$('instances').replaceChildren(...list.map(({ id, clients, version }) =>
		el('li', { title: version, class: id === own ? 'own' : '' }, el('span', {}, id),
			el('meter', { max: most, value: clients, ariaLabel: t('clients', id, clients) }),
			el('span', { class: 'count' }, String(clients)))));
}

const drawers = ['rooms', 'people'];

export function closeDrawers() {
	for (const id of drawers)
		if ($(id).classList.contains('open')) {
			$(id).classList.remove('open');
			$(id + '-open').ariaExpanded = 'false';
			$('main').inert = false;
			$(id + '-open').focus();
		}
}

// Nothing to do where it is always there.
export function openDrawer(id) {
	if ($(id).checkVisibility({ visibilityProperty: true }))
		return;
	$(id).classList.add('open');
	$(id + '-open').ariaExpanded = 'true';
	$('main').inert = true;
	$(id + '-close').focus();
}

for (const id of drawers) {
	$(id + '-open').onclick = event => {
		event.stopPropagation();
		openDrawer(id);
	};
	$(id + '-close').onclick = closeDrawers;
}
// Outside of an open drawer; a wide window has none.
document.addEventListener('click', event => event.target.closest('.side, dialog') || closeDrawers());
document.addEventListener('keydown', event => event.key === 'Escape' && closeDrawers());
addEventListener('resize', () => innerWidth >= 1100 && closeDrawers());
