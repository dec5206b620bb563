// The server's metrics, as Prometheus reads them.

/** Measures of one moment. */
export class Measures {
	/** @param {string} text */
	constructor(text) {
		this.at = performance.now();
		/** @type {Map<string, Sample[]>} */
		this.samples = new Map();
		for (const row of text.split('\n')) {
			const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(row);
			if (!found) continue;
			const [, name = '', labels = '', value] = found;
			const own = this.samples.get(name) ?? [];
			own.push({ labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1], m[2]])), value: Number(value?.replace('Inf', 'Infinity')) });
			this.samples.set(name, own);
		}
	}

	/**
	 * Returns the sum of all samples with this name and these labels; undefined: none.
	 * @param {string} name
	 * @param {Labels} [labels]
	 */
	sum(name, labels = {}) {
		const own = this.samples.get(name)?.filter((s) => Object.entries(labels).every(([k, v]) => (v instanceof RegExp ? v.test(s.labels[k] ?? '') : s.labels[k] === v)));
		return own?.reduce((sum, s) => sum + s.value, 0);
	}

	/**
	 * @param {string} name
	 * @param {string} label
	 */
	values(name, label) {
		return [...new Set((this.samples.get(name) ?? []).map((s) => s.labels[label] ?? ''))];
	}

	/**
	 * Returns the growth of a count since then, a second.
	 * @param {Measures} then
	 * @param {string} name
	 * @param {Labels} [labels]
	 */
	rate(then, name, labels) {
		const grown = (this.sum(name, labels) ?? 0) - (then.sum(name, labels) ?? 0);
		return Math.max(0, grown) / Math.max(0.001, (this.at - then.at) / 1000);
	}

	/**
	 * Returns the mean of a time since then, in milliseconds; undefined: nothing happened.
	 * @param {Measures | undefined} then undefined: since the start of the server
	 * @param {string} name
	 * @param {Labels} [labels]
	 */
	mean(then, name, labels) {
		const of = (/** @type {string} */ part) => (this.sum(`${name}_${part}`, labels) ?? 0) - (then?.sum(`${name}_${part}`, labels) ?? 0);
		return of('count') > 0 ? (1000 * of('sum')) / of('count') : undefined;
	}
}
