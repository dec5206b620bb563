// Enrol: one student, with the camera or from files, or a whole class from a folder.

import { card, fill, h, head, table } from '../dom.js';
import { readFile, readTable, saveTable } from '../parts/csv.js';
import { cropIDs, enrol, enrolAll, ENOUGH, GOOD } from '../parts/crops.js';
import { dropPlace, PICTURES } from '../parts/drop.js';
import { guide } from '../parts/guide.js';
import { splitGroups } from '../parts/groups.js';
import { icon } from '../parts/icons.js';
import { tellError } from '../parts/notice.js';
import { studentLink } from '../parts/names.js';
import { Page } from '../parts/page.js';
import { number, percent, t } from '../text.js';

const DOUBTS = ['DUPLICATE_FACE', 'UNLIKE_STUDENT']; // a person decides

class Enrol extends Page {
	work = h('section.card.stack', { hidden: true, 'aria-label': t('enrol.report') });

	connectedCallback() {
		const one = h('div.stack');
		const many = h('div.stack');
		fill(this,
			head('enrol'),
			h('div.stack', h('div.halves', card(t('enrol.one'), one), card(t('enrol.many'), many)), this.work));
		this.showOne(one);
		this.showMany(many);
	}

	/** @param {HTMLElement} place */
	showOne(place) {
		const student = h('input', { name: 'student', required: true, autocomplete: 'off', value: this.dataset.path ?? '', oninput: () => stop() });
		const groups = h('input', { name: 'groups', autocomplete: 'off', placeholder: t('enrol.groupsExample') });
		const results = h('ul.stack.tight', { 'aria-live': 'polite' });
		const camera = h('div');
		const idOf = cropIDs();
		const stop = () => {
			this.end('guide');
			fill(camera);
		};
		const known = () => {
			if (student.reportValidity()) return student.value.trim();
			return '';
		};
		/**
		 * @param {Blob} file
		 * @param {string} student not who stands in the field by then
		 * @param {string} id
		 */
		const take = async (file, student, id) => {
			const row = h('li.row', t('working'));
			results.prepend(row);
			/** @type {Crop} */
			const crop = { student, id, file, groups: splitGroups(groups.value) };
			const outcome = await enrol(crop, { signal: this.signal }).catch((error) => {
				row.remove();
				throw error;
			});
			this.showOutcome(row, outcome);
			if (DOUBTS.includes(outcome.refusal?.reason ?? '')) stop(); // the next picture would be refused, too
			return outcome.result === 'enrolled';
		};
		fill(place,
			h('div.halves', h('label', t('student'), student), h('label', t('groups'), groups)),
			camera,
			dropPlace({
				label: t('enrol.drop'), many: true,
				take: async (files) => {
					const id = known();
					if (id) for (const file of files) await take(file, id, idOf(id, file));
				},
				more: [h('button', {
					onclick: () => {
						const id = known();
						if (!id) return;
						const signal = this.begin('guide');
						const session = Date.now().toString(36);
						let n = 0;
						fill(camera, guide((file) => take(file, id, `${id}/camera-${session}-${++n}`), signal));
					},
				}, icon('camera'), t('camera.use'))],
			}),
			results);
	}

	/**
	 * Shows what became of one crop, and lets a person insist where that may be right.
	 * @param {HTMLElement} row
	 * @param {Outcome} outcome
	 */
	showOutcome(row, outcome) {
		const { crop, answer, refusal } = outcome;
		if (!refusal) {
			const score = answer?.quality?.score ?? 0;
			fill(row, h('span.tag.good', t('enrolled')), h('span.id', crop.id),
				h('span.soft.small', t('enrol.count', { n: answer?.student_crops ?? 0, score: number(score, 2) })),
				score < GOOD && h('span.tag.unsure', t('enrol.poor')),
				answer?.resembles && h('p.note.unsure.small', t('enrol.resembles', { student: answer.resembles.student_id })));
			return;
		}
		const again = async () => {
			fill(row, t('working'));
			this.showOutcome(row, await enrol(crop, { signal: this.signal, insist: true }));
		};
		fill(row, h('div.note.bad.grow', h('p', h('span.id', crop.id)), h('p.small', refusal.message),
			DOUBTS.includes(refusal.reason) && h('button', { onclick: again }, t('enrol.insist'))));
	}

	/** @param {HTMLElement} place */
	showMany(place) {
		const groups = h('input', { name: 'group', autocomplete: 'off', placeholder: t('enrol.groupsExample') });
		const again = h('input', { type: 'checkbox', name: 'again' });
		fill(place,
			h('p.soft', t('enrol.manyLead')),
			h('label', t('enrol.groupsOfAll'), groups),
			h('label.check', again, t('enrol.again')),
			dropPlace({
				label: t('enrol.dropFolder'), folder: true, accept: `${PICTURES},.csv`,
				take: (files) => this.enrolMany(files, splitGroups(groups.value), again.checked),
			}));
	}

	/**
	 * @param {File[]} files
	 * @param {string[]} groups
	 * @param {boolean} again
	 */
	async enrolMany(files, groups, again) {
		const signal = this.begin('many');
		const place = this.work;
		const { crops, students, missing } = await plan(files, groups);
		if (signal.aborted) return; // another folder was dropped meanwhile
		place.hidden = false;
		if (crops.length === 0) return fill(place, h('p.note.bad', { role: 'alert' }, t('enrol.nothing')));
		const bar = h('progress', { max: crops.length, value: 0, 'aria-label': t('enrol.progress') });
		const words = h('p', { role: 'status' });
		const stop = h('button', { onclick: () => this.end('many') }, t('enrol.stop'));
		/** @type {Outcome[]} */
		const outcomes = [];
		fill(place, bar, h('div.row', words, h('span.grow'), stop));
		const tellProgress = () => {
			bar.value = outcomes.length;
			fill(words, t('enrol.of', { n: number(outcomes.length), all: number(crops.length), refused: number(outcomes.filter((o) => o.result === 'refused').length) }));
		};
		tellProgress();
		try {
			await enrolAll(crops, (outcome) => { outcomes.push(outcome); tellProgress(); }, { signal, again });
		} catch (error) {
			if (!signal.aborted) tellError(error);
			place.append(h('p.note.unsure', t('enrol.stopped')));
		}
		stop.remove();
		place.append(report(outcomes, students, missing));
	}
}

/**
 * Says what is in a folder: a folder a student with its pictures, or a table with the
 * columns id, file and perhaps groups beside the pictures.
 * @param {File[]} files
 * @param {string[]} groups of all
 * @returns {Promise<{crops: Crop[], students: string[], missing: string[]}>} missing:
 *   files that the table names and that are not there
 */
async function plan(files, groups) {
	// As the server compares ids: some systems spell names of files with other bytes.
	const pathOf = (/** @type {File} */ file) => `/${file.webkitRelativePath || file.name}`.normalize();
	const pictures = files.filter((file) => /^[^.].*\.(jpe?g|png|webp|bmp)$/i.test(file.name));
	const table = files.find((file) => /\.csv$/i.test(file.name));
	/** @type {Crop[]} */
	const crops = [];
	/** @type {string[]} */
	const missing = [];
	const students = new Set();
	/** @type {Map<string, string[]>} */
	const groupsOf = new Map();
	const idOf = cropIDs();
	if (table) {
		const paths = pictures.map((file) => pathOf(file).toLowerCase());
		const [head = [], ...rows] = readTable(await readFile(table));
		const column = (/** @type {string} */ name) => head.findIndex((h) => h.toLowerCase() === name);
		const [id, name, own] = [column('id'), column('file'), column('groups')];
		if (id < 0) throw new Error(t('enrol.tableHead', { file: table.name }));
		for (const row of rows) {
			const student = (row[id] ?? '').normalize();
			if (!student) continue;
			students.add(student);
			groupsOf.set(student, [...groups, ...splitGroups(row[own] ?? '')]);
			const wanted = name < 0 ? '' : row[name] ?? '';
			if (!wanted) continue;
			// If two folders have this name, the table has to say which one it means.
			const end = `/${wanted.normalize().replaceAll('\\', '/').replace(/^[./]+/, '')}`.toLowerCase();
			const [file, other] = pictures.filter((_, i) => paths[i]?.endsWith(end));
			if (file && !other) crops.push({ student, id: idOf(student, file), file, groups: groupsOf.get(student) ?? [] });
			else missing.push(wanted);
		}
		if (name >= 0) return { crops, students: [...students].sort(), missing };
	}
	for (const file of pictures) {
		const student = pathOf(file).split('/').at(-2);
		if (!student) continue;
		students.add(student);
		crops.push({ student, id: idOf(student, file), file, groups: groupsOf.get(student) ?? groups });
	}
	return { crops, students: [...students].sort(), missing };
}

/**
 * Says who can be recognised now, and who needs another picture.
 * @param {Outcome[]} outcomes
 * @param {string[]} students
 * @param {string[]} missing
 */
function report(outcomes, students, missing) {
	const own = Map.groupBy(outcomes, (o) => o.crop.student);
	const rows = students.map((student) => {
		const all = own.get(student) ?? [];
		const good = all.filter((o) => o.result !== 'refused');
		const scores = good.filter((o) => o.answer).map((o) => o.answer.quality?.score ?? 0);
		const has = (/** @type {string} */ reason) => all.some((o) => o.refusal?.reason === reason);
		const count = Math.max(good.length, ...good.map((o) => o.answer?.student_crops ?? 0));
		const states = [
			has('DUPLICATE_FACE') && 'duplicate', has('UNLIKE_STUDENT') && 'unlike',
			count === 0 ? 'none' : count < ENOUGH && 'few',
			scores.length > 0 && Math.max(...scores) < GOOD && 'poor',
		].filter((s) => typeof s === 'string');
		return { student, count, states, problems: all.flatMap((o) => (o.refusal ? [`${o.crop.id}: ${o.refusal.message}`] : [])) };
	});
	const shown = rows.filter((row) => row.states.length > 0 || row.problems.length > 0);
	const recognised = rows.filter((row) => row.count > 0).length;
	return h('div.stack', { 'data-report': '' },
		h('h3', t('enrol.report')),
		h('p', t('enrol.covered', { n: number(recognised), all: number(rows.length), share: percent(rows.length ? recognised / rows.length : 0) })),
		missing.length > 0 && h('p.note.unsure', t('enrol.missing', { files: missing.slice(0, 20).join(', '), n: missing.length })),
		shown.length > 0 && table([t('student'), t('crops'), t('enrol.look')], shown.map((row) => [
			studentLink(row.student),
			number(row.count),
			[h('div.row', row.states.map((s) => h(`span.tag.${s === 'few' ? 'unsure' : 'bad'}`, t(`enrol.states.${s}`)))),
				...row.problems.map((p) => h('p.small.soft', p))],
		])),
		h('button', { onclick: () => saveTable('rollcall-enrolled.csv', [['id', 'crops', 'state', 'problems'], ...rows.map((r) => [r.student, r.count, r.states.join(' ') || 'ok', r.problems.join(' | ')])]) }, icon('download'), t('saveTable')));
}

customElements.define('rollcall-enrol', Enrol);
