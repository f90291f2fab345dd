// What graphs and trees share: colours, zoom, selection, search.

let selected = null;
const colours = {};
const stage = document.getElementById("stage");
const search = document.getElementById("search");
const found = document.getElementById("found");

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ground", "raised", "ink", "line", "link", "accent", "halo",
    ...Array.from({ length: 9 }, (_, i) => `g${i}`)]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

function shortened(text, most) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1).trimEnd()}…` : line;
}

readColours();
const drawing = new ForceGraph(document.getElementById("drawing"))
  .nodeLabel(() => "")
  .linkLabel(() => "")
  .backgroundColor("rgba(0,0,0,0)")
  .minZoom(0.02)
  .maxZoom(12)
  .onNodeClick((node) => select(node.id, { moved: false, toggled: true }))
  .onBackgroundClick(() => select(null));

function resized() {
  drawing.width(stage.clientWidth).height(stage.clientHeight);
}

// All that is drawn, with room for the notes below; one node alone is not blown up.
function fit(duration = 300) {
  const box = bounds(drawing.graphData().nodes);
  const [width, height] = [stage.clientWidth - 48, stage.clientHeight - 96];
  const zoom = Math.min(width / (box.right - box.left), height / (box.bottom - box.top), 1.6);
  drawing.zoom(zoom, duration);
  drawing.centerAt((box.left + box.right) / 2, (box.top + box.bottom) / 2 + 20 / zoom, duration);
}

function boundsOf(shown, x, y) {
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const node of shown) {
    box.left = Math.min(box.left, node.x - x(node));
    box.right = Math.max(box.right, node.x + x(node));
    box.top = Math.min(box.top, node.y - y(node));
    box.bottom = Math.max(box.bottom, node.y + y(node));
  }
  return box;
}

function redraw() {
  drawing.nodeCanvasObject(drawing.nodeCanvasObject());
}

function select(id, { moved = true, toggled = false } = {}) {
  selected = id;
  redraw();
  if (id === null) return welcome();
  const node = nodes[id];
  reveal(node, toggled);
  describe(node);
  if (moved) {
    drawing.centerAt(node.x, node.y, 300);
    if (drawing.zoom() < 0.9) drawing.zoom(0.9, 300);
  }
}

function offer() {
  const wanted = search.value.trim().toLocaleLowerCase();
  found.replaceChildren();
  found.hidden = !wanted;
  if (!wanted) return;
  const hits = nodes.filter((node) => searched(node).toLocaleLowerCase().includes(wanted));
  hits.sort((a, b) => rank(a, wanted) - rank(b, wanted));
  for (const node of hits.slice(0, 20)) {
    const choose = () => {
      found.hidden = true;
      select(node.id);
    };
    found.append(element("li", {}, element("button", { type: "button", text: named(node), onclick: choose })));
  }
  if (hits.length !== Math.min(hits.length, 20) || !hits.length) {
    const text = hits.length ? `and ${(hits.length - 20).toLocaleString("en")} more` : "Nothing found";
    found.append(element("li", { className: "told", text }));
  }
}

// What begins with the words that are searched comes first; the sort is stable.
function rank(node, wanted) {
  return searched(node).toLocaleLowerCase().startsWith(wanted) ? 0 : 1;
}

search.addEventListener("input", offer);
search.addEventListener("focus", offer);
search.addEventListener("keydown", (event) => {
  if (event.key === "Enter") found.querySelector("button")?.click();
  if (event.key === "ArrowDown") found.querySelector("button")?.focus();
  if (event.key === "Escape") found.hidden = true;
});
found.addEventListener("keydown", (event) => {
  const item = event.target.closest("li");
  const next = { ArrowDown: item?.nextElementSibling, ArrowUp: item?.previousElementSibling }[event.key];
  if (event.key.startsWith("Arrow")) {
    (next?.querySelector("button") ?? search).focus();
    event.preventDefault();
  }
  if (event.key === "Escape") search.focus(), (found.hidden = true);
});
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".search")) found.hidden = true;
});
document.getElementById("fit").onclick = () => fit();
document.getElementById("in").onclick = () => drawing.zoom(drawing.zoom() * 1.5, 200);
document.getElementById("out").onclick = () => drawing.zoom(drawing.zoom() / 1.5, 200);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  redraw();
});
new ResizeObserver(resized).observe(stage);

document.getElementById("notes").textContent = "Drawing…";
resized();
welcome();
// After the next frame, so that a large picture shows that it is being laid out.
requestAnimationFrame(() => setTimeout(() => {
  setUp(drawing);
  drawing.onEngineStop(() => {
    drawing.onEngineStop(() => {});
    fit(0);
    document.getElementById("notes").textContent = data.notes.join(" ");
    document.body.dataset.drawn = "yes";
  });
}));
