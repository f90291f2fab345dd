// A graph: circles as large as the number of their facts, laid out by forces.

const nodes = data.nodes.map((node, id) => ({ ...node, id, near: new Set() }));
const links = data.links.map(([source, target, weight]) => ({ source, target, weight }));
for (const { source, target } of links) {
  nodes[source].near.add(target);
  nodes[target].near.add(source);
}
const MOST_LABELS = 250;
const strongest = Math.max(1, ...links.map((link) => link.weight));
const radius = (node) => 3 + 2.2 * Math.sqrt(node.facts.length);
const dimmed = (node) =>
  selected !== null && node.id !== selected && !nodes[selected].near.has(node.id);

function setUp(drawing) {
  drawing
    .graphData({ nodes, links })
    .warmupTicks(nodes.length > 1500 ? 60 : 260)
    .cooldownTicks(0)
    .linkWidth((link) => 0.6 + (2 * link.weight) / strongest)
    .linkColor((link) => {
      const on = selected === link.source.id || selected === link.target.id;
      return colours[on ? "accent" : "link"] + (on ? "" : selected === null ? "99" : "33");
    })
    .nodeCanvasObject(drawCircle)
    .nodePointerAreaPaint((node, colour, context, scale) => {
      context.beginPath();
      context.arc(node.x, node.y, radius(node) + 4 / scale, 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.fill();
    })
    .onRenderFramePost(drawLabels);
  drawing.d3Force("charge").strength(-70).distanceMax(500).theta(1.1);
  drawing.d3Force("link").distance(46);
  drawing.d3Force("gravity", gravity);
}

function drawCircle(node, context) {
  context.globalAlpha = dimmed(node) ? 0.2 : 1;
  context.beginPath();
  context.arc(node.x, node.y, radius(node), 0, 2 * Math.PI);
  context.fillStyle = colours[`g${node.group}`];
  context.fill();
  if (node.id === selected) {
    context.lineWidth = 2.5;
    context.strokeStyle = colours.ink;
    context.stroke();
  }
  context.globalAlpha = 1;
}

// Names that find room, the selected one and its neighbours first, then the best connected.
function drawLabels(context, scale) {
  const size = 12.5 / scale;
  const taken = [];
  const wanted = candidates();
  // What is selected stands above all else.
  if (selected !== null) for (const node of [...wanted].reverse()) drawCircle(node, context);
  context.font = `${size}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "top";
  context.lineJoin = "round";
  context.lineWidth = 3.5 / scale;
  for (const node of wanted) {
    const text = shortened(node.label, 34);
    const width = context.measureText(text).width + 6 / scale;
    const y = node.y + radius(node) + 2 / scale;
    const box = { x: node.x - width / 2, y, width, height: size * 1.25 };
    if (node.id !== selected && taken.some((other) => meet(box, other))) continue;
    taken.push(box);
    context.strokeStyle = colours.ground;
    context.strokeText(text, node.x, y);
    context.fillStyle = colours.ink;
    context.fillText(text, node.x, y);
  }
}

// The nodes that are in sight, as many as labels may be wanted for.
function candidates() {
  const corner = drawing.screen2GraphCoords(0, 0);
  const other = drawing.screen2GraphCoords(stage.clientWidth, stage.clientHeight);
  const near = selected === null ? nodes
    : [nodes[selected], ...[...nodes[selected].near].sort((a, b) => a - b).map((id) => nodes[id])];
  const inSight = (n) => n.x > corner.x && n.x < other.x && n.y > corner.y && n.y < other.y;
  return near.filter(inSight).slice(0, MOST_LABELS);
}

// Draws what is joined to nothing else nearer to the rest.
function gravity(alpha) {
  for (const node of nodes) {
    node.vx -= node.x * 0.06 * alpha;
    node.vy -= node.y * 0.075 * alpha;
  }
}

function meet(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

const bounds = (shown) => boundsOf(shown, (n) => radius(n) + 30, (n) => radius(n) + 14);
const searched = (node) => [node.label, ...node.aliases].join("\n");
const named = (node) => node.label;
const reveal = () => {};

function welcome() {
  showPanel(
    element("h2", { text: "What the document speaks of" }),
    element("p", { className: "told", text: "Click a circle, or search, to read the facts about " +
      "it with their quotes and pages. Circles are as large as the number of their facts; lines " +
      "join what one fact mentions together, and colours those that often go together." }),
    element("h3", { text: "Connected best" }),
    chips(nodes.slice(0, 12).map((node) => node.id)), told());
}

function chips(ids) {
  const make = (id) =>
    element("button", { type: "button", text: nodes[id].label, onclick: () => select(id) });
  return several(element("div", { className: "chips" }), ids, make, 14);
}

function describe(node) {
  const parts = [element("h2", { text: node.label })];
  if (node.aliases.length) {
    parts.push(element("p", { className: "told", text: `Also: ${node.aliases.join(", ")}` }));
  }
  const near = [...node.near].sort((a, b) => a - b);
  const drawn = near.length < node.degree ? `, ${near.length.toLocaleString("en")} of them drawn` : "";
  parts.push(element("p", { className: "told", text:
    `${count(node.facts.length, "fact", "facts")}, connected with ` +
    `${count(node.degree, "element", "elements")}${drawn}` }));
  if (near.length) parts.push(element("h3", { text: "Connected with" }), chips(near));
  const facts = several(element("div"), node.facts, (number) => {
    const { text, place } = data.facts[number];
    const at = data.places[place];
    return element("div", { className: "fact" }, element("p", { text }), quoted(at), where(at));
  });
  parts.push(element("h3", { text: "Facts" }), facts);
  showPanel(...parts);
}
