// Two short sounds. A browser lets a page sound only after somebody has touched it.

/** @type {AudioContext | undefined} */
let audio;

/** Lets the page sound from now on: call it when somebody has touched something. */
export function unlockSound() {
	audio ??= new AudioContext();
	void audio.resume();
}

addEventListener('pointerdown', unlockSound, { once: true });

/**
 * Sounds, if the page may.
 * @param {'high' | 'low'} tone
 */
export function chime(tone) {
	if (audio?.state !== 'running') return;
	const at = audio.currentTime;
	const gain = audio.createGain();
	gain.gain.setValueAtTime(0.15, at);
	gain.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
	gain.connect(audio.destination);
	(tone === 'high' ? [660, 880] : [330, 262]).forEach((frequency, i) => {
		const note = /** @type {AudioContext} */ (audio).createOscillator();
		note.frequency.value = frequency;
		note.connect(gain);
		note.start(at + i * 0.12);
		note.stop(at + i * 0.12 + 0.2);
	});
}
