"use strict";
// All text of documents goes through textContent: nothing of it is ever parsed as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const AT_ONCE = 25;
const CONTEXT = 220;

function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  const { text, ...rest } = options;
  if (text !== undefined) made.textContent = text;
  Object.assign(made, rest);
  made.append(...children);
  return made;
}

function count(number, one, several) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
}

function pageName(page) {
  const [number, label] = page;
  return `page ${number}` + (label !== String(number) ? ` (printed ${label})` : "");
}

function pageLink(number, page, text) {
  const { link } = data.documents[number];
  if (!link) return element("span", { text });
  return element("a", { text, href: link + page[0], target: "_blank", rel: "noopener" });
}

// Lines end where the page's did: those within a paragraph are joined.
function flowing(text) {
  return text.replace(/[ \t]*\r?\n(?![ \t]*\r?\n)/g, (end, at) => (/\n\s*$/.test(text.slice(0, at)) ? end : " "));
}

// The quote in its context, cut at spaces.
function quoted(place) {
  const excerpt = data.excerpts[place.excerpt];
  let before = excerpt.slice(Math.max(0, place.start - CONTEXT), place.start);
  let after = excerpt.slice(place.end, place.end + CONTEXT);
  if (before.length === CONTEXT) before = before.replace(/^\S*\s/, "… ");
  if (after.length === CONTEXT) after = after.replace(/\s\S*$/, " …");
  const quote = element("mark", { text: flowing(excerpt.slice(place.start, place.end)) });
  return element("blockquote", {}, flowing(before), quote, flowing(after));
}

// What is drawn and what was left out, where there is no room for it beside the drawing.
function told() {
  return element("p", { className: "told notes", text: data.notes.join(" ") });
}

function where(place) {
  const line = element("p", { className: "where" }, data.documents[place.document].name);
  if (place.page) line.append(", ", pageLink(place.document, place.page, pageName(place.page)));
  return line;
}

// The first of many, and a button for more of them.
function several(holder, items, make, atOnce = AT_ONCE) {
  let shown = 0;
  const more = element("button", { className: "more", type: "button" });
  const show = () => {
    for (const item of items.slice(shown, shown + atOnce)) holder.insertBefore(make(item), more);
    shown += atOnce;
    const left = items.length - shown;
    more.textContent = `${left.toLocaleString("en")} more`;
    if (left <= 0) more.remove();
  };
  more.onclick = show;
  holder.append(more);
  show();
  return holder;
}

function showPanel(...children) {
  const panel = document.getElementById("panel");
  panel.replaceChildren(...children);
  panel.scrollTop = 0;
}
