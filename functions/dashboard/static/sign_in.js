// Takes the website's access token out of the address's fragment, which no server ever sees, and makes a session of it.

const place = document.getElementById("sign-in");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function show(text, button) {
  const shown = Object.assign(document.createElement("p"), { className: "notice warn", textContent: text });
  shown.setAttribute("role", "alert");
  place.replaceChildren(...(button ? [shown, button] : [shown, ...place.childNodes]));
}

/** The client an access token speaks for, for people to read; the server alone decides whether it is good. */
function clientOf(jwt) {
  try {
    return JSON.parse(atob(jwt.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sub;
  } catch {
    return "somebody";
  }
}

async function signIn() {
  try {
    const answer = await fetch(place.dataset.session, { method: "POST", headers: { Authorization: `Bearer ${token}`, Accept: "application/json" } });
    if (answer.ok) return location.replace(place.dataset.home);
    const body = await answer.json().catch(() => null);
    return show(body?.error ?? "Signing in did not work. Go back to the website and try again.");
  } catch {
    return show("There is no connection to the service. Load the page anew to try again.");
  }
}

if (token) {
  history.replaceState(null, "", location.pathname);
  const from = document.referrer && new URL(document.referrer).origin;
  if (from && place.dataset.websites.split(" ").includes(from)) signIn();
  else {
    // Any page can link to here with a token of its own; nobody is to be signed in as somebody else without seeing it.
    const button = Object.assign(document.createElement("button"), { className: "primary", textContent: "Continue" });
    button.addEventListener("click", signIn);
    show(`You are being signed in as client ${clientOf(token)}.`, button);
  }
}
