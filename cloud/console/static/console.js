// Keeps a page true while it is open: the server sends the main part anew, and what differs is replaced, piece by piece.
// Without this file the page works as it is and loads itself again now and then.
const main = document.getElementById("main");
const say = document.getElementById("say");
const badge = document.getElementById("tasks-count");
let tasks = badge ? Number(badge.lastChild.textContent) : 0;

// the element that has the focus, as it will be called in the new part
function addressOf(element) {
  if (element === null || !main.contains(element)) return null;
  const href = element.getAttribute("href");
  return href ? `[href="${CSS.escape(href)}"]` : element.getAttribute("aria-label") ? `[aria-label="${CSS.escape(element.getAttribute("aria-label"))}"]` : null;
}

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? addressOf(document.activeElement) : null;
  const scrolled = [...old.querySelectorAll(".scroll")].map((e) => [e.scrollLeft, e.scrollTop]);
  old.replaceWith(fresh);
  [...fresh.querySelectorAll(".scroll")].forEach((e, i) => scrolled[i] && e.scrollTo(...scrolled[i]));
  if (focused) fresh.querySelector(focused)?.focus({ preventScroll: true });
}

function show(html) {
  const fresh = document.createElement("div");
  fresh.innerHTML = html;
  const parts = [...fresh.querySelectorAll("[data-part]")];
  const known = [...main.querySelectorAll("[data-part]")];
  if (parts.map((e) => e.dataset.part).join() !== known.map((e) => e.dataset.part).join()) {
    main.innerHTML = html; // a part came or went
  } else {
    parts.forEach((part, i) => part.outerHTML !== known[i].outerHTML && replace(known[i], part));
  }
  const count = Number(main.querySelector("[data-tasks]").dataset.tasks);
  if (badge) {
    badge.lastChild.textContent = String(count);
    badge.hidden = count === 0;
  }
  if (count > tasks) say.textContent = `${count} things need a person`;
  tasks = count;
}

const stream = new EventSource(main.dataset.stream);
stream.addEventListener("main", (event) => {
  document.documentElement.classList.remove("cut");
  show(JSON.parse(event.data));
});
stream.addEventListener("error", () => document.documentElement.classList.add("cut"));
document.getElementById("theme")?.addEventListener("change", (event) => event.target.form.submit());
