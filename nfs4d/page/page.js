// Reads the server every two seconds and when an event tells of a change, and draws it.

import * as api from "./api.js";
import { COLUMNS, clientCard, el, eventLine, exportLine, fact, listRow, mark, put, sync, totalTile, useClock, warningLine } from "./draw.js";
import * as figures from "./figures.js";

const { format, shortName, total } = figures;
const { count } = format;
const $ = (id) => document.getElementById(id);

const PERIOD = 2_000;
// Maximum number of records that are asked for
const MOST = 5_000;
// More sessions than these are read every fifth time only.
const FEW_SESSIONS = 300;
const HISTORY = 60, LOG = 200, MOST_EXPORTS = 50;

const model = {
	clients: [], sessions: [], connections: [], samples: [], settings: {}, grace: null, exports: [],
	total: null, rates: new Map(), shared: new Map(), lost: 0, streamFault: null,
	p50: null, p99: null, away: null, offset: 0, loaded: false,
	history: { operations: [], read: [], written: [], p99: [] },
};
const view = {
	text: "", version: "", trouble: "", column: "operations", descending: true,
	page: 0, picked: null, chosen: null, picture: true, order: [], sorted: 0,
};
// What the rates are the growth of
let before = { at: -Infinity, traffic: new Map(), counts: null };
const log = [];

const serverNow = () => Date.now() + model.offset;
useClock(serverNow);

// Also of clients that are gone.
const names = new Map();
const nameOf = (id) => names.get(id) ?? `client ${id.slice(-6)}`;

let timer = 0, due = Infinity, whole = false, reading = false, turn = 0;

// Reads after so many milliseconds at the latest, and then all of it if that is asked for.
function soon(delay, all) {
	whole ||= all;
	if (performance.now() + delay >= due) return;
	clearTimeout(timer);
	due = performance.now() + delay;
	timer = setTimeout(refresh, delay);
}

async function refresh() {
	due = Infinity;
	if (reading) return soon(100, false);
	const all = whole;
	[reading, whole] = [true, false];
	const start = performance.now();
	await read(all);
	reading = false;
	render();
	// A slow server is asked less often, and so is it by a page that is not seen.
	soon(document.hidden ? 30_000 : Math.max(PERIOD, 3 * (performance.now() - start)), false);
}

async function read(all) {
	const detailed = all || model.sessions.length <= FEW_SESSIONS || turn % 5 === 0;
	const settings = turn % 10 === 0 || all;
	turn += 1;
	try {
		const [clients, metrics, sessions, connections, current, grace, exports] = await Promise.all([
			api.list("/api/v1/clients", MOST), api.ask("/metrics").then((answer) => answer.text()),
			detailed ? api.list("/api/v1/sessions", MOST) : null,
			detailed ? api.list("/api/v1/connections", MOST) : null,
			settings ? api.get("/api/v1/settings") : null, settings || model.grace?.active ? api.get("/api/v1/grace") : null,
			detailed ? api.get("/api/v1/exports") : null,
		]);
		took(clients, metrics, performance.now());
		if (detailed) [model.sessions, model.connections] = [sessions.rows, connections.rows];
		model.settings = current ?? model.settings;
		model.grace = grace ?? model.grace;
		model.exports = exports ?? model.exports;
		if (model.away) say("The server answers again");
		Object.assign(model, { away: null, loaded: true });
	} catch (why) {
		model.away ??= { since: new Date(), why };
		model.away.why = why;
	}
}

function took({ rows, date, more }, text, at) {
	model.clients = rows;
	const offset = date + 500 - Date.now();
	// The header has whole seconds.
	if (Number.isFinite(offset)) model.offset = Math.abs(offset) > 2_000 ? offset : 0;
	model.samples = figures.parseMetrics(text);
	const table = model.samples.filter((sample) => sample.labels.table === "clients");
	model.total = more ? figures.sum(table, "_nfs_table_entries") : rows.length;
	if (names.size > 4 * MOST) names.clear();
	for (const { client_id: id, owner } of rows) names.set(id, shortName(owner));
	const seconds = (at - before.at) / 1000;
	// Close readings say little of what flows.
	if (seconds < 1.2) return;
	const traffic = new Map(rows.map((client) => [client.client_id, client.traffic]));
	const rates = new Map();
	for (const [id, now] of traffic) {
		const rate = figures.rates(before.traffic.get(id), now, seconds);
		if (rate) rates.set(id, rate);
	}
	model.rates = rates;
	const counts = figures.durations(model.samples);
	if (before.counts) {
		model.p50 = figures.quantile(before.counts, counts, 0.5);
		model.p99 = figures.quantile(before.counts, counts, 0.99);
		for (const [name, values] of Object.entries(model.history)) {
			values.push(name === "p99" ? model.p99 ?? 0 : total([...rates.values()], (rate) => rate[name]));
			if (values.length > HISTORY) values.shift();
		}
	}
	before = { at, traffic, counts };
}

function happened(event) {
	if (event.kind === "lost") {
		// What was before this page is not missed.
		if (log.length) model.lost += event.lost;
		return;
	}
	if (event.kind === "shared_owner") model.shared.set(event.owner, Date.parse(event.at));
	log.unshift(event);
	if (log.length > LOG) log.length = LOG;
	// A storm of events does not make a storm of requests.
	soon(1_000, true);
}

function render() {
	const focused = document.activeElement;
	const home = focused?.closest?.("[data-card]")?.dataset.card;
	for (const [owner, at] of model.shared) if (serverNow() - at > 600_000) model.shared.delete(owner);
	const rows = figures.rowsOf(model, serverNow());
	const warnings = figures.warningsOf(rows, model);
	drawState(warnings);
	sync($("warnings").firstElementChild, warnings, (w) => w.id, warningLine);
	sync($("totals"), totals(rows), ([label]) => label, totalTile);
	drawClients(rows);
	drawPicked(rows);
	put($("exports-count"), model.loaded ? count(model.exports.length) : "");
	sync($("exports-list"), model.exports.slice(0, MOST_EXPORTS).map((e) => ({ ...e, text: figures.exportWords(e) })), (e) => e.pseudo, exportLine);
	sync($("log"), log.map((event) => ({ ...event, text: figures.describe(event, nameOf) })), (e) => e.number + e.at, eventLine);
	keepFocus(focused, home);
}

// A control that was moved, or is gone, does not take the focus with it
function keepFocus(focused, home) {
	if (!focused || focused === document.body || document.activeElement === focused) return;
	const card = home && document.querySelector(`[data-card="${CSS.escape(home)}"]`);
	const heir = document.contains(focused) ? focused : card || $("clients");
	heir.focus({ preventScroll: true });
}

function drawState(warnings) {
	let [state, text] = model.loaded ? ["live", "Live"] : ["wait", "Connecting"];
	if (model.away) {
		const { since, why } = model.away;
		const what = why instanceof api.Refused ? `refuses: ${why.message}` : "does not answer";
		[state, text] = ["away", `The server ${what}, since ${since.toLocaleTimeString([], { hour12: false })}. Trying again`];
	}
	put($("state-text"), text);
	mark(document.body, "data-state", state);
	$("grace").hidden = !model.grace?.active;
	if (model.grace?.active) {
		const left = model.grace.ending ? "ends as soon as that is stored" : `${model.grace.remaining_seconds} s left`;
		put($("grace"), `Grace period: ${left}`);
	}
	const title = `${warnings.length ? `(${warnings.length}) ` : ""}nfs4d ${location.host}`;
	if (document.title !== title) document.title = title;
}

function totals(rows) {
	const all = (of) => total(rows, of);
	const [used, slots] = [all((row) => row.used), all((row) => row.slots)];
	const { flow, rate, time } = format;
	const { operations, read, written, p99 } = model.history;
	const loose = model.connections.filter((c) => !c.sessions.length && !c.client_id).length;
	const out = total(model.sessions, (session) => session.callbacks.outstanding);
	const counted = (ending) => count(figures.sum(model.samples, ending));
	return [
		["Clients", count(model.total), `sessions: ${count(all((row) => row.client.sessions))}`],
		["Connections", count(model.connections.length), `unbound: ${count(loose)}`],
		["Operations/s", rate(operations.at(-1)), "", operations],
		["Read", flow(read.at(-1)), "", read],
		["Written", flow(written.at(-1)), "", written],
		["Latency p99", time(model.p99), `p50 ${time(model.p50)}`, p99],
		["Slots in use", count(used), `of ${count(slots)}`, null, used / slots],
		["Replay hits", counted("_nfs_replay_hits_total"), "since the start"],
		["Delegations", count(all((row) => row.client.delegations)), `opens: ${count(all((row) => row.client.opens))}`],
		["Callbacks", count(out), `failed: ${counted("_nfs_backchannel_callback_failures_total")}`],
	];
}

function drawClients(rows) {
	const found = figures.filterRows(rows, view);
	if (!view.chosen) view.picture = rows.length <= (view.picture ? 12 : 8);
	const all = rows.length === found.length ? count(rows.length) : `${count(found.length)} of ${count(rows.length)}`;
	const rest = model.total > rows.length ? `, the first of ${count(model.total)}` : "";
	put($("count"), model.loaded ? all + rest : "");
	mark($("as-picture"), "aria-pressed", view.picture);
	mark($("as-list"), "aria-pressed", !view.picture);
	$("empty").hidden = found.length > 0 || !model.loaded;
	put($("empty"), rows.length ? "No client matches the filter." : "No clients yet. They appear here as soon as they mount.");
	const ordered = inOrder(found);
	const size = view.picture ? 12 : 50;
	const { rows: some, page, pages } = figures.pageOf(ordered, view.page, size);
	view.page = page;
	$("picture").hidden = !view.picture;
	$("list").hidden = view.picture || !found.length;
	sync($("picture"), view.picture ? some : [], (row) => row.id, clientCard);
	const most = Math.max(1, ...found.map((row) => row.rate?.operations ?? 0));
	const lines = some.map((row) => ({ ...row, most, selected: row.id === view.picked }));
	sync($("rows"), view.picture ? [] : lines, (row) => row.id, listRow);
	sync($("heads"), COLUMNS, ([key]) => key, head);
	$("pages").hidden = pages < 2;
	put($("page-text"), `${page * size + 1}–${page * size + some.length} of ${found.length}`);
	mark($("earlier"), "aria-disabled", page === 0);
	mark($("later"), "aria-disabled", page === pages - 1);
}

// The order stays for ten seconds, and while the list is in use
function inOrder(rows) {
	const wanted = JSON.stringify([view.picture, view.column, view.descending, view.text, view.version, view.trouble]);
	const held = document.querySelector("#list:hover, #list:focus-within, #picture:hover, #picture:focus-within");
	const due = performance.now() - view.sorted > 10_000 && !held;
	const places = new Map(view.order.map((id, at) => [id, at]));
	if (view.wanted !== wanted || due || !places.size || rows.length < 3) {
		const [column, down] = view.picture ? ["name", false] : [view.column, view.descending];
		const sorted = figures.sortRows(rows, column, down);
		Object.assign(view, { order: sorted.map((row) => row.id), wanted, sorted: model.rates.size ? performance.now() : -Infinity });
		return sorted;
	}
	const place = (row) => places.get(row.id) ?? places.size;
	return rows.sort((a, b) => place(a) - place(b));
}

function head([key, text, title]) {
	const button = el("button", { "data-act": "sort", "data-id": key, title: `Sort by ${title ?? text}`, text });
	if (title) mark(button, "aria-label", title);
	const root = el(`th.${key}`, { role: "columnheader", scope: "col" }, button);
	const order = () => view.descending ? "descending" : "ascending";
	return { root, update: () => mark(root, "aria-sort", view.column === key ? order() : null) };
}

function drawPicked(rows) {
	const row = view.picture ? null : rows.find((one) => one.id === view.picked);
	$("details").hidden = !row;
	sync($("details-card"), row ? [row] : [], (one) => one.id, clientCard);
	if (!row) return;
	const { client_id: id, owner, impl_domain: implementer, last_renewal: renewal } = row.client;
	put($("details-name"), row.name);
	const facts = [["Client id", id], ["Owner", owner], ["Implementer", implementer ?? "unknown"], ["Last renewal", renewal]];
	sync($("facts"), facts, ([name]) => name, fact);
}

function say(text) {
	put($("said"), text);
	clearTimeout(say.timer);
	say.timer = setTimeout(() => put($("said"), ""), 6_000);
}

const CHANGES = {
	evict: (client) => {
		const { opens, locks, delegations } = model.clients.find((one) => one.client_id === client) ?? {};
		return {
			title: `Evict ${nameOf(client)}?`, yes: "Evict client", done: `${nameOf(client)} is evicted`,
			text: `Its sessions, opens (${opens}), locks (${locks}) and delegations (${delegations}) are removed at once. Programs that use them get errors.`,
			method: "DELETE", path: `/api/v1/clients/${client}`,
		};
	},
	destroy: (session, client) => ({
		title: `Destroy session ${session.slice(0, 8)}…?`, yes: "Destroy session", done: "The session is destroyed",
		text: `Its slots, kept replies and bindings are removed. ${nameOf(client)} keeps its opens and locks, and creates another session.`,
		method: "DELETE", path: `/api/v1/clients/${client}/sessions/${session}`,
	}),
	drain: (id) => ({
		title: `Drain connection ${id}?`, yes: "Drain connection", done: `Connection ${id} is draining`,
		text: "Requests that run are finished, new ones have to wait, then it is closed. The client connects again when it needs to.",
		method: "POST", path: `/api/v1/connections/${id}/drain`,
	}),
	undrain: (id) => ({
		title: `Stop draining connection ${id}?`, yes: "Stop draining", done: `Connection ${id} serves again`, mild: true,
		text: "The connection takes new requests again.",
		method: "DELETE", path: `/api/v1/connections/${id}/drain`,
	}),
};

// Shows a dialog until it is closed
async function shown(id) {
	const dialog = $(id);
	dialog.returnValue = "";
	dialog.showModal();
	await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
	return dialog.returnValue;
}

async function carryOut({ title, text, yes, done, mild, method, path }) {
	put($("ask-title"), title);
	put($("ask-text"), text);
	put($("ask-yes"), yes);
	$("ask-yes").className = mild ? "main" : "danger";
	if (await shown("ask") !== "yes") return;
	try {
		await api.ask(path, method);
		say(done);
	} catch (why) {
		say(`Refused: ${why instanceof api.Refused ? why.message : "the server does not answer"}`);
	}
	soon(0, true);
}

const ACTS = {
	sort: (key) => {
		view.descending = view.column === key ? !view.descending : !["name", "address", "version"].includes(key);
		Object.assign(view, { column: key, page: 0 });
	},
	pick: (id) => { view.picked = view.picked === id ? null : id; },
	close: () => {
		const pick = view.picked && document.querySelector(`.pick[data-id="${CSS.escape(view.picked)}"]`);
		view.picked = null;
		pick?.focus();
	},
	view: (kind) => Object.assign(view, { chosen: true, picture: kind === "picture", page: 0 }),
	turn: (by) => { view.page += Number(by); },
	show: (kind) => {
		Object.assign(view, { trouble: kind, page: 0 });
		$("trouble").value = kind;
		$("clients").focus();
	},
	dismiss: () => { model.lost = 0; },
	all: (_, button) => { button.previousElementSibling.dataset.all = "yes"; },
};

document.addEventListener("click", (event) => {
	const button = event.target.closest("[data-act]");
	if (!button) return;
	const { act, id, client } = button.dataset;
	if (CHANGES[act]) return carryOut(CHANGES[act](id, client));
	ACTS[act](id, button);
	render();
	if (act === "pick" && view.picked) opened();
});

function opened() {
	soon(0, true);
	if (matchMedia("(min-width: 1100px)").matches) return;
	$("details-name").focus();
	$("details").scrollIntoView({ block: "start" });
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(0, false); });
document.addEventListener("keydown", (event) => {
	if (event.key === "Escape" && view.picked && !document.querySelector("dialog[open]")) $("close").click();
	const row = event.target.closest?.(".pick") && event.target.closest("tr");
	const next = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling };
	if (!row || !(event.key in next)) return;
	next[event.key]?.querySelector(".pick").focus();
	event.preventDefault();
});

for (const name of ["text", "version", "trouble"]) {
	$(name).addEventListener("input", () => {
		Object.assign(view, { [name]: $(name).value, page: 0 });
		render();
	});
}

api.onToken(async (wrong) => {
	put($("token-wrong"), wrong ? "The server does not know this token." : "");
	$("token-value").value = "";
	for (;;) {
		await shown("token");
		const token = $("token-value").value.trim();
		// A header has visible ASCII only.
		if (/^[!-~]+$/.test(token)) return token;
		put($("token-wrong"), "A token has visible ASCII characters only.");
	}
});

put($("where"), location.host);
for (const [value, text] of Object.entries({ "": "All clients", any: "Any trouble", ...figures.KINDS })) $("trouble").append(el("option", { value, text }));
render();
soon(0, true);
api.follow(happened, (fault) => {
	model.streamFault = model.away ? null : fault;
	if (fault === null) soon(50, true);
});
