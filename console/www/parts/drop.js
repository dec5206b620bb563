// A place to drop pictures on, or to choose them with a button.

import { h } from '../dom.js';
import { t } from '../text.js';
import { icon } from './icons.js';

/** What the server reads. */
export const PICTURES = 'image/jpeg,image/png,image/webp,image/bmp';

/**
 * Returns the place.
 * @param {object} options
 * @param {string} options.label what to drop
 * @param {(files: File[]) => unknown} options.take called with what was dropped or chosen
 * @param {boolean} [options.many] several files at once
 * @param {boolean} [options.folder] the button chooses a whole folder
 * @param {string} [options.accept] MIME types and endings, PICTURES if left out
 * @param {(Node | string)[]} [options.more] what else stands in it
 */
export function dropPlace({ label, take, many = false, folder = false, accept = PICTURES, more = [] }) {
	const input = h('input', {
		type: 'file', accept, multiple: many || folder, class: 'sr', tabIndex: -1, 'aria-label': label,
		onchange: () => {
			const files = [...(input.files ?? [])];
			input.value = '';
			if (files.length > 0) take(files);
		},
	});
	if (folder) input.webkitdirectory = true;
	const place = h('div.drop', {
		ondragover: (/** @type {DragEvent} */ event) => { event.preventDefault(); place.dataset.over = ''; },
		ondragleave: () => { delete place.dataset.over; },
		ondrop: async (/** @type {DragEvent} */ event) => {
			event.preventDefault();
			delete place.dataset.over;
			const files = await dropped(event.dataTransfer);
			if (files.length > 0) take(many || folder ? files : files.slice(0, 1));
		},
	},
	icon('upload'), h('p', label),
	h('div.row', h('button', { onclick: () => input.click() }, t(folder ? 'chooseFolder' : many ? 'chooseFiles' : 'chooseFile')), ...more),
	input);
	return place;
}

/**
 * Returns the files of what was dropped, those in folders too. A file of a folder has its
 * path in webkitRelativePath, as one that was chosen with its folder has.
 * @param {DataTransfer | null} data
 * @returns {Promise<File[]>}
 */
async function dropped(data) {
	if (!data) return [];
	const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
	/** @type {File[]} */
	const files = [];
	for (const entry of entries) await collect(entry, '', files);
	return files;
}

/** @param {FileSystemEntry} entry @param {string} folder @param {File[]} files */
async function collect(entry, folder, files) {
	const path = folder ? `${folder}/${entry.name}` : entry.name;
	if (entry.isFile) {
		/** @type {File} */
		const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
		Object.defineProperty(file, 'webkitRelativePath', { value: folder ? path : '' });
		files.push(file);
		return;
	}
	const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
	for (;;) { // a reader gives a hundred entries at a time
		/** @type {FileSystemEntry[]} */
		const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
		if (some.length === 0) return;
		for (const child of some) await collect(child, path, files);
	}
}
