// The frame around the pages: who is signed in, which page is shown, and how to get to
// the others. A page is a custom element in a file of its own, loaded when it is opened.

import { beginSession, call, endSession, Refusal, showSession, SIGNED_OUT, useGallery } from './api.js';
import { fill, h } from './dom.js';
import { icon } from './parts/icons.js';
import { tellError } from './parts/notice.js';
import { chooseLanguage, codes, language, t } from './text.js';

/**
 * The pages, in the order of the menu, and the roles that they are for.
 * @type {{name: import('./parts/icons.js').IconName, roles: string[], load: () => Promise<unknown>}[]}
 */
const pages = [
	{ name: 'door', roles: ['checkin', 'enroll', 'admin'], load: () => import('./pages/door.js') },
	{ name: 'enrol', roles: ['enroll', 'admin'], load: () => import('./pages/enrol.js') },
	{ name: 'identify', roles: ['enroll', 'admin'], load: () => import('./pages/identify.js') },
	{ name: 'photo', roles: ['enroll', 'admin'], load: () => import('./pages/photo.js') },
	{ name: 'students', roles: ['register', 'enroll', 'admin'], load: () => import('./pages/students.js') },
	{ name: 'health', roles: ['admin'], load: () => import('./pages/health.js') },
];

/** @type {import('./api.js').Session} */
let session = { role: '', name: '', galleries: [] };

const GALLERY = 'rollcall.gallery';

/** @returns {import('./api.js').Session} who is signed in */
export const whoami = () => session;

document.documentElement.lang = language;
addEventListener(SIGNED_OUT, () => { if (session.role) showSignIn(t('signin.ended')); });
start();

async function start() {
	try {
		session = await showSession();
	} catch (error) {
		if (error instanceof Refusal && error.code === 'unauthenticated') return showSignIn();
		// The server starts, or is away: it comes back.
		fill(document.body, h('main', { className: 'bare' }, h('div', { className: 'stack', role: 'status' },
			h('h1', {}, t('waiting')), h('p', { className: 'soft' }, error instanceof Error ? error.message : ''))));
		setTimeout(start, 2000);
		return;
	}
	useGallery(chosenGallery());
	const own = pages.filter((page) => page.roles.includes(session.role));
	if (own.length === 0) return showSignIn(t('signin.nothing', { role: session.role }));
	showFrame(own);
}

/** The gallery that was chosen last, if this session may use it. */
function chosenGallery() {
	const kept = localStorage.getItem(GALLERY) ?? '';
	return session.galleries.length === 0 || session.galleries.includes(kept) ? kept : session.galleries.length > 1 ? session.galleries[0] ?? '' : '';
}

/** @param {typeof pages} own */
function showFrame(own) {
	const main = h('main', { className: 'main', id: 'main', tabIndex: -1 });
	const links = own.map((page) => h('a', { href: `#/${page.name}` }, icon(page.name), t(`${page.name}.menu`)));
	const nav = h('nav', { className: 'nav', 'aria-label': t('menu') },
		h('div', { className: 'brand' }, h('img', { src: '/console/icon.svg', alt: '' }), 'Rollcall'),
		links, foot());
	fill(document.body,
		h('a', { className: 'skip', href: '#main', onclick: (/** @type {Event} */ e) => { e.preventDefault(); main.focus(); } }, t('skip')),
		h('div', { className: 'frame' }, nav, main));

	const show = async () => {
		const at = location.hash;
		const [, name = '', path = ''] = /^#\/([^/]*)\/?(.*)/.exec(at) ?? [];
		const page = own.find((one) => one.name === name) ?? own[0];
		if (!page) return;
		for (const link of links) {
			if (link.hash === `#/${page.name}`) link.setAttribute('aria-current', 'page');
			else link.removeAttribute('aria-current');
		}
		document.title = `${t(`${page.name}.menu`)} · Rollcall`;
		document.body.dataset.page = page.name;
		document.body.dataset.role = session.role;
		try {
			await page.load();
			if (location.hash !== at) return; // another page was opened meanwhile
			const element = document.createElement(`rollcall-${page.name}`);
			element.dataset.path = decodeURIComponent(path);
			fill(main, element);
		} catch (error) {
			// A browser remembers that a file could not be loaded: only a new start asks again.
			fill(main, h('h1', {}, t('door.failed')), h('button', { onclick: () => location.reload() }, t('reload')));
		}
	};
	addEventListener('hashchange', () => {
		for (const dialog of document.querySelectorAll('dialog')) dialog.close(); // of the page before
		void show();
		main.focus();
	});
	void show();
}

/** What stands below the menu: the gallery, the language, who is signed in. */
function foot() {
	const gallery = h('div');
	void listGalleries(gallery);
	return h('div', { className: 'foot' },
		gallery,
		h('label', {}, h('span', { className: 'sr' }, t('language')),
			h('select', { onchange: (/** @type {any} */ e) => chooseLanguage(e.target.value) },
				codes.map((code) => h('option', { value: code, selected: code === language }, new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code)))),
		session.name && h('p', {}, t('signedIn', { name: session.name })),
		session.name && h('button', { onclick: signOut }, icon('signout'), t('signOut')));
}

/** @param {HTMLElement} place */
async function listGalleries(place) {
	try {
		const { galleries = [] } = await call('GalleryService/ListGalleries');
		const now = chosenGallery();
		if (now && now === localStorage.getItem(GALLERY) && !galleries.some((/** @type {any} */ g) => g.gallery_id === now)) {
			localStorage.removeItem(GALLERY); // it is gone
			location.reload();
		}
		if (galleries.length < 2) return;
		fill(place, h('label', {}, t('gallery'), h('select', {
			onchange: (/** @type {any} */ event) => {
				localStorage.setItem(GALLERY, event.target.value);
				location.reload();
			},
		}, galleries.map((/** @type {any} */ g) => h('option', { value: g.gallery_id, selected: g.gallery_id === (now || 'default') }, g.gallery_id)))));
	} catch (error) {
		tellError(error);
	}
}

async function signOut() {
	try {
		await endSession();
	} catch (error) {
		tellError(error);
		return;
	}
	location.hash = '';
	location.reload();
}

/**
 * Asks for a token or a pairing code.
 * @param {string} [why] why it is asked again
 */
function showSignIn(why = '') {
	session.role = '';
	const message = h('p', { className: 'note bad', role: 'alert', hidden: why === '' }, why);
	const input = h('input', { name: 'secret', required: true, autocomplete: 'off', autocapitalize: 'characters', spellcheck: false });
	const form = h('form', {
		className: 'card stack',
		onsubmit: async (/** @type {Event} */ event) => {
			event.preventDefault();
			try {
				await beginSession(isCode(input.value) ? { code: input.value } : { token: input.value.trim() });
				location.reload();
			} catch (error) {
				message.textContent = error instanceof Error ? error.message : String(error);
				message.hidden = false;
				input.select();
			}
		},
	},
	h('div', { className: 'brand' }, h('img', { src: '/console/icon.svg', alt: '' }), 'Rollcall'),
	h('h1', {}, t('signin.title')),
	message,
	h('label', {}, t('signin.secret'), input, h('span', { className: 'soft small' }, t('signin.hint'))),
	h('button', { className: 'first' }, t('signin.button')));
	form.style.width = 'min(28rem, 100%)';
	document.title = 'Rollcall';
	fill(document.body, h('main', { className: 'bare' }, form));
	input.focus();
}

/**
 * A pairing code has eight letters and digits, in any case, with spaces or hyphens.
 * @param {string} typed
 */
const isCode = (typed) => /^[0-9A-Za-z]{8}$/.test(typed.replace(/[\s-]/g, ''));
