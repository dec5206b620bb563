// Tables as text: read from what a school's program writes, and written for it.

/**
 * Reads a table: fields between commas, semicolons or tabs, as the first line has them,
 * in quotes where they hold one (RFC 4180).
 * @param {string} text
 * @returns {string[][]} the rows that are not empty
 */
export function readTable(text) {
	const plain = text.replace(/^\uFEFF/, '');
	const first = plain.split('\n', 1)[0] ?? '';
	const separator = [';', '\t'].find((s) => first.includes(s)) ?? ',';
	/** @type {string[][]} */
	const rows = [];
	/** @type {string[]} */
	let row = [];
	let field = '';
	let quoted = false;
	for (let i = 0; i < plain.length; i++) {
		const c = plain.charAt(i);
		if (quoted) {
			if (c !== '"') field += c;
			else if (plain.charAt(i + 1) === '"') field += plain.charAt(i++);
			else quoted = false;
		} else if (c === '"' && field === '') quoted = true;
		else if (c === separator) {
			row.push(field.trim());
			field = '';
		} else if (c === '\n') {
			rows.push([...row, field.trim()]);
			row = [];
			field = '';
		} else field += c;
	}
	rows.push([...row, field.trim()]);
	return rows.filter((one) => one.some((value) => value !== ''));
}

/**
 * Lets the browser save a table as a file. What a spreadsheet would take for a formula gets
 * an apostrophe in front: in a field, too, as it may split the row at other characters.
 * @param {string} name of the file
 * @param {(string | number)[][]} rows
 */
export function saveTable(name, rows) {
	const text = rows.map((row) => row.map((value) => quote(typeof value === 'string' ? value.replace(/(^|[,;\t\r\n])(?=[=+\-@\t\r])/g, "$1'") : String(value))).join(',')).join('\r\n');
	const address = URL.createObjectURL(new Blob(['\uFEFF', text, '\r\n'], { type: 'text/csv' }));
	const link = document.createElement('a');
	link.href = address;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {string} value */
const quote = (value) => (/[",;\t\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

/**
 * Returns the text of a file, in UTF-8 or in what spreadsheets write.
 * @param {Blob} file
 * @returns {Promise<string>}
 */
export async function readFile(file) {
	const bytes = await file.arrayBuffer();
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		const [a, b] = new Uint8Array(bytes);
		return new TextDecoder(a === 0xff && b === 0xfe ? 'utf-16le' : 'windows-1252').decode(bytes);
	}
}
