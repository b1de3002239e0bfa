// Passkeys: form[data-passkey] names where to ask for what the browser signs; the answer goes into its [name=credential].
// Without this script, or in a browser that knows no passkeys, these forms stay hidden.
"use strict";
if (window.PublicKeyCredential) {
  const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  // The server writes bytes as base64url; the browser wants them as bytes.
  const read = (options) => {
    const named = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
    const read = { ...options, challenge: bytes(options.challenge) };
    if (options.user) read.user = { ...options.user, id: bytes(options.user.id) };
    if (options.allowCredentials) read.allowCredentials = named(options.allowCredentials);
    if (options.excludeCredentials) read.excludeCredentials = named(options.excludeCredentials);
    return read;
  };

  const written = ({ id, type, response }) => {
    const parts = PARTS.filter((name) => response[name]).map((name) => [name, text(response[name])]);
    return JSON.stringify({ id, rawId: id, type, response: Object.fromEntries(parts) });
  };

  const sign = async (form) => {
    const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value });
    const answer = await fetch(form.dataset.passkey, { method: "POST", body });
    // Led elsewhere: the session has ended, or the password is asked for again.
    if (answer.redirected) return location.assign(answer.url);
    if (!answer.ok) throw new Error(answer.statusText);
    const publicKey = read(await answer.json());
    const made = await navigator.credentials[publicKey.user ? "create" : "get"]({ publicKey });
    form.elements.credential.value = written(made);
    return form.submit();
  };

  document.querySelector("[data-passkey-absent]")?.remove();
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const failed = form.querySelector("[data-failed]");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.hasAttribute("aria-busy")) return;
      form.setAttribute("aria-busy", "true");
      failed.textContent = "";
      // Whatever it is (nothing chosen, no such passkey, no network), the person may try again.
      await sign(form).catch(() => {
        failed.textContent = failed.dataset.failed;
        form.removeAttribute("aria-busy");
      });
    });
  }
}
