// Health: how the server does, who may use it, and what it answered last.

import { call, metrics, pause, Refusal, usedGallery } from '../api.js';
import { card, fill, h, head, table } from '../dom.js';
import { Measures } from '../parts/measures.js';
import { nameOf } from '../parts/names.js';
import { ask } from '../parts/notice.js';
import { Page } from '../parts/page.js';
import { curve, line } from '../parts/plot.js';
import { toneOf } from '../parts/verdict.js';
import { moment, number, percent, t, word } from '../text.js';

const EVERY = 2000; // milliseconds between two measurements
const KEPT = 90; // measurements in a plot
const LINES = 50; // of the journal

const ANSWERS = { procedure: /AttendanceService\/(Identify|IdentifyBurst|Verify|RollCall|Embed)$/ };

class Health extends Page {
	connectedCallback() {
		const figures = h('div.figures');
		const stages = h('div');
		const calibration = h('div.stack');
		const tokens = h('div.stack');
		const journal = h('div.stack');
		fill(this,
			head('health'),
			h('div.stack', figures, stages, card(t('health.calibration'), calibration), card(t('health.journal'), journal), card(t('health.tokens'), tokens)));
		void this.watch(figures, stages);
		void this.showCalibration(calibration);
		void this.showTokens(tokens);
		void this.showJournal(journal);
	}

	/**
	 * @param {HTMLElement} figures
	 * @param {HTMLElement} stages
	 */
	async watch(figures, stages) {
		const { signal } = this;
		/** @type {Measures | undefined} */
		let before;
		/** @type {Record<string, number[]>} */
		const history = {};
		while (!signal.aborted) {
			try {
				const now = new Measures(await metrics(signal));
				const then = before ?? now;
				before = now;
				const mib = (/** @type {number} */ bytes) => t('health.mib', { n: number(bytes / 2 ** 20, 0) });
				const free = now.sum('rollcall_disk_free_bytes');
				const backup = now.sum('rollcall_backup_age_seconds');
				/** @type {[string, number | undefined, (v: number) => string][]} */
				const shown = [
					['rate', now.rate(then, 'rollcall_request_seconds_count', ANSWERS), (v) => number(v, 1)],
					['took', now.mean(then, 'rollcall_request_seconds', ANSWERS) ?? 0, (v) => t('health.ms', { n: number(v, 1) })],
					['waiting', now.sum('rollcall_queue_waiting'), (v) => t('health.of', { n: number(v), all: number(now.sum('rollcall_queue_limit') ?? 0) })],
					['refused', now.rate(then, 'rollcall_requests_total', { code: 'resource_exhausted' }), (v) => number(v, 1)],
					['memory', now.sum('process_resident_memory_bytes'), mib],
					['disk', free, mib],
					['backup', backup, (v) => (Number.isFinite(v) ? t('health.hours', { n: number(v / 3600, 1) }) : t('health.never'))],
					['students', now.sum('rollcall_students'), (v) => number(v)],
				];
				fill(figures, shown.map(([name, value, say]) => {
					if (value === undefined) return null;
					const own = (history[name] = [...(history[name] ?? []), value].slice(-KEPT));
					return line(t(`health.figures.${name}`), own, say);
				}));
				this.showStages(stages, now);
			} catch (error) {
				if (signal.aborted) return;
				if (error instanceof Refusal && !error.passing) return fill(figures, h('p.note.unsure', error.message));
				fill(figures, h('p.note.bad', { role: 'alert' }, error instanceof Error ? error.message : ''));
			}
			await pause(EVERY, signal).catch(() => {});
		}
	}

	/**
	 * Where the time goes, since the start of the server.
	 * @param {HTMLElement} place
	 * @param {Measures} now
	 */
	showStages(place, now) {
		const stages = now.values('rollcall_embed_stage_seconds_count', 'stage')
			.map((stage) => ({ stage, ms: now.mean(undefined, 'rollcall_embed_stage_seconds', { stage }) ?? 0 })).filter((s) => s.ms > 0);
		if (stages.length === 0) return;
		fill(place, card(t('health.stages'),
			table([t('health.stage'), t('health.mean')], stages.map(({ stage, ms }) => [stage, h('span.number', t('health.ms', { n: number(ms, 2) }))]))));
	}

	/** @param {HTMLElement} place */
	async showCalibration(place) {
		const [{ calibration: c }, { settings = {}, coverage = {} }] = await Promise.all([call('GalleryService/GetCalibration'), call('GalleryService/GetSettings')]);
		const points = c.points ?? [];
		fill(place, h('p.soft', word(c.source, { students: number(c.students ?? 0) })),
			points.length > 1 && curve(points, c.threshold ?? 0, t('health.curve', { threshold: number(c.threshold ?? 0, 3) })),
			table(['', ''], [
				[t('model'), c.model ?? ''],
				[t('threshold'), number(c.threshold ?? 0, 3)],
				[t('health.fpir'), percent(settings.fpir ?? 0.001)],
				[t('health.recognisable'), t('health.of', { n: number((coverage.crops ?? 0) - (coverage.without ?? 0)), all: number(coverage.crops ?? 0) })],
			]),
			coverage.model_problem && h('p.note.bad', coverage.model_problem));
	}

	/** @param {HTMLElement} place */
	async showTokens(place) {
		const { tokens = [] } = await call('TokenService/ListTokens', {}, { signal: this.begin('tokens') });
		const secret = h('div', { 'aria-live': 'polite' });
		const rows = tokens.map((token) => {
			const ended = token.revoked || (token.expires && new Date(token.expires) < new Date());
			return [
				h('div', token.name, h('span.soft.small', ` ${t(token.parent_id ? 'health.session' : 'health.token')}`)),
				h('span.tag', word(token.role)),
				(token.galleries ?? []).join(', ') || t('health.all'),
				token.last_used ? moment(token.last_used) : t('health.never'),
				ended ? h('span.soft', t('health.ended')) : h('button.danger', { onclick: () => this.revoke(token, place) }, t('health.revoke')),
			];
		});
		const name = h('input', { required: true, autocomplete: 'off', name: 'tablet' });
		fill(place, tokens.length === 0 && h('p.note.unsure', t('health.open')),
			tokens.length > 0 && h('form.row', {
				onsubmit: async (/** @type {Event} */ event) => {
					event.preventDefault();
					const { code, expires } = await call('TokenService/CreatePairingCode', { name: name.value.trim(), role: 'ROLE_CHECKIN', galleries: [usedGallery()].filter(Boolean) });
					fill(secret, h('p.note.good', t('health.code'), h('strong.figure.id', ` ${code.slice(0, 4)}-${code.slice(4)} `), t('health.until', { when: moment(expires) })));
				},
			}, h('label.grow', t('health.tablet'), name), h('button.first', t('health.pair'))),
			secret,
			tokens.length > 0 && table([t('health.name'), t('health.role'), t('gallery'), t('health.seen'), ''], rows));
	}

	/**
	 * @param {any} token
	 * @param {HTMLElement} place
	 */
	async revoke(token, place) {
		if (!(await ask(t('health.revokeAsk', { name: token.name }), { text: t('health.revokeText'), yes: t('health.revoke'), danger: true }))) return;
		await call('TokenService/RevokeToken', { token_id: token.token_id });
		await this.showTokens(place);
	}

	/** @param {HTMLElement} place */
	async showJournal(place) {
		const student = h('input', { autocomplete: 'off', name: 'of' });
		const verdict = h('select', { name: 'verdict' }, h('option', { value: '' }, t('health.everyVerdict')),
			['VERDICT_MATCH', 'VERDICT_AMBIGUOUS', 'VERDICT_UNKNOWN', 'VERDICT_UNUSABLE'].map((v) => h('option', { value: v }, word(v))));
		const list = h('div', { 'aria-live': 'polite' });
		const search = async () => {
			const lines = await this.lines({ student_id: student.value.trim(), verdict: verdict.value || undefined });
			fill(list, lines.length === 0 ? h('p.soft', t('health.nothing')) : table(
				[t('when'), t('student'), t('health.answer'), t('similarity'), t('health.from')],
				lines.map((l) => [moment(l.time), l.student_id ? nameOf(l.student_id) : '', answerOf(l), l.similarity ? number(l.similarity, 2) : '', l.token || l.by || l.address || ''])));
		};
		student.addEventListener('change', search);
		verdict.addEventListener('change', search);
		fill(place, h('div.halves', h('label', t('student'), student), h('label', t('health.answer'), verdict)),
			list, h('button', { onclick: search }, t('health.again')));
		void search();
	}

	/**
	 * Returns the newest lines, newest first: it reads backwards until there are enough.
	 * @param {object} wanted
	 * @returns {Promise<any[]>}
	 */
	async lines(wanted) {
		const signal = this.begin('journal');
		const { days = [] } = await call('JournalService/ListDays', {}, { signal });
		const newest = Number(days.at(-1)?.last ?? 0);
		const first = Number(days[0]?.first ?? 1);
		/** @type {any[]} */
		let found = [];
		for (let end = newest, step = 200; found.length < LINES && end >= first; step *= 4) {
			let after = Math.max(first - 1, end - step);
			const part = [];
			const stop = end;
			end = after;
			while (after < stop) {
				const { lines = [], next_after, end: last } = await call('JournalService/ListLines', { ...wanted, after: String(after), page_size: 1000 }, { signal });
				part.push(...lines.filter((l) => Number(l.number) <= stop));
				if (last || Number(next_after) <= after) break;
				after = Number(next_after);
			}
			found = [...part, ...found];
		}
		return found.slice(-LINES).reverse();
	}
}

/** @param {any} l a line of the journal */
function answerOf(l) {
	if (l.verdict) return h(`span.tag.${toneOf(l.verdict)}`, word(l.verdict));
	if (l.method) return h('span.tag.good', word(l.method));
	return h('span.tag.bad', l.reason || l.code || t('health.lost', { n: l.omitted ?? 0 }));
}

customElements.define('rollcall-health', Health);
