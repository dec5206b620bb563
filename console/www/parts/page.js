// What all pages have in common: what they have begun ends when they are left.

export class Page extends HTMLElement {
	left = new AbortController();
	signal = this.left.signal;
	/** @type {Map<string, AbortController>} */
	works = new Map();

	disconnectedCallback() {
		this.left.abort();
	}

	/**
	 * Begins a work, and ends the one with this name that was begun before: an answer to an
	 * older question is never shown last.
	 * @param {string} name
	 * @returns {AbortSignal} ends with the work, and when the page is left
	 */
	begin(name) {
		this.end(name);
		const work = new AbortController();
		this.works.set(name, work);
		return AbortSignal.any([this.signal, work.signal]);
	}

	/** @param {string} name */
	end(name) {
		this.works.get(name)?.abort();
	}
}
