// Playback of one sentence by a simultaneous translator, and the marker on a curve of quality against latency.
// Everything happens here: a threshold is looked up among the kept translations, nothing is asked of a server, so the
// same script runs in the workbench and in a saved page. `sm2.watch(element, send)` starts whatever is put into element.
const sm2 = (() => {
  const PAUSE = 520, REST = 700;
  const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => name in values ? values[name] : all);
  const between = (low, value, high) => Math.min(high, Math.max(low, value));
  const odds = (p) => Math.log(p / (1 - p));
  const figure = (value) => value === null || value === undefined ? "–" : value.toFixed(2);
  const exact = (value) => value > 0.99 ? value.toFixed(4) : value.toFixed(3);
  const short = (text) => [...text].length > 14 ? [...text].slice(0, 13).join("") + "…" : text;

  const player = (root, send) => {
    const data = JSON.parse(root.querySelector(".sp-data").textContent), words = JSON.parse(root.dataset.words);
    const at = (name) => root.querySelector(`[data-sp="${name}"]`);
    const [lowest, highest] = data.span.map(odds), J = data.source.length, side = data.side;
    const toPlace = (t) => (odds(between(data.span[0], t, data.span[1])) - lowest) / (highest - lowest);
    const toThreshold = (p) => 1 / (1 + Math.exp(-(lowest + p * (highest - lowest))));
    const rows = data.rows.map((row) => {
      const found = [];
      for (let n = 0; n < row.length; n += 2)
        found.push((data.alphabet.indexOf(row[n]) * 64 + data.alphabet.indexOf(row[n + 1])) / 4095);
      return found;
    });
    const state = {threshold: Number(root.dataset.threshold) || 0.5, track: data.ranges.length ? -1 : 0, at: 0,
                   timer: 0, rest: 0};

    // --- what a track is -------------------------------------------------------------------------------------
    const number = () => {
      let found = 0;
      data.ranges.forEach((one, n) => { if (one.low < state.threshold) found = n; });
      return found;
    };
    const steps = (one) => {
      if (one.steps) return one.steps;
      let read = 0, written = 0;
      one.steps = [[0, 0]];
      for (const action of one.actions) one.steps.push(action === "R" ? [++read, written] : [read, ++written]);
      one.cells = one.pieces.slice(0, side).map((_, i) => one.rows ? rows[one.rows[i]] || [] : []);
      if (!one.rows) one.path.forEach((c, n) => {
        const [j, i] = one.steps[n];
        if (c !== null && j && j <= side && i < one.cells.length) one.cells[i][j - 1] = c;
      });
      return one.steps;
    };
    const current = () => state.track < 0 ? data.ranges[number()] : data.others[state.track];
    const known = (one, read, written) => steps(one) && (one.cells[written] || [])[read - 1];
    const text = (one, count = one.pieces.length) => one.pieces.slice(0, count).map((n) => data.pieces[n])
      .filter(([label]) => label !== "</s>").map(([label, glue]) => glue + label).join("").trim();
    const named = (one) => one.kind ? one.kind === "full" ? words.full : fill(words.wait, {k: data.k})
      : fill(words.sm2, {threshold: exact(state.threshold)});

    const ruler = document.createElement("canvas").getContext("2d");
    ruler.font = `700 12px ${getComputedStyle(root).fontFamily}`;
    const wide = (text) => ruler.measureText(text).width;

    // --- the chart -------------------------------------------------------------------------------------------
    let box = {left: 0, top: 0, columns: 0, rows: 0, width: 26, height: 20};
    const x = (read) => box.left + Math.min(read, box.columns) * box.width;
    const y = (written) => box.top + Math.min(written, box.rows) * box.height;
    const stairs = (places) => places.map(([j, i], n) => `${n ? "L" : "M"}${x(j)} ${y(i)}`).join("");
    const chart = () => {
      const one = current();
      steps(one);
      const labels = one.pieces.slice(0, side).map((n) => short(data.pieces[n][0]));
      const heads = data.source.slice(0, side).map(([label]) => short(label));
      box = {left: Math.ceil(Math.max(30, ...labels.map(wide))) + 12, columns: heads.length, rows: labels.length,
             top: Math.ceil(Math.max(20, ...heads.map(wide)) * 0.71) + 16};
      const lean = Math.ceil(wide(heads.at(-1) || "") * 0.71);
      box.width = between(26, Math.floor((at("scroll").clientWidth - box.left - lean - 16) / box.columns), 62);
      box.height = Math.round(between(20, 0.66 * box.width, 32));
      const width = x(box.columns) + lean + 8, height = y(box.rows) + 8;
      const cells = one.cells.map((row, i) => row.map((c, j) => c === undefined ? "" :
        `<rect x="${x(j) + 0.5}" y="${y(i) + 0.5}" width="${box.width - 1}" height="${box.height - 1}" style="--s:${
          Math.round(100 * c)}%"/>`).join("")).join("");
      const others = data.others.map((other, n) => n === state.track ? "" :
        `<path class="sp-under" d="${stairs(steps(other))}"/><path class="sp-${other.kind}" d="${
          stairs(steps(other))}"/>`).join("");
      const svg = at("chart");
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.setAttribute("width", width);
      svg.setAttribute("height", height);
      svg.innerHTML = `<rect class="sp-ground" x="${box.left}" y="${box.top}" width="${x(box.columns) - box.left}"
          height="${y(box.rows) - box.top}"/>
        <g class="sp-cells">${cells}</g><path class="sp-dots"/><path class="sp-dots sp-light"/><path class="sp-veil"/>${others}
        <path class="sp-own sp-halo" d="${stairs(one.steps)}"/><path class="sp-own sp-ahead" d="${stairs(one.steps)}"/>
        <path class="sp-own sp-gone"/><circle class="sp-ball" r="5"/>
        <g class="sp-labels"><rect class="sp-edge" x="-4" y="${box.top + 3}" width="${box.left}" height="${height}"/>${
          labels.map((label, i) => `<text x="${box.left - 8}" y="${y(i) + box.height / 2 + 4}" text-anchor="end"
            data-i="${i}">${escaped(label)}</text>`).join("")}</g>
        <g class="sp-heads"><rect class="sp-edge" x="${box.left}" y="-4" width="${width}" height="${box.top}"/>${
          heads.map((label, j) => `<text transform="translate(${x(j) + box.width / 2 + 4} ${box.top - 6}) rotate(-45)"
            data-j="${j}">${escaped(label)}</text>`).join("")}</g>
        <rect class="sp-edge sp-corner" x="-4" y="-4" width="${box.left}" height="${box.top}"/>`;
      dots();
      stay();
    };
    const stay = () => {  // heads and labels stay in sight while the chart scrolls under them
      const {scrollLeft: right, scrollTop: down} = at("scroll"), svg = at("chart");
      for (const [part, across, below] of [[".sp-heads", 0, down], [".sp-labels", right, 0], [".sp-corner", right, down]])
        svg.querySelector(part).setAttribute("transform", `translate(${across} ${below})`);
    };
    const dots = () => {
      const one = current();
      const good = state.track >= 0 ? "" : one.cells.map((row, i) => row.map((c, j) => c >= state.threshold ?
        `M${x(j) + box.width / 2} ${y(i) + box.height / 2}h0` : "").join("")).join("");
      for (const path of at("chart").querySelectorAll(".sp-dots")) path.setAttribute("d", good);
    };

    // --- words around it -------------------------------------------------------------------------------------
    const chips = () => {
      const one = current(), mark = (label) => label === "</s>" ? " sp-end" : "";
      at("source").innerHTML = data.source.map(([label, glue], n) =>
        `${n ? glue : ""}<span class="sp-piece${mark(label)}">${escaped(label)}</span>`).join("");
      at("target").innerHTML = one.pieces.map((n) => data.pieces[n]).map(([label, glue], n) =>
        `${n ? glue : ""}<span class="sp-piece${mark(label)}">${escaped(label)}</span>`).join("");
    };
    const table = () => {
      const line = (one, n) => `<tr class="${n === state.track ? "sp-on" : ""}"><th scope="row" rowspan="2"><button
        type="button" data-sp-do="track" data-value="${n}" aria-pressed="${n === state.track}"><i class="sp-key sp-${
        one.kind || "own"}"></i>${escaped(named(one))}</button></th><td class="sp-unit">${escaped(words.tokens)}</td>${
        one.tokens.map((v) => `<td>${figure(v)}</td>`).join("")}</tr><tr class="${n === state.track ? "sp-on" : ""}">
        <td class="sp-unit">${escaped(words.words)}</td>${one.words.map((v) => `<td>${figure(v)}</td>`).join("")}</tr>
        <tr class="sp-text${n === state.track ? " sp-on" : ""}"><td colspan="7">${
        escaped(text(one) || words.nothing)}</td></tr>`;
      at("figures").innerHTML = (data.ranges.length ? line(data.ranges[number()], -1) : "")
        + data.others.map(line).join("");
    };
    const notes = () => {
      const one = current(), said = [];
      if (!data.ranges.length) said.push(words.unready);
      if (state.track < 0 && state.threshold > one.high + 1e-9) said.push(fill(words.gap, {
        low: exact(one.low), high: exact(one.high)}));
      if (state.track < 0 && state.threshold <= data.floor) said.push(fill(words.below, {floor: exact(data.floor)}));
      if (J > side || one.pieces.length > side) said.push(fill(words.cut, {
        n: side, source: J, target: one.pieces.length}));
      if (!one.rows && data.ranges.length) said.push(state.track < 0 ? words.path : words.other);
      at("notes").textContent = said.join(" ");
    };
    const told = () => {
      const one = current(), [read, written] = one.steps[state.at];
      if (!state.at) return words.ready;
      const [j, i] = one.steps[state.at - 1], c = known(one, j, i), values = {
        n: read, all: J, piece: (data.source[read - 1] || [""])[0], i: written, count: one.pieces.length,
        word: (data.pieces[one.pieces[written - 1]] || [""])[0], c: c === undefined ? "" : exact(c),
        threshold: exact(state.threshold)};
      const reads = one.actions[state.at - 1] === "R", why = state.track >= 0 ? "" : reads
        ? j < data.min_read ? words.first : c === undefined ? "" : words.low
        : j === J ? words.rest : c === undefined ? "" : words.high;
      return fill(reads ? words.read : words.write, values) + (why && " · " + fill(why, values));
    };
    const show = (line) => { at("now").textContent = line; };

    // --- moving ----------------------------------------------------------------------------------------------
    const move = (follow) => {
      const one = current(), last = one.actions.length;
      state.at = between(0, state.at, last);
      const [read, written] = one.steps[state.at], svg = at("chart"), done = state.at === last;
      svg.querySelector(".sp-gone").setAttribute("d", stairs(one.steps.slice(0, state.at + 1)));
      svg.querySelector(".sp-ball").setAttribute("transform", `translate(${x(read)} ${y(written)})`);
      const right = x(box.columns), bottom = y(box.rows);
      svg.querySelector(".sp-veil").setAttribute("d", done ? "" : `M${x(read)} ${box.top}H${right}V${bottom}H${
        box.left}V${y(Math.min(box.rows, written + 1))}H${x(read)}Z`);
      for (const [name, count] of [["source", read], ["target", written]]) [...at(name).querySelectorAll(".sp-piece")]
        .forEach((piece, n) => {
          piece.classList.toggle("sp-there", n < count);
          piece.classList.toggle("sp-new", !done && n === count - 1 && (one.actions[state.at - 1] === "R") ===
            (name === "source"));
        });
      for (const [part, name, count] of [[".sp-heads", "j", read], [".sp-labels", "i", written]])
        for (const label of svg.querySelectorAll(`${part} text`))
          label.classList.toggle("sp-there", Number(label.dataset[name]) < count);
      at("position").max = last;
      at("position").value = state.at;
      at("position").setAttribute("aria-valuetext", told());
      at("step").textContent = `${state.at} / ${last}`;
      show(told());
      const frame = at("scroll");
      if (follow && (x(read) < frame.scrollLeft + box.left || x(read) > frame.scrollLeft + frame.clientWidth - 30))
        frame.scrollLeft = x(read) - frame.clientWidth / 2;
      if (follow && (y(written) < frame.scrollTop + box.top || y(written) > frame.scrollTop + frame.clientHeight - 30))
        frame.scrollTop = y(written) - frame.clientHeight / 2;
    };
    const playing = (on) => {
      clearTimeout(state.timer);
      state.timer = 0;
      const button = root.querySelector('[data-sp-do="play"]');
      button.textContent = on ? words.pause : words.play;
      button.setAttribute("aria-pressed", String(on));
      at("now").setAttribute("aria-live", on ? "off" : "polite");
      if (!on) return;
      if (state.at >= current().actions.length) { state.at = 0; move(true); }
      const tick = () => {
        if (!root.isConnected) return;
        state.at += 1;
        move(true);
        if (state.at >= current().actions.length) playing(false);
        else state.timer = setTimeout(tick, PAUSE / Number(at("speed").value));
      };
      state.timer = setTimeout(tick, PAUSE / Number(at("speed").value));
    };
    const again = () => {  // another track, or another translation of SM2
      const ended = !state.shown || state.at >= state.shown.actions.length;
      state.shown = current();
      if (ended && !state.timer) state.at = state.shown.actions.length;
      chart();
      chips();
      move(true);
    };
    const decide = (threshold, from) => {
      state.threshold = between(0.001, threshold, 1);
      if (at("slider")) {
        if (from !== "slider") at("slider").value = Math.round(1000 * toPlace(state.threshold));
        if (from !== "number") at("threshold").value = exact(state.threshold);
        at("slider").setAttribute("aria-valuetext", `${exact(state.threshold)}: ${text(data.ranges[number()])}`);
      }
      if (state.track < 0) current() === state.shown ? (dots(), move()) : again();
      table();
      notes();
      root.dataset.threshold = state.threshold;
      document.dispatchEvent(new CustomEvent("sm2:threshold", {detail: state.threshold}));
      clearTimeout(state.rest);
      if (from) state.rest = setTimeout(() => send({act: "rest", threshold: state.threshold}), REST);
    };
    const change = (step) => {
      const n = number() + step, one = data.ranges[n];
      if (one) decide(Math.min(one.high, toThreshold((toPlace(one.low) + toPlace(one.high)) / 2)), "step");
    };
    const act = {
      start: () => { playing(false); state.at = 0; move(true); },
      end: () => { playing(false); state.at = Infinity; move(true); },
      back: () => { playing(false); state.at -= 1; move(true); },
      next: () => { playing(false); state.at += 1; move(true); },
      play: () => playing(!state.timer),
      less: () => change(-1), more: () => change(1),
      track: (value) => { playing(false); state.track = Number(value); again(); table(); notes(); },
      save: (kind) => send({act: "save", kind, threshold: state.threshold, track: state.track, at: state.at}),
    };
    const KEYS = {" ": "play", ArrowLeft: "back", ArrowRight: "next", Home: "start", End: "end", "[": "less", "]": "more"};

    // --- listening -------------------------------------------------------------------------------------------
    root.addEventListener("click", (e) => {
      const button = e.target.closest("[data-sp-do]");
      if (!button) return;
      const focus = button.dataset.spDo === "track" ? button.dataset.value : null;
      act[button.dataset.spDo](button.dataset.value);
      if (focus !== null) root.querySelector(`[data-sp-do="track"][data-value="${focus}"]`).focus();
    });
    root.addEventListener("keydown", (e) => {
      const name = KEYS[e.key], typing = e.target.matches("input, select, textarea");
      const pressing = e.key === " " && e.target.matches("button");
      if (!name || typing || pressing || e.metaKey || e.ctrlKey || e.altKey) return;
      e.preventDefault();
      act[name]();
    });
    root.addEventListener("input", (e) => {
      const name = e.target.dataset.sp;
      if (name === "slider") decide(toThreshold(e.target.value / 1000), "slider");
      else if (name === "threshold" && e.target.value !== "") decide(Number(e.target.value), "number");
      else if (name === "position") { playing(false); state.at = Number(e.target.value); move(true); }
      if (["slider", "threshold", "position"].includes(name)) e.stopPropagation();
    });
    at("chart").addEventListener("pointermove", (e) => {
      const edge = at("chart").getBoundingClientRect(), one = current();
      const j = Math.floor((e.clientX - edge.left - box.left) / box.width) + 1;
      const i = Math.floor((e.clientY - edge.top - box.top) / box.height), c = known(one, j, i);
      if (c === undefined) return show(told());
      show(fill(words.cell, {read: j, all: J, piece: data.source[j - 1][0], written: i, c: exact(c),
                             word: data.pieces[one.pieces[i]][0]})
        + (state.track < 0 ? " · " + (c >= state.threshold ? words.writes : words.reads) : ""));
    });
    at("chart").addEventListener("pointerleave", () => show(told()));
    at("scroll").addEventListener("scroll", stay, {passive: true});
    let broad = at("scroll").clientWidth;
    new ResizeObserver(() => {
      if (broad === at("scroll").clientWidth || !root.isConnected) return;
      broad = at("scroll").clientWidth;
      if (broad) { chart(); move(); }
    }).observe(at("scroll"));
    const asked = () => root.isConnected ? document.dispatchEvent(new CustomEvent("sm2:threshold", {
      detail: state.threshold})) : document.removeEventListener("sm2:ask", asked);
    document.addEventListener("sm2:ask", asked);

    if (at("ticks")) at("ticks").innerHTML = data.ranges.slice(1).map((one) =>
      `<i style="left:${(100 * toPlace(one.low)).toFixed(2)}%"></i>`).join("")
      + `<b style="width:${(100 * toPlace(data.floor)).toFixed(2)}%"></b>`
      + [data.floor, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999].map((t, n) => `<span style="left:${
        (100 * toPlace(t)).toFixed(2)}%">${n ? t : fill(words.floor, {floor: exact(t)})}</span>`).join("");
    again();
    decide(state.threshold);
    if (root.dataset.play) playing(true);
  };

  // --- the point of the threshold on a curve -------------------------------------------------------------------
  const curve = (root) => {
    const points = JSON.parse(root.dataset.points), words = root.dataset.words, mark = root.querySelector(".sp-ring");
    if (!mark || !points.length) return;
    const place = ([low, high], t) => high === low ? 0 : between(0, (odds(t) - odds(low)) / (odds(high) - odds(low)), 1);
    const safe = (t) => between(0.001, t, 0.9999);
    const follow = (e) => {
      if (!root.isConnected) return document.removeEventListener("sm2:threshold", follow);
      const t = safe(e.detail), after = points.findIndex(([p]) => safe(p) >= t);
      const b = points[after < 0 ? points.length - 1 : after], a = points[Math.max(0, points.indexOf(b) - 1)];
      const share = after < 0 ? 1 : place([safe(a[0]), safe(b[0])], t);
      const spot = [1, 2].map((n) => (a === b ? b[n] : a[n] + share * (b[n] - a[n])).toFixed(1));
      mark.removeAttribute("hidden");
      mark.setAttribute("transform", `translate(${spot.join(" ")})`);
      mark.querySelector("title").textContent = root.querySelector(".sp-said").textContent = fill(words, {
        threshold: exact(e.detail), a: a[0], b: b[0]});
    };
    document.addEventListener("sm2:threshold", follow);
    document.dispatchEvent(new CustomEvent("sm2:ask"));
  };

  const watch = (element, send) => {
    const begin = () => {
      for (const root of element.querySelectorAll(".sp:not([data-on]), .sp-curve:not([data-on])")) {
        root.dataset.on = "1";
        root.classList.contains("sp") ? player(root, send) : curve(root);
      }
    };
    new MutationObserver(begin).observe(element, {childList: true, subtree: true});
    begin();
  };
  return {watch};
})();
