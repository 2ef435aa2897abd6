// Time as the server has it, and how people read it. Pure but for the two lines that read this machine's clocks.

let ahead = 0;

/** From now on the server's clock is known: it showed `moment` just now. A device's own clock may be wrong by hours. */
export function serverSays(moment) {
  const shown = Date.parse(moment);
  if (!Number.isNaN(shown)) ahead = shown - performance.now();
}

/** The server's time in milliseconds; it goes on evenly, whatever happens to the device's clock. */
export function serverNow() {
  return performance.now() + ahead;
}

/** `M:SS` for so many milliseconds, rounded up; never below `0:00`. */
export function minutesAndSeconds(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** `in 3 h`, `5 min ago`: rounded, in the largest unit that fits. */
export function fromNow(milliseconds) {
  const minutes = Math.round(Math.abs(milliseconds) / 60_000), hours = Math.round(minutes / 60);
  if (minutes === 0) return milliseconds >= 0 ? "in less than 1 min" : "just now";
  const words = minutes < 60 ? `${minutes} min` : hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
  return milliseconds >= 0 ? `in ${words}` : `${words} ago`;
}

/** A moment in a zone: `Mon 1 Jun, 17:45`; with its year if that is not this one's. */
export function inZone(moment, zone, now) {
  const year = (time) => new Intl.DateTimeFormat("en-GB", { year: "numeric", timeZone: zone }).format(time);
  const form = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: zone, hourCycle: "h23" };
  if (year(moment) !== year(now)) form.year = "numeric";
  return new Intl.DateTimeFormat("en-GB", form).format(moment);
}

/** Reader's zone as the browser knows it. */
export function ownZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** Write every `<time>` below `node` in the zone, and how far away it is. */
export function writeTimes(node, zone) {
  const now = serverNow();
  for (const time of node.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(time.dateTime);
    const text = `${inZone(moment, zone, now)} (${fromNow(moment - now)})`;
    if (time.textContent !== text) time.textContent = text;
  }
}
