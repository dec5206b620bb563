// Enrolling crops, one by one or many at once. A call that is repeated replaces what it
// stored, so a run that was interrupted is simply made again.

import { base64, call, Refusal } from '../api.js';

export const ENOUGH = 3; // crops of a student
export const GOOD = 0.5; // least score of a crop that is not poor

/**
 * Enrols a crop, or finds that it is there.
 * @param {Crop} crop
 * @param {object} [options]
 * @param {AbortSignal} [options.signal]
 * @param {boolean} [options.again] replace it if it is there
 * @param {boolean} [options.insist] a person has looked: twins, or a child that has grown
 * @returns {Promise<Outcome>}
 */
export async function enrol(crop, { signal, again = true, insist = false } = {}) {
	try {
		if (!again && (await isThere(crop, signal))) return { crop, result: 'there' };
		const answer = await call('AttendanceService/Embed', {
			image: await base64(crop.file), face: 'FACE_ONLY', crop_id: crop.id, student_id: crop.student, groups: crop.groups,
			allow_duplicate: insist, allow_unlike: insist,
		}, { signal, tries: 60 });
		return { crop, result: 'enrolled', answer };
	} catch (refusal) {
		if (signal?.aborted || (refusal instanceof Refusal && refusal.code === 'unauthenticated')) throw refusal;
		// Else it is of this file: one that is gone, or cannot be read, does not end the others.
		return { crop, result: 'refused', refusal: refusal instanceof Refusal ? refusal : new Refusal('', '', String(refusal)) };
	}
}

/**
 * @param {Crop} crop
 * @param {AbortSignal} [signal]
 */
async function isThere(crop, signal) {
	try {
		const { crop: kept } = await call('GalleryService/GetCrop', { crop_id: crop.id }, { signal, tries: 60 });
		return kept.student_id === crop.student;
	} catch (error) {
		if (error instanceof Refusal && error.code === 'not_found') return false;
		throw error;
	}
}

/** Calls at once: the server has a session more than cores, and some wait for it. */
const AT_ONCE = 4;

/**
 * Enrols many crops, those of one student in their order. Tells each outcome as it comes.
 * @param {Crop[]} crops
 * @param {(outcome: Outcome) => void} tell
 * @param {{signal: AbortSignal, again: boolean}} options
 */
export async function enrolAll(crops, tell, options) {
	const students = [...Map.groupBy(crops, (crop) => crop.student).values()];
	const work = async () => {
		for (let own = students.shift(); own; own = students.shift()) {
			for (const crop of own) tell(await enrol(crop, options));
		}
	};
	await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/**
 * Names crops by student and file: the same file is the same crop, also for the command
 * "rollcall enroll". Another file of the same name (tablets call each "image.jpg") is another.
 * @returns {(student: string, file: File) => string}
 */
export function cropIDs() {
	/** @type {Map<string, string>} */
	const taken = new Map();
	return (student, file) => {
		const mark = [file.webkitRelativePath, file.size, file.lastModified].join();
		let id = `${student}/${file.name.normalize()}`;
		while ((taken.get(id) ?? mark) !== mark) id += '+';
		taken.set(id, mark);
		return id;
	};
}
