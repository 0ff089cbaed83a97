"use strict";
// Strokes are kept as points, so that they can be undone and drawn sharp at any size. While one draws, a small picture
// goes to the server that sent this page, one at a time, the newest next; nothing goes anywhere else.

const SMALL = 140; // pixels of the side of the picture that is sent: five for each of MNIST's 28
const PEN = 0.075; // width of a stroke, as a share of the side
const HEADER = `{'descr': '|u1', 'fortran_order': False, 'shape': (${SMALL}, ${SMALL}), }`.padEnd(117) + "\n";
const NUMPY = new Uint8Array([0x93, ...new TextEncoder().encode("NUMPY\x01\x00v\x00" + HEADER)]); // v: 118 bytes follow
const STEP = 0.04; // of the side, for an arrow key
const SPOKEN_AFTER = 700; // milliseconds of rest before the answer is read out
const MOST_BARS = 12;
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), context = canvas.getContext("2d"), small = document.createElement("canvas");
small.width = small.height = SMALL;

let strokes = []; // each a list of {x, y, width}, as shares of the side
let picture = null; // {blob, image}: a dropped, pasted or chosen picture, in place of strokes
let active = null; // the pointer that draws
let box = null; // where the canvas lies, as measured when a stroke began: each measuring lays the page out
let raw = false; // whether points of this stroke come as the hardware sends them, before the next frame
let colours = {};
let cursor = null; // the keyboard's pen: {x, y, down}
let model = null, asking = false, stale = false, ready = false, speaking = 0;

// Drawing

function strokeOn(target, side, colour) {
  target.lineCap = target.lineJoin = "round";
  target.strokeStyle = target.fillStyle = colour;
  for (const stroke of strokes) {
    target.beginPath(); // a touch alone is a dot
    target.arc(stroke[0].x * side, stroke[0].y * side, stroke[0].width * side / 2, 0, 2 * Math.PI);
    target.fill();
    let before = stroke[0]; // curves run through the middles between points, so that a fast hand leaves no corners
    stroke.forEach((point, number) => {
      const next = stroke[number + 1];
      const end = next ? { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 } : point;
      target.lineWidth = point.width * side;
      target.beginPath();
      target.moveTo(before.x * side, before.y * side);
      target.quadraticCurveTo(point.x * side, point.y * side, end.x * side, end.y * side);
      target.stroke();
      before = end;
    });
  }
}

function paint() {
  const side = canvas.width;
  context.clearRect(0, 0, side, side);
  if (picture) {
    const { width, height } = picture.image, scale = side / Math.max(width, height);
    context.drawImage(picture.image, (side - width * scale) / 2, (side - height * scale) / 2, width * scale, height * scale);
  }
  strokeOn(context, side, colours.ink);
  if (cursor && document.activeElement === canvas) {
    context.strokeStyle = colours.accent;
    context.lineWidth = Math.max(1.5, side / 250);
    context.beginPath();
    context.arc(cursor.x * side, cursor.y * side, PEN * side * (cursor.down ? 0.6 : 0.9), 0, 2 * Math.PI);
    context.stroke();
  }
  const empty = !strokes.length && !picture;
  $("hint").classList.toggle("gone", !empty);
  $("undo").disabled = $("clear").disabled = empty;
}

function changed() {
  ask(); // first: the server answers while this paints
  paint();
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = { ink: style.getPropertyValue("--ink").trim(), accent: style.getPropertyValue("--accent").trim() };
}

function fitCanvas() {
  const side = Math.max(1, Math.round(canvas.clientWidth * (window.devicePixelRatio || 1)));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  paint();
}

function at(event) {
  const pressure = event.pointerType === "pen" ? 0.5 + event.pressure : 1;
  return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, width: PEN * pressure };
}

function beginStroke(point) {
  picture = null;
  strokes.push([point]);
}

canvas.addEventListener("pointerdown", (event) => {
  if (active !== null || event.button !== 0 || !model?.pen) return;
  active = event.pointerId;
  raw = false;
  box = canvas.getBoundingClientRect();
  canvas.setPointerCapture(active);
  document.body.classList.add("drawing"); // bars follow the hand at once, and glide only afterwards
  beginStroke(at(event));
  changed();
});
function goOn(event) {
  const events = event.getCoalescedEvents?.() ?? [];
  for (const one of events.length ? events : [event]) strokes.at(-1).push(at(one));
  ask();
}

canvas.addEventListener("pointerrawupdate", (event) => { // where the browser has it: a frame sooner
  if (event.pointerId !== active) return;
  raw = true;
  goOn(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== active) return;
  if (!raw) goOn(event);
  paint();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (event.pointerId !== active) return;
    active = null;
    document.body.classList.remove("drawing");
  });
}

function undo() {
  if (picture) picture = null; else strokes.pop();
  if (cursor) cursor.down = false;
  changed();
}

function clear() {
  strokes = [];
  picture = null;
  if (cursor) cursor.down = false;
  changed();
}

// Keyboard

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function drawByKey(event) {
  cursor ??= { x: 0.5, y: 0.25, down: false };
  const here = () => ({ x: cursor.x, y: cursor.y, width: PEN });
  if (event.key === " ") {
    cursor.down = !cursor.down;
    if (cursor.down) beginStroke(here());
  } else {
    const [right, down] = ARROWS[event.key];
    cursor.x = Math.min(Math.max(cursor.x + right * STEP, 0), 1);
    cursor.y = Math.min(Math.max(cursor.y + down * STEP, 0), 1);
    if (cursor.down) strokes.at(-1).push(here());
  }
  cursor.down ? changed() : paint();
}

document.addEventListener("keydown", (event) => {
  if (event.target === $("key")) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") undo();
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === "Escape" || event.key === "Delete") clear();
  else if (event.key === "Backspace") undo();
  else if (event.target === canvas && model?.pen && (event.key === " " || event.key in ARROWS)) drawByKey(event);
  else return;
  event.preventDefault();
});
canvas.addEventListener("focus", paint);
canvas.addEventListener("blur", () => { if (cursor) cursor.down = false; paint(); });

// Pictures

async function take(blob) {
  try {
    picture = { blob, image: await createImageBitmap(blob) };
    strokes = [];
    changed();
  } catch {
    notice("This is no picture that the browser can read.");
  }
}

for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); $("paper").classList.add("over"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("paper").classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("paper").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) take(file);
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) take(file);
});
$("file").addEventListener("change", (event) => {
  if (event.target.files.length) take(event.target.files[0]);
  event.target.value = "";
});
$("choose").addEventListener("click", () => $("file").click());
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);

// Asking

function request(path, options = {}) {
  const key = sessionStorage.getItem("key");
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  return fetch(path, { ...options, headers });
}

// What is drawn as numpy.save would write it: no encoder, which the browser would run once it is idle, comes between.
function drawn() {
  const target = small.getContext("2d", { willReadFrequently: true });
  target.fillStyle = "white";
  target.fillRect(0, 0, SMALL, SMALL);
  strokeOn(target, SMALL, "black");
  const colours = target.getImageData(0, 0, SMALL, SMALL).data, body = new Uint8Array(NUMPY.length + SMALL * SMALL);
  body.set(NUMPY);
  for (let place = 0; place < SMALL * SMALL; place++) body[NUMPY.length + place] = colours[4 * place];
  return new Blob([body], { type: "application/x-npy" });
}

function ask() {
  stale = true;
  if (asking || !ready) return;
  asking = true;
  askNow();
}

async function askNow() {
  try {
    while (stale && ready) {
      stale = false;
      if (!strokes.length && !picture) { showNothing(); break; }
      const blob = picture ? picture.blob : drawn();
      const response = await request("/predict?detail=1", { method: "POST", body: blob, headers: { "Content-Type": blob.type } });
      const reply = await response.json();
      showReply(response.status, reply);
    }
  } catch {
    notice("The server does not answer. It is asked again every second.");
    lost();
  } finally {
    asking = false;
  }
}

// Showing

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

function showNothing() {
  $("answer").textContent = "?";
  $("answer").className = "none";
  $("sure").textContent = "The answer appears while you draw.";
  $("seen").hidden = true;
  for (const bar of $("bars").children) showBar(bar, 0, false);
  say("");
}

function showReply(status, reply) {
  if (status === 401) return lock();
  if (status === 503) { notice(reply.detail); return lost(); }
  if (status !== 200) { showNothing(); notice(reply.detail.replace(/^0: /, "")); return; }
  notice("");
  if (reply.model !== model.model) return greet(); // another champion answers, perhaps of other classes; it is asked
  const [answer] = reply.answers;
  $("answer").textContent = answer.label;
  $("answer").className = answer.label.length > 3 ? "long" : "";
  $("sure").textContent = `${percent(answer.probability)} sure, or else ${answer.runner_up}`;
  $("seen").hidden = false;
  $("seen").src = answer.seen;
  $("seen").alt = `What the network sees: a picture of ${model.image_shape[1]} by ${model.image_shape[0]} pixels`;
  showBars(answer.probabilities);
  say(`${answer.label}, ${percent(answer.probability)} sure, or else ${answer.runner_up}.`);
}

function percent(share) {
  return share > 0.999 ? "over 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

function showBars(shares) {
  const order = shares.map((_, number) => number);
  if (shares.length > MOST_BARS) order.sort((a, b) => shares[b] - shares[a]).length = MOST_BARS;
  const best = shares.indexOf(Math.max(...shares));
  [...$("bars").children].forEach((bar, place) => {
    const number = order[place];
    bar.querySelector(".name").textContent = model.classes[number];
    showBar(bar, shares[number], number === best);
  });
}

function showBar(bar, share, best) {
  bar.classList.toggle("best", best);
  bar.querySelector("i").style.transform = `scaleX(${share})`;
  bar.querySelector(".share").textContent = share < 0.0005 ? "" : `${(100 * share).toFixed(share > 0.9995 ? 0 : 1)} %`;
}

function say(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { $("spoken").textContent = text; }, SPOKEN_AFTER);
}

// The server's model

function makeBars() {
  const bars = model.classes.slice(0, MOST_BARS).map((name) => {
    const bar = document.createElement("li");
    bar.innerHTML = '<span class="name"></span><span class="bar" aria-hidden="true"><i></i></span><span class="share"></span>';
    bar.querySelector(".name").textContent = name;
    return bar;
  });
  $("bars").replaceChildren(...bars);
  const longest = Math.max(...model.classes.map((name) => name.length));
  $("bars").classList.toggle("short", longest <= 2);
  $("bars").style.setProperty("--rows", Math.ceil(bars.length / 2));
  $("bars").style.setProperty("--names", `${Math.min(longest + 1, 16)}ch`);
}

async function greet() {
  try {
    const response = await request("/health");
    const reply = await response.json();
    if (response.status === 503) { notice(reply.detail); return lost(); }
    model = reply;
  } catch {
    notice("The server does not answer. It is asked again every second.");
    return lost();
  }
  notice("");
  ready = true;
  document.body.classList.toggle("plain", !model.pen);
  const digits = model.classes.every((name) => /^\d$/.test(name));
  document.title = $("title").textContent = !model.pen ? "What does this picture show?" : digits ? "Draw a digit" : "Draw one of these";
  $("hint").textContent = model.pen ? "Draw here, or drop a picture" : "Drop, paste or choose a picture";
  $("model").textContent = `${model.model} on ${model.engine}`;
  makeBars();
  showNothing();
  if (strokes.length || picture) ask();
}

function lost() {
  ready = false;
  setTimeout(greet, 1000);
}

function lock() {
  sessionStorage.removeItem("key");
  ready = false;
  $("unlock").hidden = false;
  $("key").focus();
}

$("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key").value);
  $("unlock").hidden = true;
  greet();
});

if (/^(localhost|127\.|\[::1\])/.test(location.hostname)) $("where").textContent = "Nothing you draw leaves this machine.";
readColours();
new ResizeObserver(fitCanvas).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); paint(); });
greet();
