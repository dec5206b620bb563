// Door: a tablet that looks at who comes in, and checks them in.
//
// A loop asks the server where the faces of a frame are. What its answers take is the
// pace. Some good frames of one face are a burst, and a burst is one verdict, which the
// server writes into the journal: that is the check-in. A face that stays has no other one.

import { whoami } from '../app.js';
import { base64, call, endSession, pause, Refusal } from '../api.js';
import { fill, h } from '../dom.js';
import { Camera, NoCamera } from '../parts/camera.js';
import { icon } from '../parts/icons.js';
import { openDialog, openForm } from '../parts/notice.js';
import { nameFields, nameOf } from '../parts/names.js';
import { Page } from '../parts/page.js';
import { picture } from '../parts/picture.js';
import { chime, unlockSound } from '../parts/sound.js';
import { toneOf } from '../parts/verdict.js';
import { Visitors } from '../parts/visitors.js';
import { t, word } from '../text.js';

const LEAST_PAUSE = 200; // milliseconds: at most five frames a second
const BURST = 3; // frames that make a verdict
const LEAST_WIDTH = 0.1; // of the frame: who is further away only passes
const SHOWN = 3500; // milliseconds that a verdict is shown at least
const ASKED = 20_000; // milliseconds that a question waits for an answer, while others are there
const COOL = 60_000; // milliseconds in which a student is not greeted again
const LONGEST = 20_000; // milliseconds that the server gets for an answer
const FROZEN = 5000; // milliseconds without a new frame after which the camera is started again
const AWAY = 2000; // milliseconds after which a server or a camera that is away is asked again

class Door extends Page {
	/** @type {Map<string, number>} when each student was greeted */
	greeted = new Map();
	panel = h('div.panel', { role: 'status', 'aria-live': 'assertive' });
	view = h('div.sight');
	said = ''; // what the panel says
	visitors = new Visitors();
	/** @type {Visitor | undefined} whom the panel speaks to */
	spoken;
	asking = false; // whether it asks, and waits for an answer
	rest = 0; // until when the panel stays as it is
	seen = -1; // the newest frame, by the camera's time
	moved = 0; // when it came

	connectedCallback() {
		document.addEventListener('visibilitychange', () => this.stayOn(), { signal: this.signal });
		fill(this,
			h('h1.sr', t('door.title')),
			this.view, this.panel,
			h('footer.row',
				h('p.soft.small.grow', t('door.attended')),
				h('button', { onclick: () => this.withoutFace() }, t('door.without')),
				h('button', { onclick: () => this.settings() }, t('door.settings'))));
		if (whoami().role === 'checkin') void this.run();
		else this.show('plain', 'door', t('door.title'), t('door.lead'), [[t('door.start'), () => { unlockSound(); void this.run(); }, true]]);
	}

	/** @override */
	disconnectedCallback() {
		super.disconnectedCallback();
		this.camera?.stop();
		this.lock?.release();
	}

	/**
	 * @param {string} tone
	 * @param {IconName} name
	 * @param {string} title
	 * @param {string} [text]
	 * @param {[string, () => unknown, boolean?][]} [choices] buttons; true: the first choice
	 */
	show(tone, name, title, text = '', choices = []) {
		const said = [tone, title, text, choices.length].join('\n');
		if (said === this.said && choices.length === 0) return; // a screen reader would say it five times a second
		this.said = said;
		const { panel } = this;
		panel.className = `panel ${tone}`;
		fill(panel, icon(name), h('strong', title), text && h('p', text),
			choices.length > 0 && h('div.row', choices.map(([label, act, first]) => h('button', {
				class: first ? 'first' : '',
				onclick: async () => {
					const buttons = panel.querySelectorAll('button');
					for (const button of buttons) button.disabled = true; // a child taps twice
					try {
						await act();
					} catch (error) {
						for (const button of buttons) button.disabled = false;
						throw error;
					}
				},
			}, label))));
	}

	/** Looks until the page is left or the tablet is unpaired. */
	async run() {
		const { signal } = this;
		while (!signal.aborted) {
			const began = performance.now();
			try {
				await this.wakeUp();
				if (document.hidden) this.moved = began; // its picture is old
				else await this.look();
			} catch (error) {
				if (signal.aborted || !(await this.trouble(error))) return;
			}
			await pause(Math.max(0, LEAST_PAUSE - (performance.now() - began)), signal).catch(() => {});
		}
	}

	/** Starts the camera, or starts it again after it was pulled out. */
	async wakeUp() {
		if (this.camera?.alive) return;
		const camera = await Camera.start();
		if (this.signal.aborted) return camera.stop(); // the page was left meanwhile
		this.camera = camera;
		this.moved = performance.now();
		this.sight = picture(camera.video);
		fill(this.view, this.sight.element);
		this.idle();
		this.stayOn();
	}

	/** Keeps the screen on, where the browser can do that. A hidden page loses it. */
	stayOn() {
		if (this.camera && !document.hidden) navigator.wakeLock?.request('screen').then((lock) => { this.lock = lock; }, () => {});
	}

	idle() {
		this.spoken = undefined;
		this.asking = false;
		this.show('plain', 'camera', t('door.idle'));
	}

	/** Looks at one frame, and judges when there are enough of a face. */
	async look() {
		const camera = /** @type {Camera} */ (this.camera);
		const now = performance.now();
		if (camera.video.currentTime === this.seen) { // the same frame still
			if (now - this.moved > FROZEN) camera.stop();
			return;
		}
		[this.seen, this.moved] = [camera.video.currentTime, now];
		const image = await base64(await camera.frame());
		const { faces = [], width, height } = await call('AttendanceService/Detect', { image }, { signal: limited(this.signal) });
		const here = this.visitors.see(faces.filter((f) => f.box.width >= LEAST_WIDTH * width), now);
		this.sight?.frame(width, height, here.map((v) => ({ box: v.face.box, tone: troubleOf(v) ? 'unsure' : v.tone })));
		const next = here.find((v) => now >= v.after);
		if (next && !troubleOf(next)) {
			const { box, landmarks } = next.face;
			next.frames = [...next.frames, { image, box, landmarks }].slice(-BURST);
		}
		this.stopAsking(here, next);
		if (now < this.rest) return; // somebody reads what stands there
		if (!next) {
			if (!this.spoken || !this.visitors.all.includes(this.spoken)) this.idle();
		} else if (troubleOf(next)) {
			this.show('unsure', 'camera', word(troubleOf(next)));
		} else if (next.frames.length < BURST) {
			this.show('plain', 'camera', t('door.still'));
		} else {
			await this.judge(next);
		}
	}

	/**
	 * Nobody waits behind a question that nobody answers: it goes when the child has left, when
	 * somebody else is in front, or after some time. Who is still there is asked again later.
	 * @param {Visitor[]} here
	 * @param {Visitor | undefined} next
	 */
	stopAsking(here, next) {
		const asked = this.spoken;
		if (!this.asking || !asked) return;
		const left = !this.visitors.all.includes(asked);
		if (!left && !(next && (next === here[0] || performance.now() >= this.rest))) return;
		this.askAgain(asked);
	}

	/** @param {Visitor} visitor */
	async judge(visitor) {
		const { frames } = visitor;
		visitor.frames = [];
		const answer = await call('AttendanceService/IdentifyBurst', { frames, await_line: true, max_candidates: 3 }, { signal: limited(this.signal) });
		const { verdict, student_id: student = '', line, candidates = [] } = answer;
		const now = performance.now();
		for (const other of this.visitors.all) other.seen = now; // nobody was looked for meanwhile
		visitor.after = Infinity;
		visitor.tries++;
		visitor.tone = toneOf(verdict);
		this.spoken = visitor;
		this.asking = verdict === 'VERDICT_AMBIGUOUS';
		this.rest = now + (this.asking ? ASKED : SHOWN);
		switch (verdict) {
			case 'VERDICT_MATCH':
				return this.greet(student, line);
			case 'VERDICT_AMBIGUOUS':
				return this.askWho(visitor, candidates.slice(0, 2).map((c) => c.student_id));
			case 'VERDICT_UNKNOWN':
				chime('low');
				return this.show('plain', 'unknown', word('VERDICT_UNKNOWN'), t('door.office'), [
					[t('door.once'), () => this.askAgain(visitor)],
					[t('door.without'), () => this.withoutFace()],
				]);
			default: // of the pictures, not of the person: it is tried again, less and less often
				this.rest = now + 1000;
				visitor.after = now + 1000 * 2 ** visitor.tries;
				visitor.tone = 'good';
				this.show('unsure', 'camera', word(answer.reasons?.[0] ?? 'REASON_LOW_QUALITY'));
		}
	}

	/** @param {Visitor} visitor */
	askAgain(visitor) {
		visitor.after = 0;
		visitor.tone = 'good';
		this.rest = 0;
		this.idle();
	}

	/**
	 * @param {string} student
	 * @param {string} line the number of the check-in, by which it can be taken back
	 */
	greet(student, line) {
		const now = performance.now(); // a tablet's clock may be set
		const again = now - (this.greeted.get(student) ?? -COOL) < COOL;
		this.greeted.set(student, now);
		if (!again) chime('high');
		this.show('good', 'tick', nameOf(student), t(again ? 'door.again' : 'door.welcome'), [[t('door.notMe'), async () => {
			this.rest = performance.now() + LONGEST; // the answer comes into this place
			try {
				await checkIn({ student_id: student, method: 'METHOD_CANCELLED', cancels: line, by: t('door.by') });
				this.greeted.delete(student);
				this.show('plain', 'undo', word('METHOD_CANCELLED'), nameOf(student), [[t('door.without'), () => this.withoutFace()]]);
			} finally {
				this.rest = performance.now() + SHOWN;
			}
		}]]);
	}

	/**
	 * @param {Visitor} visitor
	 * @param {string[]} students two
	 */
	askWho(visitor, students) {
		chime('low');
		/** @param {string} student */
		const choose = async (student) => {
			await this.record(student, 'METHOD_BY_HAND', t('door.chosen'));
			visitor.after = Infinity; // somebody else may have come to the front meanwhile
		};
		this.show('unsure', 'question', t('door.which', { a: nameOf(students[0] ?? ''), b: nameOf(students[1] ?? '') }), '', [
			...students.map((student) => /** @type {[string, () => unknown]} */ ([nameOf(student), () => choose(student)])),
			[t('door.neither'), () => {
				this.asking = false;
				this.rest = performance.now() + SHOWN;
				this.show('plain', 'unknown', word('VERDICT_UNKNOWN'), t('door.office'), [[t('door.without'), () => this.withoutFace()]]);
			}],
		]);
	}

	/**
	 * Records a check-in without a face.
	 * @param {string} student
	 * @param {string} method
	 * @param {string} by
	 */
	async record(student, method, by) {
		await checkIn({ student_id: student, method, by });
		chime('high');
		this.asking = false;
		this.show('good', 'tick', nameOf(student), t('door.welcome'));
		this.rest = performance.now() + SHOWN;
	}

	/** Nobody has to give a face: a card, a PIN, or a person who says who it is. */
	withoutFace() {
		const student = h('input', { required: true, autocomplete: 'off' });
		const method = h('select', ['METHOD_CARD', 'METHOD_PIN', 'METHOD_BY_HAND', 'METHOD_EXEMPT'].map((m) => h('option', { value: m }, word(m))));
		const by = h('input', { autocomplete: 'off' });
		openForm(t('door.without'), [
			h('p.soft', t('door.withoutLead')),
			h('label', t('student'), student), h('label', t('door.method'), method), h('label', t('door.who'), by),
		], t('door.checkIn'), () => this.record(student.value.trim(), method.value, by.value.trim() || t('door.by')));
	}

	settings() {
		const dialog = openDialog(t('door.settings'),
			...nameFields(),
			h('div.row',
				h('button', { onclick: () => { unlockSound(); chime('high'); } }, t('door.sound'))),
			h('div.row',
				whoami().role === 'checkin' && h('button.danger', { onclick: () => this.unpair() }, t('door.unpair')),
				h('button.first', { autofocus: true, onclick: () => dialog.close() }, t('close'))));
	}

	async unpair() {
		await endSession();
		location.reload();
	}

	/**
	 * Says what is wrong, and waits.
	 * @param {unknown} error
	 * @returns {Promise<boolean>} whether to go on
	 */
	async trouble(error) {
		const { signal } = this;
		if (error instanceof Refusal && error.code === 'unauthenticated') return false; // the page that asks for a code takes this one's place
		if (error instanceof Refusal && error.code === 'resource_exhausted') { // it is only busy
			await pause(error.delay || AWAY, signal).catch(() => {});
			return true;
		}
		this.rest = 0;
		this.asking = false;
		if (error instanceof NoCamera) {
			this.camera?.stop();
			this.camera = undefined;
			fill(this.view);
			this.show('bad', 'warn', t('door.noCamera'), error.message, error.refused ? [[t('door.start'), () => { void this.run(); }, true]] : []);
			if (error.refused) return false; // a browser would ask for it again and again
		} else if (error instanceof Refusal && error.code === 'unavailable') this.show('bad', 'warn', t('door.away'), t('door.office'));
		else this.show('bad', 'warn', t('door.failed'), error instanceof Error ? error.message : String(error));
		await pause(AWAY, signal).catch(() => {});
		return true;
	}
}

/**
 * Why a face cannot be judged as it is: the first reason; '' if it can.
 * @param {Visitor} visitor
 * @returns {string}
 */
const troubleOf = ({ face }) => (face.reasons ?? face.quality?.reasons ?? [])[0] ?? '';

/**
 * A network that is gone says nothing: the door does not wait for it for ever.
 * @param {AbortSignal} signal
 */
const limited = (signal) => AbortSignal.any([signal, AbortSignal.timeout(LONGEST)]);

/**
 * Writes a check-in into the journal, or takes one back. Its id makes it count once, however
 * often it is sent.
 * @param {object} entry
 */
const checkIn = (entry) => call('JournalService/RecordCheckIn', { ...entry, request_id: crypto.getRandomValues(new Uint8Array(16)).join('-') }, { tries: 5 });

customElements.define('rollcall-door', Door);
