// Keeps the status page true while it is open. Without this file the page works as it is, with a reload.
const main = document.getElementById("main");
const said = document.getElementById("say");
let verdict = document.getElementById("verdict")?.textContent;
let last = null;

// a person who types, or reads inside an opened form, is not disturbed
function busy() {
  return main.querySelector("details[open]") !== null || document.activeElement?.matches("input, summary");
}

const stream = new EventSource("/api/v1/status/stream");
stream.addEventListener("status", (event) => {
  const html = JSON.parse(event.data);
  if (html === last || busy()) return;
  last = html;
  const answer = main.querySelector(".note"); // to what the person just did: stays until the page is left
  main.innerHTML = html;
  if (answer) main.querySelector(".verdict").after(answer);
  const now = document.getElementById("verdict").textContent;
  if (now !== verdict) said.textContent = verdict = now;
});
if (location.search) history.replaceState(null, "", location.pathname);
