// Passkeys: the one thing that pages cannot do without a script (WebAuthn Level 3).
// Every button with data-passkey names its ceremony; errors go into #problem, in words.
// Not here: decisions. What is signed comes from the server and is checked there.

const problem = document.getElementById("problem");
const label = document.getElementById("label");
let isBusy = false;

/** Time enough for the page to be replaced. */
const nextPage = () => new Promise((done) => setTimeout(done, 5000));

/** An answer of the server that says no, in its own words. */
class Refused extends Error {}

async function post(address, body) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const words = answer.error_description ?? "The server could not answer. Try again in a moment.";
  throw new Refused(answer.reference ? `${words} Reference: ${answer.reference}` : words);
}

function isSupported() {
  return (
    typeof PublicKeyCredential === "function" &&
    typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function" &&
    typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function"
  );
}

// Some servers' libraries wrap the options; mediation is ours to choose: the person has pressed a button.
const inner = (options) => options.publicKey ?? options;

async function use(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(inner(options));
  return encoded(await navigator.credentials.get({ publicKey }));
}

async function create(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(inner(options));
  return encoded(await navigator.credentials.create({ publicKey }));
}

/** Password managers that stand in for the browser answer with objects on which toJSON is missing or throws. */
function encoded(credential) {
  try {
    return credential.toJSON();
  } catch {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = base64url(credential.response[name]);
    }
    response.transports = credential.response.getTransports?.() ?? [];
    const { id, type, authenticatorAttachment } = credential;
    return { id, rawId: id, type, authenticatorAttachment, response, clientExtensionResults: credential.getClientExtensionResults() };
  }
}

function base64url(buffer) {
  const text = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const ceremonies = {
  "sign-in": async ({ start, finish, next }) => {
    const { ceremony, options } = await post(start, {});
    const answer = await post(finish, { ceremony, next, credential: await use(options) });
    location.assign(answer.next);
  },
  enroll: async ({ start, finish }) => {
    const { ceremony, options } = await post(start, { enrollment_token: enrollmentToken });
    const credential = await create(options);
    const answer = await post(finish, { ceremony, enrollment_token: enrollmentToken, label: label.value, credential });
    location.replace(answer.next);
  },
  // To the provider and back; the page that it comes back to is below.
  upstream: async ({ start, next, csrf }) => {
    location.assign((await post(start, { next, csrf })).next);
    await nextPage();
  },
  "enroll-upstream": async ({ start }) => {
    location.assign((await post(start, { enrollment_token: enrollmentToken })).next);
    await nextPage();
  },
  add: async ({ start, finish, csrf }) => {
    const { ceremony, options } = await post(start, { csrf });
    const answer = await post(finish, { csrf, ceremony, label: label.value, credential: await create(options) });
    location.assign(answer.next);
  },
  // A form, not a fetch: the answer is a page, and it is the server's.
  approve: async ({ options }) => {
    const form = document.getElementById("approval");
    const typed = document.getElementById("binding-data");
    if (typed && !typed.reportValidity()) return;
    if (typed) form.elements.binding_data.value = typed.value;
    form.elements.credential.value = JSON.stringify(await use(JSON.parse(options)));
    form.submit();
    await nextPage();
  },
};

function inWords(error, name) {
  const undone = name === "approve" ? "Nothing was approved. " : "";
  if (error instanceof Refused) return undone + error.message;
  switch (error.name) {
    case "NotAllowedError":
    case "AbortError":
      return `${undone}The passkey was cancelled, timed out, or is not on this device. You can try again.`;
    case "InvalidStateError":
      return "This device already holds a passkey of yours for this server. Use that one, or another device.";
    case "SecurityError":
      return `${undone}The browser allows no passkey at this address. Open the page by its proper name, over https.`;
    case "NotSupportedError":
    case "ConstraintError":
      return `${undone}This device cannot make a passkey with a PIN, fingerprint or face. Set a screen lock, or use another device.`;
    case "TypeError":
      return `${undone}The server could not be reached. Check the connection and try again.`;
    default:
      return `${undone}The browser could not use the passkey (${error.name}). You can try again.`;
  }
}

async function press(button) {
  if (isBusy) return;
  isBusy = true;
  button.setAttribute("aria-busy", "true");
  problem.textContent = "";
  try {
    await ceremonies[button.dataset.passkey](button.dataset);
  } catch (error) {
    problem.textContent = inWords(error, button.dataset.passkey);
    problem.scrollIntoView({ block: "nearest" });
  }
  button.removeAttribute("aria-busy");
  isBusy = false;
}

let enrollmentToken = "";

/** The token leaves the address bar at once: it opens an account, and people share addresses. */
async function openEnrollment(button) {
  if (location.hash.length > 1) {
    enrollmentToken = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
  }
  if (!enrollmentToken) {
    problem.textContent = "This page needs the whole link, with everything behind the #. Open it again as it was given to you.";
    return;
  }
  try {
    const { approver } = await post(button.dataset.start, { enrollment_token: enrollmentToken });
    document.querySelector("[data-approver]").textContent = approver;
    document.querySelector("[data-enrolling]").hidden = false;
    for (const every of document.querySelectorAll("[data-passkey]")) every.disabled = false;
    problem.textContent = "";
  } catch (error) {
    problem.textContent = inWords(error, "enroll");
  }
}

/** What an upstream provider sent along leaves the address bar, and is posted once. */
async function arrive({ finish }) {
  const sent = new URLSearchParams(location.search);
  history.replaceState(null, "", location.pathname);
  try {
    const { next } = await post(finish, { code: sent.get("code"), state: sent.get("state") ?? "", iss: sent.get("iss") });
    location.replace(next);
  } catch (error) {
    problem.textContent = inWords(error, "upstream");
  }
}

function begin() {
  const buttons = document.querySelectorAll("[data-passkey]");
  const arrived = document.querySelector("[data-arrived]");
  if (arrived) arrive(arrived.dataset);
  if (!isSupported()) {
    problem.textContent = "This browser is too old for passkeys. Open the page in a newer one.";
    return;
  }
  for (const button of buttons) {
    button.addEventListener("click", () => press(button));
    // Enter on a button is a click. On this one it must not be: approval is never a slip of the hand.
    if (button.dataset.passkey === "approve") {
      button.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    }
    if (button.dataset.passkey === "enroll") {
      openEnrollment(button);
      addEventListener("hashchange", () => openEnrollment(button));
    } else if (button.dataset.passkey !== "enroll-upstream") {
      button.disabled = false;
    }
  }
}

/** What is ticked and not shown yet is not what would be signed: it is shown first, or put back. */
function isShown(less) {
  const isAsWas = (field) =>
    field.type === "checkbox"
      ? field.checked === field.defaultChecked
      : [...(field.options ?? [])].every((option) => option.selected === option.defaultSelected);
  return [...less.elements].every(isAsWas);
}

const less = document.getElementById("less");
// A browser may bring back what was ticked on an earlier page.
less?.reset();
less?.addEventListener("change", () => {
  const approve = document.querySelector("[data-passkey=approve]");
  if (!approve) return;
  approve.disabled = !isShown(less) || !isSupported();
  problem.textContent = isShown(less) ? "" : "You have changed what to give. Have the request shown like this before you approve.";
});

// One act, sent once, however often it is pressed; again when no answer came.
addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "true";
  await nextPage();
  delete form.dataset.sent;
});
// A page that the back button brings from memory may show what is over.
addEventListener("pageshow", (event) => event.persisted && location.reload());

begin();
