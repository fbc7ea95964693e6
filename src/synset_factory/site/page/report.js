// Tables that sort and filter, a search for classes, charts, keys. Without it the pages still read.
"use strict";

const root = document.body.dataset.root;

// ---- tables: a click on a heading sorts, a field above long ones filters ----

const sortKey = (row, column) => {
  let place = 0;
  for (const cell of row.cells) {
    if (place === column) return cell.dataset.sort ?? "";
    place += cell.colSpan;
  }
  return "";
};

const compare = (a, b) => {
  const [x, y] = [Number(a), Number(b)];
  return a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y) ? x - y : a.localeCompare(b);
};

const sort = (table, column, heading) => {
  const down = heading.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("th").forEach((each) => each.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
  rows.sort(([a], [b]) => {
    if (a === "" || b === "") return (a === "") - (b === ""); // without a value: last both ways
    return down ? compare(b, a) : compare(a, b);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
};

const FEW = 8; // rows that need no filter

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sort(table, column, heading));
    heading.append(button);
  });
  if (table.tBodies[0].rows.length <= FEW) continue;
  const filter = document.createElement("input");
  Object.assign(filter, { type: "search", className: "filter", placeholder: "Search this table" });
  filter.setAttribute("aria-label", "Search this table");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.closest(".scroll").before(filter);
}

// ---- the search for a class ----

const find = document.getElementById("find");
const found = document.getElementById("found");
const MOST = 12; // classes listed

find.addEventListener("input", () => {
  const text = find.value.trim().toLowerCase();
  const matches = (window.REPORT_CLASSES ?? []).filter(
    ([wnid, names]) => text && (names.toLowerCase().includes(text) || wnid === text),
  );
  found.replaceChildren(...matches.slice(0, MOST).map(([wnid, names]) => {
    const [item, link, small] = ["li", "a", "small"].map((tag) => document.createElement(tag));
    link.href = `${root}classes/${wnid}.html`;
    small.textContent = ` ${wnid}`;
    link.append(names.split(", ")[0], small);
    item.append(link);
    return item;
  }));
});
find.addEventListener("keydown", (event) => {
  if (event.key === "Enter") found.querySelector("a")?.click();
});

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const link = { n: "next", p: "previous" }[event.key];
  if (link) document.getElementById(link)?.click();
  if (event.key === "/") {
    find.focus();
    event.preventDefault();
  }
});

// ---- charts, light or dark as the page is ----

const dark = window.matchMedia("(prefers-color-scheme: dark)");

const draw = () => {
  for (const chart of document.querySelectorAll(".chart")) {
    const spec = JSON.parse(chart.nextElementSibling.textContent);
    window.vegaEmbed(chart, spec, {
      actions: false,
      renderer: "svg",
      theme: dark.matches ? "dark" : undefined,
      config: {
        background: "transparent",
        view: { stroke: "transparent" },
        axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", grid: true },
        legend: { labelFontSize: 12, titleFontSize: 12 },
      },
    });
  }
};

if (window.vegaEmbed) {
  draw();
  dark.addEventListener("change", draw);
}

// ---- the contents list marks the section on the screen ----

const entries = new Map([...document.querySelectorAll("nav a[href^='#']")].map(
  (link) => [link.hash.slice(1), link],
));
const watch = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    entries.get(target.id)?.classList.toggle("here", isIntersecting);
  }
}, { rootMargin: "-15% 0px -80% 0px" });
for (const id of entries.keys()) {
  const section = document.getElementById(id);
  if (section) watch.observe(section);
}

// ---- two reports side by side (synset-factory diff): each tells where it is, and follows ----

const PAGES = /(?:index|classes\/n\d{8})\.html$/;

if (window.parent !== window) {
  const here = window.location.pathname.match(PAGES)?.[0];
  let following = false;
  window.parent.postMessage({ report: "opened", page: here }, "*");
  window.addEventListener("scroll", () => {
    if (!following) window.parent.postMessage({ report: "scrolled", top: window.scrollY }, "*");
    following = false;
  });
  window.addEventListener("message", ({ source, data }) => {
    if (source !== window.parent) return;
    if (data?.report === "scroll" && Number.isFinite(data.top) && data.top !== window.scrollY) {
      following = true;
      window.scrollTo(0, data.top);
    }
  });
}
