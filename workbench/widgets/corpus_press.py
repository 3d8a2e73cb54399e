"""The script of every corpus chart and list: presses, sliders, brushing with the pointer, and keys become one event.

``event._data`` is ``{"act", "key", "value"}``. A press or a changed field is what its ``data-act`` and ``data-key``
say; a range field with ``data-stops`` sends the stop that it came to rest on and shows it while it moves. Dragging over
``data-brush`` sends ``brush`` with the two edges that enclose the dragged part, a press without dragging one bin.
A press anywhere on a row opens its document. In an element with ``data-keys`` the letters j and k (or n and p) send
``step`` with 1 or -1 wherever the page is not being typed in. What had the focus before the server drew anew has it
again.

Every event carries the notes of the page as they are when it is sent, so all panes of a page wait for one another: an
event is sent once the answer to the one before has come (:data:`GIVE`), or after a limit of time. Whatever else changes
those notes takes its turn among them (:data:`TAKE`). ``panels.corpus_turns`` connects both.
"""

from __future__ import annotations

LIMIT = 70
"""Seconds after which an answer is waited for no longer (our default); a search may take 60."""
TURNS = """
const turns = window.coTurns = window.coTurns || (() => {
  const waiting = [];
  let held = 0;
  const next = () => {
    const go = waiting.shift();
    held = go ? setTimeout(next, LIMIT) : 0;
    if (go) go();
  };
  return {take: (go) => { waiting.push(go); if (!held) next(); }, give: () => { clearTimeout(held); next(); },
          waiting: () => waiting.length};
})();
""".replace("LIMIT", str(1000 * LIMIT))
TAKE = "() => window.coTurns && new Promise((go) => window.coTurns.take(go))"
"""``js`` of an event that is waited for: it ends when it is its turn."""
GIVE = "() => { if (window.coTurns) window.coTurns.give(); }"
"""``js`` of what follows every answer, also a refusal: the next one is sent."""

PRESS = TURNS + """
const send = (act, key, value) => turns.take(
  () => trigger('select', {act, key: key || '', value: String(value ?? '')}));
const stop = (f) => f.dataset.stops ? JSON.parse(f.dataset.stops)[Number(f.value)] : f.value;
let focus = '', drag = null, later = 0;
element.addEventListener('click', (e) => {
  const row = e.target.closest('tr');
  const b = e.target.closest('[data-act]') || (row && row.querySelector('.co-open'));
  if (b && !b.matches('input, select')) send(b.dataset.act, b.dataset.key, b.dataset.value);
});
element.addEventListener('change', (e) => {
  const f = e.target.closest('input[data-act], select[data-act]');
  if (!f || (f.value === '' && !['low', 'high', 'search'].includes(f.dataset.act))) return;
  const sent = [f.dataset.act, f.dataset.key, stop(f)];
  clearTimeout(later);
  later = setTimeout(() => send(...sent), f.type === 'range' ? 180 : 0);
});
element.addEventListener('input', (e) => {
  const f = e.target.closest('input[data-stops]');
  const shown = f && f.parentElement.querySelector('input[type=number]');
  if (shown) shown.value = stop(f);
  const line = f && f.parentElement.parentElement.querySelector('[data-now]');
  if (line) line.style.left = (100 * f.value / Math.max(1, f.max)) + '%';
});
const bin = (e) => {
  const box = drag.plot.getBoundingClientRect(), n = drag.edges.length - 1;
  return Math.max(0, Math.min(n - 1, Math.floor(n * (e.clientX - box.left) / Math.max(1, box.width))));
};
const mark = () => {
  const low = Math.min(drag.from, drag.to), high = Math.max(drag.from, drag.to) + 1, n = drag.edges.length - 1;
  drag.shade.style.left = (100 * low / n) + '%';
  drag.shade.style.width = (100 * (high - low) / n) + '%';
  drag.shade.hidden = false;
};
element.addEventListener('pointerdown', (e) => {
  const plot = e.target.closest('[data-brush]');
  if (!plot || e.button) return;
  drag = {plot, edges: JSON.parse(plot.dataset.edges), shade: plot.querySelector('[data-shade]')};
  drag.from = drag.to = bin(e);
  plot.setPointerCapture(e.pointerId);
  mark();
});
element.addEventListener('pointermove', (e) => { if (drag) { drag.to = bin(e); mark(); } });
element.addEventListener('pointerup', () => {
  if (!drag) return;
  const low = Math.min(drag.from, drag.to), high = Math.max(drag.from, drag.to) + 1;
  send('brush', drag.plot.dataset.brush, drag.edges[low] + ' ' + drag.edges[high]);
  drag = null;
});
element.addEventListener('pointercancel', () => { drag = null; });
document.addEventListener('focusin', (e) => {
  focus = element.contains(e.target) ? e.target.dataset.focus || '' : '';
});
document.addEventListener('pointerdown', (e) => { if (!element.contains(e.target)) focus = ''; });
new MutationObserver(() => {
  if (focus && document.activeElement === document.body) {
    const back = element.querySelector(`[data-focus="${CSS.escape(focus)}"]`);
    if (back) back.focus({preventScroll: true});
  }
}).observe(element, {childList: true, subtree: true});
document.addEventListener('keydown', (e) => {
  const step = {j: 1, n: 1, k: -1, p: -1}[e.key];
  const typing = e.target.closest && e.target.closest('input, textarea, select, [contenteditable]');
  const mine = element.querySelector('[data-keys]');
  if (!step || typing || !mine || !mine.offsetParent || e.metaKey || e.ctrlKey || e.altKey) return;
  e.preventDefault();
  if (!e.repeat || !turns.waiting()) send('step', '', step);
});"""
"""``js_on_load`` of every ``gr.HTML`` of the Inspect view."""
