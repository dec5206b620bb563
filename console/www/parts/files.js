// Reading files that a person has chosen.

/**
 * Returns the text of a file, in UTF-8 or in what older spreadsheets write.
 * @param {Blob} file
 * @returns {Promise<string>}
 */
export async function readFile(file) {
	const bytes = await file.arrayBuffer();
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		return new TextDecoder('windows-1252').decode(bytes);
	}
}
