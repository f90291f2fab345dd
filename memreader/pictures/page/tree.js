// A tree: summaries from left to right, in the order of the text; branches fold.

const ROW = 34, COLUMN = 350, WIDTH = 290, HEIGHT = 24, AT_FIRST = 30, DEEP = 2;

const nodes = data.nodes.map((node, id) => ({ ...node, id, parent: null, open: false, depth: 0 }));
for (const node of nodes) {
  for (const id of node.children) {
    nodes[id].parent = node.id;
    nodes[id].depth = node.depth + 1;
  }
}
const roots = nodes.filter((node) => node.parent === null);

// Branches are open from above as long as they find room.
function openAtFirst() {
  let room = AT_FIRST - roots.length;
  const row = [...roots];
  while (row.length) {
    const node = row.shift();
    if (!node.children.length || node.children.length > room || node.depth >= DEEP) continue;
    node.open = true;
    room -= node.children.length;
    row.push(...node.children.map((id) => nodes[id]));
  }
  // A root that has more children than there is room for is opened all the same.
  for (const root of roots) root.open = true;
}

function laidOut() {
  const shown = [], links = [];
  let row = 0;
  const walk = (node) => {
    shown.push(node);
    const below = node.open ? node.children.map((id) => nodes[id]) : [];
    for (const child of below) {
      links.push({ source: node.id, target: child.id });
      walk(child);
    }
    node.fy = node.y = below.length
      ? (below[0].y + below[below.length - 1].y) / 2
      : (row++) * ROW;
    node.fx = node.x = node.depth * COLUMN;
  };
  roots.forEach(walk);
  return { nodes: shown, links };
}

function setUp(drawing) {
  openAtFirst();
  drawing
    .warmupTicks(0)
    .cooldownTicks(0)
    .enableNodeDrag(false)
    .linkCanvasObject((link, context) => {
      const [from, to] = [link.source, link.target];
      context.beginPath();
      context.moveTo(from.x + WIDTH / 2, from.y);
      const bend = (COLUMN - WIDTH) / 2;
      context.bezierCurveTo(from.x + WIDTH / 2 + bend, from.y, to.x - WIDTH / 2 - bend, to.y,
        to.x - WIDTH / 2, to.y);
      context.lineWidth = 1.2;
      context.strokeStyle = colours.link;
      context.stroke();
    })
    .nodeCanvasObject(drawCard)
    .nodePointerAreaPaint((node, colour, context) => {
      context.fillStyle = colour;
      context.fillRect(node.x - WIDTH / 2, node.y - HEIGHT / 2, WIDTH, HEIGHT);
    })
    .graphData(laidOut());
}

function drawCard(node, context) {
  const [left, top] = [node.x - WIDTH / 2, node.y - HEIGHT / 2];
  context.beginPath();
  context.roundRect(left, top, WIDTH, HEIGHT, 6);
  context.fillStyle = colours.raised;
  context.fill();
  context.lineWidth = node.id === selected ? 2.2 : 1;
  context.strokeStyle = node.id === selected ? colours.accent : colours.line;
  context.stroke();
  context.fillStyle = colours[`g${Math.min(node.level, 7)}`];
  context.beginPath();
  context.roundRect(left, top, 5, HEIGHT, [6, 0, 0, 6]);
  context.fill();
  const folded = node.children.length && !node.open ? `+${node.children.length}` : "";
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillStyle = colours.accent;
  context.fillText(folded, left + WIDTH - 8, node.y);
  context.textAlign = "left";
  context.fillStyle = colours.ink;
  const room = WIDTH - 22 - (folded ? context.measureText(folded).width + 8 : 0);
  if (node.fitting?.room !== room) node.fitting = { room, text: fitting(context, node.label, room) };
  context.fillText(node.fitting.text, left + 13, node.y);
}

function fitting(context, text, room) {
  let cut = shortened(text, 90);
  while (context.measureText(cut).width > room && cut.length > 2) cut = cut.slice(0, -2).trimEnd() + "…";
  return cut;
}

const bounds = (shown) => boundsOf(shown, () => WIDTH / 2, () => HEIGHT / 2);
const searched = (node) => node.label;
const named = (node) => shortened(node.label, 120);

// Opens what stands above a node, so that it can be seen; the node itself opens and folds.
function reveal(node, toggled) {
  for (let at = node.parent; at !== null; at = nodes[at].parent) nodes[at].open = true;
  if (toggled) node.open = !node.open && node.children.length > 0;
  drawing.graphData(laidOut());
}

function welcome() {
  showPanel(
    element("h2", { text: "The document from above" }),
    element("p", { className: "told", text: "On the left stands the summary of the whole, on the " +
      "right those of single passages. Click a summary to read it and to open or fold what is " +
      "below it; a passage shows its text and its page." }),
    ...roots.map((root) => element("div", { className: "below" }, summary(root.id))), told());
}

function summary(id) {
  return element("button", { type: "button", text: nodes[id].label, onclick: () => select(id) });
}

function pages(node) {
  const line = element("p", { className: "where" }, data.documents[node.document].name);
  const [first, last] = node.pages;
  if (first) line.append(", ", pageLink(node.document, first, pageName(first)));
  if (last && last[0] !== first[0]) {
    line.append(" to ", pageLink(node.document, last, pageName(last)));
  }
  return line;
}

function describe(node) {
  const parts = [];
  if (node.parent !== null) {
    parts.push(element("h3", { text: "Part of" }),
      element("div", { className: "below" }, summary(node.parent)));
  }
  parts.push(element("h3", { text: node.level ? `Summary, level ${node.level}` : "Summary of a passage" }),
    element("h2", { className: "long", text: node.label }), pages(node));
  if (node.children.length) {
    parts.push(element("h3", { text: count(node.children.length, "part", "parts") }),
      several(element("div", { className: "below" }), node.children, summary));
  }
  if (node.hidden) {
    parts.push(element("p", { className: "told", text: `${count(node.hidden, "part is", "parts are")} not drawn.` }));
  }
  if (node.places.length) {
    parts.push(element("h3", { text: "The passage" }), ...node.places.map((n) => quoted(data.places[n])));
  }
  showPanel(...parts);
}
