// Keeps the cards fresh: often while something happens, rarely otherwise, never while nobody looks.

import { serverSays } from "./time.js";

export const BUSY = 3_000;
export const QUIET = 60_000;
export const MOST_BUSY_ROUNDS = 20;

/** Milliseconds until the next look; null for none. */
export function pause({ hidden, busy, rounds }) {
  if (hidden) return null;
  return busy && rounds < MOST_BUSY_ROUNDS ? BUSY : QUIET;
}

/** Replaces what changed, keeps what did not: focus, and a card's note, stay where they are. True if anything changed. */
export function swap(place, fresh, whole) {
  const cards = (node) => [...node.querySelectorAll(".card")];
  const same = whole && cards(place).map((card) => card.id).join() === cards(fresh).map((card) => card.id).join();
  let changed = false;
  for (const card of cards(place)) {
    const other = fresh.querySelector(`#${CSS.escape(card.id)}`);
    if (other && other.dataset.mark !== card.dataset.mark) {
      exchange(card, other);
      changed = true;
    }
  }
  if (whole && !same) {
    const notes = new Map(cards(place).map((card) => [card.id, card.querySelector(".note")]));
    place.replaceChildren(...fresh.children);
    for (const card of cards(place)) if (notes.has(card.id)) card.querySelector(".note").replaceWith(notes.get(card.id));
    return true;
  }
  const old = place.querySelector("#held"), held = fresh.querySelector("#held");
  if (old && !held) old.remove();
  else if (old) old.replaceWith(held);
  else if (held && whole) place.querySelector(".heading").after(held);
  else if (held) place.prepend(held);
  return changed;
}

/** Puts a new card in an old one's place. */
export function exchange(card, other) {
  const active = card.contains(document.activeElement) ? document.activeElement : null;
  const act = active?.closest("form")?.dataset.act, href = active?.getAttribute("href");
  const note = card.querySelector(".note");
  // "Queued for sending" is no longer true once it has been sent; bad news stays until something else is said.
  if (note.classList.contains("good") && "busy" in card.dataset && !("busy" in other.dataset)) note.hidden = true;
  other.querySelector(".note").replaceWith(note);
  card.replaceWith(other);
  if (!active) return;
  const again = act ? other.querySelector(`form[data-act="${act}"] button`) ?? other.querySelector(".acts button:not(.primary)")
    : href ? other.querySelector(`a[href="${CSS.escape(href)}"]`) : active;
  (again ?? other.querySelector("h2 a")).focus();
}

/** Looks for news of the cards in `place`; `changed` is told of them, `trouble` of looks that failed. */
export class Live {
  constructor(place, { changed, trouble, held }) {
    Object.assign(this, { place, changed, trouble, held, rounds: 0, acts: 0, timer: 0, looking: false, stopped: false });
    this.whole = Boolean(place.dataset.mark);
    this.mark = place.dataset.mark ? `"${place.dataset.mark}"` : "";
    document.addEventListener("visibilitychange", () => {
      this.rounds = 0;
      if (document.hidden) clearTimeout(this.timer);
      else this.look();
    });
    addEventListener("online", () => this.look());
    this.plan();
  }

  /** Something was begun: look often again. */
  wake() {
    this.rounds = 0;
    this.acts += 1;
    this.plan();
  }

  plan() {
    clearTimeout(this.timer);
    const wait = pause({ hidden: document.hidden, busy: this.place.querySelector("[data-busy]") !== null, rounds: this.rounds });
    if (wait !== null && !this.stopped) this.timer = setTimeout(() => this.look(), wait);
  }

  async look() {
    if (this.looking || this.stopped) return;
    clearTimeout(this.timer);
    this.looking = true;
    this.rounds += 1;
    const acts = this.acts;
    try {
      const answer = await fetch(this.place.dataset.cards, { headers: this.mark ? { "If-None-Match": this.mark } : {}, cache: "no-store" });
      serverSays(answer.headers.get("Server-Time"));
      if (answer.status === 401) this.stopped = true;
      if (answer.status === 200) await this.take(answer, acts);
      this.trouble(answer.ok || answer.status === 304 ? 0 : answer.status);
    } catch {
      this.trouble(-1);
    } finally {
      this.looking = false;
      this.plan();
    }
  }

  /** What was asked for before the latest act may be older than what that act showed. */
  async take(answer, acts) {
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    if (this.held() || acts !== this.acts) return;
    this.mark = answer.headers.get("ETag") ?? "";
    swap(this.place, fresh, this.whole);
    this.changed();
  }
}
