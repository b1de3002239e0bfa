// How many characters a long text has, said near its limit: nothing is cut off, the server only refuses what is too long.
"use strict";
{
  const NEAR = 0.9;
  const PAUSE = 500; // Milliseconds; a reader that speaks every letter's number helps nobody.
  const waiting = new WeakMap();

  const lineOf = (field) => document.querySelector(`[data-counter="${CSS.escape(field.id)}"]`);

  const show = (field, line) => {
    const most = Number(line.dataset.most);
    const count = [...field.value].length; // As the server counts: an emoji is one.
    const numbers = { count: count.toLocaleString("ja"), max: most.toLocaleString("ja") };
    const words = line.dataset.words.replace(/\{(count|max)\}/g, (_all, name) => numbers[name]);
    const isNear = count > most * NEAR;
    line.textContent = isNear ? words : "";
    line.className = count > most ? "ferr" : isNear ? "hint" : "vh"; // Takes no room while it is empty.
  };

  document.addEventListener("input", ({ target }) => {
    const line = target.id && lineOf(target);
    if (!line) return;
    clearTimeout(waiting.get(target));
    waiting.set(target, setTimeout(() => show(target, line), PAUSE));
  });
}
