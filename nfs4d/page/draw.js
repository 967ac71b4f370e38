// Elements are made once and updated in place, so that focus and selection stay.
// Text from clients enters by textContent and attributes alone.

import { format, isAlarming, leaseWords, levelOf, sparkline } from "./figures.js";

const { count } = format;

// An element of a tag and a class, as "li.lane"; `text` is among the attributes.
export function el(kind, attributes = {}, ...children) {
	const [tag, style] = kind.split(".");
	const svg = ["svg", "polyline"].includes(tag);
	const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
	if (style) node.className = style;
	for (const [name, value] of Object.entries(attributes)) {
		if (name === "text") node.textContent = value;
		else node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}

const els = (kinds) => kinds.split(" ").map((kind) => el(kind));

export function put(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

// null takes the attribute away.
export function mark(node, name, value) {
	if (value === null) node.removeAttribute(name);
	else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const parts = new WeakMap();

// Makes the children of `parent` those of `items`
export function sync(parent, items, keyOf, make) {
	const old = parts.get(parent) ?? new Map();
	const fresh = new Map(items.map((item) => [keyOf(item), item]));
	for (const [key, part] of old) if (!fresh.has(key)) part.root.remove();
	let at = parent.firstElementChild;
	for (const [key, item] of fresh) {
		const part = old.get(key) ?? make(item);
		fresh.set(key, part);
		part.update?.(item);
		if (part.root === at) at = at.nextElementSibling;
		else parent.insertBefore(part.root, at);
	}
	parts.set(parent, fresh);
}

function act(name, text, id, client = "") {
	return el("button.act", { "data-act": name, "data-id": id, "data-client": client, text });
}

const hidden = { "aria-hidden": "true" };

function bar(name = "") {
	const fill = el("i");
	const root = el(`span.bar ${name}`, hidden, fill);
	return { root, set: (share) => { fill.style.width = `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(1)}%`; } };
}

const sign = () => el("span.mark", hidden);

export function fact([name]) {
	const value = el("dd");
	return { root: el("div", {}, el("dt", { text: name }), value), update: ([, text]) => put(value, text) };
}

export function clientCard({ id }) {
	const [name, where, impl, flow, held, leaseText, troubles, sessions] = els("h3 p p dl.flow p span ul.troubles ul.tree");
	const evict = act("evict", "Evict", id);
	const lease = bar("lease");
	const root = el("article.card", { tabindex: "-1", "data-card": id },
		el("div.who", {}, name, where, impl, flow, held, lease.root, el("p.title", {}, leaseText, evict), troubles),
		sessions, el("div.server", { ...hidden, text: "nfs4d" }));
	const update = (row) => {
		const { client, rate } = row;
		put(name, row.name);
		mark(name, "title", client.owner);
		mark(evict, "aria-label", `Evict client ${row.name}`);
		put(where, `${client.address ?? "no address"} · NFS ${client.nfs_version}`);
		put(impl, client.confirmed ? client.impl_name ?? "" : "not confirmed yet");
		mark(impl, "title", client.impl_name);
		sync(flow, [["Ops/s", format.rate(rate?.operations)], ["Latency", format.time(rate?.latency)],
			["Read", format.flow(rate?.read)], ["Written", format.flow(rate?.written)]], ([key]) => key, fact);
		put(held, `opens ${count(client.opens)} · locks ${count(client.locks)} · deleg. ${count(client.delegations)}`);
		lease.set(row.left / row.lease);
		put(leaseText, leaseWords(row));
		root.toggleAttribute("data-trouble", row.troubles.length);
		mark(root, "aria-label", `Client ${row.name}`);
		sync(troubles, row.troubles, (trouble) => trouble.text, troubleLine);
		sync(sessions, row.direct.length ? [...row.own, { client_id: id, connections: row.direct }] : row.own, (s) => s.session_id ?? "", sessionBox);
	};
	return { root, update };
}

function troubleLine({ level, text }) {
	return { root: el("li", { "data-level": level }, sign(), el("span", { text })) };
}

const BACK = { none: "no back channel", ok: "back channel", down: "back channel down", fault: "back channel failed" };

// A session, or the connections of a client of NFS 4.0, which has none
function sessionBox({ session_id: id, client_id: client }) {
	const [box, lanes, slotsText, back, hits] = els("div.box ul span p p");
	const more = act("all", "");
	const root = el("li.session", {}, box, lanes);
	if (!id) {
		box.append(el("p", { text: "NFS 4.0: no sessions" }));
		return { root, update: ({ connections }) => drawLanes(lanes, connections, more) };
	}
	const destroy = act("destroy", "Destroy", id, client);
	mark(destroy, "aria-label", `Destroy session ${id.slice(0, 8)}`);
	const slots = bar();
	const title = el("h4", { title: id }, "Session ", el("code", { text: id.slice(0, 8) }));
	box.append(el("div.title", {}, title, destroy), el("p.slots", {}, slots.root, slotsText), back, hits);
	const update = (session) => {
		const { outstanding, failed } = session.callbacks;
		slots.set(session.slots_in_use / session.fore_slots);
		put(slotsText, `${session.slots_in_use} of ${session.fore_slots} slots`);
		put(back, BACK[session.back_channel] ?? session.back_channel);
		mark(back, "data-back", session.back_channel);
		put(hits, `callbacks: ${outstanding} out, ${count(failed)} failed\nreplay hits: ${count(session.replay_hits)}`);
		drawLanes(lanes, session.connections, more);
	};
	return { root, update };
}

// Connections that are drawn of a session until all are asked for
const FEW = 16;

function drawLanes(lanes, connections, more) {
	const all = lanes.dataset.all || connections.length <= FEW;
	sync(lanes, all ? connections : connections.slice(0, FEW), (c) => c.connection_id, lane);
	put(more, `Show all ${connections.length} connections`);
	if (all) more.remove();
	else lanes.after(more);
}

// The client is on the left, the server on the right.
function lane({ connection_id: id, conn_type: kind }) {
	const [to, peer, left, label, right, from] = els("i.to span.peer i b i i.from");
	const drain = act("drain", "", id);
	const root = el("li.lane", {}, to, peer, left, label, right, drain, from);
	peer.title = `Connection ${id}, ${kind}`;
	const update = (c) => {
		const quiet = c.last_activity ? (serverNow() - Date.parse(c.last_activity)) / 1000 : null;
		const state = c.draining ? " · draining" : quiet > 4 ? ` · ${format.ago(quiet)}` : "";
		put(peer, c.peer ?? `connection ${id}`);
		put(label, c.direction + state);
		mark(drain, "data-act", c.draining ? "undrain" : "drain");
		put(drain, c.draining ? "Undrain" : "Drain");
		mark(drain, "aria-label", `${drain.textContent} connection ${id}, ${peer.textContent}`);
		mark(root, "data-direction", c.direction);
		root.toggleAttribute("data-busy", quiet !== null && !state);
		root.toggleAttribute("data-draining", c.draining);
	};
	return { root, update };
}

let serverNow = Date.now;

export function useClock(clock) {
	serverNow = clock;
}

// Columns of the list: the key, and the heading, short and in words
export const COLUMNS = [
	["trouble", "!", "Trouble"], ["name", "Client"], ["address", "Address"], ["version", "NFS", "NFS version"],
	["sessions", "Sess.", "Sessions"], ["connections", "Conn.", "Connections"], ["slots", "Slots", "Slots in use"],
	["operations", "Ops/s", "Operations per second"], ["read", "Read"], ["written", "Written"],
	["latency", "Latency", "Mean latency"], ["delegations", "Deleg.", "Delegations"], ["lease", "Lease", "Rest of the lease"],
];

export function listRow({ id }) {
	const pick = el("button.pick", { "data-act": "pick", "data-id": id });
	const [said, bars] = [el("span.unseen"), {}];
	const cells = COLUMNS.map(([key, head]) => {
		const text = el("span");
		const cell = el(`td.${key}`, { role: "cell", "data-head": head }, ...{ trouble: [sign(), said], name: [pick] }[key] ?? [text]);
		if (["slots", "operations", "lease"].includes(key)) cell.append((bars[key] = bar(key)).root);
		return [key, text, cell];
	});
	const root = el("tr", { role: "row" }, ...cells.map(([, , cell]) => cell));
	const update = (row) => {
		const { client, rate, troubles } = row;
		mark(root, "data-level", troubles.length ? levelOf(troubles) : null);
		put(said, troubles.map((trouble) => trouble.text).join("; ") || "none");
		mark(root.firstChild, "title", said.textContent);
		put(pick, row.name);
		mark(pick, "title", client.owner);
		mark(pick, "aria-pressed", row.selected);
		const texts = {
			address: client.address ?? "–", version: client.nfs_version, sessions: count(client.sessions),
			connections: count(row.lanes), slots: row.slots ? `${row.used}/${row.slots}` : "–",
			operations: format.rate(rate?.operations), read: format.flow(rate?.read), written: format.flow(rate?.written),
			latency: format.time(rate?.latency), delegations: count(client.delegations), lease: `${Math.round(row.left)} s`,
		};
		for (const [key, text] of cells) put(text, texts[key] ?? "");
		bars.slots.set(row.used / row.slots);
		bars.operations.set(rate?.operations / row.most);
		bars.lease.set(row.left / row.lease);
	};
	return { root, update };
}

// A figure, with a line of its last values or a bar
export function totalTile([label, , , history, share]) {
	const [value, note, line] = els("dd dd.note polyline");
	const root = el("div.tile", {}, el("dt", { text: label }), value, note);
	const fill = bar();
	const svg = el("svg", { viewBox: "0 0 100 24", preserveAspectRatio: "none" }, line);
	if (history) root.append(el("dd.spark", hidden, svg));
	if (share !== undefined) root.append(el("dd", {}, fill.root));
	const update = ([, now, more, , part]) => {
		put(value, now);
		put(note, more);
		if (history) mark(line, "points", sparkline(history, 100, 24));
		fill.set(part);
	};
	return { root, update };
}

export function warningLine({ id, kind, dismiss }) {
	const [word, text] = els("strong span.words");
	const root = el("li", {}, sign(), word, text);
	if (kind) root.append(act("show", "Show", kind));
	if (dismiss) root.append(act("dismiss", "Dismiss", id));
	const update = (warning) => {
		mark(root, "data-level", warning.level);
		put(word, warning.level === "fault" ? "Fault" : "Warning");
		put(text, warning.text);
	};
	return { root, update };
}

export function exportLine({ pseudo }) {
	const [words, fault] = els("span span.fault");
	const root = el("li", {}, el("strong", { text: pseudo }), words, fault);
	const update = (one) => {
		put(words, one.text);
		put(fault, one.fault ?? "");
		mark(root, "data-level", one.fault ? "fault" : null);
	};
	return { root, update };
}

export function eventLine({ at, kind }) {
	const said = el("span");
	const time = el("time", { datetime: at, text: new Date(at).toLocaleTimeString([], { hour12: false }) });
	return { root: el("li", { "data-alarming": isAlarming(kind) }, time, said), update: ({ text }) => put(said, text) };
}
