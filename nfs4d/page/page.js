// Reads the server every two seconds and when an event tells of a change, and draws it.

import * as api from "./api.js";
import { COLUMNS, clientCard, el, eventLine, exportLine, fact, listRow, mark, put, sync, totalTile, useClock, warningLine } from "./draw.js";
import * as figures from "./figures.js";

const { format, shortName } = figures;
const $ = (id) => document.getElementById(id);

const PERIOD = 2_000;
// Maximum number of records that are asked for
const MOST = 5_000;
// More sessions than these are read every fifth time only.
const FEW_SESSIONS = 300;
const HISTORY = 60, LOG = 200, MOST_EXPORTS = 50;

const model = {
	clients: [], sessions: [], connections: [], samples: [], settings: {}, grace: null, exports: [],
	total: null, rates: new Map(), readings: new Map(), shared: new Map(), lost: 0, streamFault: null,
	histogram: null, p50: null, p99: null, away: null, offset: 0, loaded: false,
	history: { operations: [], read: [], written: [], p99: [] },
};
const view = {
	text: "", version: "", trouble: "", column: "operations", descending: true,
	page: 0, picked: null, chosen: null, picture: true, order: [], sorted: 0,
};
const log = [];

const serverNow = () => Date.now() + model.offset;
useClock(serverNow);

const clientOf = (id) => model.clients.find((client) => client.client_id === id);
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
			api.list("/api/v1/clients", MOST), api.getText("/metrics"),
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
	const readings = new Map();
	const rates = new Map();
	if (names.size > 4 * MOST) names.clear();
	for (const { client_id: id, traffic, owner } of rows) {
		names.set(id, shortName(owner));
		const before = model.readings.get(id);
		// Close readings say little of what flows.
		const early = before && at - before.at < 1_200;
		readings.set(id, early ? before : { traffic, at });
		const rate = early ? model.rates.get(id) : figures.rates(before?.traffic, traffic, (at - before?.at) / 1000);
		if (rate) rates.set(id, rate);
	}
	Object.assign(model, { readings, rates });
	if (model.histogram && at - model.histogram.at < 1_200) return;
	const counts = figures.durations(model.samples);
	if (model.histogram) {
		model.p50 = figures.quantile(model.histogram.counts, counts, 0.5);
		model.p99 = figures.quantile(model.histogram.counts, counts, 0.99);
		const total = (name) => [...rates.values()].reduce((all, rate) => all + rate[name], 0);
		const now = { operations: total("operations"), read: total("read"), written: total("written"), p99: model.p99 ?? 0 };
		for (const [name, values] of Object.entries(model.history)) {
			values.push(now[name]);
			if (values.length > HISTORY) values.shift();
		}
	}
	model.histogram = { counts, at };
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
	sync($("totals"), totals(rows), (tile) => tile.label, totalTile);
	drawClients(rows);
	drawPicked(rows);
	put($("exports-count"), model.loaded ? format.count(model.exports.length) : "");
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
	if (model.grace?.active) put($("grace"), `Grace period: ${model.grace.remaining_seconds} s left`);
	const title = `${warnings.length ? `(${warnings.length}) ` : ""}nfs4d ${location.host}`;
	if (document.title !== title) document.title = title;
}

function totals(rows) {
	const all = (of) => rows.reduce((total, row) => total + of(row), 0);
	const [used, slots] = [all((row) => row.used), all((row) => row.slots)];
	const now = (name) => model.history[name].at(-1) ?? null;
	const loose = model.connections.filter((c) => !c.sessions.length && !c.client_id).length;
	const out = model.sessions.reduce((total, s) => total + s.callbacks.outstanding, 0);
	const failed = figures.sum(model.samples, "_nfs_backchannel_callback_failures_total");
	const sessions = all((row) => row.client.sessions);
	const delegations = all((row) => row.client.delegations);
	return [
		{ label: "Clients", value: format.count(model.total), note: `sessions: ${format.count(sessions)}` },
		{ label: "Connections", value: format.count(model.connections.length), note: `unbound: ${format.count(loose)}` },
		{ label: "Operations/s", value: format.rate(now("operations")), history: model.history.operations },
		{ label: "Read", value: format.flow(now("read")), history: model.history.read },
		{ label: "Written", value: format.flow(now("written")), history: model.history.written },
		{ label: "Latency p99", value: format.time(model.p99), note: `p50 ${format.time(model.p50)}`, history: model.history.p99 },
		{ label: "Slots in use", value: format.count(used), note: `of ${format.count(slots)}`, share: used / slots },
		{ label: "Replay hits", value: format.count(figures.sum(model.samples, "_nfs_replay_hits_total")), note: "since the start" },
		{ label: "Delegations", value: format.count(delegations), note: `opens: ${format.count(all((row) => row.client.opens))}` },
		{ label: "Callbacks", value: format.count(out), note: `failed: ${format.count(failed)}` },
	];
}

function drawClients(rows) {
	const found = figures.filterRows(rows, view);
	if (!view.chosen) view.picture = rows.length <= (view.picture ? 12 : 8);
	const all = rows.length === found.length ? format.count(rows.length) : `${format.count(found.length)} of ${format.count(rows.length)}`;
	const rest = model.total > rows.length ? `, the first of ${format.count(model.total)}` : "";
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
	const button = el("button", { type: "button", "data-act": "sort", "data-id": key, title: `Sort by ${title ?? text}` }, text);
	if (title) mark(button, "aria-label", title);
	const root = el("th", { role: "columnheader", scope: "col", class: key }, button);
	const order = () => view.descending ? "descending" : "ascending";
	return { root, update: () => mark(root, "aria-sort", view.column === key ? order() : null) };
}

function drawPicked(rows) {
	const row = view.picture ? null : rows.find((one) => one.id === view.picked);
	$("details").hidden = !row;
	if (!row) return sync($("details-card"), [], String, clientCard);
	const { client } = row;
	put($("details-name"), row.name);
	sync($("details-card"), [row], (one) => one.id, clientCard);
	const facts = {
		"Client id": client.client_id, Owner: client.owner, Implementer: client.impl_domain ?? "unknown",
		"Last renewal": client.last_renewal,
	};
	sync($("facts"), Object.entries(facts), ([name]) => name, fact);
}

function say(text) {
	put($("said"), text);
	clearTimeout(say.timer);
	say.timer = setTimeout(() => put($("said"), ""), 6_000);
}

const CHANGES = {
	evict: (client) => {
		const { opens, locks, delegations } = clientOf(client) ?? {};
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

async function confirmed({ title, text, yes, mild }) {
	put($("ask-title"), title);
	put($("ask-text"), text);
	put($("ask-yes"), yes);
	$("ask-yes").className = mild ? "main" : "danger";
	$("ask").returnValue = "";
	$("ask").showModal();
	await new Promise((done) => $("ask").addEventListener("close", done, { once: true }));
	return $("ask").returnValue === "yes";
}

async function carryOut(change) {
	if (!(await confirmed(change))) return;
	try {
		await api.change(change.method, change.path);
		say(change.done);
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

function closeDetails() {
	const id = view.picked;
	view.picked = null;
	render();
	document.querySelector(`.pick[data-id="${CSS.escape(id ?? "")}"]`)?.focus();
}

function turnPage(by) {
	view.page += by;
	render();
}

function wire() {
	const on = (id, kind, act) => $(id).addEventListener(kind, act);
	const filter = (name) => () => {
		Object.assign(view, { [name]: $(name).value, page: 0 });
		render();
	};
	on("text", "input", filter("text"));
	on("version", "change", filter("version"));
	on("trouble", "change", filter("trouble"));
	const choose = (picture) => () => {
		Object.assign(view, { chosen: true, picture, page: 0 });
		render();
	};
	on("as-picture", "click", choose(true));
	on("as-list", "click", choose(false));
	on("earlier", "click", () => turnPage(-1));
	on("later", "click", () => turnPage(1));
	on("close", "click", closeDetails);
	document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(0, false); });
	document.addEventListener("keydown", (event) => {
		if (event.key === "Escape" && view.picked && !document.querySelector("dialog[open]")) closeDetails();
		const pick = event.target.closest?.(".pick");
		if (!pick || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
		const row = pick.closest("tr");
		const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
		next?.querySelector(".pick").focus();
		event.preventDefault();
	});
}

api.onToken(async (wrong) => {
	put($("token-wrong"), wrong ? "The server does not know this token." : "");
	$("token-value").value = "";
	for (;;) {
		$("token").showModal();
		await new Promise((done) => $("token").addEventListener("close", done, { once: true }));
		const token = $("token-value").value.trim();
		// A header has visible ASCII only.
		if (/^[!-~]+$/.test(token)) return token;
		put($("token-wrong"), "A token has visible ASCII characters only.");
	}
});

put($("where"), location.host);
for (const [value, text] of Object.entries({ "": "All clients", any: "Any trouble", ...figures.KINDS })) $("trouble").append(el("option", { value, text }));
wire();
render();
soon(0, true);
api.follow(happened, (fault) => {
	model.streamFault = model.away ? null : fault;
	if (fault === null) soon(50, true);
});
