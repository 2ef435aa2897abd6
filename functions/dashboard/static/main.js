// Puts the page's parts together; everything here works without it, by forms and links.

import { Live } from "./live.js";
import { Actions } from "./resend.js";
import { minutesAndSeconds, ownZone, serverNow, serverSays, writeTimes } from "./time.js";

serverSays(document.documentElement.dataset.now);
const place = document.querySelector("[data-cards]");
const alert = document.getElementById("alert");
const said = document.getElementById("said");
let zone = stored("zone") === "UTC" ? "UTC" : ownZone();
let live, actions;

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function drawZone() {
  const shown = document.getElementById("zone");
  if (!shown) return;
  const other = zone === "UTC" ? ownZone() : "UTC";
  shown.textContent = `Times are in ${zone}. `;
  if (other !== zone) {
    const button = Object.assign(document.createElement("button"), { className: "plain", textContent: `Show ${other}` });
    button.addEventListener("click", () => {
      zone = other;
      try {
        localStorage.setItem("zone", zone === "UTC" ? "UTC" : "own");
      } catch {
        // Without storage the choice lasts as long as the page.
      }
      drawZone();
      writeTimes(document, zone);
      document.querySelector("#zone button").focus();
    });
    shown.append(button);
  }
}

/** Each running countdown; at its end the server is asked, and the button is free. */
function countDown() {
  for (const button of document.querySelectorAll("button[data-ready-at]")) {
    const left = Date.parse(button.dataset.readyAt) - serverNow();
    if (left > 0) {
      const text = `⏰ Wait ${minutesAndSeconds(left)}`;
      if (button.textContent !== text) button.textContent = text;
    } else {
      delete button.dataset.readyAt;
      button.dataset.press = "ready";
      button.removeAttribute("aria-disabled");
      button.textContent = "📬 Resend Messages";
      said.textContent = `${button.closest(".card").dataset.title}: messages can be resent again.`;
      const note = button.closest(".card").querySelector(".note.info");
      if (note) note.hidden = true;
      live?.look();
    }
  }
}

const states = new Map();

/** Says for those who cannot see it which pair stands how now. */
function announce() {
  for (const card of place.querySelectorAll(".card")) {
    const { id, dataset: { state, title } } = card;
    if (states.has(id) && states.get(id) !== state) said.textContent = `${title}: ${state}`;
    states.set(id, state);
  }
}

function redraw() {
  announce();
  writeTimes(document, zone);
  countDown();
}

function trouble(status) {
  if (!status) return alert.replaceChildren();
  const root = document.body.dataset.root;
  const text = status === 401 ? "Session expired. Please log in again. "
    : status < 0 ? "There is no connection to the service. What you see is from before; it is tried again by itself."
    : "The service does not answer as it should. What you see is from before; it is tried again by itself.";
  if (alert.textContent.startsWith(text.trim())) return;
  const shown = Object.assign(document.createElement("p"), { textContent: text });
  if (status === 401) shown.append(Object.assign(document.createElement("a"), { href: `${root}sign-in`, textContent: "Sign in" }));
  alert.replaceChildren(shown);
}

drawZone();
writeTimes(document, zone);
if (place) {
  const dialog = document.getElementById("confirm");
  actions = new Actions({
    dialog,
    root: document.body.dataset.root,
    acted: () => (redraw(), live.wake()),
    look: () => live.look(),
  });
  live = new Live(place, { changed: redraw, trouble, held: () => actions.asking || actions.underWay.size > 0 });
  redraw();
  setInterval(countDown, 250);
  setInterval(() => writeTimes(document, zone), 30_000);
  const pending = sessionStorage.getItem("pending");
  sessionStorage.removeItem("pending");
  if (pending) actions.ask(pending);
}
