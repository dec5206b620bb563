// Who stands in front of the camera: faces, followed from one frame to the next.

// Milliseconds without a face after which who comes is somebody else. A detector misses some
// frames; two children need longer to change places.
const GONE = 1500;

// Least share of their union that two boxes of one face have in common. Who stands behind
// another has a smaller face.
const SAME = 0.4;

export class Visitors {
	/** @type {Visitor[]} who is there: in the newest frame, or missed for a moment */
	all = [];

	/**
	 * Takes the faces of a frame.
	 * @param {{box: Box}[]} faces
	 * @param {number} now in milliseconds
	 * @returns {Visitor[]} who is in this frame, the nearest first
	 */
	see(faces, now) {
		const missed = this.all.filter((v) => now - v.seen < GONE);
		const here = faces.toSorted((a, b) => b.box.width - a.box.width).map((face) => {
			const found = missed.findIndex((v) => common(v.face.box, face.box) > SAME);
			const visitor = missed.splice(found, found < 0 ? 0 : 1)[0] ?? { frames: [], after: 0, tries: 0, tone: 'good' };
			return Object.assign(visitor, { face, seen: now });
		});
		this.all = [...here, ...missed];
		return here;
	}
}

/**
 * Returns the share of the union of two boxes that is in both.
 * @param {Box} a
 * @param {Box} b
 */
function common(a, b) {
	const [left, top, x, y] = [a.left ?? 0, a.top ?? 0, b.left ?? 0, b.top ?? 0];
	const across = Math.min(left + a.width, x + b.width) - Math.max(left, x);
	const down = Math.min(top + a.height, y + b.height) - Math.max(top, y);
	const both = Math.max(0, across) * Math.max(0, down);
	return both / (a.width * a.height + b.width * b.height - both);
}
