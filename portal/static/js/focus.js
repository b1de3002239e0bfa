// Moves the focus to what the person must read next: the error summary, or the next step of a form.
"use strict";
{
  const find = (selector) => document.querySelector(selector);

  // Deferred scripts run when the document is parsed, so a page that came with errors is complete here.
  find(".summary")?.focus();

  document.addEventListener("htmx:after:swap", ({ detail }) => {
    // A search or a page turn (GET) must leave the focus in the box where somebody is typing.
    if (!detail.ctx?.request || detail.ctx.request.method === "GET") return;
    // A choice that only shows other fields keeps it as well.
    if (detail.ctx.sourceElement?.matches("[data-keep-focus]")) return;
    (find(".summary") ?? find("[data-focus]"))?.focus();
  });
}
