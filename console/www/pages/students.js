// Students: who is enrolled, and all that is known about one student.

import { whoami } from '../app.js';
import { call } from '../api.js';
import { card, fill, h, head, table } from '../dom.js';
import { ENOUGH } from '../parts/crops.js';
import { groupField, splitGroups } from '../parts/groups.js';
import { icon } from '../parts/icons.js';
import { holding, nameOf, openNames, SHOWN, studentLink } from '../parts/names.js';
import { ask, openForm, tell } from '../parts/notice.js';
import { Page } from '../parts/page.js';
import { day, moment, number, t, word } from '../text.js';

class Students extends Page {
	/** @type {any[]} all of the chosen group, as far as they are here */
	students = [];
	connectedCallback() {
		void (this.dataset.path ? this.showStudent(this.dataset.path) : this.showList());
	}

	/** Only who enrols may change something. */
	get mayChange() {
		return whoami().role !== 'register';
	}

	async showList() {
		const search = h('input', { type: 'search', autocomplete: 'off', oninput: () => draw() });
		const group = groupField({ label: t('group'), change: (group) => this.load(group, draw) });
		const count = h('p.soft', { role: 'status' });
		const list = h('div');
		const draw = () => {
			const all = this.students;
			const wanted = holding(search.value);
			const found = all.filter((s) => wanted(s.student_id));
			fill(count, t('students.found', { n: number(found.length), all: number(this.total ?? all.length), shown: number(Math.min(found.length, SHOWN)) }));
			if (this.total === 0 && !group.input.value) return fill(list, h('p', word('REASON_NOBODY_ENROLLED'), ' ', this.mayChange && h('a', { href: '#/enrol' }, t('enrol.title'))));
			fill(list, table([t('student'), t('groups'), t('crops'), t('students.consent'), t('students.until')],
				found.slice(0, SHOWN).map((s) => [studentLink(s.student_id), (s.groups ?? []).join(', '), cropCount(s.crop_count ?? 0), s.consent ? word(s.consent.state) : '', s.delete_after ? day(s.delete_after) : ''])));
		};
		/**
		 * @param {string} name of the text
		 * @param {(place: HTMLElement) => Promise<void>} show
		 */
		const part = (name, show) => {
			const place = h('div.stack');
			const details = h('details.card', { ontoggle: () => { if (details.open) void show(place); } }, h('summary', h('h2', t(name))), place);
			return details;
		};
		fill(this,
			head('students', h('button', { onclick: () => openNames(draw) }, t('names.title'))),
			h('div.stack',
				this.mayChange && part('students.due', (place) => this.showDue(place)),
				this.mayChange && part('students.alike', (place) => this.showAlike(place)),
				h('section.card.stack', { 'aria-label': t('students.all') },
					h('div.halves', h('label', t('students.search'), search), group.element), count, list)));
		await this.load('', draw);
	}

	/**
	 * @param {string} group
	 * @param {() => void} draw called for each page
	 */
	async load(group, draw) {
		const signal = this.begin('list');
		/** @type {any[]} */
		const all = (this.students = []);
		for (let token = ''; ;) {
			const page = await call('GalleryService/ListStudents', { page_size: 1000, page_token: token, group }, { signal, tries: 3 });
			all.push(...(page.students ?? []));
			this.total = page.total ?? 0;
			draw();
			token = page.next_page_token ?? '';
			if (!token) return;
		}
	}

	/** @param {HTMLElement} place */
	async showDue(place) {
		const { students = [], next_page_token: more } = await call('GalleryService/ListDueStudents', { page_size: SHOWN }, { signal: this.begin('due') });
		fill(place, h('p.soft', students.length === 0 ? t('students.noneDue') : t('students.dueLead')),
			students.length > 0 && table([t('student'), t('why'), t('students.newest')], students.map((s) => [studentLink(s.student_id), s.reasons.map((/** @type {string} */ r) => h('span.tag.unsure', word(r))), day(s.newest)])),
			more && h('p.soft', t('students.more')));
	}

	/**
	 * @param {HTMLElement} place
	 * @param {string} [only] a student
	 */
	async showAlike(place, only) {
		const signal = this.begin('alike');
		/** @type {any[]} */
		const pairs = [];
		for (let token = ''; ;) {
			const page = await call('GalleryService/ListLookalikes', { page_size: 100, page_token: token }, { signal, tries: 3 });
			pairs.push(...(page.lookalikes ?? []).filter((p) => !only || [p.first.student_id, p.second.student_id].includes(only)));
			token = page.next_page_token ?? '';
			if (!token || pairs.length >= SHOWN) break;
			fill(place, h('progress', { max: page.students_total, value: page.students_done, 'aria-label': t('working') }));
		}
		fill(place, pairs.length === 0 ? h('p.soft', t('students.noneAlike')) : table([t('students.pair'), t('similarity'), t('students.advice')],
			pairs.map((p) => [h('div.row', studentLink(p.first.student_id), '≈', studentLink(p.second.student_id)), number(p.similarity ?? 0, 2),
				h('div.row', word(p.advice), h('button', { onclick: () => this.merge(p.first.student_id, p.second.student_id) }, t('students.merge')))])));
	}

	/** @param {string} id */
	async showStudent(id) {
		const { student: s } = await call('GalleryService/GetStudent', { student_id: id }, { signal: this.begin('student'), tries: 3 });
		const again = async () => {
			await this.showStudent(id);
			if (document.activeElement === document.body) document.querySelector('main')?.focus(); // its button is gone
		};
		/** @type {Change} */
		const change = async (procedure, request, text) => {
			const answer = await call(procedure, request, { tries: 3 });
			tell(text, answer.change ? { label: t('students.undo'), act: () => change('GalleryService/UndoChange', { change: answer.change }, t('students.undone')) } : undefined);
			void again();
		};
		const alike = h('div.stack');
		const changes = h('div.stack');
		fill(this,
			h('header.head', h('div', h('p', h('a', { href: '#/students' }, t('students.title'))), h('h1.id', nameOf(s.student_id)),
				h('p', t('students.since', { when: day(s.created), n: number(s.crop_count ?? 0) }))),
			this.mayChange && h('div.row', h('a.button', { href: `#/enrol/${encodeURIComponent(s.student_id)}` }, icon('enrol'), t('students.enrol')),
				h('button.danger', { onclick: () => this.erase(s) }, icon('remove'), t('students.delete')))),
			h('div.stack',
				card(t('crops'), h('p.soft', t('students.noPictures')),
					table([t('students.crop'), t('students.quality'), t('enrolled'), ''], (s.crops ?? []).map((c) => this.cropRow(c, change)))),
				this.mayChange && this.facts(s, change),
				this.mayChange && card(t('students.alike'), alike),
				this.mayChange && card(t('students.changes'), changes)));
		if (!this.mayChange) return;
		await Promise.all([this.showAlike(alike, s.student_id), this.showChanges(changes, s.student_id, change)]);
	}

	/**
	 * @param {any} c a crop
	 * @param {Change} change
	 */
	cropRow(c, change) {
		const score = Math.max(0, ...(c.embeddings ?? []).map((/** @type {any} */ e) => e.quality?.score ?? 0));
		const move = () => {
			const to = h('input', { autocomplete: 'off' });
			openForm(t('students.move'), [h('label', t('students.moveTo'), to)], t('students.move'),
				() => change('GalleryService/AssignCrop', { crop_id: c.crop_id, student_id: to.value.trim(), expected_student_id: c.student_id }, t('students.moved')));
		};
		const erase = async () => {
			if (await ask(t('students.eraseCrop', { crop: c.crop_id }), { text: t('students.final'), yes: t('students.delete'), danger: true })) await change('GalleryService/DeleteCrop', { crop_id: c.crop_id }, t('students.erasedCrop'));
		};
		return [h('span.id', c.crop_id), number(score, 2), moment(c.created),
			this.mayChange && h('div.row', h('button', { onclick: move }, t('students.move')), h('button.danger', { onclick: erase }, t('students.delete')))];
	}

	/**
	 * @param {any} s the student
	 * @param {Change} change
	 */
	facts(s, change) {
		const groups = h('input', { value: (s.groups ?? []).join(', '), autocomplete: 'off' });
		const state = h('select', !s.consent && h('option', { value: '' }, t('students.notNoted')),
			['GIVEN', 'REFUSED', 'WITHDRAWN'].map((v) => h('option', { value: `CONSENT_STATE_${v}`, selected: s.consent?.state === `CONSENT_STATE_${v}` }, word(`CONSENT_STATE_${v}`))));
		const reference = h('input', { value: s.consent?.reference ?? '', autocomplete: 'off' });
		const until = h('input', { type: 'date', value: s.delete_after ?? '' });
		const id = s.student_id;
		const saveConsent = async () => {
			if (!state.value || (state.value === 'CONSENT_STATE_WITHDRAWN' && !(await ask(t('students.withdraw'), { text: t('students.withdrawText'), yes: t('students.save'), danger: true })))) return;
			await change('GalleryService/SetConsent', { student_id: id, consent: { state: state.value, reference: reference.value.trim() } }, t('students.saved'));
		};
		return h('section.card.halves.thirds', { 'aria-label': t('students.facts') },
			h('div.stack', h('label', t('groups'), groups), h('button', { onclick: () => change('GalleryService/UpdateStudent', { student_id: id, groups: splitGroups(groups.value) }, t('students.saved')) }, t('students.save'))),
			h('div.stack', h('label', t('students.consent'), state), h('label', t('students.reference'), reference), h('button', { onclick: saveConsent }, t('students.save'))),
			h('div.stack', h('label', t('students.until'), until), h('button', { onclick: () => change('GalleryService/SetDeleteAfter', { student_id: id, delete_after: until.value }, t('students.saved')) }, t('students.save'))));
	}

	/**
	 * @param {HTMLElement} place
	 * @param {string} id
	 * @param {Change} change
	 */
	async showChanges(place, id, change) {
		const { changes = [] } = await call('GalleryService/ListChanges', { student_id: id, page_size: 20 }, { signal: this.begin('changes'), tries: 3 });
		fill(place, table([t('when'), t('students.what'), ''], changes.map((c) => [moment(c.time), c.cause,
			c.undoable && h('button', { onclick: () => change('GalleryService/UndoChange', { change: c.change }, t('students.undone')) }, icon('undo'), t('students.undo'))])));
	}

	/** @param {string} a @param {string} b */
	async merge(a, b) {
		if (!(await ask(t('students.mergeAsk', { a: nameOf(a), b: nameOf(b) }), { text: t('students.mergeText', { a: nameOf(a) }), yes: t('students.merge') }))) return;
		const { change } = await call('GalleryService/MergeStudents', { from_student_id: a, into_student_id: b }, { tries: 3 });
		location.hash = `#/students/${encodeURIComponent(b)}`;
		tell(t('students.merged'), { label: t('students.undo'), act: () => call('GalleryService/UndoChange', { change }).then(() => tell(t('students.undone'))) });
	}

	/** @param {any} s the student */
	async erase(s) {
		if (!(await ask(t('students.eraseAsk', { student: nameOf(s.student_id) }), { text: t('students.final'), yes: t('students.delete'), danger: true }))) return;
		const { receipt: r } = await call('GalleryService/DeleteStudent', { student_id: s.student_id }, { tries: 3 });
		fill(this, h('section.card.stack', { 'data-receipt': '' }, h('h1', t('students.receipt')), h('p', t('students.receiptText', { student: nameOf(s.student_id), when: moment(r.time) })),
			table(['', ''], [
				[t('crops'), number(r.crops ?? 0)],
				[t('students.lines'), number((r.log_lines ?? 0) + (r.journal_lines ?? 0))],
				[t('students.gone'), r.finished ? moment(r.finished) : t('students.soon')],
				...(r.backups_until ? [[t('students.backups'), moment(r.backups_until)]] : []),
			]), h('p', h('a.button', { href: '#/students' }, t('students.title')))));
	}
}

/** @param {number} n */
const cropCount = (n) => h(`span.tag.${n === 0 ? 'bad' : n < ENOUGH ? 'unsure' : 'good'}`, number(n));

customElements.define('rollcall-students', Students);
