// A plain form is sent once: a second press while the first is under way does nothing (COM-22).
// The server refuses the double as well; this only spares the person the wait. htmx forms use data-hx-disable,
// forms that upload have upload.js.
"use strict";
{
  const sent = new WeakSet();

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.matches("[data-upload]")) return;
    if (sent.has(form)) event.preventDefault();
    sent.add(form);
    form.setAttribute("aria-busy", "true");
    // An answer that is a file leaves the page standing: give the button back.
    setTimeout(() => release(form), 8000);
  });

  const release = (form) => {
    sent.delete(form);
    form.removeAttribute("aria-busy");
  };

  // The back button may bring the page back as it was left.
  addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(release));
}
