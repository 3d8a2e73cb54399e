// The Talk view: one player for all sounds of the conversation, the presses in it, and the microphone.
// Samples are taken as they are (16 bit, at the microphone's own rate). While a take goes on, what is new of it is sent
// to the server, which answers whether somebody speaks and when they have finished; the whole take follows at its end.
const tk = window.tk = window.tk || (() => {
  const LONGEST = 29.5, NOTHING = 10, HELD = 450, EVERY = 0.3, PATIENCE = 15000, ANSWER = 180000;
  const WORKLET = "/workbench/static/speech_talk_worklet.js";

  // --- sounds: a player outside the page's tree, so that drawing a turn anew does not stop it
  const sound = new Audio();
  let playing = "";
  const shown = () => {
    for (const button of document.querySelectorAll("[data-tk-play]")) {
      const on = button.dataset.tkPlay === playing && !sound.paused;
      if (button.getAttribute("aria-pressed") !== String(on)) button.setAttribute("aria-pressed", String(on));
      const line = button.parentElement.querySelector(".tk-now");
      if (line && button.dataset.tkPlay === playing)
        line.style.left = sound.duration > 0 ? `${100 * sound.currentTime / sound.duration}%` : "0";
      if (line) line.hidden = !(button.dataset.tkPlay === playing && sound.currentTime > 0 && !sound.ended);
    }
  };
  const follow = () => { shown(); if (!sound.paused) requestAnimationFrame(follow); };
  for (const name of ["pause", "ended", "error"]) sound.addEventListener(name, shown);
  sound.addEventListener("play", follow);
  const play = (source) => {
    for (const other of document.querySelectorAll("audio")) other.pause();
    if (playing !== source) { playing = source; sound.src = source; }
    return sound.play().catch(() => shown());
  };
  const hush = () => { if (!sound.paused) sound.pause(); };

  // --- presses: {act, turn, key}
  const presses = (element, trigger) => {
    element.addEventListener("click", (e) => {
      const listen = e.target.closest("[data-tk-play]");
      if (listen) {
        if (listen.dataset.tkPlay === playing && !sound.paused) hush(); else play(listen.dataset.tkPlay);
        return;
      }
      const button = e.target.closest("[data-act]");
      if (button) trigger("select", {act: button.dataset.act, turn: button.dataset.turn || "",
                                     key: button.dataset.key || ""});
    });
    new MutationObserver(() => { if (playing) shown(); }).observe(element, {childList: true, subtree: true});
  };

  // --- the microphone
  const coded = (pieces, thin) => {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0), whole = new Float32Array(length);
    let at = 0;
    for (const piece of pieces) { whole.set(piece, at); at += piece.length; }
    const made = new Int16Array(Math.floor(length / thin));
    for (let i = 0; i < made.length; i++) {
      let sum = 0;
      for (let j = 0; j < thin; j++) sum += whole[i * thin + j];
      made[i] = Math.max(-32768, Math.min(32767, Math.round(sum / thin * 32767)));
    }
    const bytes = new Uint8Array(made.buffer);
    let text = "";
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  };
  let here = null;  // the microphone of this page

  const mic = (element, trigger) => {
    let take = null, number = 0, sent = null, waits = 0;
    const part = (name) => element.querySelector(`[data-tk="${name}"]`);
    const word = (name) => element.querySelector(`[data-tk-word="${name}"]`).textContent;
    const ticked = (name) => part(name).checked;
    const state = () => document.querySelector("[data-tk-state]")?.dataset || {};
    const tell = (text, bad) => {
      part("told").textContent = text;
      part("told").classList.toggle("tk-bad", !!bad);
    };
    const dress = (name) => {
      part("root").dataset.state = name;
      const on = name === "recording" || name === "asking";
      part("talk").setAttribute("aria-pressed", String(on));
      part("name").textContent = word(on ? "stop" : "speak");
      part("discard").hidden = name !== "recording";
      if (!on) { part("level").style.width = "0"; part("clock").textContent = ""; }
    };
    const close = (one) => {
      for (const track of one.stream?.getTracks() || []) track.stop();
      one.context?.close().catch(() => {});
    };

    const ask = (one) => {  // what is new of the take goes to the server
      if (one.asked && performance.now() - one.asked < PATIENCE) return;
      const fresh = one.pieces.slice(one.told);
      if (fresh.reduce((sum, piece) => sum + piece.length, 0) < EVERY * one.context.sampleRate) return;
      one.told = one.pieces.length;
      one.asked = performance.now();
      one.sent = one.seconds;
      trigger("input", {take: one.id, rate: one.rate, pcm: coded(fresh, one.thin), pause: Number(part("pause").value)});
    };
    const hear = (one, samples) => {
      if (one !== take) return;
      one.pieces.push(samples);
      one.seconds += samples.length / one.context.sampleRate;
      const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
      const level = Math.max(0, Math.min(1, 1 + Math.log10(power + 1e-9) / 5));
      part("level").style.width = `${(100 * level).toFixed(0)}%`;
      part("clock").textContent = `${one.seconds.toFixed(1)} s`;
      if (one.seconds >= LONGEST) { end("longest"); return; }
      if (!ticked("auto") || one.deaf) return;
      ask(one);
    };
    const begin = async (held) => {
      if (take) return;
      hush();
      clearInterval(waits);
      const one = take = {id: `${Date.now()}-${++number}`, pieces: [], told: 0, seconds: 0, held, since: Date.now()};
      if (state().tkState === "working") trigger("stop", {});
      dress("asking");
      tell(word("asking"));
      try {
        if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw Object.assign(new Error(), {name: "insecure"});
        one.stream = await navigator.mediaDevices.getUserMedia({audio: {
          channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: false}});
        one.context = new AudioContext();
        await one.context.audioWorklet.addModule(WORKLET);
        await one.context.resume();
      } catch (error) {
        close(one);
        if (one === take) take = null;
        dress("idle");
        const known = {insecure: "insecure", NotAllowedError: "refused", NotFoundError: "missing"}[error.name];
        tell(known ? word(known) : `${word("failed")} ${error.message || error.name}`, true);
        return;
      }
      if (one !== take) { close(one); return; }
      one.thin = Math.max(1, Math.ceil(one.context.sampleRate / 48000));
      one.rate = Math.round(one.context.sampleRate / one.thin);
      one.node = new AudioWorkletNode(one.context, "tk-take", {numberOfOutputs: 0});
      one.node.port.onmessage = (e) => hear(one, e.data);
      one.context.createMediaStreamSource(one.stream).connect(one.node);
      dress("recording");
      tell(word(ticked("auto") && !one.held ? "listening" : "recording"));
      if (one.over) end("released");
    };
    const drop = (text) => {
      const one = take;
      take = null;
      if (one) close(one);
      dress("idle");
      tell(text);
    };
    const end = (why) => {
      const one = take;
      if (!one) return;
      if (!one.node) { one.over = true; return; }  // let go before the microphone was open
      take = null;
      close(one);
      if (one.seconds < 0.2) { dress("idle"); tell(word("short"), true); return; }
      dress("sending");
      tell(word(why === "longest" ? "longest" : "sending"));
      sent = {before: Number(state().tkTurns || 0), at: Date.now()};
      trigger("select", {act: "take", rate: one.rate, pcm: coded(one.pieces, one.thin), ms: Math.round(1000 * one.seconds),
                         purpose: part("purpose").value});
    };
    const follow = () => {  // after the answer: its voice, and the next turn where that is wished for
      clearInterval(waits);
      waits = setInterval(async () => {
        if (Date.now() - sent.at > ANSWER || take) { clearInterval(waits); return; }
        if (state().tkState !== "waiting" || Number(state().tkTurns || 0) <= sent.before) return;
        clearInterval(waits);
        const voices = [...document.querySelectorAll(".tk-turn:last-of-type .tk-reply [data-tk-play]")];
        if (voices.length) {
          await play(voices[0].dataset.tkPlay);
          await new Promise((go) => { sound.paused ? go() : sound.addEventListener("pause", go, {once: true}); });
        }
        if (ticked("keep") && !take) begin(false);
      }, 250);
    };

    const heard = (text) => {
      let answer;
      try { answer = JSON.parse(text); } catch { return; }
      const one = take;
      if (!one || answer.take !== one.id) return;
      one.asked = 0;
      if (answer.off) { one.deaf = true; tell(answer.off, true); return; }
      if (answer.speaking && !one.began) { one.began = true; tell(word("speaking")); }
      if (one.held) return;
      if (answer.over) end("pause");
      else if (!one.began && one.sent > NOTHING) drop(word("nothing"));  // counts what was answered, not what waits
    };
    const taken = (good) => {
      if (take) return;  // the next take has begun already
      dress("idle");
      tell(word(good ? "sent" : "not_sent"), !good);
      if (good && part("purpose").value === "turn") follow();
    };

    let down = 0;
    const press = () => {
      down = Date.now();
      if (take) end("pressed"); else { begin(true); }
    };
    const release = () => {  // a short press starts, and the pause or a second press ends; a long one is push-to-talk
      const since = down;
      down = 0;
      if (!since || !take?.held) return;
      if (Date.now() - since >= HELD) end("released");
      else { take.held = false; if (take.node) tell(word(ticked("auto") ? "listening" : "recording")); }
    };
    element.addEventListener("pointerdown", (e) => {
      if (e.button || !e.target.closest('[data-tk="talk"]')) return;
      e.preventDefault();
      part("talk").focus();
      press();
    });
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, release);
    element.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && take) { drop(word("dropped")); return; }
      if (![" ", "Enter"].includes(e.key) || !e.target.closest('[data-tk="talk"]')) return;
      e.preventDefault();
      if (!e.repeat) press();
    });
    element.addEventListener("keyup", (e) => { if ([" ", "Enter"].includes(e.key)) release(); });
    element.addEventListener("click", (e) => {
      if (e.target.closest('[data-tk="discard"]')) drop(word("dropped"));
      else if (e.target.closest('[data-tk="talk"]') && !e.detail && !down && !take) begin(false);  // by a screen reader
    });
    element.addEventListener("input", (e) => {
      if (e.target === part("pause")) part("pause-told").textContent = `${Number(e.target.value).toFixed(1)} s`;
    });
    here = {heard, taken};
  };

  return {presses, mic, play, hush, heard: (text) => here?.heard(text), taken: (good) => here?.taken(good)};
})();
