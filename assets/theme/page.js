// The page's own small script: where we are (address), is the server there (heartbeat), and a few things that are
// only the browser's (copy, language, light and dark, arrow keys in lists). It reads marks (data-wb-*) and events,
// never Gradio's inner structure.
const wb = window.wb;
const YEAR = 31536000;

const setCookie = (name, value) => {
  document.cookie = `${name}=${value}; Path=/; Max-Age=${value ? YEAR : 0}; SameSite=Lax`;
};

// --- the address: ?tab=..&run=..&s=.. -------------------------------------------------------------------------
const address = (change) => {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) value ? query.set(name, value) : query.delete(name);
  const text = query.toString();
  if (text !== location.search.slice(1)) history.replaceState(null, "", text ? `?${text}` : location.pathname);
};
let tab = new URLSearchParams(wb.first).get("tab") || "";
const runs = {}, states = {};
if (tab) runs[tab] = new URLSearchParams(wb.first).get("run") || "";
if (tab) states[tab] = new URLSearchParams(wb.first).get("s") || "";
wb.tab = (id) => { tab = id; address({tab: id, run: runs[id] || "", s: states[id] || "", do: ""}); };
wb.hold = (id, text) => { states[id] = text || ""; if (!tab || id === tab) address({tab: id, s: text || ""}); };
wb.held = (id) => states[id] || "";
wb.keep = (id, run) => { runs[id] = run || ""; if (!tab || id === tab) address({tab: id, run: run || "", do: ""}); };

let asked = 0;
wb.open = (id, run, verb) => {
  const query = new URLSearchParams({tab: id, run: run || ""});
  if (verb) query.set("do", verb);
  query.set("n", String(++asked));
  runs[id] = run || "";
  document.dispatchEvent(new CustomEvent("wb:open", {detail: `?${query}`}));
};

// --- one listener for every press -----------------------------------------------------------------------------
const copy = async (button) => {
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.wbCopy);
    button.textContent = wb.words.copied;
  } catch {
    const area = Object.assign(document.createElement("textarea"), {value: button.dataset.wbCopy});
    document.body.append(area);
    area.select();
    button.textContent = document.execCommand("copy") ? wb.words.copied : wb.words.copy_failed;
    area.remove();
  }
  setTimeout(() => { button.textContent = said; }, 1500);
};

const dress = () => {
  const dark = wb.theme ? wb.theme === "dark" : wb.system.matches;
  document.documentElement.classList.toggle("wb-dark", dark);
  document.body.classList.toggle("dark", dark);
  for (const button of document.querySelectorAll("[data-wb-theme]"))
    button.setAttribute("aria-pressed", String(button.dataset.wbTheme === wb.theme));
  for (const button of document.querySelectorAll("[data-wb-lang]"))
    button.setAttribute("aria-pressed", String(button.dataset.wbLang === wb.lang));
};

document.addEventListener("click", (event) => {
  const on = (name) => event.target.closest(`[${name}]`);
  let found;
  if ((found = on("data-wb-copy"))) copy(found);
  else if ((found = on("data-wb-lang"))) {
    setCookie("wb_lang", found.dataset.wbLang);
    location.reload();
  } else if ((found = on("data-wb-theme"))) {
    wb.theme = found.dataset.wbTheme;
    setCookie("wb_theme", wb.theme);
    dress();
  } else if ((found = on("data-wb-tab")) && !(event.metaKey || event.ctrlKey || event.shiftKey || event.button)) {
    event.preventDefault();
    wb.open(found.dataset.wbTab, found.dataset.wbRun, found.dataset.wbDo);
  }
});
wb.system.addEventListener("change", dress);

// arrow keys move within a list of rows
document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("[data-wb-row]");
  const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (!row || !step) return;
  const rows = [...row.parentElement.querySelectorAll(":scope > [data-wb-row]")];
  const next = rows[rows.indexOf(row) + step];
  if (next) { event.preventDefault(); next.focus(); }
});

// logs stay at their end unless the reader scrolled up
const follow = new WeakMap();
document.addEventListener("scroll", (event) => {
  const box = event.target;
  if (box.dataset && "wbTail" in box.dataset)
    follow.set(box, box.scrollHeight - box.scrollTop - box.clientHeight < 24);
}, true);

// sections stay as the reader left them while their content changes
const folds = new Map();
document.addEventListener("click", (event) => {
  const summary = event.target.closest?.("details[data-wb-fold] > summary");
  if (summary) folds.set(summary.parentElement.dataset.wbFold, !summary.parentElement.open);
});

// --- is the server there, and is it still the same one --------------------------------------------------------
const banner = Object.assign(document.createElement("div"), {className: "wb-lost", hidden: true});
banner.setAttribute("role", "alert");
banner.textContent = wb.words.lost;
let misses = 0;
const beat = async () => {
  try {
    const answer = await fetch("/workbench/health", {cache: "no-store", signal: AbortSignal.timeout(4000)});
    const {boot} = await answer.json();
    if (boot !== wb.boot) {
      banner.textContent = wb.words.back;
      location.reload();
      return;
    }
    misses = 0;
  } catch { misses += 1; }
  banner.hidden = misses < 2;
  setTimeout(beat, misses ? 1000 : document.hidden ? 15000 : 3000);
};

// --- start ----------------------------------------------------------------------------------------------------
const start = () => {
  document.body.prepend(banner);
  let waiting = false;
  const tidy = () => {
    waiting = false;
    if (document.querySelector("[data-wb-theme]:not([aria-pressed])")) dress();
    for (const box of document.querySelectorAll("[data-wb-tail]"))
      if (follow.get(box) !== false) box.scrollTop = box.scrollHeight;
    for (const fold of document.querySelectorAll("[data-wb-fold]")) {
      const wish = folds.get(fold.dataset.wbFold);
      if (wish !== undefined && fold.open !== wish) fold.open = wish;
    }
  };
  new MutationObserver(() => {
    if (!waiting) { waiting = true; requestAnimationFrame(tidy); }
  }).observe(document.body, {childList: true, subtree: true, characterData: true, attributeFilter: ["open"]});
  dress();
  beat();
};
document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", start) : start();
