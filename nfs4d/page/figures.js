// Pure functions of what the server answers.

const HISTOGRAM = "_nfs_compound_duration_seconds_bucket";

export function parseMetrics(text) {
	const samples = [];
	for (const line of text.split("\n")) {
		const found = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
		if (!found) continue;
		const labels = {};
		for (const [, name, value] of (found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
			labels[name] = value;
		}
		samples.push({ name: found[1], labels, value: number(found[3]) });
	}
	return samples;
}

const number = (text) => Number(text.replace("Inf", "Infinity"));

export const total = (items, of) => items.reduce((sum, item) => sum + of(item), 0);

// The sum of the samples whose name ends so, or null
export function sum(samples, ending) {
	const found = samples.filter((sample) => sample.name.endsWith(ending));
	return found.length ? total(found, (sample) => sample.value) : null;
}

// Counts of COMPOUNDs that took no longer than so many seconds
export function durations(samples) {
	const counts = new Map();
	for (const { name, labels, value } of samples) {
		if (!name.endsWith(HISTOGRAM)) continue;
		const bound = number(labels.le ?? "");
		counts.set(bound, (counts.get(bound) ?? 0) + value);
	}
	return [...counts].sort((a, b) => a[0] - b[0]);
}

// The quantile of what was counted between two readings, in seconds, or null
export function quantile(before, after, q) {
	const old = new Map(before);
	const grown = after.map(([bound, count]) => [bound, count - (old.get(bound) ?? 0)]);
	const all = grown.at(-1)?.[1];
	if (!(all > 0)) return null;
	let below = 0, floor = 0;
	for (const [bound, count] of grown) {
		if (count >= q * all) {
			if (bound === Infinity) return floor;
			return floor + (bound - floor) * ((q * all - below) / Math.max(count - below, 1));
		}
		[below, floor] = [count, bound];
	}
	return floor;
}

// What a client does per second, from two readings of its `traffic`
export function rates(before, after, seconds) {
	if (!before || !(seconds > 0)) return null;
	// A counter that has fallen is that of another server.
	const grown = (name) => Math.max(0, after[name] - before[name]);
	const compounds = grown("compounds");
	return {
		operations: grown("operations") / seconds,
		read: grown("bytes_read") / seconds,
		written: grown("bytes_written") / seconds,
		latency: compounds ? grown("busy_micros") / compounds / 1e6 : null,
	};
}

// In seconds
export function leaseLeft(client, leaseTime, now) {
	if (client.lease_status !== "active") return 0;
	const left = leaseTime - (now - Date.parse(client.last_renewal)) / 1000;
	return Math.min(leaseTime, Math.max(0, left));
}

export function leaseWords({ client, left, lease }) {
	return client.lease_status !== "active" ? "lease expired" : `lease: ${Math.round(left)} of ${lease} s left`;
}

// Clients with all that is drawn of them
export function rowsOf(model, now) {
	const sessions = Map.groupBy(model.sessions, (session) => session.client_id);
	const direct = Map.groupBy(model.connections, (connection) => connection.client_id);
	const lease = model.settings.lease_time ?? 90;
	return model.clients.map((client) => {
		const own = sessions.get(client.client_id) ?? [];
		const lanes = new Set(own.flatMap((s) => s.connections.map((c) => c.connection_id)));
		const row = {
			id: client.client_id, client, name: shortName(client.owner), own,
			slots: total(own, (s) => s.fore_slots), used: total(own, (s) => s.slots_in_use),
			// Connections without a session, as those of NFS 4.0.
			direct: (direct.get(client.client_id) ?? []).map((c) => ({ ...c, direction: "fore" })),
			rate: model.rates.get(client.client_id) ?? null,
			lease, left: leaseLeft(client, lease, now),
		};
		row.lanes = lanes.size + row.direct.length;
		row.troubles = troublesOf(row, model);
		return row;
	});
}

function troublesOf({ client, own, lease, left }, { settings, shared }) {
	const troubles = [];
	const add = (kind, level, text) => troubles.push({ kind, level, text });
	const back = (state) => own.some((session) => session.back_channel === state);
	if (back("fault")) add("fault", "fault", "callbacks have failed for good");
	if (back("down")) add("down", "warning", "no connection for callbacks");
	if (client.comebacks || shared.has(client.owner)) add("shared", "warning", "another client uses this owner name");
	if (client.lease_status === "expired") add("expiry", "fault", "the lease has expired");
	else if (client.lease_status === "courtesy") add("expiry", "warning", "lease expired, state kept");
	else if (left < lease / 5) add("expiry", "warning", "silent: the lease ends soon");
	const full = (count, limit, what) => {
		if (limit > 0 && count >= limit) add("limit", "warning", `${count} of ${limit} ${what}`);
	};
	full(own.length, settings.v4_sessions_per_client, "sessions");
	full(client.opens, settings.max_opens_per_client, "opens");
	full(client.delegations, settings.max_delegations_per_client, "delegations");
	const most = Math.max(0, ...own.map((session) => session.connection_summary.total));
	full(most, settings.v4_max_connections_per_session, "connections of a session");
	return troubles;
}

export const KINDS = {
	fault: "Callbacks have failed for good",
	down: "No connection for callbacks",
	shared: "Clients replace each other under one owner name",
	expiry: "Leases have ended or end soon",
	limit: "Clients at a limit",
};

const faulty = (troubles) => troubles.some((trouble) => trouble.level === "fault");
export const levelOf = (troubles) => (faulty(troubles) ? "fault" : "warning");

// What to warn of, the worst first; its kind filters the list of clients
export function warningsOf(rows, { shared, lost, streamFault, away, samples, settings, total }) {
	const warnings = [];
	const add = (id, level, text, more) => warnings.push({ id, level, text, ...more });
	for (const [kind, title] of Object.entries(KINDS)) {
		const isSuch = (trouble) => trouble.kind === kind;
		const some = rows.filter((row) => row.troubles.some(isSuch));
		if (!some.length) continue;
		const level = levelOf(some.flatMap((row) => row.troubles.filter(isSuch)));
		const names = some.slice(0, 3).map((row) => row.name).join(", ");
		const more = some.length > 3 ? ` and ${some.length - 3} more` : "";
		add(kind, level, `${title}: ${names}${more}`, { kind });
	}
	for (const [owner] of shared) {
		if (rows.some((row) => row.client.owner === owner)) continue;
		add(`shared ${owner}`, "warning", `${KINDS.shared}: ${shortName(owner)}`);
	}
	const limit = (name, count, most) => {
		if (count === null || !(most > 0) || count < 0.9 * most) return;
		const text = `${name}: ${format.count(count)} of at most ${format.count(most)}`;
		add(`limit ${name}`, count >= most ? "fault" : "warning", text);
	};
	limit("Clients", total, settings.max_clients);
	limit("Sessions", sum(samples, "_nfs_sessions_active"), settings.max_sessions);
	limit("Delegations", sum(samples, "_nfs_delegations_active"), settings.max_delegations);
	limit("Bytes of the reply cache", sum(samples, "_nfs_replay_cache_bytes"), settings.max_reply_cache);
	if (lost) add("lost", "warning", `${format.count(lost)} events were lost: the page read too slowly`, { dismiss: true });
	if (streamFault && !away) add("stream", "warning", `No live events: ${streamFault}`);
	return warnings.sort((a, b) => (a.level === "fault" ? 0 : 1) - (b.level === "fault" ? 0 : 1));
}

export function filterRows(rows, { text = "", version = "", trouble = "" }) {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean);
	return rows.filter(({ client, troubles }) => {
		if (version && client.nfs_version !== version) return false;
		if (trouble && !troubles.some(({ kind }) => trouble === "any" || kind === trouble)) return false;
		const hay = [client.owner, client.address, client.client_id, client.impl_name].join(" ").toLowerCase();
		return words.every((word) => hay.includes(word));
	});
}

// What a column is ordered by, if it is not a rate
const SORT = {
	name: (row) => row.name.toLowerCase(),
	address: (row) => (row.client.address ?? "").replace(/\d+/g, (digits) => digits.padStart(5, "0")),
	version: (row) => row.client.nfs_version,
	sessions: (row) => row.own.length,
	connections: (row) => row.lanes,
	slots: (row) => row.used,
	delegations: (row) => row.client.delegations,
	lease: (row) => row.left,
	trouble: (row) => row.troubles.length,
};

// The rows in the order of a column; equal ones by name and id
export function sortRows(rows, column, descending) {
	const key = SORT[column] ?? ((row) => row.rate?.[column] ?? 0);
	const keyed = rows.map((row) => [key(row), row]);
	const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
	keyed.sort(([a, one], [b, other]) =>
		(descending ? compare(b, a) : compare(a, b)) ||
		compare(SORT.name(one), SORT.name(other)) || compare(one.id, other.id));
	return keyed.map(([, row]) => row);
}

// One page of rows; pages count from 0
export function pageOf(rows, page, size) {
	const pages = Math.max(1, Math.ceil(rows.length / size));
	const at = Math.min(Math.max(0, page), pages - 1);
	return { rows: rows.slice(at * size, (at + 1) * size), page: at, pages };
}

// The host in an owner name of Linux
export function shortName(owner) {
	const linux = /^Linux NFSv4\.\d (\S+?)(\/.*)?$/.exec(owner);
	return (linux ? linux[1] : owner) || "(no name)";
}

// Complete server-sent events, and the rest of the text
export function parseStream(text) {
	const parts = text.replace(/\r\n?/g, "\n").split("\n\n");
	const rest = parts.pop();
	const events = [];
	for (const part of parts) {
		const event = { kind: "message", id: null, data: "" };
		for (const line of part.split("\n")) {
			const [, field, value] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
			if (field === "event") event.kind = value;
			else if (field === "id") event.id = value;
			else if (field === "data") event.data += value;
		}
		if (event.data) events.push(event);
	}
	return { events, rest };
}

const WORDS = {
	session_id: (id) => `session ${id.slice(0, 8)}`,
	connection_id: (id) => `connection ${id}`,
	owner: shortName,
	slots: (slots) => `${slots} slots`,
	times: (times) => `${times} times`,
	settings: (names) => names.join(", "),
};

export function describe({ kind, number, at, ...fields }, nameOf) {
	const said = Object.entries(fields).map(([name, value]) =>
		name === "client_id" ? nameOf(value) : (WORDS[name] ?? String)(value).replaceAll("_", " "));
	return `${kind[0].toUpperCase()}${kind.slice(1).replaceAll("_", " ")}: ${said.join(", ")}`;
}

// What an export is, and who uses it
export function exportWords({ path, memory, number, read_only: fixed, squash, networks, clients, opens }) {
	const files = path ?? (memory === null ? "memory" : `${format.bytes(memory)} of memory`);
	if (number === null) return `${files}: not served`;
	const hosts = networks.length ? `${networks[0].network}${networks.length > 1 ? ` and ${networks.length - 1} more` : ""}` : "all hosts";
	const squashed = { none: "no squash", root: "root squashed", all: "all squashed" }[squash] ?? squash;
	return `${files}: ${fixed ? "read-only" : "read-write"}, ${squashed}, ${hosts}; clients: ${format.count(clients)}, opens: ${format.count(opens)}`;
}

const ALARMING = ["shared_owner", "back_channel_lost", "back_channel_fault", "delegation_revoked"];
export const isAlarming = (kind) => ALARMING.includes(kind);

const scaled = (value, units, step, space) => {
	let at = 0;
	while (value >= step * 0.9995 && at < units.length - 1) [value, at] = [value / step, at + 1];
	const digits = at === 0 || value >= 99.95 ? 0 : 1;
	return value.toFixed(digits) + (units[at] ? space + units[at] : "");
};

// Numbers as text; what is not known is a dash
export const format = {
	count: (n) => (n == null ? "–" : Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f")),
	rate: (n) => (n == null ? "–" : n > 0 && n < 9.95 ? n.toFixed(1) : n < 9999.5 ? format.count(n) : scaled(n, ["", "k", "M", "G"], 1000, "")),
	bytes: (n) => (n == null ? "–" : scaled(n, ["B", "kB", "MB", "GB", "TB"], 1000, " ")),
	flow: (n) => (n == null ? "–" : n ? `${format.bytes(n)}/s` : "0"),
	time: (s) => {
		if (s == null) return "–";
		if (s < 0.9995e-3) return `${(s * 1e6).toFixed(0)} µs`;
		return s < 0.9995 ? `${(s * 1e3).toFixed(s < 0.09995 ? 1 : 0)} ms` : `${s.toFixed(1)} s`;
	},
	ago: (s) => (s < 1.5 ? "now" : s < 90 ? `${Math.round(s)} s ago` : s < 5400 ? `${Math.round(s / 60)} min ago` : `${Math.round(s / 3600)} h ago`),
};

// Points of a line through these values
export function sparkline(values, width, height) {
	const top = Math.max(...values, 1e-9);
	const step = width / Math.max(values.length - 1, 1);
	const y = (value) => (height - 1 - ((height - 2) * value) / top).toFixed(1);
	return values.map((value, at) => `${(at * step).toFixed(1)},${y(value)}`).join(" ");
}
