// The types that several pages share, for the compiler only: no browser loads this file.

import type { Refusal as RefusalOf } from './www/api.js';
import type { shapes } from './www/parts/icons.js';

declare global {
	/** What may stand in an element. What is nothing is left out. */
	type Child = Node | string | number | null | undefined | false;

	/** The properties of an element: a plain object. */
	type Properties = Record<string, any> & { nodeType?: never; then?: never; length?: never };

	type IconName = keyof typeof shapes;

	/** Who is signed in. */
	interface Session {
		/** '' when signed out */
		role: '' | 'checkin' | 'register' | 'enroll' | 'admin' | 'metrics';
		/** of the token; '' where nobody has to log in */
		name: string;
		/** empty: all */
		galleries: string[];
	}

	/** What the server answers to a call: lists, which it leaves out if they are empty, and all else. */
	interface Answer {
		candidates?: Candidate[];
		changes?: any[];
		days?: any[];
		faces?: { box: Box; [name: string]: any }[];
		galleries?: any[];
		lines?: any[];
		lookalikes?: any[];
		quality?: { shortfalls?: any[]; [name: string]: any };
		reasons?: string[];
		seats?: any[];
		/** of GetStudent */
		student: Student;
		students?: any[];
		tokens?: any[];
		/** of all that judge a face */
		verdict: string;
		warnings?: string[];
		[name: string]: any;
	}

	/** A student, as GetStudent answers. */
	interface Student {
		student_id: string;
		crops?: { embeddings?: any[]; [name: string]: any }[];
		[name: string]: any;
	}

	/** A place on a picture, in pixels. */
	interface Box {
		left?: number;
		top?: number;
		width: number;
		height: number;
	}

	/** A frame on a picture. */
	interface Framed {
		box: Box;
		/** class of the colour: good, unsure, plain, bad */
		tone?: string;
		/** stands below the frame */
		label?: string;
		/** called when the frame is chosen */
		choose?: () => void;
	}

	/** A face in front of the camera of the door. */
	interface Visitor {
		/** as it was found last */
		face: any;
		/** when that was */
		seen: number;
		/** for the next verdict */
		frames: { image: string; box: Box; landmarks: any }[];
		/** when a verdict may be asked for; Infinity: not while this face stays */
		after: number;
		/** how many verdicts it had */
		tries: number;
		/** of its frame */
		tone: string;
	}

	/** A student whom a probe resembles. */
	interface Candidate {
		student_id: string;
		similarity?: number;
	}

	/** A picture to enrol. */
	interface Crop {
		student: string;
		/** of the crop */
		id: string;
		file: Blob;
		groups: string[];
	}

	/** What became of a crop. */
	interface Outcome {
		crop: Crop;
		/** there: it was enrolled before */
		result: 'enrolled' | 'there' | 'refused';
		/** of Embed */
		answer?: any;
		refusal?: RefusalOf;
	}

	/** Makes a change to a student, and tells it. */
	type Change = (procedure: string, request: object, text: string) => Promise<void>;

	/** A value of a metric. */
	interface Sample {
		labels: Record<string, string>;
		value: number;
	}

	/** The labels that a sample must have. */
	type Labels = Record<string, string | RegExp>;
}
