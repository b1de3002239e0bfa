// A bar with 再試行 when htmx cannot reach the server, or gets an answer that is no part of the page.
// What was typed stays, because nothing has been swapped (see noSwap in layouts/_head.html).
"use strict";
{
  const handled = new Set([401, 409, 422]); // These carry markup made for the page.
  let source = null;
  let cameFrom = null;

  const bar = () => document.getElementById("failure");

  const show = (context, kind) => {
    const box = bar();
    if (!box) return;
    source = context?.sourceElement ?? null;
    cameFrom = document.activeElement;
    box.hidden = false;
    box.querySelector("[data-text]").textContent = box.dataset[kind] ?? box.dataset.server;
  };

  const hide = () => {
    const box = bar();
    if (!box || box.hidden) return;
    if (box.contains(document.activeElement)) cameFrom?.focus();
    box.hidden = true;
  };

  const again = () => {
    const form = source?.closest("form");
    if (form) form.requestSubmit();
    else if (source?.isConnected) source.click();
    else location.reload();
  };

  const kindOf = (status) => {
    if (status === 413) return "large";
    if (status === 429) return "wait";
    return status < 500 ? "refused" : "server";
  };

  document.addEventListener("htmx:error", ({ detail }) => {
    if (detail.ctx && !detail.ctx.response) show(detail.ctx, "network");
  });
  document.addEventListener("htmx:response:error", ({ detail }) => {
    const { status } = detail.ctx.response;
    if (!handled.has(status)) show(detail.ctx, kindOf(status));
  });
  document.addEventListener("htmx:after:request", ({ detail }) => {
    if (detail.ctx.response.status < 400) hide();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#failure [data-again]")) again();
    if (target.closest("#failure [data-close]")) hide();
  });
}
