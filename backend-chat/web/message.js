// SPDX-License-Identifier: MIT
// One item of a room as a list element.
import { el, face, icon } from './dom.js';
import { dayOf, listed, locale, momentOf, t, timeOf } from './texts.js';

// What turns the direction of the rest of a line, or is no text at all.
const UNSEEN = /[\u202a-\u202e\u2066-\u2069\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g;
const LINK = /https?:\/\/[^\s<>"'`]+/g;

const clean = text => String(text).replace(UNSEEN, '');

// Only web addresses become links. Returns a URL or null.
function webUrl(text) {
	try {
		const url = new URL(text);
		return /^https?:$/.test(url.protocol) ? url : null;
	} catch {
		return null;
	}
}

function link(url, ...children) {
	return el('a', { href: url.href, target: '_blank', rel: 'noopener noreferrer' }, ...children);
}

function withLinks(text) {
	const parts = [];
	let end = 0;
	for (const match of text.matchAll(LINK)) {
		const word = match[0].replace(/[.,;:!?)\]}]+$/, '');
		const url = webUrl(word);
		if (!url)
			continue;
		parts.push(text.slice(end, match.index), link(url, word));
		end = match.index + word.length;
	}
	return [...parts, text.slice(end)];
}

function size(bytes) {
	const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
	let i = 0;
	for (; bytes >= 1000 && i < 3; i++)
		bytes /= 1000;
	return new Intl.NumberFormat(locale, { style: 'unit', unit: units[i], maximumFractionDigits: 1 }).format(bytes);
}

const detail = parts => el('small', {}, clean(parts.filter(Boolean).join(' · ')));

// Nobody's address is shown to a foreign host before a click.
function image(m) {
	const url = webUrl(m.imageUrl);
	const about = detail([m.caption && t('show_image'), m.width && m.height && `${m.width} × ${m.height}`, m.fileSize && size(m.fileSize), url && t('from_host', url.host)]);
	const title = clean(m.caption || t('show_image'));
	if (!url)
		return el('span', {}, title);
	// Plain http is not loaded into the page (its CSP), only linked.
	if (url.protocol !== 'https:' && url.origin !== location.origin)
		return attachment('image', link(url), title, about);
	const button = attachment('image', el('button', { type: 'button' }), title, about);
	button.onclick = () => {
		const picture = el('img', { alt: title, referrerPolicy: 'no-referrer' });
		const frame = link(url, picture);
		frame.className = 'picture';
		picture.onerror = () => frame.replaceChildren(t('no_image'));
		picture.src = url.href;
		button.replaceWith(frame, el('small', {}, m.caption ? title : ''));
	};
	return button;
}

function attachment(name, box, title, about) {
	box.classList.add('attachment');
	box.append(icon(name), el('span', {}, el('b', {}, clean(title)), about));
	return box;
}

function file(m) {
	const url = webUrl(m.fileUrl);
	return attachment('file', url ? link(url) : el('span'), m.fileName || t('open_file'),
		detail([m.fileSize && size(m.fileSize), m.fileType, url && t('from_host', url.host)]));
}

function place(m) {
	const [lat, lon] = [Number(m.latitude), Number(m.longitude)];
	const url = new URL(`https://www.openstreetmap.org/?mlat=${lat}&mlon=${lon}#map=16/${lat}/${lon}`);
	return attachment('location', link(url), m.address || t('open_map'), detail([`${lat}, ${lon}`, m.address && t('open_map')]));
}

function audio(m) {
	const url = webUrl(m.audioUrl);
	const s = Math.round(m.duration);
	return attachment('audio', url ? link(url) : el('span'), t('open_audio'),
		detail([s >= 0 && `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`, url && t('from_host', url.host)]));
}

const typed = { image, file, location: place, audio };

function mark(item, act) {
	const box = el('p', { class: 'mark' }, icon(item.state), el('span', {}, t(item.state) + (item.why ? ': ' + item.why : '')));
	if (item.state === 'failed')
		for (const what of ['again', 'discard'])
			box.append(el('button', { type: 'button', onclick: () => act(what, item) }, t(what)));
	return box;
}

// The nick as a word of its own.
function names(text, nick) {
	return nick && new RegExp(`(?<![\\p{L}\\p{N}])${nick.replaceAll('.', '\\.')}(?![\\p{L}\\p{N}])`, 'iu').test(text);
}

function message(item, me, act) {
	const type = item.metadata?.type ?? 'text';
	const text = clean(item.text);
	const sender = clean(item.sender);
	const by = el('p', { class: 'by' }, el('bdi', { class: 'nick' }, sender),
		el('time', { dateTime: new Date(item.ts).toISOString(), title: momentOf(item.ts) }, timeOf(item.ts)));
	if (item.instance)
		by.append(el('span', { class: 'where' }, item.instance));
	if (item.via && item.via !== 'ws')
		by.append(el('span', { class: 'tag' }, item.via));
	if (item.verified === false && item.via !== 'webhook')
		by.append(el('span', { class: 'tag warn' }, t('unverified')));
	const said = el(typed[type] ? 'div' : 'p', { class: 'said' });
	if (typed[type])
		said.append(typed[type](item.metadata));
	else if (type === 'action')
		said.append(el('i', {}, '* ', el('bdi', {}, sender), ' ', ...withLinks(text)));
	else
		said.append(...withLinks(text));
	const body = el('div', { class: 'body' }, by, said);
	const li = el('li', { class: 'message' }, el('p', { class: 'day' }, dayOf(item.ts)), face(el('span', { ariaHidden: 'true' }), sender), body);
	// It is read out once, when it has arrived.
	if (item.state === 'sending')
		li.ariaLive = 'off';
	if (item.state)
		body.append(mark(item, act));
	li.classList.toggle('failed', item.state === 'failed');
	li.classList.toggle('own', !!item.own);
	li.classList.toggle('mention', !item.own && names(text, me));
	return li;
}

function line(item) {
	if (item.kind === 'gap')
		return item.missing > 0 ? t('gap_n', item.missing) : t('gap');
	if (item.kind === 'presence')
		return clean([item.join.length && t('joined', listed(item.join)), item.part.length && t('left', listed(item.part))].filter(Boolean).join(' · '));
	return clean(item.text);
}

// me: our nick; act('again' | 'discard', item): what a failed one offers.
export function render(item, me, act) {
	return item.kind ? el('li', { class: item.kind }, line(item)) : message(item, me, act);
}
