// What this browser keeps for the next visit. Where it may keep nothing (a policy, a private
// window), it is there until the page is left.

/** @type {Map<string, string>} */
const here = new Map();

/**
 * Returns what was kept under a name; '' if nothing was.
 * @param {string} name
 */
export function kept(name) {
	try {
		return here.get(name) ?? localStorage.getItem(name) ?? '';
	} catch {
		return here.get(name) ?? '';
	}
}

/**
 * Keeps a text under a name. '' removes what was kept.
 * @param {string} name
 * @param {string} text
 * @returns {boolean} whether it is there at the next visit, too
 */
export function keep(name, text) {
	here.set(name, text);
	try {
		if (text) localStorage.setItem(name, text);
		else localStorage.removeItem(name);
		here.delete(name); // another window may change it
		return true;
	} catch {
		return false;
	}
}
