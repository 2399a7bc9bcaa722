// Keeps the kiosk's page true: takes what changed from the stream, acts on release, and says so when the line is gone.
// Without this file the page still works: forms and links, and a refresh.
const root = document.documentElement;
const $ = (id) => document.getElementById(id);
const LATE_MS = 6_000; // the stream beats every 2 s
const LOST_MS = 20_000;
const LEAVE_MS = 60_000; // without touch: back to the first screen
const SHORT_TOUCH_MS = 80; // rain, not a finger
const RETRY_MS = [500, 1_000, 2_000, 4_000];

const lane = encodeURIComponent(root.dataset.lane);
let language = root.lang;
let contrast = "contrast" in root.dataset;
let daylight = contrast ? "light" : root.dataset.theme;
let heardAt = performance.now();
let touchedAt = performance.now();
let stream = null;
let tries = 0;
let shown = {};

function put(id, html) {
  if (shown[id] === html) return false;
  const held = document.activeElement && $(id).contains(document.activeElement) ? document.activeElement.id : null;
  shown[id] = html;
  $(id).innerHTML = html;
  if (held && $(held)) $(held).focus();
  return true;
}

// a longer language never scrolls: the part between signal and foot gets smaller, in two steps
function fit() {
  const body = document.querySelector(".body");
  body.classList.remove("tight", "tighter");
  for (const step of ["tight", "tighter"]) {
    if (body.scrollHeight <= body.clientHeight + 1) return;
    body.classList.remove("tight");
    body.classList.add(step);
  }
}

function show(parts) {
  heard(parts);
  put("second", parts.second);
  const first = shown.say === undefined;
  if (put("main", parts.main)) {
    fit();
    if (!first && shown.say !== parts.say) $("say").textContent = parts.say;
    shown.say = parts.say;
  }
  if (root.dataset.screen !== parts.screen) root.dataset.screen = parts.screen;
  root.dataset.live = "";
}

function heard({ clock, theme }) {
  heardAt = performance.now();
  tries = 0;
  $("clock").textContent = clock;
  daylight = theme;
  dress();
  age();
}

function dress() {
  const theme = contrast ? "contrast" : daylight;
  if (root.dataset.theme !== theme) root.dataset.theme = theme;
  $("contrast").setAttribute("aria-pressed", String(contrast));
}

// keep the old content and say how old it is; after LOST_MS the words that need no line
function age() {
  const silent = performance.now() - heardAt;
  const late = $("late");
  if (late.hidden && silent > LATE_MS) {
    const words = late.querySelector("[data-pattern]");
    words.textContent = words.dataset.pattern.replace("{clock}", $("clock").textContent);
  }
  late.hidden = silent <= LATE_MS;
  $("lost").hidden = silent <= LOST_MS;
}

function listen() {
  stream?.close();
  stream = new EventSource(`/api/v1/lanes/${lane}/stream?screen=${language}`);
  stream.addEventListener("screen", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("beat", (event) => heard(JSON.parse(event.data)));
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    setTimeout(listen, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

function choose(open) {
  $("languages").hidden = !open;
  $("language").setAttribute("aria-expanded", String(open));
}

async function speak(code) {
  const answer = await fetch(`/kiosk/${lane}?lang=${code}`).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  language = root.lang = page.documentElement.lang;
  root.dir = page.documentElement.dir;
  for (const id of ["lane", "language", "help", "languages", "lost", "late", "second", "main"]) {
    $(id).innerHTML = page.getElementById(id).innerHTML;
  }
  $("contrast").setAttribute("aria-label", page.getElementById("contrast").getAttribute("aria-label"));
  shown = {};
  choose(false);
  listen();
}

async function send(form) {
  const button = form.querySelector("button");
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  const stopped = AbortSignal.timeout(5_000);
  await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual", signal: stopped }).catch(() => null);
  button.removeAttribute("aria-busy");
}

// a touch counts when it is the first finger, long enough, and released on the button it began on
let press = null;
document.addEventListener("pointerdown", (event) => {
  touchedAt = performance.now();
  if (!event.isPrimary) return;
  press = { at: performance.now(), button: event.target.closest(".btn"), touch: event.pointerType === "touch" };
  press.button?.classList.add("pressed");
});
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => press?.button?.classList.remove("pressed"));
}
document.addEventListener("contextmenu", (event) => event.preventDefault());
document.addEventListener("click", (event) => {
  const button = event.target.closest(".btn");
  if (!button) return;
  const rain = event.detail > 0 && press?.touch && performance.now() - press.at < SHORT_TOUCH_MS;
  press = null;
  if (rain) event.preventDefault();
  else if (button.id === "language") { event.preventDefault(); choose($("languages").hidden); }
  else if (button.id === "contrast") { event.preventDefault(); contrast = !contrast; dress(); }
  else if (button.closest("#languages")) { event.preventDefault(); speak(button.lang); }
});
document.addEventListener("keydown", (event) => {
  touchedAt = performance.now();
  if (event.key === "Escape") choose(false);
  if (event.key === " " && event.target.matches("a[role=button]")) { event.preventDefault(); event.target.click(); }
});
document.addEventListener("submit", (event) => { event.preventDefault(); send(event.target); });

// when the car has left and nobody has touched the screen for a minute, the next driver finds the first language and theme
setInterval(() => {
  age();
  if (performance.now() - touchedAt < LEAVE_MS || root.dataset.screen !== "idle") return;
  choose(false);
  if (contrast) { contrast = false; dress(); }
  if (language !== root.dataset.defaultLanguage) { touchedAt = performance.now(); speak(root.dataset.defaultLanguage); }
}, 1_000);

if (location.search) history.replaceState(null, "", location.pathname);
addEventListener("resize", fit);
dress();
fit();
listen();
