// Requests, with the token if one is needed, and the stream of events.

import { parseStream } from "./figures.js";

const KEY = "nfs4d-token";
const PATIENCE = 10_000;
// The server sends a line every 15 s
const SILENCE = 40_000;

// The server has answered, and refuses
export class Refused extends Error {
	constructor(status, detail) {
		super(detail);
		this.status = status;
	}
}

let asking = null;
let askToken = async () => "";

// What asks the user for a token; it is told whether there was a wrong one
export function onToken(ask) {
	askToken = ask;
}

async function request(path, options = {}) {
	for (;;) {
		const token = sessionStorage.getItem(KEY);
		const headers = { ...options.headers };
		if (token) headers.Authorization = `Bearer ${token}`;
		const init = { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers };
		const response = await fetch(path, init);
		if (response.status === 401) {
			// Another request may have asked meanwhile.
			if (sessionStorage.getItem(KEY) === token) await newToken(token !== null);
			continue;
		}
		if (response.ok) return response;
		const problem = await response.json().catch(() => ({}));
		throw new Refused(response.status, problem.detail || `HTTP status ${response.status}`);
	}
}

async function newToken(wrong) {
	asking ??= askToken(wrong).then((token) => {
		sessionStorage.setItem(KEY, token);
		asking = null;
	});
	await asking;
}

const patient = () => ({ signal: AbortSignal.timeout(PATIENCE) });

export async function get(path) {
	return (await request(path, patient())).json();
}

// A list page by page, up to so many rows; also when the server answered, and whether there are more.
export async function list(path, most) {
	const rows = [];
	let next = `${path}?limit=${most}`, date;
	while (next && rows.length < most) {
		const response = await request(next, patient());
		rows.push(...await response.json());
		date = Date.parse(response.headers.get("Date"));
		next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link"))?.[1];
	}
	return { rows, date, more: Boolean(next) };
}

export async function getText(path) {
	return (await request(path, patient())).text();
}

export async function change(method, path) {
	await request(path, { method, ...patient() });
}

// Reads the stream for ever; `state` is told a fault when it breaks, and null when it begins
export async function follow(told, state) {
	// From the first event that the server still has.
	let last = "0";
	for (;;) {
		const stop = new AbortController();
		let fault = "the stream ended";
		try {
			const headers = { "Last-Event-ID": last };
			const response = await request("/api/v1/events", { headers, signal: stop.signal });
			state(null);
			last = await read(response.body.getReader(), last, told, stop);
		} catch (why) {
			fault = why instanceof Refused ? why.message : "no answer";
		}
		stop.abort();
		state(fault);
		await new Promise((done) => setTimeout(done, 2_000));
	}
}

async function read(reader, last, told, stop) {
	const decoder = new TextDecoder();
	let text = "";
	try {
		for (;;) {
			const silence = setTimeout(() => stop.abort(), SILENCE);
			const { done, value } = await reader.read();
			clearTimeout(silence);
			if (done) return last;
			const parsed = parseStream(text + decoder.decode(value, { stream: true }));
			text = parsed.rest.length > 1 << 20 ? "" : parsed.rest;
			for (const event of parsed.events) {
				last = event.id ?? last;
				told({ kind: event.kind, ...JSON.parse(event.data) });
			}
		}
	} catch {
		return last;
	}
}
