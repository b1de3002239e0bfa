// Ticks off the rules of a new password while it is typed: ul[data-password-rules] names the field in data-for and
// holds the server's own tests as JSON (portal/shared/auth/passwords.py). The server checks again.
"use strict";
{
  const tests = {
    min: (typed, least) => [...typed].length >= least,
    max: (typed, most) => [...typed].length <= most,
    all: (typed, pattern) => new RegExp(`^(?:${pattern})$`, "u").test(typed),
    has: (typed, pattern) => new RegExp(pattern, "u").test(typed),
    lacks: (typed, pattern) => !new RegExp(pattern, "su").test(typed),
    words: (typed, words) => !words.some((word) => typed.toLowerCase().includes(word)),
  };

  // "" where a yes is the server's alone to give: the long list of common words does not travel.
  const verdict = (rule, typed) => {
    if (!typed) return "";
    const kept = Object.keys(tests).every((name) => !(name in rule) || tests[name](typed, rule[name]));
    if (!kept) return "broken";
    return rule.whole ? "kept" : "";
  };

  const marks = { kept: "✓ ", broken: "× ", "": "•" };

  const check = (list, typed) => {
    for (const rule of JSON.parse(list.dataset.passwordRules)) {
      const line = list.querySelector(`[data-rule="${rule.key}"]`);
      line.dataset.verdict = verdict(rule, typed);
      line.firstElementChild.textContent = marks[line.dataset.verdict];
      line.querySelector(".vh").textContent = list.dataset[line.dataset.verdict] ?? "";
    }
  };

  // Delegated, because htmx may bring the form anew.
  document.addEventListener("input", ({ target }) => {
    for (const list of document.querySelectorAll("[data-password-rules]")) {
      if (list.dataset.for === target.id) check(list, target.value);
    }
  });
}
