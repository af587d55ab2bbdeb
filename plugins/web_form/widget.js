(async C => {
"use strict";
// One <script> tag of a site. What is decided here, and why: plugins/web_form/widget.py.
const S = document.currentScript, D = S.dataset, [BASE, asked] = S.src.split("/form.js");
const told = (D.lang || document.documentElement.lang || "uk").slice(0, 2).toLowerCase();
const lang = told === "uk" || told === "ru" ? "uk" : "en";
const make = (tag, props = {}, ...inside) => {
  const made = document.createElement(tag);
  for (const key in props) key in made ? made[key] = props[key] : made.setAttribute(key, props[key]);
  made.append(...inside);
  return made;
};
// This file holds one kind in one language; another one's texts are fetched.
const query = asked || `?kind=${encodeURIComponent(D.kind || C.name)}&lang=${lang}`;
if (!asked && (lang !== C.lang || D.kind && D.kind !== C.name)) try {
  C = await (await fetch(BASE + "/form.json" + query, {credentials: "omit"})).json();
} catch (error) {}
const T = C.texts, K = C.kind, fields = {}, memory = {};
const host = make("hub-form", {lang: C.lang}), root = host.attachShadow({mode: "open"});
let busy, current, token, blocked, timer, wait = 5e3;

// What is kept until it has arrived; where there is no IndexedDB, as long as the page lives.
const store = (mode, work) => new Promise((done, fail) => {
  const open = indexedDB.open("hub-form", 1);
  open.onupgradeneeded = () => open.result.createObjectStore("kept", {keyPath: "id"});
  open.onerror = fail;
  open.onsuccess = () => {
    const turn = open.result.transaction("kept", mode), got = work(turn.objectStore("kept"));
    turn.oncomplete = () => { open.result.close(); done(got.result); };
    turn.onabort = fail;
  };
}).catch(() => []);
const keep = item => { memory[item.id] = item; return store("readwrite", kept => kept.put(item)); };
const drop = item => { delete memory[item.id]; return store("readwrite", kept => kept.delete(item.id)); };
const all = async () => {
  for (const item of await store("readonly", kept => kept.getAll())) memory[item.id] ||= item;
  return Object.values(memory);
};

// "sent", "later", or why not.
const send = async item => {
  const body = new FormData(), headers = {"Idempotency-Key": item.id};
  for (const [key, value] of item.fields) body.append(key, value);
  if (token) headers["CF-Turnstile-Response"] = token;
  let end = "later";
  try {
    const answer = await fetch(item.url, {method: "POST", body, headers, credentials: "omit", signal: AbortSignal.timeout(12e4)});
    const status = answer.status;
    if (answer.ok) { end = "sent"; await drop(item); }
    else if (status < 500 && status !== 408 && status !== 429) end = (await answer.json().catch(() => 0)).reason || "?";
  } catch (error) {
    await new Promise(go => setTimeout(go, 60));
  }
  token = "";
  if (C.site && window.turnstile) turnstile.reset();
  return end;
};
const again = soon => {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    wait = Math.min(wait * 2, 3e5);
    let left = busy;
    if (!busy) for (const item of await all()) {
      if (item.at < Date.now() - 6048e5) { drop(item); continue; }
      const end = await send(item);
      if (end === "sent") item.id === current ? finish() : say(T.late);
      else if (end === "later" || end === "captcha") left = 1;
      else { drop(item); back(item, end); }
    }
    if (left) again();
  }, soon || wait);
};

// What the visitor sees.
const note = make("p", {role: "status", className: "note"});
const form = make("form", {noValidate: true, "aria-labelledby": "title"}, make("h2", {id: "title", textContent: K.title}));
const box = make("div", {}, form, note);
const say = text => { note.textContent = text || ""; };
const back = (item, why) => {
  for (const [key, value] of item.fields) if (fields[key] && fields[key].type !== "file") fields[key].value = value;
  form.hidden = false;
  say(T.no[why] || T.no[""]);
};
const finish = () => {
  host.dispatchEvent(new CustomEvent("hub-form-sent", {bubbles: true, detail: {kind: C.name}}));
  if (/^(https?:\/\/|\/)/.test(K.done)) return location.assign(new URL(K.done, BASE));
  const end = make("div", {tabIndex: -1}, make("h2", {textContent: T.thanks}), make("p", {textContent: K.done}));
  say();
  form.hidden = true;
  box.append(end);
  end.focus();
};
const wrong = (key, input, value) => {
  if (!value) return input.required ? T.fill : "";
  if (key === "phone" && !/(\d\D*){7}/.test(value)) return T.phone;
  return key === "email" && !/^\S+@\S+\.\S+$/.test(value) ? T.email : "";
};
const right = () => {
  let first;
  for (const key in fields) {
    const input = fields[key], said = wrong(key, input, input.value.trim());
    input.nextSibling.textContent = said;
    input.setAttribute("aria-invalid", !!said);
    if (said) first ||= input;
  }
  if (first) first.focus();
  return !first;
};
form.onsubmit = async event => {
  event.preventDefault();
  if (busy || !right()) return;
  busy = true;
  form.setAttribute("aria-busy", true);
  say(T.sending);
  const id = [...crypto.getRandomValues(new Uint32Array(4))].join("-");
  const sent = [...new FormData(form), ["page", location.href], ["referrer", document.referrer]];
  const item = {id, url: BASE + query, at: Date.now(), fields: sent.filter(([, value]) => value.name ? value.size : value.trim && value)};
  current = id;
  await keep(item);
  const end = await send(item);
  busy = false;
  form.removeAttribute("aria-busy");
  if (end === "sent") return finish();
  if (end === "later" && !blocked) { form.hidden = true; say(T.kept); return again(); }
  drop(item);
  back(item, end);
  if (blocked) note.replaceChildren(make("a", {href: BASE + "/form" + query, textContent: T.page}));
};
const types = {phone: "tel", email: "email", files: "file"}, fills = {name: "name", phone: "tel", email: "email", organisation: "organization"};
for (const one of K.inputs) {
  const key = one.replace("*", ""), area = key === "message", file = key === "files", said = key + "-said";
  const input = make(area ? "textarea" : "input", {id: key, name: key, required: key !== one, "aria-describedby": said, autocomplete: fills[key] || "off"});
  if (!area) input.type = types[key] || "text";
  file ? input.multiple = true : input.maxLength = area ? 2e4 : 200;
  fields[key] = input;
  const label = (area ? K.label : T.labels[key]) + (key !== one || file ? "" : " " + T.optional);
  form.append(make("div", {}, make("label", {htmlFor: key, textContent: label}), input, make("p", {id: said, className: "bad"})));
}
if (C.trap) form.append(make("input", {name: C.trap, hidden: true, autocomplete: "off"}));
form.append(make("slot"), make("button", {textContent: T.send}));
const build = () => {
  const sheet = new CSSStyleSheet(), target = D.target && document.querySelector(D.target);
  sheet.replaceSync(C.style);
  root.adoptedStyleSheets = [sheet];
  root.append(box);
  if (D.theme) host.setAttribute("theme", D.theme);
  if (D.accent) host.style.setProperty("--a", D.accent);
  if (target) target.append(host);
  else document.body.contains(S) ? S.after(host) : document.body.append(host);
  if (C.site) {
    const place = make("div"), load = make("script", {src: C.turnstile + "/turnstile/v0/api.js?render=explicit", nonce: S.nonce});
    host.append(place);
    load.onload = () => turnstile.render(place, {sitekey: C.site, language: C.lang, callback: got => { token = got; }, "expired-callback": () => { token = ""; }});
    document.head.append(load);
  }
  addEventListener("online", () => { wait = 5e3; again(1); });
  addEventListener("securitypolicyviolation", event => {
    if (event.effectiveDirective === "connect-src" && BASE.startsWith(new URL(event.blockedURI).origin)) blocked = true;
  });
  all().then(items => { if (items.length) again(C.site ? 4e3 : 1); });
};
document.readyState === "loading" ? addEventListener("DOMContentLoaded", build) : build();
})(CONFIG);
