// Short messages at the lower edge, and questions that wait for an answer.

import { h } from '../dom.js';
import { t } from '../text.js';

const board = h('div.notices', { role: 'status', 'aria-live': 'polite', popover: 'manual' });

/**
 * Tells something for some seconds, to screen readers too.
 * @param {string} text
 * @param {{label: string, act: () => unknown}} [action] a button beside it: to undo, say
 */
export function tell(text, action) {
	document.body.append(board);
	board.showPopover(); // above a dialog that is open
	const notice = h('div.row', h('span.grow', text));
	const close = () => notice.remove();
	if (action) {
		notice.append(h('button', { onclick: () => { close(); action.act(); } }, action.label));
	}
	board.append(notice);
	setTimeout(close, 8000);
}

/**
 * Tells what went wrong: the server's own words, which say what to do.
 * @param {unknown} error
 */
export function tellError(error) {
	if (error instanceof DOMException && error.name === 'AbortError') return;
	tell(error instanceof Error ? error.message : String(error));
}

/**
 * Opens a dialog. It is gone when it is closed.
 * @param {string} title
 * @param {...Child} children
 */
export function openDialog(title, ...children) {
	const dialog = h('dialog', { 'aria-label': title, onclose: () => dialog.remove() }, h('div.stack', h('h2', title), ...children));
	document.body.append(dialog);
	dialog.showModal();
	return dialog;
}

/**
 * Opens a dialog with fields.
 * @param {string} title
 * @param {Child[]} fields
 * @param {string} label of the button
 * @param {() => Promise<unknown>} submit if it fails, the dialog stays
 */
export function openForm(title, fields, label, submit) {
	const first = h('button.first', label);
	const dialog = openDialog(title, h('form.stack', {
		onsubmit: async (/** @type {Event} */ event) => {
			event.preventDefault();
			if (first.disabled) return; // once, however often it is clicked
			first.disabled = true;
			try {
				await submit();
				dialog.close();
			} finally {
				first.disabled = false;
			}
		},
	}, fields, h('div.row', first, h('button', { type: 'button', onclick: () => dialog.close() }, t('cancel')))));
}

/**
 * Asks, in a dialog, before something is done that cannot be taken back.
 * @param {string} question
 * @param {{text?: string, yes: string, danger?: boolean}} options
 * @returns {Promise<boolean>}
 */
export function ask(question, { text, yes, danger = false }) {
	return new Promise((resolve) => {
		const answer = (/** @type {boolean} */ value) => { resolve(value); dialog.close(); };
		const dialog = openDialog(question, text && h('p', text), h('div.row',
			h('button', { class: danger ? 'danger' : 'first', onclick: () => answer(true) }, yes),
			h('button', { autofocus: true, onclick: () => answer(false) }, t('cancel'))));
		dialog.classList.add('ask');
		dialog.addEventListener('close', () => resolve(false));
	});
}
