// Resend, pause and resume: asked in a dialog, shown at once, taken back if the server says no.

import { exchange } from "./live.js";
import { fromNow, serverNow, serverSays } from "./time.js";

export const FALLBACK = "Failed to trigger broadcast. Please try again.";
export const OFFLINE = "Network error: this device has no connection to the service. Nothing may have been sent; look at the pair before you try again.";
export const SIGNED_OUT = "Session expired. Please log in again.";
export const GONE = "This pair is not here any more: it was ended, or it belongs to another account.";

/** What to say and which way on to offer, for an answer of this status; 0 is no answer at all. */
export function refusal(status, body) {
  if (status === 0) return { text: OFFLINE, kind: "bad", way: "again" };
  if (status === 401) return { text: SIGNED_OUT, kind: "bad", way: "sign in" };
  if (status === 404) return { text: GONE, kind: "bad", way: "list" };
  if (status === 429) return { text: body?.error ?? FALLBACK, kind: "info", way: "" };
  if (status === 409) return { text: body?.error ?? FALLBACK, kind: "info", way: "look" };
  return { text: body?.error ?? FALLBACK, kind: "bad", way: status === 403 ? "reload" : "again" };
}

/** POSTs a form as a page would, and answers the status and what the server says; status 0 when there was no answer. */
export async function post(address, form) {
  try {
    const answer = await fetch(address, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" } });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  } catch {
    return { status: 0, body: null };
  }
}

const cardOf = (id) => document.getElementById(`pair-${id}`);

/** The owner's actions on the cards of this page. */
export class Actions {
  constructor({ dialog, root, acted, look }) {
    Object.assign(this, { dialog, root, acted, look, underWay: new Set() });
    document.addEventListener("submit", (event) => this.submitted(event));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.value === "cancel") dialog.close();
    });
    dialog.addEventListener("close", () => this.back());
  }

  /** A dialog is open: nothing may be taken from under it. */
  get asking() {
    return this.dialog.open;
  }

  submitted(event) {
    const form = event.target;
    if (form === this.dialog.firstElementChild) {
      event.preventDefault();
      const id = this.dialog.dataset.id;
      if (this.dialog.open) {
        this.dialog.close();
        this.act(id, "resend", form);
      }
    } else if (form.dataset.act) {
      event.preventDefault();
      const id = form.closest(".card").dataset.id;
      if (form.querySelector("button").getAttribute("aria-disabled") === "true") return;
      if (form.dataset.act === "resend") this.ask(id);
      else this.act(id, form.dataset.act, form);
    }
  }

  /** The question before a Resend. */
  ask(id) {
    const card = cardOf(id);
    if (!card || this.dialog.open || this.underWay.has(id)) return;
    this.dialog.dataset.id = id;
    this.dialog.querySelector('[data-fill="title"]').textContent = card.dataset.title;
    const since = card.dataset.replaces;
    this.dialog.querySelector('[data-fill="replaces"]').textContent = since
      ? `They replace the messages that stand there now, sent ${fromNow(Date.parse(since) - serverNow())}: those are deleted once the new ones are posted.`
      : "";
    this.dialog.showModal();
  }

  back() {
    cardOf(this.dialog.dataset.id)?.querySelector('form[data-act="resend"] button').focus();
  }

  async act(id, what, form) {
    if (this.underWay.has(id)) return;
    this.underWay.add(id);
    const card = cardOf(id), button = card.querySelector(`form[data-act="${what}"] button`), before = button.textContent;
    this.say(id, "", "");
    button.setAttribute("aria-disabled", "true");
    if (what === "resend") button.textContent = "⏳ Sending...";
    const restore = what === "resend" ? queued(card) : () => {};
    const { status, body } = await post(`${this.root}pairs/${id}/${what}`, form);
    this.underWay.delete(id);
    serverSays(body?.server_time ?? "");
    if (status === 200 && body) {
      const fresh = new DOMParser().parseFromString(body.card, "text/html").querySelector(".card");
      exchange(cardOf(id), fresh);
      this.say(id, body.message, body.warnings?.length ? "info" : "good");
    } else {
      restore();
      const found = refusal(status, body);
      const current = cardOf(id)?.querySelector(`form[data-act="${what}"] button`);
      if (current === button) {
        button.removeAttribute("aria-disabled");
        button.textContent = before;
      }
      if (status === 429) this.wait(id, body?.retry_after_seconds || 300);
      this.say(id, found.text, found.kind, () => this.way(found.way, id, what));
    }
    this.acted();
  }

  /** The button counts down to when the server will take another press. */
  wait(id, seconds) {
    const button = cardOf(id)?.querySelector('form[data-act="resend"] button');
    button?.setAttribute("aria-disabled", "true");
    if (button) Object.assign(button.dataset, { press: "waiting", readyAt: new Date(serverNow() + seconds * 1000).toISOString() });
  }

  /** What the card says until something else is said; never gone by itself if it is bad news. */
  say(id, text, kind, way) {
    const note = cardOf(id)?.querySelector(".note");
    if (!note) return;
    note.hidden = !text;
    note.className = `note ${kind}`;
    note.setAttribute("role", kind === "bad" ? "alert" : "status");
    note.replaceChildren(...(text ? [Object.assign(document.createElement("span"), { textContent: text }), ...(way?.() ?? [])] : []));
  }

  /** Ways on, as a button or a link. */
  way(kind, id, what) {
    const link = (text, href) => [Object.assign(document.createElement("a"), { textContent: text, href, className: "button" })];
    const button = (text, press) => {
      const made = Object.assign(document.createElement("button"), { textContent: text, type: "button" });
      made.addEventListener("click", press);
      return [made];
    };
    if (kind === "sign in") {
      if (what === "resend") sessionStorage.setItem("pending", id);
      return link("Sign in", `${this.root}sign-in`);
    }
    if (kind === "list") return link("Reload the list", this.root || "./");
    if (kind === "reload") return button("Reload", () => location.reload());
    if (kind === "look") return button("Look again", () => (this.say(id, "", ""), this.look()));
    if (kind === "again") {
      return button("Try again", () => {
        if (what === "resend") return this.ask(id);
        const again = cardOf(id)?.querySelector(`form[data-act="${what}"] button`);
        if (again) again.click();
        else this.say(id, "", ""); // it was done after all
      });
    }
    return [];
  }
}

/** Shows the card as queued before the server has answered; the answer's card takes its place, or this is undone. */
function queued(card) {
  const shown = card.querySelector(".head .state");
  const kept = [shown.className, shown.lastChild.textContent];
  shown.className = "state queued";
  shown.lastChild.textContent = "Queued…";
  return () => {
    shown.className = kept[0];
    shown.lastChild.textContent = kept[1];
  };
}
