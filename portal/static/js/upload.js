// Progress while files go up: form[data-upload] holding <progress hidden> and an [data-upload-status] line.
// Without this script the same form is sent by the browser.
"use strict";
{
  const finish = (form, request) => {
    if (request.status === 422) {
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
      htmx.process(document.querySelector("main"));
      document.querySelector(".summary")?.focus();
    } else if (request.status < 400) location.assign(request.responseURL);
    else fail(form);
  };

  const fail = (form) => {
    form.removeAttribute("aria-busy");
    form.querySelector("progress").hidden = true;
    const status = form.querySelector("[data-upload-status]");
    status.textContent = status.dataset.failed;
  };

  // What is too large is said before it is sent; the server would only throw it away.
  const isTooLarge = (form, files) => {
    const most = Number(form.dataset.mostMegabytes) * 1024 * 1024;
    if (files.reduce((sum, file) => sum + file.size, 0) <= most) return false;
    const status = form.querySelector("[data-upload-status]");
    const named = files.filter((file) => file.size > most);
    const names = (named.length ? named : files).map((file) => file.name).join("、");
    status.textContent = `${status.dataset.tooLarge}${names}`;
    return true;
  };

  const send = (form, submitter) => {
    const request = new XMLHttpRequest();
    const bar = form.querySelector("progress");
    const status = form.querySelector("[data-upload-status]");
    bar.hidden = false;
    form.setAttribute("aria-busy", "true");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.max = total;
      bar.value = loaded;
      status.textContent = `${Math.round((loaded / total) * 100)}%`;
    });
    request.addEventListener("load", () => finish(form, request));
    request.addEventListener("error", () => fail(form));
    request.open("POST", form.action);
    request.send(new FormData(form, submitter));
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-upload]") || event.defaultPrevented) return;
    const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
    if (!files.length) return;
    event.preventDefault();
    if (!form.hasAttribute("aria-busy") && !isTooLarge(form, files)) send(form, event.submitter);
  });
}
