// The frame around the pages: who is signed in, which page is shown, and how to get to
// the others. A page is a custom element in a file of its own, loaded when it is opened.

import { beginSession, call, endSession, Refusal, showSession, SIGNED_OUT, useGallery } from './api.js';
import { fill, h } from './dom.js';
import { icon } from './parts/icons.js';
import { keep, kept } from './parts/keep.js';
import { tellError } from './parts/notice.js';
import { chooseLanguage, codes, language, t } from './text.js';

/**
 * The pages, in the order of the menu, and the roles that they are for.
 * @type {{name: IconName, roles: string[], load: () => Promise<unknown>}[]}
 */
const pages = [
	{ name: 'door', roles: ['checkin', 'enroll', 'admin'], load: () => import('./pages/door.js') },
	{ name: 'enrol', roles: ['enroll', 'admin'], load: () => import('./pages/enrol.js') },
	{ name: 'identify', roles: ['enroll', 'admin'], load: () => import('./pages/identify.js') },
	{ name: 'photo', roles: ['enroll', 'admin'], load: () => import('./pages/photo.js') },
	{ name: 'students', roles: ['register', 'enroll', 'admin'], load: () => import('./pages/students.js') },
	{ name: 'health', roles: ['admin'], load: () => import('./pages/health.js') },
];

/** @type {Session} */
let session = { role: '', name: '', galleries: [] };

const GALLERY = 'rollcall.gallery';

/** @returns {Session} who is signed in */
export const whoami = () => session;

// What no page has handled is told to who uses it: a call that was refused, say.
addEventListener('unhandledrejection', (event) => {
	tellError(event.reason);
	if (!/^(Type|Range|Reference)Error$/.test(event.reason?.name)) event.preventDefault(); // it is no mistake of ours
});
addEventListener(SIGNED_OUT, () => { if (session.role) showSignIn(t('signin.ended')); });
start();

/** Shows the pages anew: at the start, in another language, for another school. */
async function start() {
	document.documentElement.lang = language;
	try {
		session = await showSession();
	} catch (error) {
		if (error instanceof Refusal && error.code === 'unauthenticated') return showSignIn();
		// The server starts, or is away: it comes back.
		fill(document.body, h('main.bare', h('div.stack', { role: 'status' },
			h('h1', t('waiting')), h('p.soft', error instanceof Error ? error.message : ''))));
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
	const last = kept(GALLERY);
	return session.galleries.length === 0 || session.galleries.includes(last) ? last : session.galleries.length > 1 ? session.galleries[0] ?? '' : '';
}

/** @param {typeof pages} own */
function showFrame(own) {
	const main = h('main.main', { id: 'main', tabIndex: -1 });
	const links = own.map((page) => h('a', { href: `#/${page.name}` }, icon(page.name), t(`${page.name}.menu`)));
	const nav = h('nav.nav', { 'aria-label': t('menu') },
		brand(),
		links, foot());
	fill(document.body,
		h('a.skip', { href: '#main', onclick: (/** @type {Event} */ e) => { e.preventDefault(); main.focus(); } }, t('skip')),
		h('div.frame', nav, main));

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
			fill(main, h('h1', t('door.failed')), h('button', { onclick: () => location.reload() }, t('reload')));
		}
	};
	onhashchange = () => {
		for (const dialog of document.querySelectorAll('dialog')) dialog.close(); // of the page before
		void show();
		main.focus();
	};
	void show();
}

const brand = () => h('div.brand', h('img', { src: '/console/icon.svg', alt: '' }), 'Rollcall');

/** What stands below the menu: the gallery, the language, who is signed in. */
function foot() {
	const gallery = h('div');
	void listGalleries(gallery);
	const languages = h('select', { onchange: () => { chooseLanguage(languages.value); void start(); } },
		codes.map((code) => h('option', { value: code, selected: code === language }, new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code)));
	return h('div.foot',
		gallery,
		h('label', h('span.sr', t('language')), languages),
		session.name && h('p', t('signedIn', { name: session.name })),
		session.name && h('button', { onclick: signOut }, icon('signout'), t('signOut')));
}

/** @param {HTMLElement} place */
async function listGalleries(place) {
	const { galleries = [] } = await call('GalleryService/ListGalleries');
	const now = chosenGallery();
	/** @type {string[]} */
	const ids = galleries.map((g) => g.gallery_id);
	const choose = (/** @type {string} */ id) => {
		keep(GALLERY, id);
		void start();
	};
	if (now && now === kept(GALLERY) && !ids.includes(now)) return choose(''); // it is gone
	if (ids.length < 2) return;
	const select = h('select', { onchange: () => choose(select.value) }, ids.map((id) => h('option', { value: id, selected: id === (now || 'default') }, id)));
	fill(place, h('label', t('gallery'), select));
}

async function signOut() {
	await endSession();
	location.hash = '';
	location.reload();
}

/**
 * Asks for a token or a pairing code.
 * @param {string} [why] why it is asked again
 */
function showSignIn(why = '') {
	session.role = '';
	const message = h('p.note.bad', { role: 'alert', hidden: why === '' }, why);
	const input = h('input', { name: 'secret', required: true, autocomplete: 'off', autocapitalize: 'characters', spellcheck: false });
	const form = h('form.card.stack', {
		onsubmit: async (/** @type {Event} */ event) => {
			event.preventDefault();
			try {
				await beginSession(isCode(input.value) ? { code: input.value } : { token: input.value.trim() });
				await showSession().catch(() => { throw new Error(t('signin.cookies')); });
				location.reload();
			} catch (error) {
				message.textContent = error instanceof Error ? error.message : String(error);
				message.hidden = false;
				input.select();
			}
		},
	},
	brand(),
	h('h1', t('signin.title')),
	message,
	h('label', t('signin.secret'), input, h('span.soft.small', t('signin.hint'))),
	h('button.first', t('signin.title')));
	form.style.width = 'min(28rem, 100%)';
	document.title = 'Rollcall';
	fill(document.body, h('main.bare', form));
	input.focus();
}

/**
 * A pairing code has eight letters and digits, in any case, with spaces or hyphens.
 * @param {string} typed
 */
const isCode = (typed) => /^[0-9A-Za-z]{8}$/.test(typed.replace(/[\s-]/g, ''));
