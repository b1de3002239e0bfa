// The phone menu is a native <details>; this adds Escape and a tap outside.
"use strict";
{
  const open = () => document.querySelector("details.more[open]");

  document.addEventListener("keydown", ({ key }) => {
    const menu = key === "Escape" && open();
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", ({ target }) => {
    const menu = open();
    if (menu && !menu.contains(target)) menu.open = false;
  });
}
