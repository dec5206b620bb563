// The names of students, which the server does not know. They stay on this machine.

import { fill, h } from '../dom.js';
import { number, t } from '../text.js';
import { readFile, readTable } from './csv.js';
import { keep, kept } from './keep.js';
import { openDialog, tell } from './notice.js';

const KEPT = 'rollcall.names';

/** @type {Record<string, string>} */
let names = JSON.parse(kept(KEPT) || '{}');

/**
 * Returns a student's name, or the id if this machine does not know it.
 * @param {string} id
 */
export const nameOf = (id) => (Object.hasOwn(names, id) ? names[id] ?? id : id);

/**
 * Returns a link to the page of a student.
 * @param {string} id
 */
export const studentLink = (id) => h('a.id', { href: `#/students/${encodeURIComponent(id)}` }, nameOf(id));

/**
 * Returns a filter: whose id or name holds a text, in upper or lower case?
 * @param {string} text
 */
export function holding(text) {
	const wanted = text.trim().toLowerCase();
	return (/** @type {string} */ id) => id.toLowerCase().includes(wanted) || nameOf(id).toLowerCase().includes(wanted);
}

/** How many students a page shows at once: more are slow to draw, and nobody reads them. */
export const SHOWN = 200;

/**
 * Returns the fields with which a person gives this machine the names: a table of two
 * columns, id and name. A first line "id,name" is none.
 */
export function nameFields() {
	const status = h('p.soft', { role: 'status' });
	/** @param {Record<string, string>} given */
	const take = (given) => {
		names = given;
		const n = Object.keys(names).length;
		if (!keep(KEPT, n ? JSON.stringify(names) : '')) tell(t('names.pass'));
		show();
	};
	const show = () => fill(status, t('names.known', { n: number(Object.keys(names).length) }));
	const file = h('input', {
		type: 'file', accept: '.csv,.txt,text/csv',
		onchange: async () => {
			if (!file.files?.[0]) return;
			const rows = readTable(await readFile(file.files[0])).filter(([id, name], i) => id && name && !(i === 0 && id.toLowerCase() === 'id'));
			take(Object.fromEntries(rows.map(([id, name]) => [id, name])));
		},
	});
	show();
	return [h('label', t('names.table'), file, h('span.soft.small', t('names.hint'))),
		h('div.row', status, h('button', { onclick: () => take({}) }, t('names.forget')))];
}

/**
 * Opens these fields in a dialog.
 * @param {() => void} done
 */
export function openNames(done) {
	const dialog = openDialog(t('names.title'), ...nameFields(), h('button.first', { autofocus: true, onclick: () => dialog.close() }, t('close')));
	dialog.addEventListener('close', done);
}
