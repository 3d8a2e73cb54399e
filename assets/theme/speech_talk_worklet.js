// Hands the microphone's samples to the page, 2048 at a time (AudioWorklet gives 128).
const SIZE = 2048;
registerProcessor("tk-take", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.held = new Float32Array(SIZE);
    this.count = 0;
  }

  process(inputs) {
    const samples = inputs[0]?.[0];
    if (!samples) return true;
    this.held.set(samples, this.count);
    this.count += samples.length;
    if (this.count >= SIZE) {
      this.port.postMessage(this.held, [this.held.buffer]);
      this.held = new Float32Array(SIZE);
      this.count = 0;
    }
    return true;
  }
});
