// Keeps the booking page true while the terminal is asked, and gives the screen back when nobody touches it.
// Without this file the page still works: links, forms, and a refresh while somebody pays.
const root = document.documentElement;
const POLL_MS = 1_000;
const LEAVE_MS = 60_000; // without touch: back to the first screen
const SHORT_TOUCH_MS = 80; // rain, not a finger
let touchedAt = performance.now();
let press = null;

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

async function look() {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.documentElement.dataset.step === root.dataset.step) return;
  root.dataset.step = page.documentElement.dataset.step;
  for (const id of ["main", "second"]) document.getElementById(id).innerHTML = page.getElementById(id).innerHTML;
  touchedAt = performance.now();
  fit();
}

document.addEventListener("pointerdown", (event) => {
  touchedAt = performance.now();
  press = { at: performance.now(), touch: event.pointerType === "touch", first: event.isPrimary };
});
document.addEventListener("click", (event) => {
  const rain = event.detail > 0 && press?.touch && (!press.first || performance.now() - press.at < SHORT_TOUCH_MS);
  press = null;
  if (rain) event.preventDefault();
});
document.addEventListener("contextmenu", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  touchedAt = performance.now();
  if (event.key === " " && event.target.matches("a.btn")) { event.preventDefault(); event.target.click(); }
});
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button");
  if (button.getAttribute("aria-busy") === "true") event.preventDefault();
  else button.setAttribute("aria-busy", "true");
});

setInterval(() => {
  const waits = root.dataset.step === "paying" || root.dataset.step === "unknown";
  if (waits) look();
  else if (performance.now() - touchedAt > LEAVE_MS && location.pathname !== root.dataset.home) location.href = root.dataset.home;
}, POLL_MS);

addEventListener("resize", fit);
fit();
root.dataset.live = "";
