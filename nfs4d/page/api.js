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

let asking = null, askToken;

// What asks the user for a token; it is told whether there was a wrong one
export function onToken(ask) {
	askToken = ask;
}

async function request(path, options = {}) {
	for (;;) {
		const token = sessionStorage.getItem(KEY);
		const headers = { ...options.headers };
		if (token) headers.Authorization = `Bearer ${token}`;
		const response = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers });
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

export const ask = (path, method = "GET") => request(path, { method, signal: AbortSignal.timeout(PATIENCE) });

export async function get(path) {
	return (await ask(path)).json();
}

// A list page by page, up to so many rows; also when the server answered, and whether there are more.
export async function list(path, most) {
	const rows = [];
	let next = `${path}?limit=${most}`, date;
	while (next && rows.length < most) {
		const response = await ask(next);
		rows.push(...await response.json());
		date = Date.parse(response.headers.get("Date"));
		next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link"))?.[1];
	}
	return { rows, date, more: Boolean(next) };
}

// Reads the stream for ever; `state` is told a fault when it breaks, and null when it begins
export async function follow(told, state) {
	// From the first event that the server still has.
	let last = "0";
	for (;;) {
		const stop = new AbortController();
		let fault = "no answer";
		try {
			const headers = { "Last-Event-ID": last };
			const response = await request("/api/v1/events", { headers, signal: stop.signal });
			state(null);
			fault = "the stream ended";
			const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
			for (let text = ""; ;) {
				const silence = setTimeout(() => stop.abort(), SILENCE);
				const { done, value } = await reader.read();
				clearTimeout(silence);
				if (done) break;
				const { events, rest } = parseStream(text + value);
				text = rest.length > 1 << 20 ? "" : rest;
				for (const { id, kind, data } of events) {
					last = id ?? last;
					told({ kind, ...JSON.parse(data) });
				}
			}
		} catch (why) {
			if (why instanceof Refused) fault = why.message;
		}
		stop.abort();
		state(fault);
		await new Promise((done) => setTimeout(done, 2_000));
	}
}
